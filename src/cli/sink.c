/* SPDX-License-Identifier: MIT */
#include "cli/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "run/caller-fd.h"

/* A closed one has /dev/null in its place, read-only. */
static bool is_wanted(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

/*
 * Edge-triggered: a terminal calls itself writable with less room than a newline or a tab takes.
 */
void sink_open(struct sink *s, int number)
{
	struct stat st;
	*s = SINK_INIT;
	s->number = number;
	s->open = is_wanted(number);
	if (!s->open)
		return;
	s->epoll = caller_fd_watch(number, EPOLLOUT | EPOLLET);
	if (s->epoll < 0 || fstat(number, &st) < 0)
		return;
	s->is_socket = S_ISSOCK(st.st_mode);
	s->fd = caller_fd_reopen(number, O_WRONLY);
}

void sink_close(struct sink *s)
{
	s->epoll = fd_close(s->epoll);
	s->fd = fd_close(s->fd);
	s->open = false;
}

/* The event that came is taken, so that only the next one wakes. */
static void take_event(const struct sink *s)
{
	struct epoll_event event;
	if (s->epoll >= 0)
		epoll_wait(s->epoll, &event, 1, 0);
}

/* Without a way to say that it must not block, PIPE_BUF bytes fit into a pipe that poll calls writable. */
static ssize_t write_bounded(int fd, const char *bytes, size_t size)
{
	if (fd_poll_now(fd, POLLOUT) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(fd, bytes, size < PIPE_BUF ? size : PIPE_BUF);
}

static ssize_t write_some(const struct sink *s, const char *bytes, size_t size)
{
	if (s->is_socket)
		return send(s->number, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (s->fd >= 0)
		return write(s->fd, bytes, size);
	return s->epoll < 0 ? write(s->number, bytes, size) : write_bounded(s->number, bytes, size);
}

size_t sink_write(struct sink *s, const char *bytes, size_t size, bool *ret_lost)
{
	size_t done = 0;
	take_event(s);
	while (s->open && done < size) {
		ssize_t n = write_some(s, bytes + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return done;
		if (n < 0) {
			s->open = false;
			*ret_lost = true;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	return size;
}
