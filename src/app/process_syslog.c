#define SYSLOG_NAMES
#include "app/process_syslog.h"

#include <string.h>
#include <strings.h>
#include <syslog.h>

bool process_syslog_open(const char *facility)
{
	int number = LOG_DAEMON;
	if (facility && *facility) {
		if (strncasecmp(facility, "LOG_", 4) == 0)
			facility += 4;
		const CODE *row = facilitynames;
		while (row->c_name && strcasecmp(row->c_name, facility) != 0)
			row++;
		if (!row->c_name)
			return false;
		number = row->c_val;
	}
	openlog("sterna", LOG_PID | LOG_NDELAY, number);
	return true;
}

void process_syslog_write(int severity, const char *line)
{
	syslog(severity, "%s", line);
}
