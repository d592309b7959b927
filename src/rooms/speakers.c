/*
 * speakers: who speaks, told a few times per second. Levels come from the header extension of RFC 6464; they are
 * smoothed over some intervals and told in steps of an eighth, so that clients hear of changes only.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "rooms/rooms_internal.h"

enum { STEPS = 8, STALE_INTERVALS = 2, PROTOCOL_DELTAS = 2 };

/* 0…127 dB below full scale as 1…0. */
static double linear(double db)
{
	return pow(10.0, -db / 20.0);
}

/* Loud for a part of the interval only counts as less loud. */
static double level_of(const struct loudness_reading *r, const struct rooms_cfg *cfg)
{
	double interval_ms = (double)cfg->speaker_interval_us / 1000.0;
	double share = MIN((double)r->active_ms / interval_ms, 1.0);
	if (r->active_ms == 0 || share * 100.0 < cfg->speaker_min_percent)
		return 0.0;
	return linear((double)r->loudest - 20.0 * log10(share));
}

/* One participant's level over the last interval: its loudest track. */
static void measure(struct participant *p)
{
	const struct rooms_cfg *cfg = &p->room->rooms->cfg;
	double now = 0.0;
	uint32_t heard_ms = 0;
	list_for_each(node, &p->tracks) {
		const struct track *t = list_entry(node, struct track, node);
		if (t->info->type != LIVEKIT__TRACK_TYPE__AUDIO)
			continue;
		struct loudness_reading r = uptrack_take_loudness(t->up);
		if (t->info->muted)
			continue;
		heard_ms += r.heard_ms;
		now = fmax(now, level_of(&r, cfg));
	}
	struct speech *s = &p->speech;
	s->silent_intervals = heard_ms ? 0 : s->silent_intervals + 1;
	double weight = fmin(2.0 / (cfg->speaker_smooth_intervals + 1.0), 1.0);
	s->level += (now - s->level) * weight;
	if (s->silent_intervals >= STALE_INTERVALS)
		s->level = 0.0;
	bool is_active = s->level >= linear(cfg->speaker_active_level);
	unsigned step = is_active ? (unsigned)ceil(fmin(s->level, 1.0) * STEPS) : 0;
	s->has_changed = step != s->step;
	s->step = (uint8_t)step;
}

static bool hears(const struct participant *viewer, const struct participant *speaker)
{
	if (viewer == speaker)
		return true;
	if (!participant_sees(viewer, speaker))
		return false;
	/* That somebody ceased is told even if the track is gone. */
	return speaker->speech.step == 0 || subscribe_has_any(viewer, speaker);
}

static int loudest_first(const void *a, const void *b)
{
	const struct participant *x = *(struct participant *const *)a,
				 *y = *(struct participant *const *)b;
	return (int)y->speech.step - (int)x->speech.step;
}

static void tell(struct participant *viewer, struct participant **changed, size_t n)
{
	Livekit__SpeakerInfo *infos = xcalloc(n, sizeof *infos), **ptrs = xcalloc(n, sizeof *ptrs);
	Livekit__SpeakersChanged msg = LIVEKIT__SPEAKERS_CHANGED__INIT;
	for (size_t i = 0; i < n; i++) {
		if (!hears(viewer, changed[i]))
			continue;
		Livekit__SpeakerInfo *info = &infos[msg.n_speakers];
		livekit__speaker_info__init(info);
		info->sid = changed[i]->sid;
		PB_SET(info, level, (float)changed[i]->speech.step / STEPS);
		PB_SET(info, active, changed[i]->speech.step > 0);
		ptrs[msg.n_speakers++] = info;
	}
	msg.speakers = ptrs;
	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_SPEAKERS_CHANGED;
	res.speakers_changed = &msg;
	if (msg.n_speakers)
		participant_send(viewer, &res);
	xfree(ptrs);
	xfree(infos);
}

static void on_interval(void *arg, uint64_t now_us)
{
	struct room *room = arg;
	size_t n = 0;
	wheel_set(&room->rooms->worker->wheel, &room->speakers,
		now_us + room->rooms->cfg.speaker_interval_us);
	struct participant **changed = xcalloc(room->n_participants, sizeof *changed);
	list_for_each(node, &room->participants) {
		struct participant *p = list_entry(node, struct participant, node);
		measure(p);
		if (p->speech.has_changed)
			changed[n++] = p;
	}
	if (n) {
		qsort(changed, n, sizeof *changed, loudest_first);
		list_for_each(node, &room->participants) {
			struct participant *viewer = list_entry(node, struct participant, node);
			if (viewer->protocol > PROTOCOL_DELTAS)
				tell(viewer, changed, n);
		}
	}
	xfree(changed);
}

void speakers_start(struct room *room)
{
	struct rooms *r = room->rooms;
	timer_init(&room->speakers, on_interval, room);
	if (r->cfg.speaker_interval_us)
		wheel_set(&r->worker->wheel, &room->speakers,
			rooms_now(r) + r->cfg.speaker_interval_us);
}

void speakers_stop(struct room *room)
{
	wheel_del(&room->rooms->worker->wheel, &room->speakers);
}
