/* turn_parts: the settings of the TURN server's modules, made from the configuration. */
#pragma once
#include "config/config.h"
#include "turn/auth.h"
#include "turn/policy.h"
#include "turn/quota.h"
#include "turnd/turnd.h"

enum { TURN_ADDRS_MAX = 32 };

/* Whole and independent of the configuration it was made from. Counted references; read by all workers. */
struct turn_settings {
	struct turnd_cfg turnd;
	struct turn_auth_cfg auth; /* nonce_key is the process's */
	struct turn_quota_cfg quota;
	struct turn_policy_cfg peers;
	struct turn_policy *policy; /* made of `peers` */
	bool session_log, metric_user_labels, userdb_peers;
	uint64_t userdb_cache_us;

	void **kept; /* what the above points to */
	size_t *kept_size;
	size_t n_kept;
	int refs;
};

/* What the configuration does not say. */
struct turn_surroundings {
	unsigned n_workers;
	const struct addr *sfu; /* addresses with ports that the SFU receives on and tells clients of */
	size_t n_sfu;
	const uint8_t *nonce_key; /* TURN_NONCE_KEY_LEN bytes */
};

/* *out has one reference: turn_settings_unref. -ERR_CONFIG with the fix in eb. */
MUST_CHECK int turn_settings_new(struct turn_settings **out, const struct config *cfg,
	const struct turn_surroundings *around, struct errbuf *eb);
struct turn_settings *turn_settings_ref(struct turn_settings *s);
/* Accepts NULL; any thread. Secrets are wiped with the last reference. */
void turn_settings_unref(struct turn_settings *s);
