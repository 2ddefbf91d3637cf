/* SPDX-License-Identifier: MIT */
#include "run/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"

#define BUFFER_SIZE (64 * 1024)
/* A pipe holds a megabyte at most unless its maker is privileged: what is left at the end. */
#define DRAIN_MAX (1024 * 1024)

static void on_readable(uv_poll_t *handle, int status, int events);

static void read_on(struct output_stream *s)
{
	if (s->fd >= 0 && s->pending == 0)
		uv_poll_start(&s->readable, UV_READABLE | UV_DISCONNECT, on_readable);
}

static void end_stream(struct output_stream *s)
{
	if (s->fd < 0)
		return;
	uv_poll_stop(&s->readable);
	s->fd = fd_close(s->fd);
}

/* The caller reads no more: the payload gets the EPIPE that it would have got from it. */
static void lose_sink(struct output_stream *s)
{
	s->sink_open = false;
	s->pending = 0;
	if (s->sink_epoll >= 0)
		uv_poll_stop(&s->writable);
	end_stream(s);
}

static bool is_writable_now(const struct output_stream *s)
{
	struct pollfd p = {.fd = s->number, .events = POLLOUT};
	return s->sink_epoll < 0 || (poll(&p, 1, 0) == 1 && p.revents & (POLLOUT | POLLERR));
}

/* Pass on as much as can be without blocking: PIPE_BUF bytes always fit where poll says so. */
static void pass_on(struct output_stream *s)
{
	while (s->pending > 0 && s->sink_open && is_writable_now(s)) {
		size_t size = s->sink_epoll >= 0 && s->pending > PIPE_BUF ? PIPE_BUF : s->pending;
		ssize_t n = write(s->number, s->buffer + s->pending_at, size);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			break;
		if (n < 0) {
			lose_sink(s);
			return;
		}
		s->pending_at += (size_t)n;
		s->pending -= (size_t)n;
	}
}

static void on_writable(uv_poll_t *handle, int status, int events)
{
	struct output_stream *s = handle->data;
	(void)events;
	if (status < 0) {
		lose_sink(s);
		return;
	}
	pass_on(s);
	s->owner->last_us = time_monotonic_us();
	if (s->pending > 0)
		return;
	uv_poll_stop(&s->writable);
	read_on(s);
}

static void count(struct output *o, int stream, const char *bytes, size_t size)
{
	o->seen_bytes += size;
	o->last_us = time_monotonic_us();
	if (o->hooks.seen)
		o->hooks.seen(o->hooks.data, stream, bytes, size, o->last_us);
	if (o->limit && o->seen_bytes > o->limit && !o->limit_told) {
		o->limit_told = true;
		o->hooks.limit_reached(o->hooks.data);
	}
}

/* False at the end of the stream or when there is nothing now. */
static bool read_some(struct output_stream *s)
{
	ssize_t n = read(s->fd, s->buffer, BUFFER_SIZE);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		end_stream(s);
		return false;
	}
	count(s->owner, s->number, s->buffer, (size_t)n);
	if (s->owner->limit_told)
		return true; /* beyond the limit it is only drained and counted */
	s->pending_at = 0;
	s->pending = s->sink_open ? (size_t)n : 0;
	pass_on(s);
	return true;
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
	struct output_stream *s = handle->data;
	(void)status;
	(void)events;
	if (s->fd < 0)
		return;
	read_some(s);
	if (s->fd >= 0 && s->pending > 0) {
		uv_poll_stop(&s->readable);
		uv_poll_start(&s->writable, UV_READABLE, on_writable);
	}
}

/* -1 for what epoll does not take: regular files and the like of /dev/null. */
static int watch_sink(int fd)
{
	struct epoll_event event = {.events = EPOLLOUT};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		epoll = fd_close(epoll);
	return epoll;
}

/* A closed one has /dev/null in its place, read-only: the payload writes for the log alone. */
static bool is_wanted(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

static int open_stream(struct output *o, int i, int *ret_child)
{
	struct output_stream *s = &o->stream[i];
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	*s = (struct output_stream){.owner = o, .number = i + 1, .fd = -1};
	*ret_child = fds[1];
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	s->sink_open = is_wanted(s->number);
	s->sink_epoll = s->sink_open ? watch_sink(s->number) : -1;
	if (s->sink_epoll >= 0 && uv_poll_init(o->loop, &s->writable, s->sink_epoll) != 0)
		s->sink_epoll = fd_close(s->sink_epoll);
	s->buffer = malloc(BUFFER_SIZE);
	if (!s->buffer || uv_poll_init(o->loop, &s->readable, fds[0]) != 0) {
		fd_close(fds[0]);
		return -1;
	}
	s->fd = fds[0];
	s->readable.data = s->writable.data = s;
	return 0;
}

int output_open(struct output *o, uv_loop_t *loop, const struct output_hooks *hooks,
	int ret_child[2], struct error *e)
{
	*o = (struct output){.loop = loop, .hooks = *hooks, .last_us = time_monotonic_us()};
	o->stream[0].fd = o->stream[1].fd = o->stream[0].sink_epoll = o->stream[1].sink_epoll =
		ret_child[0] = ret_child[1] = -1;
	for (int i = 0; i < 2; i++)
		if (open_stream(o, i, &ret_child[i]) < 0)
			return error_set(e, BLAME_HOST, errno, "cannot make pipes for the output");
	return 0;
}

void output_start(struct output *o)
{
	for (int i = 0; i < 2; i++)
		read_on(&o->stream[i]);
}

bool output_is_blocked(const struct output *o)
{
	return o->stream[0].pending > 0 || o->stream[1].pending > 0;
}

static void flush(struct output_stream *s, uint64_t deadline_us)
{
	while (s->pending > 0 && s->sink_open) {
		pass_on(s);
		uint64_t now = time_monotonic_us();
		if (s->pending == 0 || now >= deadline_us)
			return;
		struct pollfd p = {.fd = s->number, .events = POLLOUT};
		poll(&p, 1, (int)((deadline_us - now) / 1000) + 1);
	}
}

void output_close(struct output *o, int timeout_ms)
{
	uint64_t deadline = time_monotonic_us() + (uint64_t)timeout_ms * 1000;
	for (int i = 0; i < 2; i++) {
		struct output_stream *s = &o->stream[i];
		size_t drained = 0;
		if (s->buffer)
			flush(s, deadline);
		while (s->fd >= 0 && s->pending == 0 && drained < DRAIN_MAX && read_some(s)) {
			drained += BUFFER_SIZE;
			flush(s, deadline);
		}
		end_stream(s);
		if (s->sink_epoll >= 0)
			uv_poll_stop(&s->writable);
		s->sink_epoll = fd_close(s->sink_epoll);
		free(s->buffer);
		s->buffer = NULL;
	}
}
