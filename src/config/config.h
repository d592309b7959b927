/*
 * config: the whole configuration as plain data, read from YAML, environment and flags.
 *
 * One table (table.c) names every key with its type, default, bounds and help; the YAML reader, the flags, the
 * environment names, `sterna help`, `sterna config show` and docs/config.md all come from it. Keys that LiveKit's
 * server has carry its names and units.
 *
 * Precedence: flag > environment > config body or file > default. Any thread may read a loaded config; nothing
 * here keeps state.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "net/netif.h"

enum {
	CONFIG_BYTES_MAX = 1 << 20, /* config file, body, key file */
	CONFIG_DEPTH_MAX = 12,      /* nesting of the YAML */
	CONFIG_NODES_MAX = 20000,   /* scalars, sequences and mappings of the YAML */
	CONFIG_SECRET_MIN = 32,     /* shorter API secrets are warned about */
	CONFIG_KEY_MAX = 256,
	CONFIG_SECRET_MAX = 1024,
	CONFIG_ROWS_MAX = 384,
};

struct config_pair {
	char *key, *value; /* value is a secret */
};

struct config_codec {
	char *mime;      /* "video/VP8" */
	char *fmtp_line; /* "" = any */
};

struct config_turn_server {
	char *host;
	uint16_t port;
	char *protocol; /* "udp", "tcp" or "tls" */
	char *username, *credential;
	char *secret, *secret_file; /* shared secret; a given secret_file is read into `secret` by config_load */
	uint64_t ttl_us;
};

/* An address that the TURN server listens on, beside those that turn.bind_addresses and the ports give. */
struct config_turn_listen {
	char *address; /* an IP address: config_load has checked it */
	uint16_t port;
	bool udp, tcp, tls, dtls, proxy_protocol;
};

/* A key of third-party authorization (RFC 7635). */
struct config_oauth_key {
	char *kid, *key, *algorithm; /* key: base64, a secret; algorithm: "A256GCM" or "A128GCM" */
	uint64_t from_us, lifetime_us; /* since 1970; lifetime 0 = for ever */
};

/* A list owns its elements; which member of the union is meant stands beside each list below. */
struct config_list {
	size_t n;
	union {
		void *v;
		char **str;
		struct addr *addr; /* port 0 */
		struct cidr *cidr;
		struct config_pair *pair;
		struct config_codec *codec;
		struct config_turn_server *turn;
		struct config_turn_listen *listen;
		struct config_oauth_key *oauth;
	};
};

struct config_ports {
	uint16_t first, last; /* equal = one port */
};

struct config_logging {
	enum log_level level;
	enum log_format format;
	bool json; /* LiveKit's way to ask for LOG_FORMAT_JSON; config_load has set `format` by it */
};

struct config_rtc {
	struct config_ports udp_port; /* use config_worker_port */
	uint32_t workers;             /* 0 = one per core; use config_worker_count */
	struct addr node_ip;          /* sa_family 0 = unset */
	struct config_list interface_includes, interface_excludes; /* str */
	struct config_list ip_includes, ip_excludes;               /* cidr */
	bool enable_loopback_candidate, use_mdns, use_ice_lite;
	uint32_t packet_buffer_size_video, packet_buffer_size_audio; /* packets per track */
	uint64_t pli_throttle_low_us, pli_throttle_mid_us, pli_throttle_high_us;
	struct config_list stun_servers; /* str, "host:port" */
	struct config_list turn_servers; /* turn */
	bool congestion_control, allow_pause;
};

/* The ICE servers told to browsers beside those of rtc; config_has_webrtc_turn says whether the TURN ones count. */
struct config_webrtc {
	struct config_list stun_urls, turn_urls; /* str */
	char *turn_username, *turn_credential;
	bool default_stun;
};

struct config_room {
	bool auto_create, enable_remote_unmute;
	uint32_t max_participants; /* 0 = no limit */
	uint64_t empty_timeout_us, departure_timeout_us;
	struct config_list enabled_codecs; /* codec */
};

struct config_audio {
	uint32_t active_level;   /* -dBov: quieter than this is silence */
	uint32_t min_percentile; /* share of an interval that must be loud, in percent */
	uint32_t smooth_intervals;
	uint64_t update_interval_us;
};

/* Everywhere: 0 = no limit. Names without a unit count things. */
struct config_limit {
	uint32_t num_tracks, subscription_limit_audio, subscription_limit_video;
	uint64_t bytes_per_sec;
	uint64_t max_metadata_bytes, max_attributes_bytes;
	uint32_t max_room_name_length, max_participant_identity_length, max_participant_name_length;
	uint64_t signal_message_bytes, api_request_body_bytes;
	/* Queues and pools of this program. */
	uint32_t signal_connections, sessions_per_worker, rooms_per_worker;
	uint64_t signal_out_queue_bytes, data_buffer_bytes;
	uint32_t mailbox_messages, tx_queue_packets;
	uint32_t ice_requests_per_minute, ice_request_addresses;
};

/*
 * The TURN server. Everywhere: 0 = no limit, unless the table says something else. Rates are bytes per second.
 * config_load has read secret_file into `secrets`.
 */
struct config_turn {
	/* LiveKit's */
	bool enabled;
	char *domain;
	uint16_t tls_port, udp_port; /* 0 = no such listener */
	char *cert_file, *key_file;
	bool external_tls;           /* something in front ends TLS: tls_port takes plain TCP */
	uint16_t relay_range_start, relay_range_end;
	struct config_list bind_addresses; /* addr; none = all of this machine's */
	uint64_t ttl_us;             /* of credentials handed out */
	uint32_t per_user_relay_allocation_limit; /* of participants */
	struct config_list allow_restricted_peer_cidrs, deny_peer_cidrs; /* str, see allowed_peers */

	/* listeners */
	struct config_list listen; /* listen */
	bool udp, tcp, tls, dtls, proxy_protocol;
	uint16_t proxy_port;
	struct config_list proxies;         /* cidr */
	struct config_list relay_addresses; /* addr; none = those that are listened on */
	struct config_list external_ips;    /* str: "public" or "public/private", see config_external_ip */
	struct addr other_address;          /* RFC 5780; sa_family 0 = no NAT discovery */
	uint16_t other_port;
	bool http_share;
	char *key_password, *tls_ciphers;
	bool tls1_2;

	/* who */
	char *realm;
	struct config_list users;   /* pair: name, password or "0x" and the key in hexadecimal */
	struct config_list secrets; /* str */
	char *secret_file;
	char *rest_separator; /* one character */
	bool no_auth, sha256;
	struct config_list oauth_keys; /* oauth */
	char *oauth_server_name;
	char *userdb, *redis_stats; /* URLs, secret: they may carry a password; "" = none */
	bool userdb_peers;
	uint64_t userdb_cache_us;
	uint32_t auth_cache_users;
	uint64_t nonce_lifetime_us;

	/* where to: "10.0.0.0/8", "10.0.0.1-10.0.0.9" or "10.0.0.1" */
	struct config_list allowed_peers, denied_peers; /* str */
	bool allow_loopback_peers, allow_private_peers, builtin_denied_peers;

	/* how much */
	uint32_t user_allocations, total_allocations, worker_allocations, quota_users;
	uint32_t permissions_per_allocation, channels_per_allocation, tcp_per_allocation;
	uint64_t allocation_bytes_per_s, user_bytes_per_s, total_bytes_per_s;
	uint64_t unauthenticated_bytes_per_s;
	uint32_t allocations_per_address; /* a second */
	uint32_t auth_failures_per_user, auth_failures_per_address; /* a minute */
	uint32_t stream_connections, dtls_connections; /* per worker */
	uint64_t stream_queue_bytes, stream_queue_us, stream_idle_us;
	uint64_t socket_buffer_bytes;

	/* how long */
	uint64_t lifetime_default_us, lifetime_max_us, permission_us, channel_us;

	/* what */
	bool udp_relay, tcp_relay, stun, stun_only, secure_stun, mobility, fingerprint;
	bool multiplex_peer, lazy_sockets;
	char *software, *alternate_server;

	bool session_log, metric_user_labels;
	uint32_t metric_users;
};

/* Strings are never NULL: "" is unset. Files hold paths, already checked as far as their rows say. */
struct config {
	uint16_t port;
	struct config_list bind_addresses; /* addr; none = all addresses */
	char *region;
	struct config_list keys; /* pair: API key, secret; those of key_file included */
	char *key_file;
	bool development;
	struct config_logging logging;
	struct config_rtc rtc;
	struct config_webrtc webrtc;
	struct config_room room;
	struct config_audio audio;
	uint64_t dynacast_pause_delay_us;
	struct config_limit limit;
	struct config_turn turn;
	uint32_t batch_window_us;
	uint16_t prometheus_port; /* /metrics on a port of its own; 0 = on `port` */
	struct config_list prometheus_addresses; /* addr; none = as bind_addresses */
	char *prometheus_username, *prometheus_password; /* "" = /metrics is open */

	struct config_list warnings; /* str: one finished sentence each, in the order found */
};

/*
 * Where a configuration comes from. Fill in file, body, env and dev, or let config_source_flag do it from the
 * command line. Everything is borrowed until config_load has returned, except `flags`, which config_source_free
 * gives back.
 */
struct config_source {
	const char *file;      /* path; NULL = none */
	const char *body;      /* YAML text that takes the place of the file; NULL = none */
	const char *body_name; /* what messages call it: "--config-body" or "LIVEKIT_CONFIG"; NULL = the former */
	char *const *env;      /* "NAME=value" strings up to a NULL, as `environ`; NULL = none */
	bool dev;              /* --dev: other defaults for trying it out on one machine */
	bool lenient;          /* --disable-strict-config: unknown keys are warnings */
	struct config_flag *flags; /* owned, by config_source_flag */
	size_t flags_n;
};

struct config_flag {
	char *label; /* "--name", owned; with `path`, any text for messages */
	const char *value;
	const char *path; /* the key; NULL = that of the flag in `label` */
	char *owned;      /* `value`, if it is ours */
};

/*
 * Takes one command line flag; `name` is without the dashes, `value` NULL if no "=value" was attached and
 * `next` the argument behind it (NULL at the end). *used_next says whether `next` was its value.
 * 0; -ERR_NOT_FOUND if the configuration knows no such flag (eb untouched); -ERR_CONFIG if its value is missing.
 * All strings must outlive the source.
 */
MUST_CHECK int config_source_flag(struct config_source *src, const char *name, const char *value,
	const char *next, bool *used_next, struct errbuf *eb);
void config_source_free(struct config_source *src);

/*
 * Sets a key as a flag would, from somewhere else that `label` names in messages. `path` is that of a key and
 * static; value and label are copied.
 */
void config_source_set(
	struct config_source *src, const char *path, const char *value, const char *label);

/*
 * Reads all sources, checks every value and the values against each other. *out is owned by the caller
 * (config_free) and set on success only.
 * -ERR_CONFIG with one line in eb: where (file:line, flag or variable), which key, what is wrong, what to do.
 * Secrets never appear in messages.
 */
MUST_CHECK int config_load(const struct config_source *src, struct config **out, struct errbuf *eb);

/* Accepts NULL. Secrets are wiped. */
void config_free(struct config *cfg);

/* -ERR_CONFIG unless there is at least one API key: what a server needs beyond a valid configuration. */
MUST_CHECK int config_require_keys(const struct config *cfg, struct errbuf *eb);

/* The secret of an API key, borrowed; NULL if there is no such key. */
const char *config_secret(const struct config *cfg, struct slice key);

/* Whether webrtc names a whole TURN server: URLs, user name and credential. Half of one counts as none. */
bool config_has_webrtc_turn(const struct config *cfg);

/* Number of workers on a machine with `cores` cores: never more than rtc.udp_port has ports. At least 1. */
unsigned config_worker_count(const struct config *cfg, unsigned cores);

/* UDP port of worker i: the first port of rtc.udp_port + i. */
uint16_t config_worker_port(const struct config *cfg, unsigned i);

/*
 * "192.0.2.1" or "192.0.2.1/10.0.0.1": the address that clients are told, and the local one that it stands for
 * (sa_family 0 if it is not named: then every local one of the family). 0 or -ERR_MALFORMED.
 */
MUST_CHECK int config_external_ip(const char *text, struct addr *advertised, struct addr *local);

/* What differs between two configurations. */
struct config_change {
	const char *path; /* static */
	bool is_reloadable;
};

/*
 * Compares all keys and writes up to `cap` changes; returns how many there are. CONFIG_ROWS_MAX always suffices.
 * A change that is not reloadable takes effect with a restart only.
 */
size_t config_diff_reload(const struct config *old, const struct config *fresh,
	struct config_change *out, size_t cap);

/* Sets the keys of `fresh` that are not reloadable back to what `old` has, so that it tells what really runs. */
void config_keep_unreloadable(struct config *fresh, const struct config *old);

/* Appends the configuration as YAML that config_load accepts, secrets replaced by "[redacted]". */
void config_print(const struct config *cfg, struct buf *out);

/* Appends docs/config.md. */
void config_print_docs(struct buf *out);

/* Appends the flags, for `sterna serve --help`. */
void config_print_help(struct buf *out);

/* The flag nearest to a misspelt one (no dashes), or NULL. Static. */
const char *config_suggest_flag(const char *name);
