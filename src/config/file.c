/* Files the configuration consists of: read whole, bounded, and private if they hold secrets. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config_internal.h"

static int read_all(
	int fd, struct buf *out, const struct config_where *w, const char *path, struct errbuf *eb)
{
	uint8_t chunk[8192];
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof chunk);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return config_fail(eb, w, "cannot read %s: %m", path);
		if (n == 0)
			return 0;
		buf_add(out, chunk, (size_t)n);
		if (out->full)
			return config_fail(eb, w, "%s is larger than 1 MiB, too large for a configuration", path);
	}
}

int config_file_read(const struct config_where *w, const char *path, bool is_secret,
	struct buf *out, struct errbuf *eb)
{
	buf_init(out, CONFIG_BYTES_MAX);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return config_fail(eb, w, "cannot open %s: %m", path);
	struct stat st;
	int err = 0;
	if (fstat(fd, &st) == -1)
		err = config_fail(eb, w, "cannot read %s: %m", path);
	else if (is_secret && (st.st_mode & (S_IRWXG | S_IRWXO)))
		err = config_fail(eb, w, "%s holds secrets but others may read it; run: chmod 600 %s", path, path);
	else
		err = read_all(fd, out, w, path, eb);
	close(fd);
	if (err)
		buf_free(out);
	return err;
}
