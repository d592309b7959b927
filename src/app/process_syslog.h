/* process_syslog: syslog(3), apart because its names are those of base/log.h. */
#pragma once
#include <stdbool.h>

/* "daemon", "LOG_LOCAL0", "local0", …; NULL is daemon. False if there is no such facility. */
bool process_syslog_open(const char *facility);

/* severity: 3 error, 4 warning, 6 informational, 7 debug (RFC 5424). */
void process_syslog_write(int severity, const char *line);
