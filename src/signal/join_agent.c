#include "signal/join.h"

#include <ctype.h>
#include <stdio.h>

#include "base/macros.h"
#include "pb/pb.h"

struct agent_row {
	const char *mark; /* what to look for in the header */
	const char *name;
	const char *version_after; /* NULL: no version; otherwise the text in front of it */
};

/* First match wins: each browser also carries the marks of those it wants to be taken for. */
static const struct agent_row browsers[] = {
	{"Edg/", "Edge", "Edg/"},
	{"EdgA/", "Edge", "EdgA/"},
	{"EdgiOS/", "Edge", "EdgiOS/"},
	{"OPR/", "Opera", "OPR/"},
	{"SamsungBrowser/", "Samsung Internet", "SamsungBrowser/"},
	{"FxiOS/", "Firefox iOS", "FxiOS/"}, /* WebKit inside: not to be treated like Firefox */
	{"Firefox/", "Firefox", "Firefox/"},
	{"CriOS/", "Chrome Mobile iOS", "CriOS/"},
	{"Chrome/", "Chrome", "Chrome/"},
	{"Safari/", "Safari", "Version/"},
};

static const struct agent_row systems[] = {
	{"Android", "Android", "Android "},
	{"iPhone", "iOS", "iPhone OS "},
	{"iPad", "iOS", "CPU OS "},
	{"Mac OS X", "Mac OS X", "Mac OS X "},
	{"Windows NT", "Windows", "Windows NT "},
	{"CrOS", "Chrome OS", NULL},
	{"Linux", "Linux", NULL},
};

static const uint8_t *find(struct slice in, const char *what)
{
	return memmem(in.p, in.n, what, strlen(what));
}

/* Digits and dots behind `after`; Apple writes 17_4 for 17.4. */
static void take_version(struct slice agent, const char *after, char *out, size_t cap)
{
	const uint8_t *at = after ? find(agent, after) : NULL;
	size_t n = 0;
	out[0] = 0;
	if (!at)
		return;
	const uint8_t *end = agent.p + agent.n;
	for (at += strlen(after); at < end && n + 1 < cap; at++) {
		if (!isdigit(*at) && *at != '.' && *at != '_')
			break;
		out[n++] = *at == '_' ? '.' : (char)*at;
	}
	out[n] = 0;
}

static bool match(struct slice agent, const struct agent_row *rows, size_t n, char *name,
	size_t name_cap, char *version, size_t version_cap)
{
	for (size_t i = 0; i < n; i++) {
		if (!find(agent, rows[i].mark))
			continue;
		snprintf(name, name_cap, "%s", rows[i].name);
		take_version(agent, rows[i].version_after, version, version_cap);
		return true;
	}
	return false;
}

static bool is_browser_sdk(const Livekit__ClientInfo *info)
{
	return info->sdk == LIVEKIT__CLIENT_INFO__SDK__JS ||
	       info->sdk == LIVEKIT__CLIENT_INFO__SDK__UNITY_WEB;
}

void signal_join_agent_fill(
	Livekit__ClientInfo *info, struct slice user_agent, struct signal_join_agent *text)
{
	if (!user_agent.n || !is_browser_sdk(info))
		return;
	if (!pb_str(info->browser)[0] &&
		match(user_agent, browsers, ARRAY_LEN(browsers), text->browser,
			sizeof text->browser, text->browser_version,
			sizeof text->browser_version)) {
		info->browser = text->browser;
		info->browser_version = text->browser_version;
	}
	if (!pb_str(info->os)[0] &&
		match(user_agent, systems, ARRAY_LEN(systems), text->os, sizeof text->os,
			text->os_version, sizeof text->os_version)) {
		info->os = text->os;
		info->os_version = text->os_version;
	}
}
