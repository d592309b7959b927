#include "sfu/uptrack.h"

#include <string.h>

#include "base/clock.h"
#include "base/hot.h"
#include "base/mem.h"
#include "base/metric.h"
#include "sfu/downtrack_internal.h"
#include "sfu/receiver_internal.h"
#include "sfu/uptrack_internal.h"

enum {
	CYCLE_US = 500 * 1000,
	SCREEN_CYCLE_US = 2 * 1000 * 1000,
	BYTES_PER_PACKET = 512, /* mean, for sizing the retransmission buffer */
	FIRST_KEY_FRAME_RETRY_US = 1000 * 1000,
	FIRST_KEY_FRAME_GIVE_UP_US = 30 * 1000 * 1000,
	PREFETCH_AHEAD = 2, /* downtracks: 60 ns of work */
};

struct uptrack *uptrack_new(struct receiver *r, const struct uptrack_cfg *cfg)
{
	struct uptrack *u = XNEW(struct uptrack);
	list_init(&u->node);
	u->receiver = r;
	u->codec = cfg->codec;
	u->ops = cfg->ops;
	u->arg = cfg->arg;
	memcpy(u->mid, cfg->mid, sizeof u->mid);
	u->payload_type = cfg->payload_type;
	u->rtx_payload_type = cfg->rtx_payload_type;
	u->has_nack = cfg->has_nack;
	u->is_screen = cfg->is_screen;
	u->n_layers = (uint8_t)MIN(cfg->n_layers, (unsigned)LAYERS_MAX);
	u->wanted = LAYER_NONE;
	loudness_init(&u->loudness, cfg->active_level);
	memcpy(u->pli_throttle_us, cfg->pli_throttle_us, sizeof u->pli_throttle_us);
	for (uint8_t i = 0; i < u->n_layers; i++) {
		const struct uptrack_layer_cfg *c = &cfg->layers[i];
		struct uplayer *l = &u->layers[i];
		*l = (struct uplayer){
			.track = u, .index = i, .ssrc = c->ssrc, .rtx_ssrc = c->rtx_ssrc};
		memcpy(l->rid, c->rid, sizeof l->rid);
		recv_stats_init(&l->stats, u->codec->clock_rate);
		nack_gen_init(&l->nack);
		l->buf = pktbuf_new(
			cfg->buffer_packets, (size_t)cfg->buffer_packets * BYTES_PER_PACKET);
		u->info[i] = (struct layer_info){
			.width = c->width, .height = c->height, .quality = c->quality};
	}
	receiver_attach(r, u);
	metric_inc(M_TRACKS_PUBLISHED);
	return u;
}

void uptrack_free(struct uptrack *u)
{
	if (!u)
		return;
	receiver_detach(u->receiver, u);
	for (uint8_t i = 0; i < u->n_layers; i++)
		pktbuf_free(u->layers[i].buf);
	xfree(u->down);
	xfree(u);
	metric_sub(M_TRACKS_PUBLISHED, 1);
}

void uptrack_set_muted(struct uptrack *u, bool is_muted)
{
	if (u->is_muted == is_muted)
		return;
	u->is_muted = is_muted;
	if (is_muted)
		return;
	/* As at the start: each layer counts from its first packet, and the first cycle begins with
	 * the first of all. */
	u->cycle_end_us = UINT64_MAX;
	for (uint8_t i = 0; i < u->n_layers; i++)
		u->layers[i].was_active = false;
}

const struct rtp_codec *uptrack_codec(const struct uptrack *u)
{
	return u->codec;
}

unsigned uptrack_layer_count(const struct uptrack *u)
{
	return u->n_layers;
}

const struct layer_info *uptrack_layers(const struct uptrack *u)
{
	return u->info;
}

struct loudness_reading uptrack_take_loudness(struct uptrack *u)
{
	return loudness_take(&u->loudness);
}

bool uptrack_is_live(const struct uptrack *u)
{
	return u->is_live;
}

uint64_t uptrack_bitrate(const struct uptrack *u)
{
	uint64_t sum = 0;
	for (uint8_t i = 0; i < u->n_layers; i++)
		sum += u->layers[i].bitrate_bps;
	return sum;
}

void uptrack_attach(struct uptrack *u, struct downtrack *d)
{
	if (u->n_down == u->cap_down) {
		u->cap_down = u->cap_down ? u->cap_down * 2 : 4;
		u->down = xrealloc(u->down, u->cap_down * sizeof(struct downtrack *));
	}
	u->down[u->n_down++] = d;
	uptrack_update_wanted(u);
}

void uptrack_detach(struct uptrack *u, struct downtrack *d)
{
	for (uint32_t i = 0; i < u->n_down; i++) {
		if (u->down[i] == d) {
			u->down[i] = u->down[--u->n_down];
			break;
		}
	}
	uptrack_update_wanted(u);
}

/*
 * A layer that the publisher stopped because nobody wanted it is no unreliable one: now that somebody does, it counts
 * from its first packet.
 */
static void forgive_silence(struct uptrack *u, int wanted)
{
	for (int i = 0; i <= wanted && i < u->n_layers; i++)
		if (!u->info[i].is_active)
			u->layers[i].was_active = false;
}

void uptrack_update_wanted(struct uptrack *u)
{
	int wanted = LAYER_NONE;
	for (uint32_t i = 0; i < u->n_down; i++)
		wanted = MAX(wanted, u->down[i]->wanted);
	if (wanted == u->wanted)
		return;
	if (wanted > u->wanted)
		forgive_silence(u, wanted);
	u->wanted = wanted;
	u->ops->wanted_changed(u->arg, wanted);
}

static uint64_t cycle_us(const struct uptrack *u)
{
	return u->is_screen ? SCREEN_CYCLE_US : CYCLE_US;
}

/* What subscribers get may change when a layer comes or goes. */
static void layers_changed(struct uptrack *u, uint64_t now_us)
{
	for (uint32_t i = 0; i < u->n_down; i++)
		downtrack_retarget(u->down[i], now_us);
	u->ops->layers_changed(u->arg);
}

void uptrack_layer_packet(struct uplayer *l, size_t bytes, uint64_t now_us)
{
	struct uptrack *u = l->track;
	l->cycle_packets++;
	l->second_bytes += bytes;
	if (LIKELY(l->was_active))
		return;
	l->first_packet_us = now_us;
	l->was_active = l->is_fresh = true;
	l->good_cycles = 0;
	u->is_live = true;
	if (u->cycle_end_us == UINT64_MAX)
		u->cycle_end_us = now_us + cycle_us(u);
	if (u->info[l->index].is_active)
		return;
	u->info[l->index].is_active = true;
	bool was_hot = hot_pause();
	layers_changed(u, now_us);
	hot_resume(was_hot);
}

void uptrack_layer_restart(struct uplayer *l, uint64_t now_us)
{
	struct uptrack *u = l->track;
	nack_gen_reset(&l->nack);
	pktbuf_clear(l->buf);
	l->has_sr = false;
	for (uint32_t i = 0; i < u->n_down; i++)
		downtrack_source_restarted(u->down[i], l->index, now_us);
}

void uptrack_layer_size(struct uplayer *l, uint32_t width, uint32_t height, uint64_t now_us)
{
	struct uptrack *u = l->track;
	struct layer_info *info = &u->info[l->index];
	if (LIKELY(info->width == width && info->height == height))
		return;
	info->width = width;
	info->height = height;
	bool was_hot = hot_pause();
	layers_changed(u, now_us);
	hot_resume(was_hot);
}

static void send_pli(struct uptrack *u, struct uplayer *l, uint64_t now_us)
{
	l->pli_sent_us = now_us;
	l->pli_pending = false;
	metric_inc(M_PLI_OUT);
	receiver_send_pli(u->receiver, l->ssrc);
}

void uptrack_request_key_frame(struct uptrack *u, int layer, uint64_t now_us)
{
	if (layer < 0 || layer >= u->n_layers || !u->codec->has_key_frames)
		return;
	struct uplayer *l = &u->layers[layer];
	if (!l->ssrc)
		return;
	if (l->pli_sent_us && now_us - l->pli_sent_us < u->pli_throttle_us[layer]) {
		l->pli_pending = true;
		metric_inc(M_PLI_THROTTLED);
		return;
	}
	send_pli(u, l, now_us);
}

/* Active: enough packets in a cycle; after a silence only when several cycles in a row were good. */
static bool cycle_end(struct uptrack *u, struct uplayer *l)
{
	struct layer_info *info = &u->info[l->index];
	unsigned enough = l->index == 0 || u->is_screen ? 1 : 5;
	unsigned needed = u->is_screen ? 1 : l->index == 0 ? 4 : 20;
	bool is_good = l->cycle_packets >= enough, was = info->is_active;
	l->cycle_packets = 0;
	if (!l->was_active) {
		info->is_active = false; /* it did not come back with the others after a mute */
		return was;
	}
	if (l->is_fresh) {
		l->is_fresh = false;
		return false;
	}
	if (was) {
		info->is_active = is_good;
		l->good_cycles = 0;
	} else {
		l->good_cycles = is_good ? l->good_cycles + 1 : 0;
		info->is_active = l->good_cycles >= needed;
	}
	return info->is_active != was;
}

static void tick_key_frames(struct uptrack *u, struct uplayer *l, uint64_t now_us)
{
	if (l->pli_pending && now_us - l->pli_sent_us >= u->pli_throttle_us[l->index])
		send_pli(u, l, now_us);
	if (!l->key_frame_seen && l->was_active && u->codec->has_key_frames && u->n_down &&
		now_us - l->first_packet_us < FIRST_KEY_FRAME_GIVE_UP_US &&
		now_us - l->pli_sent_us >= FIRST_KEY_FRAME_RETRY_US)
		uptrack_request_key_frame(u, l->index, now_us);
}

void uptrack_tick(struct uptrack *u, uint64_t now_us)
{
	for (uint8_t i = 0; i < u->n_layers; i++)
		tick_key_frames(u, &u->layers[i], now_us);
	if (now_us < u->cycle_end_us)
		return;
	u->cycle_end_us = now_us + cycle_us(u);
	bool changed = false;
	for (uint8_t i = 0; i < u->n_layers; i++) {
		struct uplayer *l = &u->layers[i];
		l->bitrate_bps = l->second_bytes * 8 * US_PER_S / cycle_us(u);
		l->second_bytes = 0;
		if (!u->is_muted && u->codec->media == RTP_VIDEO)
			changed |= cycle_end(u, l);
	}
	if (changed)
		layers_changed(u, now_us);
}

void fwd_push(struct uptrack *u, const struct fwd_packet *pkt)
{
	if (pkt->frame.is_key_frame) {
		pkt->layer->key_frame_seen = true;
		pkt->layer->pli_pending = false; /* whoever asked has it now */
	}
	for (uint32_t i = 0; i < u->n_down; i++) {
		if (i + PREFETCH_AHEAD < u->n_down)
			downtrack_prefetch(u->down[i + PREFETCH_AHEAD]);
		downtrack_push(u->down[i], pkt);
	}
}
