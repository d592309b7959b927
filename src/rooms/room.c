#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "rooms/rooms_internal.h"

enum { COUNT_UPDATE_US = 5 * 1000 * 1000, UPDATE_MAX = 16 << 20 };

struct room *room_find_or_new(struct rooms *r, const char *name)
{
	struct room *room = map_get(&r->by_name, slice_str(name));
	if (room)
		return room;
	room = XNEW(struct room);
	room->rooms = r;
	room->name = xstrdup(name);
	rng_id(room->sid, "RM_");
	rng_bytes(room->sif_trailer, sizeof room->sif_trailer);
	room->created_wall_us = clock_wall_us();
	room->empty_since_us = rooms_now(r);
	list_init(&room->participants);
	map_init(&room->by_identity);
	list_push(&r->all, &room->node);
	map_put(&r->by_name, slice_str(name), room);
	speakers_start(room);
	metric_inc(M_ROOMS);
	LOG_INFO("room started", F_STR("room", room->name), F_STR("sid", room->sid),
		F_UINT("worker", r->worker->index));
	return room;
}

void room_free(struct room *room)
{
	while (!list_empty(&room->participants))
		participant_kick(list_first(&room->participants, struct participant, node),
			LIVEKIT__DISCONNECT_REASON__ROOM_CLOSED,
			LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
	speakers_stop(room);
	list_del(&room->node);
	map_del(&room->rooms->by_name, slice_str(room->name));
	map_free(&room->by_identity);
	LOG_INFO("room ended", F_STR("room", room->name), F_STR("sid", room->sid));
	xfree(room->name);
	xfree(room);
	metric_sub(M_ROOMS, 1);
}

struct participant *room_by_identity(const struct room *room, const char *identity)
{
	return map_get(&room->by_identity, slice_str(identity));
}

struct participant *room_by_sid(const struct room *room, const char *sid)
{
	list_for_each(node, &room->participants) {
		struct participant *p = list_entry(node, struct participant, node);
		if (strcmp(p->sid, sid) == 0)
			return p;
	}
	return NULL;
}

static bool is_occupied(const struct room *room)
{
	list_for_each(node, &room->participants)
		if (!list_entry(node, struct participant, node)->is_dependent)
			return true;
	return false;
}

void room_changed(struct room *room)
{
	uint64_t now = rooms_now(room->rooms);
	if (is_occupied(room)) {
		room->empty_since_us = 0;
		room->had_participants = true;
	} else if (!room->empty_since_us) {
		room->empty_since_us = now;
	}
	if (!room->update_due_us)
		room->update_due_us = now + COUNT_UPDATE_US;
}

/*
 * One message to many, encoded once and posted once: a large room hears much of this. Those for whom `wants` is false
 * are left out.
 */
static void send_to_all(struct room *room, const Livekit__SignalResponse *res,
	bool (*wants)(const struct participant *viewer, const void *arg), const void *arg)
{
	uint64_t *conns = xcalloc(room->n_participants, sizeof *conns);
	size_t n = 0;
	list_for_each(node, &room->participants) {
		const struct participant *viewer = list_entry(node, struct participant, node);
		if (viewer->conn && wants(viewer, arg))
			conns[n++] = viewer->conn;
	}
	struct buf b;
	buf_init(&b, UPDATE_MAX);
	if (n && pb_encode(res, &b) == 0)
		room->rooms->ops->send(room->rooms->arg, conns, n, buf_slice(&b));
	buf_free(&b);
	xfree(conns);
}

static bool wants_always(const struct participant *viewer, const void *arg)
{
	(void)viewer, (void)arg;
	return true;
}

/* Everybody learns how many there are, at most every five seconds. */
static void send_room_update(struct room *room)
{
	struct info_room info;
	info_room(room, &info);
	Livekit__RoomUpdate update = LIVEKIT__ROOM_UPDATE__INIT;
	update.room = &info.msg;
	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_ROOM_UPDATE;
	res.room_update = &update;
	send_to_all(room, &res, wants_always, NULL);
}

static bool is_timed_out(const struct room *room, uint64_t now_us)
{
	const struct rooms_cfg *cfg = &room->rooms->cfg;
	uint64_t limit = room->had_participants ? cfg->departure_timeout_us : cfg->empty_timeout_us;
	return room->empty_since_us && now_us - room->empty_since_us >= limit;
}

void room_tick(struct room *room, uint64_t now_us)
{
	list_for_each_safe(node, &room->participants)
		participant_tick(list_entry(node, struct participant, node), now_us);
	if (room->update_due_us && now_us >= room->update_due_us) {
		room->update_due_us = 0;
		send_room_update(room);
	}
	if (is_timed_out(room, now_us) && registry_remove(room->rooms->registry, room->name))
		room_free(room);
}

/* Who hears of a participant. */
struct audience {
	const struct participant *of;
	bool is_self_in;
	int32_t protocol_max; /* clients above it are left out */
};

static bool wants_update(const struct participant *viewer, const void *arg)
{
	const struct audience *a = arg;
	bool wants = viewer == a->of ? a->is_self_in : participant_sees(viewer, a->of);
	return wants && viewer->protocol <= a->protocol_max;
}

static void broadcast(struct participant *p, bool to_self, int32_t protocol_max)
{
	Livekit__ParticipantInfo *info = info_participant(p);
	PB_SET(info, version, info->version + 1);
	Livekit__ParticipantUpdate update = LIVEKIT__PARTICIPANT_UPDATE__INIT;
	update.n_participants = 1;
	update.participants = &info;
	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_UPDATE;
	res.update = &update;
	struct audience audience = {p, to_self, protocol_max};
	send_to_all(p->room, &res, wants_update, &audience);
}

void room_broadcast(struct participant *p, bool to_self)
{
	broadcast(p, to_self, INT32_MAX);
}

void room_announce_leave(struct participant *p, Livekit__DisconnectReason reason)
{
	/* Newer clients take the one who comes in p's place for the same participant with a new sid. */
	bool is_replaced = reason == LIVEKIT__DISCONNECT_REASON__DUPLICATE_IDENTITY;
	broadcast(p, false, is_replaced ? PROTOCOL_ASYNC_SID : INT32_MAX);
}
