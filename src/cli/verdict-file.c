/* SPDX-License-Identifier: MIT */
#include "cli/verdict-file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "base/path.h"
#include "base/time.h"

static int open_number(struct verdict_file *f, const char *target, struct error *e)
{
	uint64_t n;
	if (parse_u64(target + 3, INT_MAX, &n) < 0)
		return error_set(e, BLAME_REQUEST, 0,
			"--verdict '%s': 'fd:' is followed by the number of an open descriptor",
			target);
	int flags = fcntl((int)n, F_GETFL);
	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
		return error_set(e, BLAME_REQUEST, flags < 0 ? EBADF : 0,
			"--verdict '%s': descriptor %d is not open for writing", target, (int)n);
	f->fd = fcntl((int)n, F_DUPFD_CLOEXEC, 3);
	return f->fd < 0 ? error_set(e, BLAME_HOST, errno, "--verdict '%s'", target) : 0;
}

static int open_directory(struct verdict_file *f, const char *path, struct error *e)
{
	char dir[PATH_MAX];
	const char *base = path_base(path);
	if (!*base || strlen(base) >= sizeof(f->name) || strlen(path) >= sizeof(dir))
		return error_set(e, BLAME_REQUEST, 0, "--verdict '%s' does not name a file", path);
	snprintf(f->name, sizeof(f->name), "%s", base);
	snprintf(dir, sizeof(dir), "%.*s", (int)(base - path), path);
	f->dir = open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir < 0 || faccessat(f->dir, ".", W_OK, AT_EACCESS) < 0)
		return error_set(e, BLAME_REQUEST, errno, "cannot write '%s'", path);
	return 0;
}

int verdict_file_open(struct verdict_file *ret, const char *target, struct error *e)
{
	char real[PATH_MAX];
	struct stat st;
	*ret = VERDICT_FILE_INIT;
	if (strncmp(target, "fd:", 3) == 0)
		return open_number(ret, target, e);
	if (stat(target, &st) < 0)
		return open_directory(ret, target, e);
	if (S_ISREG(st.st_mode))
		return open_directory(ret, realpath(target, real) ? real : target, e);
	ret->fd = open(target, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (ret->fd < 0)
		return error_set(e, BLAME_REQUEST, errno, "cannot write '%s'", target);
	fcntl(ret->fd, F_SETFL, 0);
	return 0;
}

static int replace(struct verdict_file *f, const char *text, size_t size)
{
	char temporary[64];
	snprintf(temporary, sizeof(temporary), ".bulkhead-%llx-%x.tmp",
		(unsigned long long)time_realtime_us(), (unsigned)getpid());
	cleanup_fd int fd = openat(
		f->dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	if (fd_write_all(fd, text, size) == 0 && renameat(f->dir, temporary, f->dir, f->name) == 0)
		return 0;
	int saved = errno;
	unlinkat(f->dir, temporary, 0);
	errno = saved;
	return -1;
}

int verdict_file_write(struct verdict_file *f, const char *text, size_t size, struct error *e)
{
	int r = 0;
	if (f->fd >= 0)
		r = fd_write_all(f->fd, text, size);
	else if (f->dir >= 0)
		r = replace(f, text, size);
	if (r < 0)
		error_set(e, BLAME_HOST, errno, "cannot write the verdict to '%s'",
			f->dir >= 0 ? f->name : "its descriptor");
	f->fd = fd_close(f->fd);
	f->dir = fd_close(f->dir);
	return r;
}
