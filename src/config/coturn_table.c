/* All options of coturn 4.6.1 and 4.17.1, each once. */
#include "config/coturn_internal.h"

#define KEY(name_, brief_, path_, why_)                                                            \
	{.name = (name_), .brief = (brief_), .has_value = true, .fate = COTURN_KEY, .path = (path_), .why = (why_)}
#define LIST(name_, brief_, path_, why_)                                                           \
	{.name = (name_), .brief = (brief_), .has_value = true, .fate = COTURN_LIST, .path = (path_), .why = (why_)}
#define ON(name_, brief_, path_, text_, off_, why_)                                                \
	{.name = (name_), .brief = (brief_), .fate = COTURN_ON, .path = (path_), .text = (text_), .off = (off_), \
		.why = (why_)}
#define ALWAYS(name_, brief_, why_)                                                                \
	{                                                                                          \
		.name = (name_), .brief = (brief_), .fate = COTURN_ALWAYS, .why = (why_)           \
	}
#define IGNORE(name_, brief_, why_)                                                                \
	{                                                                                          \
		.name = (name_), .brief = (brief_), .fate = COTURN_IGNORED, .why = (why_)          \
	}
#define IGNORE_VALUE(name_, brief_, why_)                                                          \
	{.name = (name_), .brief = (brief_), .has_value = true, .fate = COTURN_IGNORED, .why = (why_)}
#define REFUSE(name_, brief_, why_)                                                                \
	{                                                                                          \
		.name = (name_), .brief = (brief_), .fate = COTURN_REFUSED, .why = (why_)          \
	}
#define REFUSE_VALUE(name_, brief_, why_)                                                          \
	{.name = (name_), .brief = (brief_), .has_value = true, .fate = COTURN_REFUSED, .why = (why_)}
/* A switch, and an option with a value, that a function takes. */
#define CALL(name_, brief_, call_, member_, path_, why_)                                           \
	{.name = (name_), .brief = (brief_), .fate = COTURN_CALL, .path = (path_), .call = (call_),        \
		.at = offsetof(struct coturn, member_), .why = (why_)}
#define CALL_VALUE(name_, brief_, call_, member_, path_, why_)                                     \
	{.name = (name_), .brief = (brief_), .has_value = true, .fate = COTURN_CALL, .path = (path_),      \
		.call = (call_), .at = offsetof(struct coturn, member_), .why = (why_)}

#define NO_CONSOLE "there is no telnet console; see sterna turn sessions"
#define NO_WEB "there is no web administration; see sterna turn sessions and docs/config.md"
#define MODERN_TLS "TLS 1.2 and 1.3 alone are spoken"
#define OPENSSL_CURVES "OpenSSL chooses curves and groups"
#define NO_ORIGIN "there is one realm; ORIGIN attributes decide nothing"

const struct coturn_option coturn_options[] = {
	KEY("listening-port", 'p', "turn.udp_port", "also for TLS and DTLS clients, as in coturn"),
	KEY("tls-listening-port", 0, "turn.tls_port",
		"for TLS and DTLS clients alone, not for plain ones"),
	CALL_VALUE("alt-listening-port", 0, coturn_call_alternate_port, rfc5780, "turn.other_port",
		"and asks for NAT behaviour discovery, if there are two listening addresses"),
	IGNORE_VALUE("alt-tls-listening-port", 0, "NAT behaviour discovery is over UDP"),
	KEY("tcp-proxy-port", 0, "turn.proxy_port",
		"needs --turn.proxies: coturn believes anybody who connects there"),
	CALL_VALUE("listening-ip", 'L', coturn_call_listening_ip, listening_ips,
		"turn.bind_addresses", "may be repeated"),
	CALL_VALUE(
		"aux-server", 0, coturn_call_aux, listening_ips, "turn.listen", "may be repeated"),
	REFUSE_VALUE("listening-device", 'd',
		"without it more would be listened on than meant; use listening-ip"),
	REFUSE_VALUE(
		"relay-device", 'i', "without it more would be reachable than meant; use relay-ip"),
	LIST("relay-ip", 'E', "turn.relay_addresses", "may be repeated"),
	LIST("external-ip", 'X', "turn.external_ips",
		"`public` or `public/private`; may be repeated"),
	CALL_VALUE("relay-threads", 'm', coturn_call_threads, has_threads, "rtc.workers",
		"0 is one thread, as in coturn"),
	CALL_VALUE(
		"cpus", 0, coturn_call_text, cpus, "rtc.workers", "unless relay-threads says it"),
	CALL_VALUE("min-port", 0, coturn_call_seen, has_min_port, "turn.relay_range_start",
		"coturn's default stays: 49152"),
	CALL_VALUE("max-port", 0, coturn_call_seen, has_max_port, "turn.relay_range_end",
		"coturn's default stays: 65535"),
	KEY("sock-buf-size", 0, "turn.socket_buffer", "bytes"),
	IGNORE("udp-self-balance", 0, "workers share each port by SO_REUSEPORT"),
	IGNORE_VALUE("ne", 0, "there is one network engine"),
	ALWAYS("udp-recvmmsg", 0, "packets are always taken in batches"),
	IGNORE("udp-recvmmsg-log", 0, "batches are metrics, not log lines"),
	IGNORE("udp-sendmmsg-log", 0, "batches are metrics, not log lines"),
	ALWAYS("udp-gso", 0, "used wherever the kernel can"),
	ON("multiplex-peer", 0, "turn.multiplex_peer", "true", "false", ""),
	IGNORE_VALUE("multiplex-peer-port", 0,
		"shared relay sockets take their ports from min-port to max-port"),
	IGNORE_VALUE("multiplex-peer-max-peers", 0, "see turn.permissions_per_allocation"),

	ALWAYS("lt-cred-mech", 'a', "long-term credentials are always wanted"),
	ON("no-auth", 'z', "turn.no_auth", "true", "false",
		"warned about; the built-in list of denied peers stays"),
	CALL_VALUE("user", 'u', coturn_call_user, has_userdb, "turn.users",
		"`name:password` or `name:0xkey`; may be repeated"),
	CALL_VALUE("realm", 'r', coturn_call_text, realm, "turn.realm", ""),
	CALL("use-auth-secret", 0, coturn_call_flag, use_auth_secret, NULL,
		"users of `user` and of a database are good too"),
	CALL_VALUE("static-auth-secret", 0, coturn_call_secret, has_secret, "turn.secrets",
		"may be repeated"),
	KEY("rest-api-separator", 'C', "turn.rest_separator", ""),
	CALL_VALUE("userdb", 'b', coturn_call_seen, has_userdb, "turn.userdb", "SQLite file"),
	CALL_VALUE("db", 0, coturn_call_seen, has_userdb, "turn.userdb", "SQLite file"),
	CALL_VALUE("psql-userdb", 'e', coturn_call_seen, has_userdb, "turn.userdb", "PostgreSQL"),
	CALL_VALUE("sql-userdb", 0, coturn_call_seen, has_userdb, "turn.userdb", "PostgreSQL"),
	CALL_VALUE("redis-userdb", 'N', coturn_call_seen, has_userdb, "turn.userdb", "Redis"),
	REFUSE_VALUE("mysql-userdb", 'M',
		"MySQL is not supported, so that its users could not come in; use PostgreSQL, "
		"SQLite "
		"or Redis"),
	REFUSE_VALUE("mongo-userdb", 'J',
		"MongoDB is not supported, so that its users could not come in; use PostgreSQL, "
		"SQLite "
		"or Redis"),
	IGNORE_VALUE("secret-key-file", 0, "it decrypts MySQL's password"),
	KEY("redis-statsdb", 'O', "turn.redis_stats", "the same keys and channels"),
	IGNORE("no-auth-pings", 0, "databases are asked when a user comes, not in between"),
	ON("no-dynamic-ip-list", 0, "turn.userdb_peers", "false", "true", ""),
	IGNORE("no-dynamic-realms", 0, NO_ORIGIN),
	IGNORE("check-origin-consistency", 0, NO_ORIGIN),
	CALL("oauth", 0, coturn_call_flag, oauth, "turn.oauth_server_name",
		"with keys of turn.oauth_keys or of the database"),
	CALL_VALUE("server-name", 0, coturn_call_seen, has_server_name, "turn.oauth_server_name",
		"used with oauth"),
	CALL("stale-nonce", 0, coturn_call_nonce, oauth, "turn.nonce_lifetime",
		"600 without a value"),
	ALWAYS("stateless-nonce", 0, "nonces are always stateless"),
	IGNORE_VALUE("stateless-nonce-secret", 0,
		"a key is drawn at each start; clients ask again after one"),
	ON("secure-stun", 0, "turn.secure_stun", "true", "false", ""),

	KEY("user-quota", 'q', "turn.user_allocations", "0 = no limit"),
	KEY("total-quota", 'Q', "turn.total_allocations", "0 = no limit"),
	KEY("max-bps", 's', "turn.allocation_bytes_per_s",
		"bytes per second and direction of an allocation; 0 = no limit"),
	KEY("bps-capacity", 'B', "turn.total_bytes_per_s",
		"bytes per second of all together; 0 = no limit"),
	KEY("max-allocate-lifetime", 0, "turn.lifetime_max", "seconds"),
	KEY("channel-lifetime", 0, "turn.channel_lifetime", "seconds"),
	KEY("permission-lifetime", 0, "turn.permission_lifetime", "seconds"),
	KEY("max-allocate-timeout", 0, "turn.stream_idle", "seconds"),
	IGNORE("unauthorized-ratelimit", 0,
		"always on: turn.unauthenticated_bytes_per_s, turn.auth_failures_per_user"),
	IGNORE_VALUE("unauthorized-ratelimit-rps", 0, "see turn.unauthenticated_bytes_per_s"),

	LIST("allowed-peer-ip", 0, "turn.allowed_peers",
		"wins over denied-peer-ip and the built-in list; may be repeated"),
	LIST("denied-peer-ip", 0, "turn.denied_peers", "beside the built-in list; may be repeated"),
	ON("allow-loopback-peers", 0, "turn.allow_loopback_peers", "true", "false", ""),
	ALWAYS("no-loopback-peers", 0, "the default"),
	ALWAYS("no-multicast-peers", 0, "the default"),
	REFUSE("server-relay", 0, "it lets anybody send to clients without a permission"),

	CALL_VALUE(
		"cert", 0, coturn_call_seen, has_file, "turn.cert_file", "noticed when it changes"),
	CALL_VALUE("pkey", 0, coturn_call_seen, has_file, "turn.key_file", ""),
	KEY("pkey-pwd", 0, "turn.key_password", ""),
	KEY("cipher-list", 0, "turn.tls_ciphers", "of TLS 1.2"),
	REFUSE_VALUE("CA-file", 0,
		"certificates of clients are not checked, so that everybody could come in"),
	REFUSE("raw-public-keys", 0, "raw public keys are not supported"),
	IGNORE_VALUE("ec-curve-name", 0, OPENSSL_CURVES),
	IGNORE("dh566", 0, OPENSSL_CURVES),
	IGNORE("dh1066", 0, OPENSSL_CURVES),
	IGNORE_VALUE("dh-file", 0, OPENSSL_CURVES),
	IGNORE("tlsv1", 0, MODERN_TLS),
	IGNORE("tlsv1_1", 0, MODERN_TLS),
	ALWAYS("no-sslv2", 0, MODERN_TLS),
	ALWAYS("no-sslv3", 0, MODERN_TLS),
	ALWAYS("no-tlsv1", 0, MODERN_TLS),
	ALWAYS("no-tlsv1_1", 0, MODERN_TLS),
	ON("no-tlsv1_2", 0, "turn.tls1_2", "false", "true", ""),
	ON("no-udp", 0, "turn.udp", "false", "true", ""),
	ON("no-tcp", 0, "turn.tcp", "false", "true", ""),
	ON("no-tls", 0, "turn.tls", "false", "true", ""),
	ON("no-dtls", 0, "turn.dtls", "false", "true", ""),
	ON("dtls", 0, "turn.dtls", "true", "false", "on by default, if there is a certificate"),
	ON("no-udp-relay", 0, "turn.udp_relay", "false", "true", ""),
	ON("no-tcp-relay", 0, "turn.tcp_relay", "false", "true", ""),
	IGNORE_VALUE("acme-redirect", 0, "the TURN ports speak no HTTP"),
	IGNORE("respond-http-unsupported", 0, "the TURN ports speak no HTTP"),

	ON("fingerprint", 'f', "turn.fingerprint", "true", "false", "on by default"),
	ON("mobility", 0, "turn.mobility", "true", "false", "on by default"),
	ON("stun-only", 'S', "turn.stun_only", "true", "false", ""),
	ON("no-stun", 0, "turn.stun", "false", "true", ""),
	CALL("rfc5780", 0, coturn_call_flag, rfc5780, "turn.other_address",
		"with two listening addresses"),
	CALL("no-rfc5780", 0, coturn_call_flag, no_rfc5780, "turn.other_address", "the default"),
	ALWAYS("response-origin-only-with-rfc5780", 0, "always so"),
	ALWAYS("no-stun-backward-compatibility", 0, "always so"),
	IGNORE("stun-backward-compatibility", 0, "XOR-MAPPED-ADDRESS alone is sent"),
	IGNORE("rfc3489-compatibility", 0, "STUN without its magic cookie is not answered"),
	IGNORE("rfc5766-channel-numbers", 0, "channels are 0x4000 to 0x4FFF (RFC 8656)"),
	IGNORE("keep-address-family", 'K',
		"an allocation is IPv4 unless the client asks for another"),
	IGNORE_VALUE("allocation-default-address-family", 'A',
		"an allocation is IPv4 unless the client asks for another"),
	ON("software-attribute", 0, "turn.software", "Sterna", "", ""),
	ON("no-software-attribute", 0, "turn.software", "", NULL, ""),
	ON("prod", 0, "turn.software", "", NULL, ""),
	IGNORE("include-reason-string", 0, "error answers have their standard reasons"),
	ALWAYS("drop-invalid-packets", 0, "always so"),
	IGNORE("drop-invalid-packets-log", 0, "drops are metrics, not log lines"),
	KEY("alternate-server", 0, "turn.alternate_server",
		"only while this server drains; coturn sends everybody there always"),
	IGNORE_VALUE("tls-alternate-server", 0, "see turn.alternate_server"),
	IGNORE_VALUE("tcp-alternate-server", 0, "see turn.alternate_server"),
	IGNORE_VALUE("udp-alternate-server", 0, "see turn.alternate_server"),
	CALL_VALUE("drain-min-allocations", 0, coturn_call_drain, process.drain_min_allocations,
		NULL, "a drain (SIGTERM or SIGUSR1) ends at this many"),

	CALL("prometheus", 0, coturn_call_flag, prometheus, "prometheus.port",
		"port 9641, path /metrics"),
	CALL_VALUE("prometheus-port", 0, coturn_call_text, prometheus_port, "prometheus.port",
		"with prometheus"),
	LIST("prometheus-address", 0, "prometheus.bind_addresses", ""),
	CALL_VALUE("prometheus-path", 0, coturn_call_metrics_path, has_file, NULL,
		"/metrics and nothing else"),
	ON("prometheus-username-labels", 0, "turn.metric_user_labels", "true", "false",
		"capped by turn.metric_users"),
	REFUSE("prometheus-tls", 0, "figures would go out in clear; put a TLS proxy in front"),
	IGNORE_VALUE("prometheus-cert", 0, "it belongs to prometheus-tls"),
	IGNORE_VALUE("prometheus-key", 0, "it belongs to prometheus-tls"),

	CALL_VALUE("pidfile", 0, coturn_call_text, process.pid_file, NULL, ""),
	CALL_VALUE("proc-user", 0, coturn_call_text, process.user, NULL, "once the ports are open"),
	CALL_VALUE(
		"proc-group", 0, coturn_call_text, process.group, NULL, "once the ports are open"),
	CALL_VALUE("log-file", 'l', coturn_call_text, process.log_file, NULL,
		"`stdout` and `syslog` too"),
	IGNORE("no-stdout-log", 0, "with log-file or syslog the log goes there alone"),
	CALL("syslog", 0, coturn_call_flag, process.syslog, NULL, ""),
	CALL_VALUE("syslog-facility", 0, coturn_call_text, process.syslog_facility, NULL, ""),
	ALWAYS("simple-log", 0,
		"the log file has exactly the name given, and is never rolled over"),
	ON("verbose", 'v', "logging.level", "debug", NULL, ""),
	ON("Verbose", 'V', "logging.level", "debug", NULL, ""),
	KEY("log-min-level", 0, "logging.level", ""),
	ALWAYS("new-log-timestamp", 0, "times are always whole"),
	IGNORE_VALUE("new-log-timestamp-format", 0, "times are RFC 3339"),
	IGNORE("log-binding", 0, "Binding requests are metrics, not log lines"),
	IGNORE("daemon", 'o',
		"the process stays in the foreground, where a service manager wants it"),
	ALWAYS("no-cli", 0, NO_CONSOLE),
	IGNORE("cli", 0, NO_CONSOLE),
	IGNORE_VALUE("cli-ip", 0, NO_CONSOLE),
	IGNORE_VALUE("cli-port", 0, NO_CONSOLE),
	IGNORE_VALUE("cli-password", 0, NO_CONSOLE),
	IGNORE_VALUE("cli-max-output-sessions", 0, NO_CONSOLE),
	IGNORE("web-admin", 0, NO_WEB),
	IGNORE_VALUE("web-admin-ip", 0, NO_WEB),
	IGNORE_VALUE("web-admin-port", 0, NO_WEB),
	IGNORE("web-admin-listen-on-workers", 0, NO_WEB),
};
const size_t coturn_options_n = ARRAY_LEN(coturn_options);
