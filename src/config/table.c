/* The one table of all keys. Rows of one section stand together: config_print relies on it. */
#include "config/config_internal.h"

#include <ctype.h>
#include <string.h>

#define AT(member) .at = offsetof(struct config, member)
#define RELOAD .flags = ROW_RELOAD
#define OURS .flags = ROW_OURS
#define OURS_RELOAD .flags = ROW_OURS | ROW_RELOAD
#define IDLE .flags = ROW_IDLE
#define IDLE_RELOAD .flags = ROW_IDLE | ROW_RELOAD
#define IDLE_OURS .flags = ROW_IDLE | ROW_OURS
#define IGNORED(path_, why) {.path = (path_), .type = CONFIG_IGNORED, .help = (why)}
#define REFUSED(path_, what) {.path = (path_), .type = CONFIG_REFUSED, .init = "false", .help = (what)}

enum { MS = 1000, S = 1000000 };
#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)
#define DAY (UINT64_C(86400) * S)

static const char *const log_levels[] = {"debug", "info", "warn", "error", "off", NULL};
static const char *const log_formats[] = {"logfmt", "json", NULL};
static const char *const oauth_algorithms[] = {"A256GCM", "A128GCM", NULL};
static const char *const turn_protocols[] = {"udp", "tcp", "tls", NULL};
static const char *const codecs[] = {"audio/opus", "audio/red", "audio/PCMU", "audio/PCMA", "video/VP8", "video/H264",
	"video/VP9", "video/AV1", "video/H265", "video/rtx", NULL};

#define ELEM(type_, member) .at = offsetof(struct type_, member)

static const struct config_row codec_rows[] = {
	{"mime", CONFIG_STR, ELEM(config_codec, mime), .choices = codecs, .help = "codec"},
	{"fmtp_line", CONFIG_STR, ELEM(config_codec, fmtp_line), .help = "format parameters; empty = any"},
};

static const struct config_row turn_rows[] = {
	{"host", CONFIG_STR, ELEM(config_turn_server, host), .help = "host name or address"},
	{"port", CONFIG_PORT, ELEM(config_turn_server, port), .init = "3478", .min = 1, .help = "port"},
	{"protocol", CONFIG_STR, ELEM(config_turn_server, protocol), .init = "udp", .choices = turn_protocols,
		.help = "transport"},
	{"username", CONFIG_STR, ELEM(config_turn_server, username), .help = "fixed user name"},
	{"credential", CONFIG_SECRET, ELEM(config_turn_server, credential), .help = "its password"},
	{"secret", CONFIG_SECRET, ELEM(config_turn_server, secret),
		.help = "shared secret for credentials made per participant, instead of a fixed user"},
	{"secret_file", CONFIG_FILE, ELEM(config_turn_server, secret_file),
		.help = "file that holds the shared secret; nobody else may read it"},
	{"ttl", CONFIG_DURATION, ELEM(config_turn_server, ttl_us), .init = "14400", .min = S, .bare_us = S,
		.max = 30 * DAY, .help = "how long credentials made from the secret are good (seconds)"},
};

static const struct config_row listen_rows[] = {
	{"address", CONFIG_STR, ELEM(config_turn_listen, address), .help = "IP address of this machine"},
	{"port", CONFIG_PORT, ELEM(config_turn_listen, port), .init = "3478", .min = 1, .help = "port"},
	{"udp", CONFIG_BOOL, ELEM(config_turn_listen, udp), .init = "true", .help = "take UDP clients"},
	{"tcp", CONFIG_BOOL, ELEM(config_turn_listen, tcp), .init = "true", .help = "take TCP clients"},
	{"tls", CONFIG_BOOL, ELEM(config_turn_listen, tls), .init = "true",
		.help = "take TLS clients, if there is a certificate"},
	{"dtls", CONFIG_BOOL, ELEM(config_turn_listen, dtls), .init = "true",
		.help = "take DTLS clients, if there is a certificate"},
	{"proxy_protocol", CONFIG_BOOL, ELEM(config_turn_listen, proxy_protocol), .init = "false",
		.help = "connections from turn.proxies begin with a PROXY header"},
};

static const struct config_row oauth_rows[] = {
	{"kid", CONFIG_STR, ELEM(config_oauth_key, kid), .help = "name of the key"},
	{"key", CONFIG_SECRET, ELEM(config_oauth_key, key), .help = "the key, base64"},
	{"algorithm", CONFIG_STR, ELEM(config_oauth_key, algorithm), .init = "A256GCM",
		.choices = oauth_algorithms, .help = "how tokens are encrypted"},
	{"from", CONFIG_DURATION, ELEM(config_oauth_key, from_us), .init = "0", .bare_us = S,
		.help = "Unix time from which on the key is good (seconds)"},
	{"lifetime", CONFIG_DURATION, ELEM(config_oauth_key, lifetime_us), .init = "0", .bare_us = S,
		.help = "for how long (seconds); 0 = for ever"},
};

static const struct config_object listen_object = {
	listen_rows, ARRAY_LEN(listen_rows), sizeof(struct config_turn_listen)};
static const struct config_object oauth_object = {
	oauth_rows, ARRAY_LEN(oauth_rows), sizeof(struct config_oauth_key)};
static const struct config_object codec_object = {
	codec_rows, ARRAY_LEN(codec_rows), sizeof(struct config_codec)};
static const struct config_object turn_object = {
	turn_rows, ARRAY_LEN(turn_rows), sizeof(struct config_turn_server)};

#define NO_TCP "ICE over TCP is not in this build yet"
#define NO_CLUSTER "more than one node is not supported by this build yet"
#define NO_TUNING "a tuning of LiveKit's own implementation, without effect here"

const struct config_row config_rows[] = {
	{"port", CONFIG_PORT, AT(port), .init = "7880", .min = 1,
		.help = "TCP port for HTTP and WebSocket: signalling, API, web app, metrics."},
	{"bind_addresses", CONFIG_IP_LIST, AT(bind_addresses),
		.help = "Addresses to listen on for HTTP. None = all; with --dev only the loopback "
			"addresses."},
	{"region", CONFIG_STR, AT(region), RELOAD, .max = 64,
		.help = "Name of this node's region, told to clients."},
	{"keys", CONFIG_SECRET_MAP, AT(keys), RELOAD,
		.help = "API keys and their secrets (32 characters or more): `key: secret`. They "
			"sign access tokens."},
	{"key_file", CONFIG_FILE, AT(key_file), RELOAD,
		.help = "YAML file with more `key: secret` lines. Only its owner may have access "
			"(chmod 600)."},
	{"log_level", CONFIG_ENUM, RELOAD, .choices = log_levels, .alias_of = "logging.level",
		.help = "Old name of logging.level."},
	{"development", CONFIG_BOOL, AT(development), .init = "false",
		.help = "Development mode, as --dev: debug log, loopback only, key `devkey` with "
			"secret `secret` "
			"if there are no keys."},
	{"logging.level", CONFIG_ENUM, AT(logging.level), RELOAD, .init = "info",
		.choices = log_levels,
		.help = "Least severe lines that are logged. `debug` in development mode."},
	{"logging.json", CONFIG_BOOL, AT(logging.json), RELOAD, .init = "false",
		.help = "Log lines as JSON: LiveKit's name for `logging.format: json`."},
	{"logging.format", CONFIG_ENUM, AT(logging.format), OURS_RELOAD, .init = "logfmt",
		.choices = log_formats, .help = "Form of the log lines on stderr."},
	IGNORED("logging.pion_level", NO_TUNING),
	IGNORED("logging.component_levels", "there is one level for all parts"),
	IGNORED("logging.sample", "log lines are not sampled"),
	IGNORED("logging.sample_initial", "log lines are not sampled"),
	IGNORED("logging.sample_interval", "log lines are not sampled"),

	{"rtc.udp_port", CONFIG_PORTS, AT(rtc.udp_port), .init = "7882", .min = 1,
		.help = "First UDP port for media, or a range such as 7882-7889. Worker i uses the "
			"first port + i; "
			"open as many ports as there are workers."},
	{"rtc.workers", CONFIG_COUNT, AT(rtc.workers), OURS, .init = "0", .max = 256,
		.help = "Media threads. 0 = one per core, but not more than a range in "
			"rtc.udp_port has ports."},
	{"rtc.node_ip", CONFIG_IP, AT(rtc.node_ip),
		.help = "Address that clients are told to send media to. Set it to the public "
			"address if this "
			"machine has a private one behind NAT."},
	REFUSED("rtc.use_external_ip",
		"finding the public address with STUN is not supported by this build yet; set "
		"rtc.node_ip to the public address instead"),
	REFUSED("rtc.external_ip_only", "set rtc.node_ip to the public address instead"),
	REFUSED("rtc.force_tcp", NO_TCP "; media needs UDP"),
	{"rtc.interfaces.includes", CONFIG_STR_LIST, AT(rtc.interface_includes),
		.help = "Network interfaces whose addresses are offered to clients. None = all."},
	{"rtc.interfaces.excludes", CONFIG_STR_LIST, AT(rtc.interface_excludes),
		.help = "Network interfaces whose addresses are not offered."},
	{"rtc.ips.includes", CONFIG_CIDR_LIST, AT(rtc.ip_includes),
		.help = "Address blocks (10.0.0.0/8) that offered addresses must lie in. None = "
			"all."},
	{"rtc.ips.excludes", CONFIG_CIDR_LIST, AT(rtc.ip_excludes),
		.help = "Address blocks whose addresses are not offered."},
	{"rtc.enable_loopback_candidate", CONFIG_BOOL, AT(rtc.enable_loopback_candidate),
		.init = "false", .help = "Offer loopback addresses too. On in development mode."},
	{"rtc.use_mdns", CONFIG_BOOL, AT(rtc.use_mdns), IDLE, .init = "false",
		.help = "Look up the .local names that browsers put into their candidates."},
	{"rtc.use_ice_lite", CONFIG_BOOL, AT(rtc.use_ice_lite), .init = "false",
		.help = "Be an ICE-lite agent: answer connectivity checks without sending any."},
	{"rtc.packet_buffer_size_video", CONFIG_COUNT, AT(rtc.packet_buffer_size_video),
		.init = "500", .min = 16, .max = 8192,
		.help = "Packets kept per video track for retransmission."},
	{"rtc.packet_buffer_size_audio", CONFIG_COUNT, AT(rtc.packet_buffer_size_audio),
		.init = "200", .min = 16, .max = 8192,
		.help = "Packets kept per audio track for retransmission."},
	{"rtc.pli_throttle.low_quality", CONFIG_DURATION, AT(rtc.pli_throttle_low_us), RELOAD,
		.init = "500ms", .max = 60 * S,
		.help = "Least time between two key frame requests for the low layer."},
	{"rtc.pli_throttle.mid_quality", CONFIG_DURATION, AT(rtc.pli_throttle_mid_us), RELOAD,
		.init = "1s", .max = 60 * S, .help = "The same for the medium layer."},
	{"rtc.pli_throttle.high_quality", CONFIG_DURATION, AT(rtc.pli_throttle_high_us), RELOAD,
		.init = "1s", .max = 60 * S, .help = "The same for the high layer."},
	{"rtc.stun_servers", CONFIG_STR_LIST, AT(rtc.stun_servers), RELOAD,
		.help = "STUN servers that clients are told about, as host:port."},
	{"rtc.turn_servers", CONFIG_OBJECTS, AT(rtc.turn_servers), RELOAD, .object = &turn_object,
		.help = "TURN servers that clients are told about."},
	{"rtc.congestion_control.enabled", CONFIG_BOOL, AT(rtc.congestion_control), IDLE_RELOAD,
		.init = "true", .help = "Choose layers by the bandwidth that each subscriber has."},
	{"rtc.congestion_control.allow_pause", CONFIG_BOOL, AT(rtc.allow_pause), IDLE_RELOAD,
		.init = "false",
		.help = "Pause video altogether when not even the lowest layer fits."},
	IGNORED("rtc.congestion_control.use_send_side_bwe",
		"bandwidth is estimated in one way only"),
	IGNORED("rtc.congestion_control.use_send_side_bwe_interceptor",
		"bandwidth is estimated in one way only"),
	IGNORED("rtc.congestion_control.send_side_bandwidth_estimation",
		"bandwidth is estimated in one way only"),
	IGNORED("rtc.congestion_control.min_channel_capacity", NO_TUNING),
	IGNORED("rtc.congestion_control.probe_mode", NO_TUNING),
	IGNORED("rtc.tcp_port", NO_TCP),
	IGNORED("rtc.allow_tcp_fallback", NO_TCP),
	IGNORED("rtc.port_range_start", "all media uses the ports of rtc.udp_port"),
	IGNORED("rtc.port_range_end", "all media uses the ports of rtc.udp_port"),
	IGNORED("rtc.advertise_internal_ip",
		"addresses are chosen with rtc.node_ip, rtc.interfaces and rtc.ips"),
	IGNORED("rtc.batch_io", "see net.batch_window_us"),
	IGNORED("rtc.udp_batch_io", "see net.batch_window_us"),
	IGNORED("rtc.tcp_batch_io", NO_TCP),
	IGNORED("rtc.strict_acks", NO_TUNING),
	IGNORED("rtc.reconnect_on_publication_error", NO_TUNING),
	IGNORED("rtc.reconnect_on_subscription_error", NO_TUNING),
	IGNORED("rtc.reconnect_on_data_channel_error", NO_TUNING),
	IGNORED("rtc.data_channel_max_buffered_amount", "see limit.data_buffer_bytes"),
	IGNORED("rtc.datachannel_slow_threshold", "see limit.data_buffer_bytes"),
	IGNORED("rtc.datachannel_lossy_target_latency", "see limit.data_buffer_bytes"),
	IGNORED("rtc.enable_rtp_stream_restart_detection", NO_TUNING),
	IGNORED("rtc.forward_stats", NO_TUNING),

	{"webrtc.stun_urls", CONFIG_STR_LIST, AT(webrtc.stun_urls),
		.flags = ROW_OURS | ROW_RELOAD | ROW_LOOSE,
		.help = "STUN servers that browsers are told about, as URLs: "
			"stun:stun.example.com:3478."},
	{"webrtc.turn_urls", CONFIG_STR_LIST, AT(webrtc.turn_urls),
		.flags = ROW_OURS | ROW_RELOAD | ROW_LOOSE,
		.help = "TURN servers that browsers are told about, as URLs: "
			"turn:turn.example.com:3478. They need "
			"webrtc.turn_username and webrtc.turn_credential; without both they are "
			"left out."},
	{"webrtc.turn_username", CONFIG_STR, AT(webrtc.turn_username), OURS_RELOAD,
		.help = "User name for the servers of webrtc.turn_urls."},
	{"webrtc.turn_credential", CONFIG_SECRET, AT(webrtc.turn_credential), OURS_RELOAD,
		.help = "Its password. Whoever opens the web page can read it."},
	{"webrtc.default_stun", CONFIG_BOOL, AT(webrtc.default_stun), OURS_RELOAD, .init = "true",
		.help = "Tell participants of rooms about public STUN servers if no STUN and no "
			"TURN server is "
			"configured. Never in development mode."},

	{"room.auto_create", CONFIG_BOOL, AT(room.auto_create), RELOAD, .init = "true",
		.help = "Create a room when its first participant joins; otherwise only through "
			"the API."},
	{"room.max_participants", CONFIG_COUNT, AT(room.max_participants), RELOAD, .init = "0",
		.max = 1000000,
		.help = "Most participants in a room that sets no limit of its own. 0 = no limit."},
	{"room.empty_timeout", CONFIG_DURATION, AT(room.empty_timeout_us), RELOAD, .init = "300",
		.bare_us = S, .max = 365 * DAY,
		.help = "How long a room stays that nobody has joined (seconds)."},
	{"room.departure_timeout", CONFIG_DURATION, AT(room.departure_timeout_us), RELOAD,
		.init = "20", .bare_us = S, .max = 365 * DAY,
		.help = "How long a room stays after its last participant left (seconds)."},
	{"room.enabled_codecs", CONFIG_OBJECTS, AT(room.enabled_codecs), RELOAD,
		.object = &codec_object,
		.init = "[{mime: audio/opus}, {mime: audio/red}, {mime: audio/PCMU}, {mime: "
			"audio/PCMA}, {mime: video/VP8}, "
			"{mime: video/H264}, {mime: video/VP9}, {mime: video/AV1}, {mime: "
			"video/H265}, {mime: video/rtx}]",
		.help = "Codecs that participants may publish."},
	{"room.enable_remote_unmute", CONFIG_BOOL, AT(room.enable_remote_unmute), IDLE_RELOAD,
		.init = "false", .help = "Let the API unmute tracks, not only mute them."},
	IGNORED("room.playout_delay", "clients choose their own playout delay"),
	IGNORED("room.sync_streams", NO_TUNING),
	IGNORED("room.create_room_enabled", "tokens say who may create rooms"),
	IGNORED("room.create_room_timeout", NO_CLUSTER),
	IGNORED("room.create_room_attempts", NO_CLUSTER),
	IGNORED("room.room_configurations", "presets of rooms are not supported by this build yet"),
	IGNORED("room.update_batch_target_size", NO_TUNING),
	IGNORED("room.enable_full_room_in_webhooks",
		"webhooks are not supported by this build yet"),

	{"audio.active_level", CONFIG_COUNT, AT(audio.active_level), RELOAD, .init = "35",
		.max = 127,
		.help = "Quietest level that counts as speech, in -dBov: 0 is the loudest, 127 "
			"silence."},
	{"audio.min_percentile", CONFIG_COUNT, AT(audio.min_percentile), RELOAD, .init = "40",
		.max = 100,
		.help = "Share of an interval that must be speech for a participant to be a "
			"speaker, in percent."},
	{"audio.update_interval", CONFIG_DURATION, AT(audio.update_interval_us), RELOAD,
		.init = "400", .bare_us = MS, .min = 50 * MS, .max = 60 * S,
		.help = "How often clients are told who speaks (milliseconds)."},
	{"audio.smooth_intervals", CONFIG_COUNT, AT(audio.smooth_intervals), RELOAD, .init = "2",
		.max = 100,
		.help = "Intervals over which levels are smoothed. 0 or 1 = not at all."},
	IGNORED("audio.active_red_encoding", "RED is forwarded as published"),
	IGNORED("audio.enable_loss_proxying", "loss is not reported on to publishers"),

	{"video.dynacast_pause_delay", CONFIG_DURATION, AT(dynacast_pause_delay_us), RELOAD,
		.init = "5s", .max = 600 * S,
		.help = "How long a publisher goes on with a layer that nobody watches any more."},
	IGNORED("video.stream_tracker", NO_TUNING),
	IGNORED("video.stream_tracker_manager", NO_TUNING),
	IGNORED("video.codec_regression_threshold",
		"a track stays with the codecs it was published with"),

	{"limit.num_tracks", CONFIG_COUNT, AT(limit.num_tracks),
		.flags = ROW_RELOAD | ROW_UNLIMITED, .init = "0",
		.help = "Tracks in and out from which on new participants are refused. 0 or -1 = "
			"no limit."},
	{"limit.bytes_per_sec", CONFIG_SIZE, AT(limit.bytes_per_sec),
		.flags = ROW_RELOAD | ROW_UNLIMITED, .init = "0",
		.help = "Bytes per second in and out from which on new participants are refused. 0 "
			"or -1 = no limit."},
	{"limit.subscription_limit_audio", CONFIG_COUNT, AT(limit.subscription_limit_audio), RELOAD,
		.init = "0",
		.help = "Most audio tracks a participant may be subscribed to. 0 = no limit."},
	{"limit.subscription_limit_video", CONFIG_COUNT, AT(limit.subscription_limit_video), RELOAD,
		.init = "0",
		.help = "Most video tracks a participant may be subscribed to. 0 = no limit."},
	{"limit.max_metadata_size", CONFIG_SIZE, AT(limit.max_metadata_bytes), RELOAD,
		.init = "512KiB", .max = 16 * MIB,
		.help = "Largest metadata of a room or a participant. 0 = no limit."},
	{"limit.max_attributes_size", CONFIG_SIZE, AT(limit.max_attributes_bytes), RELOAD,
		.init = "64KiB", .max = 16 * MIB,
		.help = "Largest sum of a participant's attribute names and values. 0 = no limit."},
	{"limit.max_room_name_length", CONFIG_COUNT, AT(limit.max_room_name_length), RELOAD,
		.init = "256", .max = 4096, .help = "Longest room name, in bytes. 0 = no limit."},
	{"limit.max_participant_identity_length", CONFIG_COUNT,
		AT(limit.max_participant_identity_length), RELOAD, .init = "256", .max = 4096,
		.help = "Longest participant identity, in bytes. 0 = no limit."},
	{"limit.max_participant_name_length", CONFIG_COUNT, AT(limit.max_participant_name_length),
		RELOAD, .init = "256", .max = 4096,
		.help = "Longest participant name, in bytes. 0 = no limit."},
	{"limit.signal_message_size_limit", CONFIG_SIZE, AT(limit.signal_message_bytes), RELOAD,
		.init = "2MiB", .min = 64 * KIB, .max = 64 * MIB,
		.help = "Largest signal message that a client may send."},
	{"limit.max_api_request_body_size", CONFIG_SIZE, AT(limit.api_request_body_bytes),
		IDLE_RELOAD, .init = "10MiB", .min = KIB, .max = 64 * MIB,
		.help = "Largest body of an API request."},
	{"limit.signal_connections", CONFIG_COUNT, AT(limit.signal_connections), OURS,
		.init = "10000", .min = 1, .max = 1000000,
		.help = "Most signal WebSockets open at one time; more are refused with 503."},
	{"limit.signal_out_queue_bytes", CONFIG_SIZE, AT(limit.signal_out_queue_bytes), OURS_RELOAD,
		.init = "4MiB", .min = 64 * KIB, .max = GIB,
		.help = "Bytes that may wait for a slow signal connection before it is closed."},
	{"limit.sessions_per_worker", CONFIG_COUNT, AT(limit.sessions_per_worker), OURS,
		.init = "2000", .min = 1, .max = 100000,
		.help = "Most peer connections per media thread."},
	{"limit.rooms_per_worker", CONFIG_COUNT, AT(limit.rooms_per_worker), OURS_RELOAD,
		.init = "5000", .min = 1, .max = 1000000,
		.help = "Most rooms per media thread; joins that would make one more are "
			"refused."},
	{"limit.mailbox_messages", CONFIG_COUNT, AT(limit.mailbox_messages), OURS, .init = "4096",
		.min = 64, .max = 1 << 20,
		.help = "Messages that may wait between two threads before the sender is held "
			"back."},
	{"limit.tx_queue_packets", CONFIG_COUNT, AT(limit.tx_queue_packets), OURS, .init = "16384",
		.min = 256, .max = 1 << 20,
		.help = "Packets that may wait to be sent per media thread; more are dropped and "
			"counted."},
	{"limit.ice_requests_per_minute", CONFIG_COUNT, AT(limit.ice_requests_per_minute), OURS,
		.init = "300", .max = 1000000,
		.help = "Requests for the ICE servers (GET /api/v1/config/webrtc) that an address, "
			"or an "
			"IPv6 /64, may make per minute; more are answered with 429. 0 = no limit."},
	{"limit.ice_request_addresses", CONFIG_COUNT, AT(limit.ice_request_addresses), OURS,
		.init = "4096", .min = 64, .max = 1 << 20,
		.help = "Addresses whose requests for the ICE servers are counted at one time; "
			"beyond, those that have been quiet longest are forgotten."},
	{"limit.data_buffer_bytes", CONFIG_SIZE, AT(limit.data_buffer_bytes), OURS_RELOAD,
		.init = "2MiB", .min = 16 * KIB, .max = GIB,
		.help = "Bytes that may wait in the DataChannels of a slow receiver before it "
			"loses messages."},

	{"turn.enabled", CONFIG_BOOL, AT(turn.enabled), .init = "false",
		.help = "Be a STUN and TURN server too. On in development mode; `sterna turn` is "
			"nothing else."},
	{"turn.domain", CONFIG_STR, AT(turn.domain), RELOAD, .max = 255,
		.help = "Name of the TURN server that clients are told, and that its certificate "
			"is for."},
	{"turn.udp_port", CONFIG_PORT, AT(turn.udp_port), .init = "3478",
		.help = "Port for UDP and TCP clients, of TLS and DTLS too if there is a "
			"certificate. 0 = none."},
	{"turn.tls_port", CONFIG_PORT, AT(turn.tls_port), .init = "5349",
		.help = "Port for TLS and DTLS clients, if there is a certificate or "
			"turn.external_tls. 0 = none."},
	{"turn.cert_file", CONFIG_FILE, AT(turn.cert_file), RELOAD,
		.help = "Certificate chain, PEM. Changes of the file are noticed. None = no TLS "
			"and no DTLS."},
	{"turn.key_file", CONFIG_FILE, AT(turn.key_file), RELOAD, .help = "Its private key, PEM."},
	{"turn.external_tls", CONFIG_BOOL, AT(turn.external_tls), .init = "false",
		.help = "A load balancer in front ends TLS: turn.tls_port takes plain TCP."},
	{"turn.relay_range_start", CONFIG_PORT, AT(turn.relay_range_start), .init = "30000",
		.min = 1,
		.help = "First UDP port for relayed addresses; 30000 to 30099 in development "
			"mode."},
	{"turn.relay_range_end", CONFIG_PORT, AT(turn.relay_range_end), .init = "40000", .min = 1,
		.help = "Last one. Workers share the range; each allocation takes a port of it."},
	{"turn.bind_addresses", CONFIG_IP_LIST, AT(turn.bind_addresses),
		.help = "Addresses to listen on. None = all that this machine has when the server "
			"starts; 127.0.0.1 in development mode."},
	{"turn.ttl_seconds", CONFIG_DURATION, AT(turn.ttl_us), RELOAD, .init = "300", .bare_us = S,
		.min = S, .max = DAY,
		.help = "How long credentials that clients are given are good (seconds)."},
	{"turn.per_user_relay_allocation_limit", CONFIG_COUNT,
		AT(turn.per_user_relay_allocation_limit), RELOAD, .init = "12", .max = 1000000,
		.help = "Most allocations of one participant. 0 = no limit."},
	{"turn.allow_restricted_peer_cidrs", CONFIG_STR_LIST, AT(turn.allow_restricted_peer_cidrs),
		RELOAD,
		.help = "Peers in these blocks may be reached although they are loopback, private "
			"or otherwise "
			"denied; turn.deny_peer_cidrs wins over it."},
	{"turn.deny_peer_cidrs", CONFIG_STR_LIST, AT(turn.deny_peer_cidrs), RELOAD,
		.help = "Peers in these blocks are denied, whatever allows them."},
	{"turn.listen", CONFIG_OBJECTS, AT(turn.listen), OURS, .object = &listen_object,
		.help = "More addresses to listen on, beside those of turn.bind_addresses."},
	{"turn.udp", CONFIG_BOOL, AT(turn.udp), OURS, .init = "true", .help = "Take UDP clients."},
	{"turn.tcp", CONFIG_BOOL, AT(turn.tcp), OURS, .init = "true", .help = "Take TCP clients."},
	{"turn.tls", CONFIG_BOOL, AT(turn.tls), OURS, .init = "true",
		.help = "Take TLS clients, if there is a certificate."},
	{"turn.dtls", CONFIG_BOOL, AT(turn.dtls), OURS, .init = "true",
		.help = "Take DTLS clients, if there is a certificate."},
	{"turn.proxy_protocol", CONFIG_BOOL, AT(turn.proxy_protocol), OURS, .init = "false",
		.help = "TCP and TLS connections from turn.proxies begin with a PROXY header, "
			"version 1 or 2, that names "
			"the client."},
	{"turn.proxy_port", CONFIG_PORT, AT(turn.proxy_port), OURS, .init = "0",
		.help = "One more TCP port, on which connections from turn.proxies begin with a "
			"PROXY header. 0 = none."},
	{"turn.proxies", CONFIG_CIDR_LIST, AT(turn.proxies), OURS,
		.help = "Address blocks of the load balancers that may speak the PROXY protocol. "
			"None = nobody."},
	{"turn.relay_addresses", CONFIG_IP_LIST, AT(turn.relay_addresses), OURS,
		.help = "Addresses of this machine to relay from. None = those that are listened "
			"on: each client is relayed from the one it came to, or from a public one if that "
			"is of the other family."},
	{"turn.external_ips", CONFIG_STR_LIST, AT(turn.external_ips), OURS,
		.help = "Public addresses behind NAT: `public`, or `public/private` for one local "
			"address."},
	{"turn.other_address", CONFIG_IP, AT(turn.other_address), OURS,
		.help = "Second address of this machine, for NAT behaviour discovery (RFC 5780). "
			"Empty = none is offered."},
	{"turn.other_port", CONFIG_PORT, AT(turn.other_port), OURS, .init = "3479", .min = 1,
		.help = "Second port for NAT behaviour discovery."},
	{"turn.http_share", CONFIG_BOOL, AT(turn.http_share), OURS, .init = "false",
		.help = "Serve HTTPS (and wss) on the TLS ports of TURN too, with the same "
			"certificate: one port 443 for "
			"both."},
	{"turn.key_password", CONFIG_SECRET, AT(turn.key_password), OURS_RELOAD,
		.help = "Password of turn.key_file, if it is encrypted."},
	{"turn.tls_ciphers", CONFIG_STR, AT(turn.tls_ciphers), OURS_RELOAD,
		.help = "TLS 1.2 ciphers in OpenSSL's notation. Empty = OpenSSL's default."},
	{"turn.tls1_2", CONFIG_BOOL, AT(turn.tls1_2), OURS_RELOAD, .init = "true",
		.help = "Take TLS 1.2 and DTLS 1.2 too, not TLS 1.3 alone. Older ones are never "
			"taken."},
	{"turn.realm", CONFIG_STR, AT(turn.realm), OURS, .init = "livekit", .max = 127,
		.help = "Realm of all users; long-term keys are bound to it."},
	{"turn.users", CONFIG_SECRET_MAP, AT(turn.users), OURS_RELOAD,
		.help = "Users and their passwords: `name: password`, or `name: 0x…` with the "
			"long-term key in "
			"hexadecimal."},
	{"turn.secrets", CONFIG_SECRET_LIST, AT(turn.secrets), OURS_RELOAD,
		.help = "Shared secrets of ephemeral credentials (TURN REST API), any of which is "
			"good; the first one signs "
			"those that are handed out."},
	{"turn.secret_file", CONFIG_FILE, AT(turn.secret_file), OURS_RELOAD,
		.help = "File with more of them, one a line. Only its owner may have access (chmod "
			"600)."},
	{"turn.rest_separator", CONFIG_STR, AT(turn.rest_separator), OURS_RELOAD, .init = ":",
		.max = 1, .help = "The character between time and name of an ephemeral user."},
	{"turn.no_auth", CONFIG_BOOL, AT(turn.no_auth), OURS, .init = "false",
		.help = "Let anybody relay without a password. Almost never what you want."},
	{"turn.sha256", CONFIG_BOOL, AT(turn.sha256), OURS_RELOAD, .init = "true",
		.help = "Offer SHA-256 and user name hashes (RFC 8489)."},
	{"turn.oauth_keys", CONFIG_OBJECTS, AT(turn.oauth_keys), OURS_RELOAD,
		.object = &oauth_object, .help = "Keys of third-party authorization (RFC 7635)."},
	{"turn.oauth_server_name", CONFIG_STR, AT(turn.oauth_server_name), OURS_RELOAD, .max = 255,
		.help = "Name of the authorization server that clients are told. Empty = no RFC "
			"7635."},
	{"turn.userdb", CONFIG_SECRET, AT(turn.userdb), OURS,
		.help = "Database of users with coturn's tables: sqlite:/path, postgresql://… or "
			"redis://…. Empty = none."},
	{"turn.userdb_cache", CONFIG_DURATION, AT(turn.userdb_cache_us), OURS_RELOAD, .init = "60s",
		.min = S, .max = DAY, .help = "How long an answer of the database is believed."},
	{"turn.userdb_peers", CONFIG_BOOL, AT(turn.userdb_peers), OURS_RELOAD, .init = "true",
		.help = "Take the database's allowed_peer_ip and denied_peer_ip beside turn.allowed_peers and "
			"turn.denied_peers, with their ranks. Until it has answered once there are no allocations."},
	{"turn.auth_cache_users", CONFIG_COUNT, AT(turn.auth_cache_users), OURS, .init = "4096",
		.min = 16, .max = 1 << 20, .help = "Users whose keys a worker keeps ready."},
	{"turn.redis_stats", CONFIG_SECRET, AT(turn.redis_stats), OURS,
		.help = "Redis to publish coturn's statistics of sessions to, at their start, refresh "
			"and end: redis://…. Empty = none."},
	{"turn.nonce_lifetime", CONFIG_DURATION, AT(turn.nonce_lifetime_us), OURS_RELOAD,
		.init = "600", .bare_us = S, .max = DAY,
		.help = "How long a nonce is good (seconds). 0 = as long as the process runs."},
	{"turn.allowed_peers", CONFIG_STR_LIST, AT(turn.allowed_peers), OURS_RELOAD,
		.help = "Peers that may be reached whatever denies them but turn.deny_peer_cidrs: "
			"`10.0.0.0/8`, "
			"`10.0.0.1-10.0.0.9` or one address."},
	{"turn.denied_peers", CONFIG_STR_LIST, AT(turn.denied_peers), OURS_RELOAD,
		.help = "Peers that may not be reached; turn.allowed_peers wins over it."},
	{"turn.allow_loopback_peers", CONFIG_BOOL, AT(turn.allow_loopback_peers), OURS_RELOAD,
		.init = "false",
		.help = "Let clients reach services of this machine on its loopback addresses. On "
			"in development mode."},
	{"turn.allow_private_peers", CONFIG_BOOL, AT(turn.allow_private_peers), OURS_RELOAD,
		.init = "false",
		.help = "Let clients reach private networks (RFC 1918, fc00::/7)."},
	{"turn.builtin_denied_peers", CONFIG_BOOL, AT(turn.builtin_denied_peers), OURS_RELOAD,
		.init = "true",
		.help = "Deny loopback, private, link-local, multicast and other special "
			"addresses. Without it, clients may "
			"reach whatever this machine can."},
	{"turn.user_allocations", CONFIG_COUNT, AT(turn.user_allocations), OURS_RELOAD, .init = "0",
		.help = "Most allocations of one user. 0 = no limit."},
	{"turn.total_allocations", CONFIG_COUNT, AT(turn.total_allocations), OURS_RELOAD,
		.init = "0", .help = "Most allocations of all users together. 0 = no limit."},
	{"turn.worker_allocations", CONFIG_COUNT, AT(turn.worker_allocations), OURS,
		.init = "200000", .min = 1, .max = 10000000,
		.help = "Most allocations per media thread."},
	{"turn.quota_users", CONFIG_COUNT, AT(turn.quota_users), OURS, .init = "65536", .min = 64,
		.max = 1 << 24,
		.help = "Most users with allocations at one time; more are refused."},
	{"turn.permissions_per_allocation", CONFIG_COUNT, AT(turn.permissions_per_allocation),
		OURS_RELOAD, .init = "256", .min = 1, .max = 65535,
		.help = "Most permissions of one allocation."},
	{"turn.channels_per_allocation", CONFIG_COUNT, AT(turn.channels_per_allocation),
		OURS_RELOAD, .init = "256", .min = 1, .max = 4096,
		.help = "Most channels of one allocation."},
	{"turn.tcp_per_allocation", CONFIG_COUNT, AT(turn.tcp_per_allocation), OURS_RELOAD,
		.init = "32", .min = 1, .max = 65535,
		.help = "Most TCP connections of one allocation (RFC 6062)."},
	{"turn.allocation_bytes_per_s", CONFIG_SIZE, AT(turn.allocation_bytes_per_s), OURS_RELOAD,
		.init = "0",
		.help = "Most bytes per second of one allocation, in each direction. 0 = no "
			"limit."},
	{"turn.user_bytes_per_s", CONFIG_SIZE, AT(turn.user_bytes_per_s), OURS_RELOAD, .init = "0",
		.help = "Most bytes per second of one user. 0 = no limit."},
	{"turn.total_bytes_per_s", CONFIG_SIZE, AT(turn.total_bytes_per_s), OURS_RELOAD,
		.init = "0", .help = "Most bytes per second of all users together. 0 = no limit."},
	{"turn.unauthenticated_bytes_per_s", CONFIG_SIZE, AT(turn.unauthenticated_bytes_per_s),
		OURS_RELOAD, .init = "16KiB", .max = GIB,
		.help = "Bytes per second of answers to one address that has proved nothing. 0 = "
			"no limit."},
	{"turn.allocations_per_address", CONFIG_COUNT, AT(turn.allocations_per_address),
		OURS_RELOAD, .init = "200", .max = 1000000,
		.help = "Most new allocations per second from one address. 0 = no limit."},
	{"turn.auth_failures_per_user", CONFIG_COUNT, AT(turn.auth_failures_per_user), OURS_RELOAD,
		.init = "60", .max = 1000000,
		.help = "Wrong passwords per minute with one user name from one address; then that "
			"name gets no answer there until the minute is over. Running allocations "
			"go on. 0 = no limit."},
	{"turn.auth_failures_per_address", CONFIG_COUNT, AT(turn.auth_failures_per_address),
		OURS_RELOAD, .init = "600", .max = 1000000,
		.help = "Wrong passwords per minute with any user names from one address; then "
			"none of them gets an answer there until the minute is over. Running "
			"allocations go on. 0 = no limit."},
	{"turn.stream_connections", CONFIG_COUNT, AT(turn.stream_connections), OURS,
		.init = "20000", .min = 1, .max = 1000000,
		.help = "Most TCP and TLS connections per media thread."},
	{"turn.dtls_connections", CONFIG_COUNT, AT(turn.dtls_connections), OURS, .init = "20000",
		.min = 1, .max = 1000000, .help = "Most DTLS connections per media thread."},
	{"turn.stream_queue_bytes", CONFIG_SIZE, AT(turn.stream_queue_bytes), OURS_RELOAD,
		.init = "512KiB", .min = 4 * KIB, .max = 64 * MIB,
		.help = "Bytes that may wait for a slow TCP or TLS client; then data is dropped "
			"and counted."},
	{"turn.stream_queue_time", CONFIG_DURATION, AT(turn.stream_queue_us), OURS_RELOAD,
		.init = "1s", .max = 60 * S,
		.help = "How long data may wait for a slow TCP or TLS client. 0 = no limit."},
	{"turn.stream_idle", CONFIG_DURATION, AT(turn.stream_idle_us), OURS_RELOAD, .init = "30s",
		.min = S, .max = DAY,
		.help = "How long a connection without an allocation, or a handshake, may last."},
	{"turn.socket_buffer", CONFIG_SIZE, AT(turn.socket_buffer_bytes), OURS, .init = "4MiB",
		.max = GIB,
		.help = "Socket buffers asked of the kernel. 0 = the kernel's default."},
	{"turn.lifetime", CONFIG_DURATION, AT(turn.lifetime_default_us), OURS_RELOAD, .init = "600",
		.bare_us = S, .min = 60 * S, .max = DAY,
		.help = "Lifetime of an allocation that asks for none (seconds)."},
	{"turn.lifetime_max", CONFIG_DURATION, AT(turn.lifetime_max_us), OURS_RELOAD,
		.init = "3600", .bare_us = S, .min = S, .max = 30 * DAY,
		.help = "Longest lifetime of an allocation (seconds)."},
	{"turn.permission_lifetime", CONFIG_DURATION, AT(turn.permission_us), OURS_RELOAD,
		.init = "300", .bare_us = S, .min = S, .max = DAY,
		.help = "Lifetime of a permission (seconds)."},
	{"turn.channel_lifetime", CONFIG_DURATION, AT(turn.channel_us), OURS_RELOAD, .init = "600",
		.bare_us = S, .min = S, .max = DAY, .help = "Lifetime of a channel (seconds)."},
	{"turn.udp_relay", CONFIG_BOOL, AT(turn.udp_relay), OURS_RELOAD, .init = "true",
		.help = "Relay to peers over UDP."},
	{"turn.tcp_relay", CONFIG_BOOL, AT(turn.tcp_relay), OURS_RELOAD, .init = "true",
		.help = "Relay to peers over TCP (RFC 6062). Services of this machine itself are reached if "
			"turn.allowed_peers names its address."},
	{"turn.stun", CONFIG_BOOL, AT(turn.stun), OURS_RELOAD, .init = "true",
		.help = "Answer STUN Binding requests."},
	{"turn.stun_only", CONFIG_BOOL, AT(turn.stun_only), OURS_RELOAD, .init = "false",
		.help = "Answer nothing but STUN Binding requests."},
	{"turn.secure_stun", CONFIG_BOOL, AT(turn.secure_stun), OURS_RELOAD, .init = "false",
		.help = "Want a password for STUN Binding requests too."},
	{"turn.mobility", CONFIG_BOOL, AT(turn.mobility), OURS_RELOAD, .init = "true",
		.help = "Let clients keep an allocation when their address changes (RFC 8016)."},
	{"turn.fingerprint", CONFIG_BOOL, AT(turn.fingerprint), OURS_RELOAD, .init = "true",
		.help = "FINGERPRINT in all answers."},
	{"turn.multiplex_peer", CONFIG_BOOL, AT(turn.multiplex_peer), OURS, .init = "false",
		.help = "Relayed addresses of a media thread share one socket: a little less CPU, but "
			"two clients cannot reach the same peer, so neither the media server nor each "
			"other, and EVEN-PORT is refused."},
	{"turn.lazy_sockets", CONFIG_BOOL, AT(turn.lazy_sockets), OURS, .init = "true",
		.help = "Open the socket of a relayed address with its first permission, not "
			"before."},
	{"turn.software", CONFIG_STR, AT(turn.software), OURS, .init = "Sterna", .max = 127,
		.help = "Name in SOFTWARE attributes. Empty = none is sent."},
	{"turn.alternate_server", CONFIG_STR, AT(turn.alternate_server), OURS_RELOAD, .max = 255,
		.help = "IP address and port that clients are sent to while this server drains. "
			"Empty = none."},
	{"turn.session_log", CONFIG_BOOL, AT(turn.session_log), OURS_RELOAD, .init = "true",
		.help = "A log line at the end of each allocation."},
	{"turn.metric_user_labels", CONFIG_BOOL, AT(turn.metric_user_labels), OURS, .init = "false",
		.help = "Traffic metrics by user, not by realm alone."},
	{"turn.metric_users", CONFIG_COUNT, AT(turn.metric_users), OURS, .init = "1000", .min = 1,
		.max = 100000,
		.help = "Users that get a label of their own; the rest are counted as `other`."},

	{"net.batch_window_us", CONFIG_COUNT, AT(batch_window_us), IDLE_OURS, .init = "0",
		.max = 1000,
		.help = "Longest time, in microseconds, that a busy media thread lets packets "
			"gather before it takes them: "
			"less CPU for a little delay. 0 = it never waits."},

	{"prometheus.port", CONFIG_PORT, AT(prometheus_port),
		.help = "Port of its own for GET /metrics, which is then not on `port`. 0 = "
			"`port`."},
	{"prometheus.bind_addresses", CONFIG_IP_LIST, AT(prometheus_addresses), OURS,
		.help = "Addresses of that port. None = those of bind_addresses."},
	{"prometheus.username", CONFIG_STR, AT(prometheus_username), RELOAD,
		.help = "User name for GET /metrics (HTTP basic authentication). Empty = open."},
	{"prometheus.password", CONFIG_SECRET, AT(prometheus_password), RELOAD,
		.help = "Its password."},
	{"prometheus_port", CONFIG_PORT, .alias_of = "prometheus.port",
		.help = "Old name of prometheus.port."},

	IGNORED("redis", NO_CLUSTER),
	IGNORED("webhook", "webhooks are not supported by this build yet"),
	IGNORED("node_selector", NO_CLUSTER),
	IGNORED("signal_relay", NO_CLUSTER),
	IGNORED("psrpc", NO_CLUSTER),
	{.path = "api", .type = CONFIG_IGNORED, .flags = ROW_NO_ENV, .help = NO_TUNING},
	IGNORED("node_stats", NO_TUNING),
	IGNORED("metric", NO_TUNING),
	IGNORED("trace", "tracing is not supported by this build yet"),
	IGNORED("debug_handler", "there are no debug pages"),
	IGNORED("ingress", "ingress is not supported by this build yet"),
	IGNORED("sip", "SIP is not supported by this build yet"),
	IGNORED("agents", "agents are not supported by this build yet"),
	IGNORED("enable_data_tracks", "data tracks are not supported by this build yet"),
	IGNORED("enable_participant_data_blob", "data blobs are not supported by this build yet"),
};
const size_t config_rows_n = ARRAY_LEN(config_rows);

_Static_assert(ARRAY_LEN(config_rows) <= CONFIG_ROWS_MAX, "CONFIG_ROWS_MAX is too small");

const struct config_name config_names[] = {
	{"key-file", NULL, "key_file"},
	{"bind", NULL, "bind_addresses"},
	{"node-ip", "NODE_IP", "rtc.node_ip"},
	{"udp-port", "UDP_PORT", "rtc.udp_port"},
	{"redis-host", "REDIS_HOST", "redis"},
	{"redis-password", "REDIS_PASSWORD", "redis"},
	{NULL, "WEBRTC_STUN_URLS", "webrtc.stun_urls"},
	{NULL, "WEBRTC_TURN_URLS", "webrtc.turn_urls"},
	{NULL, "WEBRTC_TURN_USERNAME", "webrtc.turn_username"},
	{NULL, "WEBRTC_TURN_CREDENTIAL", "webrtc.turn_credential"},
	{"turn-cert", "LIVEKIT_TURN_CERT", "turn.cert_file"},
	{"turn-key", "LIVEKIT_TURN_KEY", "turn.key_file"},
};
const size_t config_names_n = ARRAY_LEN(config_names);

const struct config_row *config_row_find(const char *path)
{
	for (size_t i = 0; i < config_rows_n; i++) {
		const struct config_row *row = &config_rows[i];
		size_t n = strlen(row->path);
		if (strncmp(row->path, path, n) != 0)
			continue;
		if (!path[n] || (path[n] == '.' && row->type == CONFIG_IGNORED))
			return row;
	}
	return NULL;
}

bool config_is_section(const char *path)
{
	size_t n = strlen(path);
	for (size_t i = 0; i < config_rows_n; i++)
		if (strncmp(config_rows[i].path, path, n) == 0 && config_rows[i].path[n] == '.')
			return true;
	return false;
}

char *config_env_name(const char *path, char out[CONFIG_ENV_CAP])
{
	static const char prefix[] = "LIVEKIT_";
	size_t n = sizeof prefix - 1;
	memcpy(out, prefix, n);
	for (; *path && n + 1 < CONFIG_ENV_CAP; path++)
		out[n++] = *path == '.' ? '_' : (char)toupper((unsigned char)*path);
	out[n] = 0;
	return out;
}
