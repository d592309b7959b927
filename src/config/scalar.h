/* scalar: text to numbers, times, sizes and addresses, and back. Shared by the rows of the table and by the CLI. */
#pragma once
#include "config/config.h"

/* Decimal digits and nothing else. False if it is not a number or does not fit. */
MUST_CHECK bool config_parse_u64(const char *text, uint64_t *v);

/*
 * "500ms", "1.5s", "1h30m"; units us, ms, s, m, h, d. A number alone counts in `bare_us`; if that is 0, only "0"
 * goes without a unit.
 */
MUST_CHECK bool config_parse_duration(const char *text, uint64_t bare_us, uint64_t *us);

/* "65536", "64KiB", "2MiB", "1GiB", and kB, MB, GB as powers of 1000. */
MUST_CHECK bool config_parse_size(const char *text, uint64_t *bytes);

/* "7882" or "7882-7889". */
MUST_CHECK bool config_parse_ports(const char *text, struct config_ports *ports);

MUST_CHECK bool config_parse_bool(const char *text, bool *v);

/* Append in the syntax of the parsers. */
void config_print_duration(struct buf *out, uint64_t us, uint64_t bare_us);
void config_print_size(struct buf *out, uint64_t bytes);
