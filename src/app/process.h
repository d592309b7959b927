/* process: what becomes of the process itself: where the log goes, whose it is, the file with its id. Main thread. */
#pragma once
#include "config/coturn.h"

/* Sends the log to a file or syslog, as asked for; again after the file was moved away (SIGHUP). */
MUST_CHECK int process_open_log(const struct coturn_process *p, struct errbuf *eb);

/* Writes the id into p->pid_file, if there is one; process_end removes it. */
MUST_CHECK int process_write_pid(const struct coturn_process *p, struct errbuf *eb);

/* Becomes p->user and p->group, for good; once all ports are open. */
MUST_CHECK int process_drop_privileges(const struct coturn_process *p, struct errbuf *eb);

void process_end(const struct coturn_process *p);

/* Each connection is a descriptor: as many as the system lets this process have, not the soft limit's usual 1024. */
void process_raise_descriptor_limit(void);
