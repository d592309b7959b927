/* jsep_internal: the state behind struct jsep and what its files share. Not for other modules. */
#pragma once
#include "sdp/jsep.h"
#include "sdp/sdp_internal.h"

struct section {
	struct jsep_section pub;
	char stream_id[JSEP_ID_CAP], track_id[JSEP_ID_CAP],
		cname[JSEP_ID_CAP]; /* behind pub.send */
	struct jsep_recv recv;
	bool is_reserved; /* offerer: handed out by jsep_add_section, nothing to send yet */
	bool was_sending; /* our latest description names a stream of ours in it */
	bool was_used; /* some description did */
};

enum round { ROUND_IDLE, ROUND_REMOTE_OFFER, ROUND_LOCAL_OFFER };

struct jsep {
	enum jsep_role role;
	uint32_t enabled_codecs, max_message_size;
	bool playout_delay;
	uint64_t session_id, session_version;

	char *ufrag, *pwd, *fingerprint_alg, *fingerprint_value;
	char **candidates;
	size_t n_candidates;
	bool is_complete; /* no candidate follows */
	bool wants_new_ice; /* the client restarted, jsep_set_ice did not come yet */

	enum round round;
	struct section **sections;
	size_t n_sections, cap_sections;
	size_t n_offered; /* sections in our latest offer */

	struct sdp *remote_sdp; /* the strings in `remote` and in sections lead here */
	struct jsep_remote remote;
	bool has_remote;
	uint8_t ext_ids[JSEP_EXT_N];
};

enum { JSEP_UFRAG_MIN = 4, JSEP_PWD_MIN = 22 };

/* min..256 characters of ice-char (RFC 8839 §5.4); false for NULL. */
bool jsep_is_ice_text(const char *s, size_t min);

/* Appends an empty section. */
struct section *jsep_section_new(struct jsep *j);

static inline bool jsep_is_offerer(const struct jsep *j)
{
	return j->role == JSEP_ROLE_SUBSCRIBER;
}

/* ---- jsep_codec.c ---- */

/* 0..15, or -1 for no hexadecimal digit. */
int jsep_hex_digit(uint8_t c);

/* The row this codec of a description belongs to; false if it is none of `mask`. */
bool jsep_codec_match(
	const struct sdp_codec *c, enum sdp_kind kind, uint32_t mask, enum jsep_codec *codec);

/* The feedback to put beside a codec of this kind in a section we receive or send in. */
uint8_t jsep_feedback_for(enum jsep_role role, enum sdp_kind kind, bool is_receiving);

/* The jsep_feedback bits a description names for the codec. */
uint8_t jsep_feedback_of(const struct sdp_codec *c);

/* Writes the lines for the bits. */
void jsep_feedback_add(struct sdp *s, struct sdp_codec *c, uint8_t feedback);

/* True and *ext if the URI is one of ours. */
bool jsep_ext_find(const char *uri, enum jsep_ext *ext);

/* What decides whether an extension is used in a section. */
struct jsep_ext_use {
	enum jsep_role role;
	enum sdp_kind kind;
	bool is_scalable, playout_delay;
};
bool jsep_ext_wanted(enum jsep_ext ext, const struct jsep_ext_use *use);

/* The id of the extension in our offers. */
uint8_t jsep_ext_offer_id(enum jsep_ext ext);

/* ---- jsep_remote.c, jsep_local.c: the halves of a round ---- */

/* The first group that bundles, or NULL. */
const struct sdp_group *jsep_bundle_of(const struct sdp *s);

/*
 * The section can be used at all: its port is not 0, or 0 because BUNDLE carries it (RFC 8843 §6).
 */
static inline bool jsep_is_live(const struct sdp_media *m)
{
	return m->port != 0 || m->bundle_only;
}

/* Builds and prints our half. -ERR_TOO_LARGE if out has no room. */
MUST_CHECK int jsep_print_local(struct jsep *j, bool is_answer, struct buf *out);
