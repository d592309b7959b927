#include "app/serve_parts.h"

#include <stdio.h>
#include <string.h>

#include "app/turn_host.h"
#include "app/turn_parts.h"
#include "app/web_assets.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "net/netif.h"
#include "sdp/jsep.h"

enum { INTERFACES_MAX = 64, NAMES_MAX = 64 };

/* ------------------------------------------------------------------ keys and rooms */

struct auth_keys *serve_keys(const struct config *cfg)
{
	struct auth_keys *keys = auth_keys_new();
	for (size_t i = 0; i < cfg->keys.n; i++) {
		struct errbuf eb;
		const struct config_pair *pair = &cfg->keys.pair[i];
		if (auth_keys_add(keys, slice_str(pair->key), slice_str(pair->value), &eb) != 0)
			LOG_WARN("API key not usable", F_STR("key", pair->key), F_STR("why", eb.text));
	}
	return keys;
}

static uint32_t codec_mask(const struct config *cfg)
{
	uint32_t mask = 0;
	const struct config_list *list = &cfg->room.enabled_codecs;
	for (size_t i = 0; i < list->n; i++)
		for (int c = 0; c < JSEP_CODEC_N; c++)
			if (strcasecmp(list->codec[i].mime, jsep_codecs[c].mime) == 0)
				mask |= JSEP_CODEC_BIT(c);
	mask &= JSEP_CODECS_DEFAULT;
	return mask ? mask : JSEP_CODECS_DEFAULT;
}

void serve_rooms_cfg(const struct config *cfg, struct icelist *ice, struct rooms_cfg *out)
{
	char node_id[sizeof out->node_id];
	snprintf(node_id, sizeof node_id, "%s", out->node_id);
	if (!node_id[0])
		rng_id(node_id, "ND_");
	*out = (struct rooms_cfg){
		.max_participants = cfg->room.max_participants,
		.max_rooms = cfg->limit.rooms_per_worker,
		.empty_timeout_us = cfg->room.empty_timeout_us,
		.departure_timeout_us = cfg->room.departure_timeout_us,
		.enabled_codecs = codec_mask(cfg),
		.max_metadata_bytes = cfg->limit.max_metadata_bytes,
		.max_attributes_bytes = cfg->limit.max_attributes_bytes,
		.max_name_length = cfg->limit.max_participant_name_length,
		.buffer_packets_video = cfg->rtc.packet_buffer_size_video,
		.buffer_packets_audio = cfg->rtc.packet_buffer_size_audio,
		.pli_throttle_us = {(uint32_t)cfg->rtc.pli_throttle_low_us,
			(uint32_t)cfg->rtc.pli_throttle_mid_us,
			(uint32_t)cfg->rtc.pli_throttle_high_us},
		.dynacast_pause_us = cfg->dynacast_pause_delay_us,
		.data_buffer_bytes = cfg->limit.data_buffer_bytes,
		.speaker_interval_us = cfg->audio.update_interval_us,
		.speaker_active_level = cfg->audio.active_level,
		.speaker_min_percent = cfg->audio.min_percentile,
		.speaker_smooth_intervals = cfg->audio.smooth_intervals,
		.max_subscriptions_audio = cfg->limit.subscription_limit_audio,
		.max_subscriptions_video = cfg->limit.subscription_limit_video,
		.ice = ice,
	};
	memcpy(out->node_id, node_id, sizeof out->node_id);
	snprintf(out->region, sizeof out->region, "%.63s", cfg->region);
}

/* ------------------------------------------------------------------ addresses */

/* NULL-terminated, as the filter wants it. */
static void names_of(const struct config_list *list, char **out)
{
	size_t n = MIN(list->n, (size_t)NAMES_MAX);
	for (size_t i = 0; i < n; i++)
		out[i] = list->str[i];
	out[n] = NULL;
}

/* With node_ip, clients are told that address and no other: it is mapped onto the first local one of its family. */
static size_t apply_node_ip(const struct config *cfg, struct ice_local *locals, size_t n)
{
	const struct addr *node = &cfg->rtc.node_ip;
	if (!node->sa.sa_family)
		return n;
	size_t chosen = n;
	for (size_t i = 0; i < n; i++) {
		if (addr_ip_eq(&locals[i].base, node)) {
			chosen = i;
			break;
		}
		if (chosen == n && locals[i].base.sa.sa_family == node->sa.sa_family &&
			!addr_is_loopback(&locals[i].base))
			chosen = i;
	}
	if (chosen == n)
		return 0;
	locals[0] = locals[chosen];
	if (!addr_ip_eq(&locals[0].base, node)) {
		locals[0].advertised[0] = *node;
		addr_set_port(&locals[0].advertised[0], addr_port(&locals[0].base));
		locals[0].n_advertised = 1;
	}
	return 1;
}

int serve_locals(const struct config *cfg, uint16_t port, struct ice_local *out, size_t *n,
	struct errbuf *eb)
{
	char *includes[NAMES_MAX + 1], *excludes[NAMES_MAX + 1];
	names_of(&cfg->rtc.interface_includes, includes);
	names_of(&cfg->rtc.interface_excludes, excludes);
	struct netif_filter filter = {
		.if_includes = includes,
		.if_excludes = excludes,
		.ip_includes = cfg->rtc.ip_includes.cidr,
		.n_ip_includes = cfg->rtc.ip_includes.n,
		.ip_excludes = cfg->rtc.ip_excludes.cidr,
		.n_ip_excludes = cfg->rtc.ip_excludes.n,
		.with_loopback =
			cfg->rtc.enable_loopback_candidate || cfg->development ||
			(cfg->rtc.node_ip.sa.sa_family && addr_is_loopback(&cfg->rtc.node_ip)),
	};
	struct addr all[INTERFACES_MAX];
	size_t found = MIN(netif_list(&filter, all, INTERFACES_MAX), (size_t)INTERFACES_MAX);
	if (found > ICE_LOCALS_MAX)
		LOG_WARN("more addresses than can be used; choose with rtc.interfaces or rtc.ips",
			F_UINT("found", found), F_UINT("used", ICE_LOCALS_MAX));
	found = MIN(found, (size_t)ICE_LOCALS_MAX);
	for (size_t i = 0; i < found; i++) {
		addr_set_port(&all[i], port);
		out[i] = (struct ice_local){.base = all[i]};
	}
	*n = apply_node_ip(cfg, out, found);
	if (*n)
		return 0;
	return err_set(eb, ERR_CONFIG,
		"no address to receive media on: rtc.interfaces, rtc.ips and rtc.node_ip leave none "
		"of this machine's; loosen them, or set rtc.enable_loopback_candidate: true to use "
		"127.0.0.1");
}

size_t serve_take_changes(const struct config *old, struct config *fresh)
{
	struct config_change changes[CONFIG_ROWS_MAX];
	size_t n = config_diff_reload(old, fresh, changes, ARRAY_LEN(changes));
	for (size_t i = 0; i < n; i++) {
		if (changes[i].is_reloadable)
			LOG_INFO("reloaded", F_STR("key", changes[i].path));
		else
			LOG_WARN("this key takes effect with a restart", F_STR("key", changes[i].path));
	}
	config_keep_unreloadable(fresh, old);
	return n;
}

size_t serve_sfu_addrs(const struct config *cfg, unsigned n_workers, struct addr *out, size_t cap)
{
	size_t n = 0;
	for (unsigned i = 0; i < n_workers; i++) {
		struct ice_local locals[ICE_LOCALS_MAX];
		struct errbuf eb;
		size_t n_locals = 0;
		if (serve_locals(cfg, config_worker_port(cfg, i), locals, &n_locals, &eb) != 0)
			return n; /* said when the worker is made */
		for (size_t k = 0; k < n_locals; k++) {
			if (n < cap)
				out[n++] = locals[k].base;
			for (size_t a = 0; a < locals[k].n_advertised && n < cap; a++)
				out[n++] = locals[k].advertised[a];
		}
	}
	return n;
}

/* ------------------------------------------------------------------ front */

int serve_front(const struct config *cfg, const struct serve_shared *shared, struct bridge *bridge,
	struct front **out, struct errbuf *eb)
{
	const struct config_limit *limit = &cfg->limit;
	struct signal_join_limits join = {
		.room_name = limit->max_room_name_length,
		.identity = limit->max_participant_identity_length,
		.name = limit->max_participant_name_length,
		.metadata = limit->max_metadata_bytes,
		.attributes = limit->max_attributes_bytes,
	};
	struct front_cfg front = {
		.bind = cfg->bind_addresses.addr,
		.n_bind = cfg->bind_addresses.n,
		.port = cfg->port,
		.max_connections = limit->signal_connections,
		.signal_message_bytes = limit->signal_message_bytes,
		.signal_out_queue_bytes = limit->signal_out_queue_bytes,
		.mailbox_messages = limit->mailbox_messages,
		.dev = cfg->development,
		.metrics_username = cfg->prometheus_username,
		.metrics_password = cfg->prometheus_password,
		.assets = web_assets,
		.n_assets = web_assets_n,
		.join_limits = &join,
		.keys = shared->keys,
		.ice = shared->ice,
		.ice_requests_per_minute = limit->ice_requests_per_minute,
		.ice_request_addresses = limit->ice_request_addresses,
		.auto_create = cfg->room.auto_create,
		.no_metrics = cfg->prometheus_port,
		.turn_ask = shared->turn ? turn_host_front_ask : NULL,
		.turn_arg = shared->turn,
	};
	return front_start(out, &front, &bridge_front_ops, bridge, eb);
}

enum { SMALL_CONNECTIONS = 256 };

static const struct front_ops no_rooms;

int serve_turn_front(const struct config *cfg, const struct serve_shared *shared,
	struct front **out, struct errbuf *eb)
{
	const struct front_cfg front = {
		.bind = cfg->bind_addresses.addr,
		.n_bind = cfg->bind_addresses.n,
		.port = cfg->port,
		.max_connections = cfg->limit.signal_connections,
		.mailbox_messages = cfg->limit.mailbox_messages,
		.metrics_username = cfg->prometheus_username,
		.metrics_password = cfg->prometheus_password,
		.no_metrics = cfg->prometheus_port,
		.scope = FRONT_SCOPE_TURN,
		.keys = shared->keys,
		.ice = shared->ice,
		.ice_requests_per_minute = cfg->limit.ice_requests_per_minute,
		.ice_request_addresses = cfg->limit.ice_request_addresses,
		.turn_ask = turn_host_front_ask,
		.turn_arg = shared->turn,
	};
	return front_start(out, &front, &no_rooms, NULL, eb);
}

int serve_metrics_front(const struct config *cfg, const struct serve_shared *shared,
	struct front **out, struct errbuf *eb)
{
	const struct config_list *bind =
		cfg->prometheus_addresses.n ? &cfg->prometheus_addresses : &cfg->bind_addresses;
	const struct front_cfg front = {
		.bind = bind->addr,
		.n_bind = bind->n,
		.port = cfg->prometheus_port,
		.max_connections = SMALL_CONNECTIONS,
		.metrics_username = cfg->prometheus_username,
		.metrics_password = cfg->prometheus_password,
		.scope = FRONT_SCOPE_METRICS,
		.keys = shared->keys,
	};
	return cfg->prometheus_port ? front_start(out, &front, &no_rooms, NULL, eb) : 0;
}
