/* SPDX-License-Identifier: MIT */
#include "run/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "run/caller-fd.h"

#define BUFFER_SIZE (64 * 1024)
/* A pipe holds a megabyte at most unless its maker is privileged: what is left at the end. */
#define DRAIN_MAX (1024 * 1024)

/*
 * What has no reader but the log is taken over at once: one buffer is enough for all runs of a daemon,
 * and a parked or silent one needs none.
 */
static char shared_buffer[BUFFER_SIZE];

static void on_readable(uv_poll_t *handle, int status, int events);

static void read_on(struct output_stream *s)
{
	if (s->fd >= 0 && s->pending == 0 && !s->owner->held)
		uv_poll_start(&s->readable, UV_READABLE | UV_DISCONNECT, on_readable);
}

static void end_stream(struct output_stream *s)
{
	if (s->fd < 0)
		return;
	uv_poll_stop(&s->readable);
	if (s->owner->for_log_only)
		s->ended = fd_take(&s->fd); /* see output_fini() */
	else
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
	if (s->owner->hooks.lost)
		s->owner->hooks.lost(s->owner->hooks.data);
}

/* True at once where nothing has to be waited for, or where a write will say so by itself. */
static bool is_writable_now(const struct output_stream *s)
{
	if (s->sink_epoll < 0 || s->sink_fd >= 0 || s->sink_is_socket)
		return true;
	int seen = fd_poll_now(s->number, POLLOUT);
	return seen > 0 && (seen & (POLLOUT | POLLERR | POLLHUP));
}

/* Without a way to say that it must not block, PIPE_BUF bytes fit into a pipe that poll calls writable. */
static ssize_t write_some(struct output_stream *s)
{
	const char *bytes = s->buffer + s->pending_at;
	if (s->sink_is_socket)
		return send(s->number, bytes, s->pending, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (s->sink_fd >= 0)
		return write(s->sink_fd, bytes, s->pending);
	bool bounded = s->sink_epoll >= 0 && s->pending > PIPE_BUF;
	return write(s->number, bytes, bounded ? PIPE_BUF : s->pending);
}

/* Pass on as much as can be without blocking. */
static void pass_on(struct output_stream *s)
{
	while (s->pending > 0 && s->sink_open && is_writable_now(s)) {
		ssize_t n = write_some(s);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && s->sink_epoll >= 0)
			return;
		if (n < 0) {
			lose_sink(s);
			return;
		}
		s->pending_at += (size_t)n;
		s->pending -= (size_t)n;
	}
}

/* Wait for room, as told by the next change and not by the state: see open_sink(). */
static void wait_for_room(struct output_stream *s, int timeout_ms)
{
	struct epoll_event event;
	if (s->sink_epoll >= 0)
		epoll_wait(s->sink_epoll, &event, 1, timeout_ms);
}

static void on_writable(uv_poll_t *handle, int status, int events)
{
	struct output_stream *s = handle->data;
	(void)events;
	if (status < 0) {
		lose_sink(s);
		return;
	}
	wait_for_room(s, 0);
	pass_on(s);
	s->owner->last_us = time_monotonic_us();
	if (s->pending > 0)
		return;
	uv_poll_stop(&s->writable);
	read_on(s);
}

/* How many of @size new bytes are within the limit. */
static size_t within_limit(const struct output *o, size_t size)
{
	uint64_t left = o->limit > o->seen_bytes ? o->limit - o->seen_bytes : 0;
	return o->limit && left < size ? (size_t)left : size;
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
	/* beyond the limit it is only drained and counted */
	size_t wanted = s->sink_open ? within_limit(s->owner, (size_t)n) : 0;
	count(s->owner, s->number, s->buffer, (size_t)n);
	s->pending_at = 0;
	s->pending = wanted;
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

/*
 * Edge-triggered: a terminal calls itself writable with less room than a newline or a tab takes.
 */
static void open_sink(struct output_stream *s)
{
	struct stat st;
	s->sink_open = true;
	s->sink_epoll = caller_fd_watch(s->number, EPOLLOUT | EPOLLET);
	if (s->sink_epoll < 0 || fstat(s->number, &st) < 0)
		return;
	s->sink_is_socket = S_ISSOCK(st.st_mode);
	s->sink_fd = caller_fd_reopen(s->number, O_WRONLY);
	s->writable_open = uv_poll_init(s->owner->loop, &s->writable, s->sink_epoll) == 0;
	if (!s->writable_open)
		s->sink_epoll = fd_close(s->sink_epoll);
	s->writable.data = s;
}

/* A closed one has /dev/null in its place, read-only: the payload writes for the log alone. */
static bool is_wanted(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

static int open_stream(struct output_stream *s)
{
	if (!s->owner->for_log_only && is_wanted(s->number))
		open_sink(s);
	s->buffer = s->owner->for_log_only ? shared_buffer : malloc(BUFFER_SIZE);
	return s->buffer ? 0 : -1;
}

static int read_from_take(struct output_stream *s, int fd)
{
	if (uv_poll_init(s->owner->loop, &s->readable, fd) != 0) {
		fd_close(fd);
		return -1;
	}
	s->fd = fd;
	s->readable_open = true;
	s->readable.data = s;
	return 0;
}

static int open_pipe(struct output_stream *s, int *ret_child)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	*ret_child = fds[1];
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	return read_from_take(s, fds[0]);
}

static void init(struct output *o, uv_loop_t *loop, const struct output_hooks *hooks)
{
	*o = (struct output){.loop = loop, .hooks = *hooks, .last_us = time_monotonic_us()};
	for (int i = 0; i < 2; i++)
		o->stream[i] = (struct output_stream){.owner = o,
			.number = i + 1,
			.fd = -1,
			.sink_fd = -1,
			.sink_epoll = -1,
			.ended = -1};
}

static int open_pipes(struct output *o, int ret_child[2], struct error *e)
{
	ret_child[0] = ret_child[1] = -1;
	for (int i = 0; i < 2; i++)
		if (open_stream(&o->stream[i]) < 0 || open_pipe(&o->stream[i], &ret_child[i]) < 0)
			return error_set(e, BLAME_HOST, errno, "cannot make pipes for the output");
	return 0;
}

int output_open(struct output *o, uv_loop_t *loop, const struct output_hooks *hooks,
	int ret_child[2], struct error *e)
{
	init(o, loop, hooks);
	return open_pipes(o, ret_child, e);
}

int output_open_for_log(struct output *o, uv_loop_t *loop, const struct output_hooks *hooks,
	int ret_child[2], struct error *e)
{
	init(o, loop, hooks);
	o->for_log_only = true;
	return open_pipes(o, ret_child, e);
}

void output_open_terminal_for_log(
	struct output *o, uv_loop_t *loop, const struct output_hooks *hooks)
{
	init(o, loop, hooks);
	o->for_log_only = true;
	open_stream(&o->stream[0]);
}

int output_open_terminal(
	struct output *o, uv_loop_t *loop, const struct output_hooks *hooks, struct error *e)
{
	init(o, loop, hooks);
	if (open_stream(&o->stream[0]) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make room for the output");
	return 0;
}

int output_read_from_take(struct output *o, int master)
{
	int r = read_from_take(&o->stream[0], master);
	read_on(&o->stream[0]);
	return r;
}

void output_stop_reading(struct output *o)
{
	for (int i = 0; i < 2; i++)
		end_stream(&o->stream[i]);
}

void output_hold(struct output *o, bool held)
{
	if (!o->loop || o->held == held)
		return;
	o->held = held;
	o->last_us = time_monotonic_us();
	for (int i = 0; i < 2; i++)
		if (!held)
			read_on(&o->stream[i]);
		else if (o->stream[i].fd >= 0)
			uv_poll_stop(&o->stream[i].readable);
}

void output_start(struct output *o)
{
	for (int i = 0; i < 2; i++)
		read_on(&o->stream[i]);
}

bool output_is_blocked(const struct output *o)
{
	return o->held || o->stream[0].pending > 0 || o->stream[1].pending > 0;
}

/* What the caller does not take in time it does not get; the log does. */
static void flush(struct output_stream *s, uint64_t deadline_us)
{
	while (s->pending > 0 && s->sink_open) {
		pass_on(s);
		uint64_t now = time_monotonic_us();
		if (s->pending > 0 && now >= deadline_us) {
			s->sink_open = false;
			s->pending = 0;
		} else if (s->pending > 0) {
			wait_for_room(s, (int)((deadline_us - now) / 1000) + 1);
		}
	}
}

static void close_stream(struct output_stream *s, uint64_t deadline_us)
{
	if (s->buffer)
		flush(s, deadline_us);
	for (size_t drained = 0; s->fd >= 0 && drained < DRAIN_MAX && read_some(s);
		drained += BUFFER_SIZE)
		flush(s, deadline_us);
	end_stream(s);
	if (s->sink_epoll >= 0)
		uv_poll_stop(&s->writable);
	s->sink_epoll = fd_close(s->sink_epoll);
	s->sink_fd = fd_close(s->sink_fd);
	if (s->buffer != shared_buffer)
		free(s->buffer);
	s->buffer = NULL;
}

void output_close(struct output *o, int timeout_ms)
{
	uint64_t deadline = time_monotonic_us() + (uint64_t)timeout_ms * 1000;
	for (int i = 0; o->loop && i < 2; i++)
		close_stream(&o->stream[i], deadline);
}

static unsigned close_handle(uv_poll_t *handle, bool *open, uv_close_cb closed, void *data)
{
	if (!*open)
		return 0;
	*open = false;
	handle->data = data;
	uv_close((uv_handle_t *)handle, closed);
	return 1;
}

/*
 * A descriptor that is closed before its handle is: libuv then takes the number off its epoll once
 * more, and with it whoever has that number by now.
 */
unsigned output_fini(struct output *o, uv_close_cb closed, void *data)
{
	unsigned n = 0;
	for (int i = 0; o->loop && i < 2; i++) {
		struct output_stream *s = &o->stream[i];
		n += close_handle(&s->readable, &s->readable_open, closed, data);
		n += close_handle(&s->writable, &s->writable_open, closed, data);
		s->ended = fd_close(s->ended);
	}
	return n;
}
