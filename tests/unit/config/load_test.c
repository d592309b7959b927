/* Sources, precedence, and each message that a mistake is answered with. */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/config_internal.h"

static struct config *load(const struct config_source *src)
{
	struct config *cfg = NULL;
	struct errbuf eb = {""};
	if (config_load(src, &cfg, &eb))
		fail_msg("%s", eb.text);
	return cfg;
}

static void defaults(void **st)
{
	(void)st;
	struct config_source src = {0};
	struct config *cfg = load(&src);
	assert_int_equal(cfg->port, 7880);
	assert_int_equal(cfg->rtc.udp_port.first, 7882);
	assert_int_equal(cfg->rtc.packet_buffer_size_video, 500);
	assert_int_equal(cfg->rtc.packet_buffer_size_audio, 200);
	assert_int_equal(cfg->rtc.pli_throttle_low_us, 500000);
	assert_int_equal(cfg->rtc.pli_throttle_high_us, 1000000);
	assert_int_equal(cfg->room.empty_timeout_us, 300000000);
	assert_int_equal(cfg->room.departure_timeout_us, 20000000);
	assert_true(cfg->room.auto_create);
	assert_int_equal(cfg->room.enabled_codecs.n, 10);
	assert_string_equal(cfg->room.enabled_codecs.codec[4].mime, "video/VP8");
	assert_int_equal(cfg->audio.update_interval_us, 400000);
	assert_int_equal(cfg->dynacast_pause_delay_us, 5000000);
	assert_int_equal(cfg->limit.max_metadata_bytes, 512 << 10);
	assert_int_equal(cfg->limit.signal_message_bytes, 2 << 20);
	assert_int_equal(cfg->logging.level, LOG_LEVEL_INFO);
	assert_int_equal(cfg->rtc.node_ip.sa.sa_family, 0);
	assert_string_equal(cfg->region, "");
	assert_int_equal(cfg->warnings.n, 0);
	struct errbuf eb;
	assert_int_equal(config_require_keys(cfg, &eb), -ERR_CONFIG);
	config_free(cfg);
	config_free(NULL);
}

static void development(void **st)
{
	(void)st;
	struct config_source src = {.dev = true};
	struct config *cfg = load(&src);
	assert_string_equal(config_secret(cfg, slice_str("devkey")), "secret");
	assert_null(config_secret(cfg, slice_str("other")));
	assert_int_equal(cfg->logging.level, LOG_LEVEL_DEBUG);
	assert_int_equal(cfg->bind_addresses.n, 2);
	assert_true(addr_is_loopback(&cfg->bind_addresses.addr[0]));
	assert_true(cfg->rtc.enable_loopback_candidate);
	config_free(cfg);

	src.body = "keys: {mine: 0123456789012345678901234567890123}\nlog_level: error\nbind_addresses: [192.0.2.1]";
	cfg = load(&src);
	assert_null(config_secret(cfg, slice_str("devkey")));
	assert_int_equal(cfg->logging.level, LOG_LEVEL_ERROR);
	assert_int_equal(cfg->bind_addresses.n, 1);
	assert_int_equal(cfg->warnings.n, 0);
	config_free(cfg);
}

static void take_flag(struct config_source *src, const char *name, const char *value)
{
	bool used_next;
	assert_int_equal(config_source_flag(src, name, value, NULL, &used_next, NULL), 0);
}

static void flag_beats_variable_beats_yaml_beats_default(void **st)
{
	(void)st;
	struct config_source src = {.body = "port: 1001\n"};
	struct config *cfg = load(&src);
	assert_int_equal(cfg->port, 1001);
	config_free(cfg);

	char *const env[] = {(char[]){"LIVEKIT_PORT=1002"}, NULL};
	src.env = env;
	cfg = load(&src);
	assert_int_equal(cfg->port, 1002);
	config_free(cfg);

	take_flag(&src, "port", "1003");
	cfg = load(&src);
	assert_int_equal(cfg->port, 1003);
	config_free(cfg);
	config_source_free(&src);
}

static void the_body_takes_the_place_of_the_file(void **st)
{
	(void)st;
	char *const env[] = {(char[]){"LIVEKIT_CONFIG=port: 1004"}, NULL};
	struct config_source src = {.file = "/nonexistent", .env = env};
	struct config *cfg = load(&src);
	assert_int_equal(cfg->port, 1004);
	config_free(cfg);
	src.body = "port: 1005";
	cfg = load(&src);
	assert_int_equal(cfg->port, 1005);
	config_free(cfg);
}

static void an_alias_yields_to_the_key_itself(void **st)
{
	(void)st;
	static const char *const bodies[] = {
		"log_level: error\nlogging: {level: warn}\n", "logging: {level: warn}\nlog_level: error\n"};
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct config_source src = {.body = bodies[i]};
		struct config *cfg = load(&src);
		assert_int_equal(cfg->logging.level, LOG_LEVEL_WARN);
		config_free(cfg);
	}
	char *const env[] = {(char[]){"LIVEKIT_LOG_LEVEL=error"}, NULL};
	struct config_source src = {.body = bodies[0], .env = env};
	struct config *cfg = load(&src);
	assert_int_equal(cfg->logging.level, LOG_LEVEL_ERROR);
	config_free(cfg);
}

static void short_names(void **st)
{
	(void)st;
	char *const env[] = {(char[]){"NODE_IP=192.0.2.1"}, (char[]){"UDP_PORT=5000-5003"},
		(char[]){"LIVEKIT_REGION=north"}, (char[]){"LIVEKIT_KEYS=a: one\nb: two"},
		(char[]){"LIVEKIT_PORT="}, NULL};
	struct config_source src = {.env = env};
	take_flag(&src, "bind", "192.0.2.7");
	take_flag(&src, "bind", "2001:db8::7, 192.0.2.8");
	struct config *cfg = load(&src);
	char text[ADDR_TEXT_CAP];
	assert_string_equal(addr_format_ip(&cfg->rtc.node_ip, text), "192.0.2.1");
	assert_int_equal(cfg->rtc.udp_port.last, 5003);
	assert_string_equal(cfg->region, "north");
	assert_string_equal(config_secret(cfg, slice_str("b")), "two");
	assert_int_equal(cfg->port, 7880); /* an empty variable is none */
	assert_int_equal(cfg->bind_addresses.n, 3);
	assert_string_equal(addr_format_ip(&cfg->bind_addresses.addr[2], text), "192.0.2.8");
	config_free(cfg);
	config_source_free(&src);
}

static void flags_take_the_next_argument_only_if_they_need_it(void **st)
{
	(void)st;
	struct config_source src = {0};
	struct errbuf eb = {""};
	bool used_next = true;
	assert_int_equal(config_source_flag(&src, "rtc.use_ice_lite", NULL, "serve", &used_next, &eb), 0);
	assert_false(used_next);
	assert_int_equal(config_source_flag(&src, "port", NULL, "99", &used_next, &eb), 0);
	assert_true(used_next);
	assert_int_equal(config_source_flag(&src, "dev", NULL, "99", &used_next, &eb), 0);
	assert_false(used_next);
	assert_int_equal(config_source_flag(&src, "config", NULL, "a.yaml", &used_next, &eb), 0);
	assert_true(used_next);
	assert_string_equal(src.file, "a.yaml");
	assert_int_equal(config_source_flag(&src, "nonsense", NULL, "a", &used_next, &eb), -ERR_NOT_FOUND);
	assert_int_equal(config_source_flag(&src, "port", NULL, "--dev", &used_next, &eb), -ERR_CONFIG);
	assert_string_equal(eb.text, "--port: a value is missing; write --port VALUE");
	assert_int_equal(config_source_flag(&src, "port", NULL, NULL, &used_next, &eb), -ERR_CONFIG);
	config_source_free(&src);
	assert_string_equal(config_suggest_flag("udp-prot"), "udp-port");
	assert_null(config_suggest_flag("qqqqqqqqqqqq"));
}

static void workers_and_ports(void **st)
{
	(void)st;
	static const struct {
		const char *body;
		unsigned cores, workers;
	} cases[] = {
		{"", 8, 8}, {"", 0, 1}, {"rtc: {udp_port: 7000-7003}", 8, 4}, {"rtc: {udp_port: 7000-7003}", 2, 2},
		{"rtc: {workers: 3}", 8, 3}, {"rtc: {udp_port: 65534}", 8, 2}, {"rtc: {udp_port: 65535}", 8, 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config_source src = {.body = cases[i].body};
		struct config *cfg = load(&src);
		assert_int_equal(config_worker_count(cfg, cases[i].cores), cases[i].workers);
		assert_int_equal(
			config_worker_port(cfg, 1), (uint16_t)(cfg->rtc.udp_port.first + 1));
		config_free(cfg);
	}
}

/* ---- mistakes */

struct mistake {
	const char *body, *text;
};

static const struct mistake mistakes[] = {
	{"port: 80\nrtc:\n  udp_port: abc\n",
		"C:3: rtc.udp_port: \"abc\" is not a port; use a number from 1 to 65535 or "
		"a range such as 7882-7889"},
	{"port: 70000", "C:1: port: \"70000\" is not a port; use a number from 1 to 65535"},
	{"port: 0", "C:1: port: \"0\" is not a port; use a number from 1 to 65535"},
	{"prot: 1", "C:1: unknown key \"prot\"; did you mean port?"},
	{"rtc: {udp_prot: 1}",
		"C:1: unknown key \"rtc.udp_prot\"; did you mean rtc.udp_port?"},
	{"zzz: 1", "C:1: unknown key \"zzz\"; docs/config.md lists all keys"},
	{"development: perhaps", "C:1: development: \"perhaps\" is neither true nor false"},
	{"rtc: {workers: many}", "C:1: rtc.workers: \"many\" is not a whole number"},
	{"rtc: {workers: 300}", "C:1: rtc.workers: \"300\" is out of range; use 0 to 256"},
	{"rtc: {workers: -1}", "C:1: rtc.workers: \"-1\" is out of range; use 0 to 256"},
	{"rtc: {packet_buffer_size_video: 3}",
		"C:1: rtc.packet_buffer_size_video: \"3\" is out of range; use 16 to 8192"},
	{"rtc: {pli_throttle: {low_quality: 5}}",
		"C:1: rtc.pli_throttle.low_quality: \"5\" is not a time; use a "
		"number with a unit, such as 500ms, 5s or 2m"},
	{"audio: {update_interval: 10}",
		"C:1: audio.update_interval: \"10\" is out of range; use 50ms to 1m"},
	{"limit: {max_metadata_size: big}",
		"C:1: limit.max_metadata_size: \"big\" is not a size; use bytes, or a "
		"number with KiB, MiB or GiB"},
	{"limit: {signal_message_size_limit: 1}",
		"C:1: limit.signal_message_size_limit: \"1\" is out of range; use 64KiB to "
		"64MiB"},
	{"logging: {level: wrn}", "C:1: logging.level: \"wrn\" is unknown; did you mean "
				  "warn? use one of debug, "
				  "info, warn, error, off"},
	{"rtc: {node_ip: here}", "C:1: rtc.node_ip: \"here\" is not an IP address; use one "
				 "such as 192.0.2.1 or "
				 "2001:db8::1"},
	{"rtc: {ips: {includes: [10.0.0.0/40]}}",
		"C:1: rtc.ips.includes: \"10.0.0.0/40\" is not an address block; "
		"use one such as 10.0.0.0/8"},
	{"bind_addresses: 1.2.3.4",
		"C:1: bind_addresses: a list is needed here, such as [a, b]"},
	{"rtc:\n  stun_servers:\n    - a:1\n    - [b]\n",
		"C:4: rtc.stun_servers: each element of the list must be one value"},
	{"rtc: {stun_servers: [nowhere]}",
		"C:1: rtc.stun_servers: \"nowhere\" is not a server; use one such as "
		"stun.example.com:3478"},
	{"rtc: 5", "C:1: rtc: this is a section; its keys belong below it, indented"},
	{"port: [1]", "C:1: port: one value is needed here, not a list"},
	{"port: {a: 1}", "C:1: port: one value is needed here, not a section"},
	{"keys: hush", "C:1: keys: lines \"key: secret\" are needed here, with a space "
		       "behind the colon"},
	{"keys: {a: }", "C:1: keys: \"a\" needs a text behind the colon"},
	{"rtc:\n  turn_servers:\n    - host: h\n      prot: 1\n",
		"C:3: rtc.turn_servers: unknown key \"prot\"; did you mean port?"},
	{"rtc:\n  turn_servers:\n    - host: h\n      port: x\n",
		"C:4: rtc.turn_servers.port: \"x\" is not a port; use a number from 1 to "
		"65535"},
	{"rtc: {turn_servers: [{port: 1}]}",
		"C:1: rtc.turn_servers: an element has no host"},
	{"rtc: {turn_servers: [h]}",
		"C:1: rtc.turn_servers: each element needs keys, such as host: …"},
	{"room: {enabled_codecs: [{mime: video/VP7}]}",
		"C:1: room.enabled_codecs.mime: \"video/VP7\" is unknown; "
		"did you mean video/VP8? use one of audio/opus, audio/red, audio/PCMU, "
		"audio/PCMA, video/VP8, "
		"video/H264, video/VP9, video/AV1, video/H265, video/rtx"},
	{"port: 1\nregion: a\nport: 2\n",
		"C:3: \"port\" is set twice, first in line 1; remove one"},
	{"rtc: {use_external_ip: true}", "C:1: rtc.use_external_ip: true is not possible: "
					 "finding the public address "
					 "with STUN is not supported by this build yet; "
					 "set rtc.node_ip to the public address instead"},
	{"logging: {json: true, format: logfmt}",
		"C:1: logging.format: logfmt and logging.json: true exclude each other; "
		"remove one"},
	{"rtc: {udp_port: 7000-7001, workers: 3}",
		"C:1: rtc.workers: 3 media threads need as many UDP ports, but "
		"rtc.udp_port has 2 in its range"},
	{"prometheus: {username: u}", "C:1: prometheus.username: prometheus.username and "
				      "prometheus.password need each other"},
	{"prometheus: {port: 7880}",
		"C:1: prometheus.port: 7880 is the port of all else; remove it to have /metrics there"},
	{"key_file: /nonexistent",
		"C:1: key_file: cannot open /nonexistent: No such file or directory"},
	{"- a\n- b\n", "C:1: lines such as \"port: 7880\" are needed here"},
	{"a: [", "C:2: not valid YAML: did not find expected node content, while parsing a "
		 "flow node"},
	{"port: &p 1",
		"C:1: YAML anchors and aliases are not accepted; write the value out"},
	{"port: *p", "C:1: YAML anchors and aliases are not accepted; write the value out"},
	{"port: !!int 1", "C:1: YAML tags are not accepted; write the plain value"},
	{"region: \"a\\0b\"", "C:1: a value holds a NUL character"},
	{"? [a]\n: b\n", "C:1: a key must be a plain word"},
	{"port: 1\n---\nport: 2\n",
		"C:3: more than one YAML document; keep the first only"},
};

static void mistakes_in_yaml(void **st)
{
	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		struct config_source src = {.body = mistakes[i].body, .body_name = "C"};
		struct config *cfg = NULL;
		struct errbuf eb = {""};
		int err = config_load(&src, &cfg, &eb);
		assert_null(cfg);
		assert_string_equal(eb.text, mistakes[i].text);
		assert_int_equal(err, -ERR_CONFIG);
	}
}

static void mistakes_elsewhere_name_their_place(void **st)
{
	(void)st;
	char *const env[] = {(char[]){"LIVEKIT_RTC_UDP_PORT=abc"}, NULL};
	struct config_source src = {.env = env};
	struct config *cfg = NULL;
	struct errbuf eb = {""};
	assert_int_equal(config_load(&src, &cfg, &eb), -ERR_CONFIG);
	assert_ptr_equal(strstr(eb.text, "LIVEKIT_RTC_UDP_PORT: \"abc\" is not a port"), eb.text);

	src = (struct config_source){0};
	take_flag(&src, "udp-port", "abc");
	assert_int_equal(config_load(&src, &cfg, &eb), -ERR_CONFIG);
	assert_ptr_equal(strstr(eb.text, "--udp-port: \"abc\" is not a port"), eb.text);
	config_source_free(&src);

	src = (struct config_source){.file = "/nonexistent.yaml"};
	assert_int_equal(config_load(&src, &cfg, &eb), -ERR_CONFIG);
	assert_string_equal(eb.text, "cannot open /nonexistent.yaml: No such file or directory");
	src.file = "/";
	assert_int_equal(config_load(&src, &cfg, &eb), -ERR_CONFIG);
	assert_string_equal(eb.text, "cannot read /: Is a directory");
	assert_int_equal(config_load(&src, &cfg, NULL), -ERR_CONFIG);
	assert_null(cfg);
}

static void foreign_text_cannot_forge_a_line(void **st)
{
	(void)st;
	struct config_source src = {.body = "development: \"a\\nb\\x1b[31m0123456789012345678901234567890123456789"
			"01234567890123456789012345678901234567890123456789\"",
		.body_name = "C"};
	struct config *cfg = NULL;
	struct errbuf eb;
	assert_int_equal(config_load(&src, &cfg, &eb), -ERR_CONFIG);
	assert_null(strchr(eb.text, '\n'));
	assert_null(strchr(eb.text, 27));
	assert_non_null(strstr(eb.text, "\"a\\x0ab\\x1b[31m"));
	assert_non_null(strstr(eb.text, "…\""));
}

static void secrets_stay_out_of_messages(void **st)
{
	(void)st;
	static const char *const bodies[] = {
		"keys: hushhush", "keys: [hushhush]", "keys: {a: [hushhush]}", "prometheus: {password: [hushhush]}",
		"prometheus: {password: hushhush}", "rtc: {turn_servers: [{secret: hushhush}]}",
		"rtc: {turn_servers: [{host: h, secret: {a: hushhush}}]}", "keys: {a: hushhush}\nport: x",
	};
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct config_source src = {.body = bodies[i]};
		struct config *cfg = NULL;
		struct errbuf eb;
		assert_int_equal(config_load(&src, &cfg, &eb), -ERR_CONFIG);
		assert_null(strstr(eb.text, "hush"));
	}
}

static void bounds_on_size_and_depth(void **st)
{
	(void)st;
	struct buf b;
	buf_init(&b, 4 << 20);
	for (int i = 0; i < CONFIG_DEPTH_MAX; i++)
		buf_add_byte(&b, '[');
	struct errbuf eb = {""};
	struct config_node root;
	buf_add_str(&b, "[]");
	assert_int_equal(config_yaml_read(&root, buf_slice(&b), "C", &eb), -ERR_CONFIG);
	assert_string_equal(eb.text, "C:1: nested too deeply for a configuration");

	buf_reset(&b);
	buf_add_byte(&b, '[');
	for (int i = 0; i <= CONFIG_NODES_MAX; i++)
		buf_add_str(&b, "a,\n");
	buf_add_byte(&b, ']');
	assert_int_equal(config_yaml_read(&root, buf_slice(&b), "C", &eb), -ERR_CONFIG);
	assert_non_null(strstr(eb.text, "too many values for a configuration"));

	buf_reset(&b);
	buf_add_byte(&b, '#');
	while (b.n < CONFIG_BYTES_MAX)
		buf_add_byte(&b, ' ');
	assert_int_equal(config_yaml_read(&root, buf_slice(&b), "C", &eb), 0);
	config_node_free(&root);
	buf_add_byte(&b, ' ');
	assert_int_equal(config_yaml_read(&root, buf_slice(&b), "C", &eb), -ERR_CONFIG);
	assert_string_equal(eb.text, "C: larger than 1 MiB, too large for a configuration");
	buf_free(&b);
}

static void nothing_at_all_is_a_configuration(void **st)
{
	(void)st;
	static const char *const bodies[] = {"", "\n\n", "# only a comment\n", "---\n", "rtc:\nkeys:\nport: ~\n", "{}"};
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct config_source src = {.body = bodies[i]};
		struct config *cfg = load(&src);
		assert_int_equal(cfg->port, 7880);
		config_free(cfg);
	}
}

/* ---- warnings */

static bool has_warning(const struct config *cfg, const char *text)
{
	for (size_t i = 0; i < cfg->warnings.n; i++)
		if (strstr(cfg->warnings.str[i], text))
			return true;
	return false;
}

static void what_is_not_supported_is_said_once(void **st)
{
	(void)st;
	char *const env[] = {(char[]){"LIVEKIT_WEBHOOK_URLS=x"}, (char[]){"LIVEKIT_API_KEY=x"},
		(char[]){"LIVEKIT_URL=x"}, (char[]){"REDIS_HOST=h"}, NULL};
	struct config_source src = {
		.body = "redis: {address: h, db: 2}\nwebhook:\n  urls: [a, b]\nrtc:\n  tcp_port: 7881\n"
			"  port_range_start: 50000\nturn: {enabled: false}\ningress: {}\nsip:\nrtc.x: 1\n",
		.body_name = "C", .env = env, .lenient = true};
	struct config *cfg = load(&src);
	assert_true(has_warning(cfg, "C:1: redis: ignored"));
	assert_true(has_warning(cfg, "C:2: webhook: ignored"));
	assert_true(has_warning(cfg, "C:5: rtc.tcp_port: ignored: ICE over TCP"));
	assert_true(has_warning(cfg, "C:6: rtc.port_range_start: ignored"));
	assert_true(has_warning(cfg, "C:10: unknown key \"rtc.x\" ignored"));
	assert_int_equal(cfg->warnings.n, 5);
	config_free(cfg);
}

static void weak_secrets_are_warned_about(void **st)
{
	(void)st;
	struct config_source src = {
		.body = "keys: {weak: 0123456789012345678901234567890, good: 01234567890123456789012345678901}"};
	struct config *cfg = load(&src);
	assert_int_equal(cfg->warnings.n, 1);
	assert_true(has_warning(cfg, "the secret of \"weak\" is shorter than 32 characters"));
	config_free(cfg);
}

/* LiveKit writes -1 where it means no limit. */
static void minus_one_is_no_limit(void **st)
{
	(void)st;
	struct config_source src = {.body = "limit: {num_tracks: -1, bytes_per_sec: -1}"};
	struct config *cfg = load(&src);
	assert_int_equal(cfg->limit.num_tracks, 0);
	assert_int_equal(cfg->limit.bytes_per_sec, 0);
	config_free(cfg);
}

/* ---- files */

static void write_file(char *path, const char *text, mode_t mode)
{
	int fd = mkstemp(path);
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void key_file_is_private(void **st)
{
	(void)st;
	char path[] = "/tmp/sterna-load-XXXXXX", body[128];
	write_file(path, "a: from-file\nc: three\n", 0640);
	snprintf(body, sizeof body, "keys: {a: one, b: two}\nkey_file: %s\n", path);
	struct config_source src = {.body = body};
	struct config *cfg = NULL;
	struct errbuf eb = {""};
	assert_int_equal(config_load(&src, &cfg, &eb), -ERR_CONFIG);
	assert_non_null(strstr(eb.text, "holds secrets but others may read it; run: chmod 600"));

	assert_int_equal(chmod(path, 0600), 0);
	cfg = load(&src);
	assert_int_equal(cfg->keys.n, 3);
	assert_string_equal(config_secret(cfg, slice_str("a")), "from-file");
	assert_string_equal(config_secret(cfg, slice_str("b")), "two");
	assert_string_equal(config_secret(cfg, slice_str("c")), "three");
	config_free(cfg);
	unlink(path);
}

static void turn_secret_comes_from_its_file(void **st)
{
	(void)st;
	char path[] = "/tmp/sterna-load-XXXXXX", body[256];
	write_file(path, "hush\n", 0600);
	snprintf(body, sizeof body,
		"rtc: {turn_servers: [{host: t.example, port: 5349, protocol: TLS, secret_file: "
		"%s, ttl: 60}, {host: u}]}",
		path);
	struct config_source src = {.body = body};
	struct config *cfg = load(&src);
	const struct config_turn_server *t = cfg->rtc.turn_servers.turn;
	assert_string_equal(t[0].secret, "hush");
	assert_string_equal(t[0].protocol, "tls");
	assert_int_equal(t[0].port, 5349);
	assert_int_equal(t[0].ttl_us, 60000000);
	assert_int_equal(t[1].port, 3478);
	assert_string_equal(t[1].username, "");
	assert_true(has_warning(cfg, "\"u\" has neither username and credential nor a secret"));
	assert_int_equal(cfg->warnings.n, 1);
	config_free(cfg);
	unlink(path);
}

static void browsers_are_told_of_whole_turn_servers_only(void **st)
{
	(void)st;
	/* Each half of a configuration is said once, with what is missing, wherever it came from. */
	static const struct {
		const char *body, *env[3], *warning;
		bool is_whole;
	} rows[] = {
		{"webrtc: {turn_urls: [turn:h:3478, turns:h:5349], turn_username: u, "
		 "turn_credential: c}",
			{0}, NULL, true},
		{NULL,
			{"WEBRTC_TURN_URLS= turn:h:3478 ,, turns:h:5349,", "WEBRTC_TURN_USERNAME=u",
				"WEBRTC_TURN_CREDENTIAL=c"},
			NULL, true},
		{NULL, {"WEBRTC_TURN_URLS=turn:h:3478", "WEBRTC_STUN_URLS=stun:h:3478"},
			"WEBRTC_TURN_URLS: half a TURN configuration, browsers are told about STUN "
			"only: "
			"webrtc.turn_username and webrtc.turn_credential missing",
			false},
		{NULL, {"WEBRTC_TURN_USERNAME=u", "WEBRTC_TURN_CREDENTIAL=c"},
			"webrtc.turn_urls missing", false},
		{NULL, {"WEBRTC_TURN_URLS=turn:h:1", "WEBRTC_TURN_CREDENTIAL=c"},
			"webrtc.turn_username missing", false},
		{"webrtc: {turn_urls: [turn:h:3478], turn_username: u}", {0},
			"webrtc.turn_credential missing", false},
		{NULL, {"WEBRTC_TURN_URLS= , ,"}, NULL, false},
		{NULL, {"WEBRTC_STUN_URLS= stun:a , stun:b,"}, NULL, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char env_text[3][128], *env[4] = {0};
		for (size_t k = 0; k < 3 && rows[i].env[k]; k++) {
			snprintf(env_text[k], sizeof env_text[k], "%s", rows[i].env[k]);
			env[k] = env_text[k];
		}
		struct config_source src = {.body = rows[i].body, .env = env};
		struct config *cfg = load(&src);
		assert_int_equal(config_has_webrtc_turn(cfg), rows[i].is_whole);
		assert_int_equal(cfg->warnings.n, rows[i].warning ? 1 : 0);
		if (rows[i].warning)
			assert_true(has_warning(cfg, rows[i].warning));
		if (rows[i].is_whole) {
			assert_int_equal(cfg->webrtc.turn_urls.n, 2);
			assert_string_equal(cfg->webrtc.turn_urls.str[0], "turn:h:3478");
			assert_string_equal(cfg->webrtc.turn_urls.str[1], "turns:h:5349");
			assert_string_equal(cfg->webrtc.turn_credential, "c");
		}
		config_free(cfg);
	}
}

static void ice_urls_are_checked(void **st)
{
	(void)st;
	static const struct {
		const char *env, *error;
	} rows[] = {
		{"WEBRTC_STUN_URLS=stun.example.com:3478",
			"WEBRTC_STUN_URLS: \"stun.example.com:3478\" is not a URL of that "
			"kind; use one such as stun:example.com:3478"},
		{"WEBRTC_STUN_URLS=turn:h", "WEBRTC_STUN_URLS: \"turn:h\" is not"},
		{"WEBRTC_TURN_URLS=stun:h", "WEBRTC_TURN_URLS: \"stun:h\" is not"},
		{"WEBRTC_TURN_URLS=turn:", "WEBRTC_TURN_URLS: \"turn:\" is not"},
		{"WEBRTC_TURN_URLS=turn:a b", "WEBRTC_TURN_URLS: \"turn:a b\" is not"},
		{"WEBRTC_TURN_CREDENTIAL=\xff", "user name and credential must be UTF-8"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[128];
		snprintf(text, sizeof text, "%s", rows[i].env);
		char *const env[] = {text, NULL};
		struct config_source src = {.env = env};
		struct config *cfg = NULL;
		struct errbuf eb = {""};
		assert_int_equal(config_load(&src, &cfg, &eb), -ERR_CONFIG);
		if (!strstr(eb.text, rows[i].error))
			fail_msg("%s", eb.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(development),
		cmocka_unit_test(flag_beats_variable_beats_yaml_beats_default),
		cmocka_unit_test(the_body_takes_the_place_of_the_file),
		cmocka_unit_test(an_alias_yields_to_the_key_itself),
		cmocka_unit_test(short_names),
		cmocka_unit_test(flags_take_the_next_argument_only_if_they_need_it),
		cmocka_unit_test(workers_and_ports),
		cmocka_unit_test(mistakes_in_yaml),
		cmocka_unit_test(mistakes_elsewhere_name_their_place),
		cmocka_unit_test(foreign_text_cannot_forge_a_line),
		cmocka_unit_test(secrets_stay_out_of_messages),
		cmocka_unit_test(bounds_on_size_and_depth),
		cmocka_unit_test(nothing_at_all_is_a_configuration),
		cmocka_unit_test(what_is_not_supported_is_said_once),
		cmocka_unit_test(weak_secrets_are_warned_about),
		cmocka_unit_test(minus_one_is_no_limit),
		cmocka_unit_test(key_file_is_private),
		cmocka_unit_test(turn_secret_comes_from_its_file),
		cmocka_unit_test(browsers_are_told_of_whole_turn_servers_only),
		cmocka_unit_test(ice_urls_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
