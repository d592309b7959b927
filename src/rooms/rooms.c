#include "rooms/rooms.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "rooms/rooms_internal.h"

enum { TICK_US = 1000 * 1000 };

uint64_t rooms_now(const struct rooms *r)
{
	return r->worker->now_us;
}

static void on_tick(void *arg, uint64_t now_us)
{
	struct rooms *r = arg;
	list_for_each_safe(node, &r->all)
		room_tick(list_entry(node, struct room, node), now_us);
	wheel_set(&r->worker->wheel, &r->tick, now_us + TICK_US);
}

struct rooms *rooms_new(struct worker *w, struct rtc *rtc, struct registry *registry,
	const struct rooms_cfg *cfg, struct auth_keys *keys, const struct rooms_ops *ops, void *arg)
{
	struct rooms *r = XNEW(struct rooms);
	*r = (struct rooms){
		.worker = w, .rtc = rtc, .registry = registry, .cfg = *cfg, .ops = ops, .arg = arg};
	r->keys = auth_keys_ref(keys);
	icelist_ref(r->cfg.ice);
	map_init(&r->by_name);
	map_init(&r->by_conn);
	list_init(&r->all);
	timer_init(&r->tick, on_tick, r);
	wheel_set(&w->wheel, &r->tick, w->now_us + TICK_US);
	return r;
}

void rooms_free(struct rooms *r)
{
	if (!r)
		return;
	list_for_each_safe(node, &r->all) {
		struct room *room = list_entry(node, struct room, node);
		while (!list_empty(&room->participants))
			participant_kick(list_first(&room->participants, struct participant, node),
				LIVEKIT__DISCONNECT_REASON__SERVER_SHUTDOWN,
				LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
		room_free(room);
	}
	wheel_del(&r->worker->wheel, &r->tick);
	map_free(&r->by_name);
	map_free(&r->by_conn);
	auth_keys_unref(r->keys);
	icelist_unref(r->cfg.ice);
	xfree(r);
}

void rooms_reload(struct rooms *r, const struct rooms_cfg *cfg, struct auth_keys *keys)
{
	icelist_ref(cfg->ice);
	icelist_unref(r->cfg.ice);
	r->cfg = *cfg;
	auth_keys_unref(r->keys);
	r->keys = auth_keys_ref(keys);
}

size_t rooms_participant_count(const struct rooms *r)
{
	size_t n = 0;
	list_for_each(node, &r->all)
		n += list_entry(node, struct room, node)->n_participants;
	return n;
}

struct participant *rooms_participant(struct rooms *r, uint64_t conn)
{
	return map_get(&r->by_conn, slice_of(&conn, sizeof conn));
}

/* Refuses a client that is not in a room yet: leave is the first message it gets. */
static void refuse(struct rooms *r, uint64_t conn, Livekit__DisconnectReason reason,
	Livekit__LeaveRequest__Action action)
{
	Livekit__LeaveRequest leave = LIVEKIT__LEAVE_REQUEST__INIT;
	PB_SET(&leave, reason, reason);
	PB_SET(&leave, action, action);
	PB_SET(&leave, can_reconnect, action != LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_LEAVE;
	res.leave = &leave;
	struct buf b;
	buf_init(&b, 4096);
	if (pb_encode(&res, &b) == 0)
		r->ops->send(r->arg, &conn, 1, buf_slice(&b));
	buf_free(&b);
	r->ops->close(r->arg, conn, 1000);
}

static bool is_full(const struct room *room, const struct room_join *join)
{
	uint32_t limit = room->rooms->cfg.max_participants;
	if (!limit || room_by_identity(room, join->grants->identity))
		return false;
	uint32_t n = 0;
	list_for_each(node, &room->participants)
		n += !list_entry(node, struct participant, node)->is_dependent;
	return n >= limit;
}

void rooms_join(struct rooms *r, struct room_join *join)
{
	const char *name = join->grants->video.room;
	if (join->is_reconnect) {
		/* No session outlives its connection here: the client starts a new one. */
		registry_withdraw(r->registry, name);
		refuse(r, join->conn, LIVEKIT__DISCONNECT_REASON__STATE_MISMATCH,
			LIVEKIT__LEAVE_REQUEST__ACTION__RECONNECT);
		grants_free(join->grants);
		return;
	}
	if (r->cfg.max_rooms && r->by_name.n >= r->cfg.max_rooms &&
		!map_get(&r->by_name, slice_str(name))) {
		LOG_WARN("join refused: no more rooms on this worker", F_STR("room", name),
			F_UINT("limit", r->cfg.max_rooms));
		registry_withdraw(r->registry, name);
		refuse(r, join->conn, LIVEKIT__DISCONNECT_REASON__JOIN_FAILURE,
			LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
		grants_free(join->grants);
		return;
	}
	struct room *room = room_find_or_new(r, name);
	registry_arrived(r->registry, name);
	if (is_full(room, join)) {
		LOG_INFO("join refused: room is full", F_STR("room", name), F_STR("identity", join->grants->identity),
			F_UINT("limit", r->cfg.max_participants));
		refuse(r, join->conn, LIVEKIT__DISCONNECT_REASON__JOIN_FAILURE,
			LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
		grants_free(join->grants);
		return;
	}
	struct participant *old = room_by_identity(room, join->grants->identity);
	if (old)
		participant_kick(old, LIVEKIT__DISCONNECT_REASON__DUPLICATE_IDENTITY,
			LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
	participant_enter(room, join);
}

void rooms_conn_closed(struct rooms *r, uint64_t conn)
{
	struct participant *p = rooms_participant(r, conn);
	if (!p)
		return;
	map_del(&r->by_conn, slice_of(&conn, sizeof conn));
	p->conn = 0;
	/*
	 * Media alone cannot be steered, and a session is not resumed here: without its connection the participant
	 * leaves.
	 */
	participant_remove(p, LIVEKIT__DISCONNECT_REASON__SIGNAL_CLOSE, NULL);
}
