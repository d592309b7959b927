#include "signal/dispatch.h"

#include "base/log.h"
#include "base/metric.h"

/*        case                  member               function */
#define REQUEST_MAP(X)                                                                             \
	X(OFFER,                offer,               participant_offer)                            \
	X(ANSWER,               answer,              participant_answer)                           \
	X(TRICKLE,              trickle,             participant_trickle)                          \
	X(ADD_TRACK,            add_track,           participant_add_track)                        \
	X(MUTE,                 mute,                participant_mute)                             \
	X(SUBSCRIPTION,         subscription,        participant_subscription)                     \
	X(TRACK_SETTING,        track_setting,       participant_track_setting)                    \
	X(LEAVE,                leave,               participant_leave)                            \
	X(UPDATE_METADATA,      update_metadata,     participant_update_metadata)                  \
	X(UPDATE_AUDIO_TRACK,   update_audio_track,  participant_update_audio_track)               \
	X(UPDATE_VIDEO_TRACK,   update_video_track,  participant_update_video_track)               \
	X(SUBSCRIPTION_PERMISSION, subscription_permission, participant_subscription_permission)

typedef void handler(struct participant *p, const Livekit__SignalRequest *req);

#define X(name, member, fn)                                                                        \
	static void on_##member(struct participant *p, const Livekit__SignalRequest *req)         \
	{                                                                                          \
		fn(p, req->member);                                                                \
	}
REQUEST_MAP(X)
#undef X

static handler *const handlers[] = {
#define X(name, member, fn) [LIVEKIT__SIGNAL_REQUEST__MESSAGE_##name] = on_##member,
	REQUEST_MAP(X)
#undef X
};

void signal_dispatch(struct rooms *rooms, uint64_t conn, const Livekit__SignalRequest *req)
{
	struct participant *p = rooms_participant(rooms, conn);
	size_t kind = (size_t)req->message_case;
	if (!p)
		return; /* it left while this was on its way */
	if (kind < ARRAY_LEN(handlers) && handlers[kind])
		handlers[kind](p, req);
	else
		LOG_DEBUG("signal request not supported", F_UINT("kind", kind));
}
