/* SPDX-License-Identifier: MIT */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * File descriptors are close-on-exec from birth, -1 when there is none, released by
 * `cleanup_fd` and moved by fd_take().
 */
#define cleanup_fd __attribute__((cleanup(fd_closep)))

/* Close @fd if it is one, keeping errno. Returns -1, so that `fd = fd_close(fd)` empties it. */
int fd_close(int fd);
void fd_closep(int *fd);

/* Return *@fd and leave -1 there: the caller owns it now. */
static inline int fd_take(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

/*
 * What poll(2) says of @fd and @events without waiting, a signal that comes meanwhile or not: revents, 0 for nothing, -1
 * with errno.
 */
int fd_poll_now(int fd, short events);

/* Write all @size bytes, through EINTR and short writes. 0, or -1 with errno (EAGAIN too). */
int fd_write_all(int fd, const void *data, size_t size);

/*
 * Read at most @size-1 bytes until end of file into @buf and terminate them with NUL.
 * Returns the number of bytes, or -1 with errno (EFBIG when there was more).
 */
ssize_t fd_read_text(int fd, char *buf, size_t size);

/* The same for the file @name below the directory @dir (AT_FDCWD, or an absolute name). */
ssize_t file_read_text(int dir, const char *name, char *buf, size_t size);

/* Open, write and close: for the one-line files of the kernel. 0, or -1 with errno. */
int file_write_text(int dir, const char *name, const char *text);

/*
 * Write @data to @path so that a reader sees the old file or the whole new one, never a part:
 * a temporary file beside it, then rename(2). Mode 0644 less umask. What is there and is no
 * regular file (/dev/null, /dev/stdout, a FIFO, a symbolic link) is kept and written into
 * instead, as the shell's > does; a FIFO without a reader is ENXIO. 0, or -1 with errno.
 */
int file_write_atomic(const char *path, const void *data, size_t size);

#endif
