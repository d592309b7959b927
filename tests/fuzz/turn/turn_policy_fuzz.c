/*
 * Lines are entries of the lists, in turn allowed and denied, up to an empty line; then come addresses of 4 or 16
 * bytes. No answer may let a v4 address through that is denied under its plain form, whatever it wears.
 */
#include <stdlib.h>

#include "base/macros.h"
#include "base/mem.h"
#include "turn/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { ENTRIES = 40 };

static void ask(const struct turn_policy *p, const uint8_t *bytes)
{
	struct addr plain, mapped;
	uint8_t ip[16] = {[10] = 0xff, [11] = 0xff};
	memcpy(ip + 12, bytes, 4);
	if (addr_from_bytes(&plain, bytes, 4, 5) || addr_from_bytes(&mapped, ip, 16, 5))
		abort();
	if (turn_policy_allows(p, &mapped) && !turn_policy_allows(p, &plain))
		abort();
	ip[10] = ip[11] = 0;
	ip[0] = 0x20;
	ip[1] = 0x02;
	memcpy(ip + 2, bytes, 4);
	if (addr_from_bytes(&mapped, ip, 16, 5))
		abort();
	if (turn_policy_allows(p, &mapped) && !turn_policy_allows(p, &plain))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *lines[2][ENTRIES];
	size_t count[2] = {0}, at = 0;
	struct turn_policy *policy;
	struct errbuf eb;
	for (unsigned i = 0; at < n && count[i % 2] < ENTRIES; i++) {
		const uint8_t *end = memchr(p + at, '\n', n - at);
		size_t len = end ? (size_t)(end - p) - at : n - at;
		if (!len)
			break;
		lines[i % 2][count[i % 2]++] = xstrndup((const char *)p + at, len);
		at = MIN(n, at + len + 1);
	}
	struct turn_policy_cfg cfg = {.allow = (const char *const *)lines[0],
		.n_allow = count[0],
		.deny = (const char *const *)lines[1],
		.n_deny = n & 1 ? 0 : count[1],
		.deny_always = (const char *const *)lines[1],
		.n_deny_always = n & 1 ? count[1] : 0,
		.no_builtin = n & 2};
	if (!turn_policy_new(&policy, &cfg, &eb)) {
		for (; at + 16 <= n; at++) {
			struct addr a;
			ask(policy, p + at);
			if (addr_from_bytes(&a, p + at, 16, 5))
				abort();
			(void)turn_policy_allows(policy, &a);
		}
		turn_policy_free(policy);
	}
	for (unsigned i = 0; i < 2; i++)
		for (size_t k = 0; k < count[i]; k++)
			xfree(lines[i][k]);
	return 0;
}
