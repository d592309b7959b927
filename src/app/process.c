#include "app/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/process_syslog.h"
#include "base/log.h"

static void to_syslog(enum log_level level, const char *line)
{
	static const int severities[] = {7, 6, 4, 3};
	process_syslog_write(severities[MIN((size_t)level, ARRAY_LEN(severities) - 1)], line);
}

int process_open_log(const struct coturn_process *p, struct errbuf *eb)
{
	const char *file = p->log_file;
	if (p->syslog || (file && strcmp(file, "syslog") == 0)) {
		if (!process_syslog_open(p->syslog_facility))
			return err_set(eb, ERR_CONFIG,
				"syslog-facility: \"%.32s\" is unknown; use daemon, user or local0 "
				"to local7",
				p->syslog_facility);
		log_set_sink(to_syslog);
		return 0;
	}
	if (!file)
		return 0;
	if (strcmp(file, "stdout") == 0 || strcmp(file, "-") == 0)
		return dup2(STDOUT_FILENO, STDERR_FILENO) < 0
			       ? err_set(eb, ERR_SYSTEM, "log-file: stdout is closed")
			       : 0;
	int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_set(eb, ERR_CONFIG, "log-file: cannot open %s: %s", file, strerror(errno));
	int err = dup2(fd, STDERR_FILENO) < 0 ? err_set(eb, ERR_SYSTEM, "log-file: %s", strerror(errno)) : 0;
	close(fd);
	return err;
}

int process_write_pid(const struct coturn_process *p, struct errbuf *eb)
{
	if (!p->pid_file)
		return 0;
	int fd = open(p->pid_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set(eb, ERR_CONFIG, "pidfile: cannot write %s: %s", p->pid_file, strerror(errno));
	bool is_written = dprintf(fd, "%ld\n", (long)getpid()) > 0;
	close(fd);
	return is_written ? 0 : err_set(eb, ERR_SYSTEM, "pidfile: cannot write %s: %s", p->pid_file, strerror(errno));
}

void process_end(const struct coturn_process *p)
{
	if (p->pid_file)
		(void)unlink(p->pid_file); /* a directory that is no longer ours keeps it */
	log_set_sink(NULL);
}

/* A name or a number. */
static int find_group(const char *name, gid_t *gid, struct errbuf *eb)
{
	char *end;
	unsigned long n = strtoul(name, &end, 10);
	struct group *g = getgrnam(name);
	if (!g && (*end || end == name))
		return err_set(eb, ERR_CONFIG, "proc-group: there is no group %.64s", name);
	*gid = g ? g->gr_gid : (gid_t)n;
	return 0;
}

static int find_user(const char *name, uid_t *uid, gid_t *gid, struct errbuf *eb)
{
	char *end;
	unsigned long n = strtoul(name, &end, 10);
	struct passwd *u = getpwnam(name);
	if (!u && *end == 0 && end != name)
		u = getpwuid((uid_t)n);
	if (!u)
		return err_set(eb, ERR_CONFIG, "proc-user: there is no user %.64s", name);
	*uid = u->pw_uid;
	*gid = u->pw_gid;
	return 0;
}

int process_drop_privileges(const struct coturn_process *p, struct errbuf *eb)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int err = p->user ? find_user(p->user, &uid, &gid, eb) : 0;
	if (!err && p->group)
		err = find_group(p->group, &gid, eb);
	if (err || (uid == geteuid() && gid == getegid()))
		return err;
	bool is_root = geteuid() == 0;
	if ((is_root && setgroups(1, &gid) != 0) || setresgid(gid, gid, gid) != 0 ||
		setresuid(uid, uid, uid) != 0)
		return err_set(eb, ERR_SYSTEM, "cannot become proc-user %s, proc-group %s: %s", p->user ? p->user : "-",
			p->group ? p->group : "-", strerror(errno));
	/* There must be no way back. */
	if (uid != 0 && setuid(0) == 0)
		return err_set(eb, ERR_SYSTEM, "proc-user: the privileges of root could be taken back");
	return 0;
}

void process_raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		LOG_WARN("limit of open files not raised", F_STR("why", strerror(errno)));
}
