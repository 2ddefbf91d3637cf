/* SPDX-License-Identifier: MIT */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

int fd_close(int fd)
{
	if (fd >= 0) {
		int saved = errno;
		close(fd); /* not again after EINTR: Linux has released the number by then */
		errno = saved;
	}
	return -1;
}

void fd_closep(int *fd)
{
	*fd = fd_close(*fd);
}

int fd_poll_now(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};
	int n;
	while ((n = poll(&p, 1, 0)) < 0 && errno == EINTR)
		;
	return n < 0 ? -1 : p.revents;
}

int fd_write_all(int fd, const void *data, size_t size)
{
	const char *next = data;
	while (size > 0) {
		ssize_t n = write(fd, next, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0) { /* a device that takes nothing would keep us here for ever */
			errno = EIO;
			return -1;
		}
		next += n;
		size -= (size_t)n;
	}
	return 0;
}

/* read(2) through EINTR. */
static ssize_t read_some(int fd, void *buf, size_t size)
{
	ssize_t n;
	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n;
}

ssize_t fd_read_text(int fd, char *buf, size_t size)
{
	if (size == 0) {
		errno = EINVAL;
		return -1;
	}
	size_t used = 0;
	buf[0] = '\0';
	for (;;) {
		char beyond; /* when @buf is full: is there one byte more? */
		bool full = used == size - 1;
		ssize_t n = read_some(fd, full ? &beyond : buf + used, full ? 1 : size - 1 - used);
		if (n == 0) {
			buf[used] = '\0';
			return (ssize_t)used;
		}
		if (n < 0 || full) {
			errno = n < 0 ? errno : EFBIG;
			buf[0] = '\0';
			return -1;
		}
		used += (size_t)n;
	}
}

ssize_t file_read_text(int dir, const char *name, char *buf, size_t size)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -1;
	return fd_read_text(fd, buf, size);
}

int file_write_text(int dir, const char *name, const char *text)
{
	/* No O_CREAT: a misnamed kernel file must be an error, not a new file somewhere. */
	cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -1;
	return fd_write_all(fd, text, strlen(text));
}

/* Write to the open *@fd and close it: some file systems tell of a full disk only then. */
static int write_and_close(int *fd, const void *data, size_t size)
{
	if (fd_write_all(*fd, data, size) < 0)
		return -1;
	return close(fd_take(fd));
}

/* Put the name of a new file in the directory of @path into @out (PATH_MAX bytes). */
static int temporary_name(const char *path, char *out)
{
	uint64_t salt;
	if (getrandom(&salt, sizeof salt, 0) != (ssize_t)sizeof salt)
		return -1;
	const char *slash = strrchr(path, '/');
	size_t dir = slash ? (size_t)(slash - path) + 1 : 0;
	int n = dir >= PATH_MAX
		? PATH_MAX
		: snprintf(out, PATH_MAX, "%.*s.bulkhead-%016" PRIx64 ".tmp", (int)dir, path, salt);
	if (n >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

static int replace_file(const char *path, const void *data, size_t size)
{
	char temporary[PATH_MAX];
	if (temporary_name(path, temporary) < 0)
		return -1;
	/* O_EXCL also refuses a link planted under that name. */
	cleanup_fd int fd =
		open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0644);
	if (fd < 0)
		return -1;
	if (write_and_close(&fd, data, size) == 0 && rename(temporary, path) == 0)
		return 0;
	int saved = errno;
	unlink(temporary);
	errno = saved;
	return -1;
}

/* For what must not be replaced: /dev/null, /dev/stdout, a FIFO, a link. */
static int overwrite_file(const char *path, const void *data, size_t size)
{
	/* O_NONBLOCK: a FIFO without a reader is ENXIO, not a wait for ever. */
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	cleanup_fd int fd = open(path, flags, 0644);
	if (fd < 0 || fcntl(fd, F_SETFL, O_WRONLY) < 0)
		return -1;
	return write_and_close(&fd, data, size);
}

int file_write_atomic(const char *path, const void *data, size_t size)
{
	struct stat st;
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return overwrite_file(path, data, size);
	return replace_file(path, data, size);
}
