/* SPDX-License-Identifier: MIT */
#include "cli/verdict-file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "base/path.h"
#include "base/time.h"

/* How long a verdict waits for whoever is to read it. */
#define READER_TIMEOUT_US (10 * US_PER_SEC)
#define NAME_TRIES        16

/* What was inherited under @text; @target is what the caller called it. */
static int open_number(
	struct verdict_file *f, const char *text, const char *target, struct error *e)
{
	uint64_t n;
	if (parse_u64(text, INT_MAX, &n) < 0)
		return error_set(e, BLAME_REQUEST, 0,
			"--verdict '%s': 'fd:' is followed by the number of an open descriptor",
			target);
	int flags = fcntl((int)n, F_GETFL);
	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH))
		return error_set(e, BLAME_REQUEST, flags < 0 ? EBADF : 0,
			"--verdict '%s': descriptor %d is not open for writing", target, (int)n);
	f->fd = fcntl((int)n, F_DUPFD_CLOEXEC, 3);
	return f->fd < 0 ? error_set(e, BLAME_HOST, errno, "--verdict '%s'", target) : 0;
}

/*
 * The descriptor that a path stands for, or NULL. Such a file must be written to, not replaced: the
 * program's own output goes there too, and is lost to whoever opens the name afterwards.
 */
static const char *descriptor_of(const char *target)
{
	static const char *const directories[] = {"/dev/fd/", "/proc/self/fd/"};
	if (strcmp(target, "/dev/stdout") == 0)
		return "1";
	if (strcmp(target, "/dev/stderr") == 0)
		return "2";
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		if (strncmp(target, directories[i], strlen(directories[i])) == 0)
			return target + strlen(directories[i]);
	return NULL;
}

static int open_directory(struct verdict_file *f, const char *path, struct error *e)
{
	char dir[PATH_MAX];
	const char *base = path_base(path);
	bool names_file = *base && strcmp(base, ".") != 0 && strcmp(base, "..") != 0;
	if (!names_file || strlen(base) >= sizeof(f->name) || strlen(path) >= sizeof(dir))
		return error_set(e, BLAME_REQUEST, 0, "--verdict '%s' does not name a file", path);
	snprintf(f->name, sizeof(f->name), "%s", base);
	snprintf(dir, sizeof(dir), "%.*s", (int)(base - path), path);
	f->dir = open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir < 0 || faccessat(f->dir, ".", W_OK, AT_EACCESS) < 0) {
		error_set(e, BLAME_REQUEST, errno, "cannot write '%s'", path);
		f->dir = fd_close(f->dir);
		return -1;
	}
	return 0;
}

/* A FIFO or a device. O_NONBLOCK: a FIFO without a reader is ENXIO, not a wait for ever. */
static int open_special(struct verdict_file *f, const char *target, struct error *e)
{
	f->fd = open(target, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (f->fd >= 0)
		return 0;
	error_set(e, BLAME_REQUEST, errno, "cannot write '%s'", target);
	return errno == ENXIO ? error_hint(e, "nobody reads from it") : -1;
}

/* What stands behind links now is replaced, and keeps who may read it. */
static int open_existing(
	struct verdict_file *f, const char *target, const struct stat *st, struct error *e)
{
	char real[PATH_MAX];
	if (!realpath(target, real))
		return error_set(e, BLAME_REQUEST, errno, "cannot write '%s'", target);
	f->mode = st->st_mode & 0777;
	return open_directory(f, real, e);
}

int verdict_file_open(struct verdict_file *ret, const char *target, struct error *e)
{
	struct stat st;
	*ret = VERDICT_FILE_INIT;
	if (strncmp(target, "fd:", 3) == 0)
		return open_number(ret, target + 3, target, e);
	if (descriptor_of(target))
		return open_number(ret, descriptor_of(target), target, e);
	if (stat(target, &st) < 0)
		return errno == ENOENT
			? open_directory(ret, target, e)
			: error_set(e, BLAME_REQUEST, errno, "cannot write '%s'", target);
	if (S_ISDIR(st.st_mode))
		return error_set(e, BLAME_REQUEST, EISDIR, "cannot write '%s'", target);
	return S_ISREG(st.st_mode) ? open_existing(ret, target, &st, e)
				   : open_special(ret, target, e);
}

/* In pieces that fit where poll(2) says so, so that a reader who never comes is not waited for. */
static int write_in_time(int fd, const char *text, size_t size)
{
	uint64_t deadline = time_monotonic_us() + READER_TIMEOUT_US;
	while (size > 0) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		uint64_t now = time_monotonic_us();
		int r = now < deadline ? poll(&p, 1, (int)((deadline - now) / 1000) + 1) : 0;
		if (r == 0)
			errno = ETIMEDOUT;
		if (r == 0 || (r < 0 && errno != EINTR))
			return -1;
		ssize_t n = r > 0 ? write(fd, text, size < PIPE_BUF ? size : PIPE_BUF) : 0;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -1;
		text += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The run may have written in the same directory: names that it could guess may be taken. */
static int make_temporary(const struct verdict_file *f, char name[64])
{
	int fd = -1;
	errno = EEXIST;
	for (int i = 0; fd < 0 && errno == EEXIST && i < NAME_TRIES; i++) {
		snprintf(name, 64, ".bulkhead-%llx-%x.tmp", (unsigned long long)time_realtime_us(),
			(unsigned)getpid());
		fd = openat(f->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			f->mode ? f->mode : 0644);
	}
	return fd;
}

static int replace(struct verdict_file *f, const char *text, size_t size)
{
	char temporary[64];
	cleanup_fd int fd = make_temporary(f, temporary);
	if (fd < 0)
		return -1;
	if ((!f->mode || fchmod(fd, f->mode) == 0) && fd_write_all(fd, text, size) == 0 &&
		renameat(f->dir, temporary, f->dir, f->name) == 0)
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
		r = write_in_time(f->fd, text, size);
	else if (f->dir >= 0)
		r = replace(f, text, size);
	if (r < 0)
		error_set(e, BLAME_HOST, errno, "cannot write the verdict to '%s'",
			f->dir >= 0 ? f->name : "its descriptor");
	f->fd = fd_close(f->fd);
	f->dir = fd_close(f->dir);
	return r;
}
