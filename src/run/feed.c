/* SPDX-License-Identifier: MIT */
#include "run/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"

static void on_writable(uv_poll_t *handle, int status, int events);

static int start_with_take(struct feed *f, uv_loop_t *loop, int fd)
{
	int r = uv_poll_init(loop, &f->writable, fd);
	if (r < 0) {
		fd_close(fd);
		errno = -r;
		return -1;
	}
	f->loop = loop;
	f->fd = fd;
	f->writable_open = true;
	f->writable.data = f;
	return 0;
}

int feed_open(struct feed *f, uv_loop_t *loop, int *ret_child)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	if (start_with_take(f, loop, fds[1]) < 0) {
		fd_close(fds[0]);
		return -1;
	}
	*ret_child = fds[0];
	return 0;
}

int feed_open_terminal_take(struct feed *f, uv_loop_t *loop, int master)
{
	f->terminal = true;
	return start_with_take(f, loop, master);
}

static void on_closed(uv_handle_t *handle)
{
	struct feed *f = handle->data;
	f->closing = false;
	if (!f->closed)
		return;
	handle->data = f->closed_data;
	f->closed(handle);
}

void feed_close(struct feed *f)
{
	if (f->fd < 0)
		return;
	f->writable_open = false;
	f->closing = true;
	uv_close((uv_handle_t *)&f->writable, on_closed);
	f->fd = fd_close(f->fd);
	free(f->held);
	f->held = NULL;
	f->n_held = 0;
}

unsigned feed_fini(struct feed *f, uv_close_cb closed, void *data)
{
	feed_close(f);
	f->closed = closed;
	f->closed_data = data;
	return f->closing;
}

/* The modes of a master are those of its slave. A program in raw mode has no such character. */
static void end_terminal(struct feed *f)
{
	struct termios modes;
	if (tcgetattr(f->fd, &modes) < 0 || !(modes.c_lflag & ICANON))
		return;
	char c = (char)modes.c_cc[VEOF];
	if (c != _POSIX_VDISABLE)
		(void)!write(f->fd, &c, 1);
}

/* Nothing is held and nothing comes. */
static void end_now(struct feed *f)
{
	if (!f->terminal) {
		feed_close(f);
		return;
	}
	end_terminal(f);
	f->ending = false; /* a terminal goes on behind it */
}

/* How much of it went, 0 when there is no room; nobody reads any more: -1, and all is over. */
static ssize_t write_some(struct feed *f, const char *bytes, size_t size)
{
	ssize_t n = write(f->fd, bytes, size);
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	f->reader_gone = true;
	feed_close(f);
	return -1;
}

static void tell_room(struct feed *f)
{
	if (f->room)
		f->room(f->data);
}

static void on_writable(uv_poll_t *handle, int status, int events)
{
	struct feed *f = handle->data;
	(void)status;
	(void)events;
	ssize_t n = write_some(f, f->held + f->held_at, f->n_held);
	if (n >= 0) {
		f->held_at += (size_t)n;
		f->n_held -= (size_t)n;
	}
	if (f->fd >= 0 && f->n_held == 0) {
		uv_poll_stop(handle);
		f->held_at = 0;
		if (f->ending)
			end_now(f);
	}
	if (n != 0)
		tell_room(f);
}

static size_t hold(struct feed *f, const char *bytes, size_t size)
{
	if (!f->held)
		f->held = malloc(FEED_ROOM);
	if (!f->held)
		return 0; /* as if there were no room now */
	if (f->held_at > 0)
		memmove(f->held, f->held + f->held_at, f->n_held);
	f->held_at = 0;
	size_t room = FEED_ROOM - f->n_held, taken = size < room ? size : room;
	memcpy(f->held + f->n_held, bytes, taken);
	f->n_held += taken;
	uv_poll_start(&f->writable, UV_WRITABLE | UV_DISCONNECT, on_writable);
	return taken;
}

ssize_t feed_put(struct feed *f, const char *bytes, size_t size)
{
	ssize_t written = 0;
	if (f->fd < 0 || f->ending) {
		errno = EPIPE;
		return -1;
	}
	if (f->n_held == 0 && size > 0)
		written = write_some(f, bytes, size);
	if (written < 0) {
		errno = EPIPE;
		return -1;
	}
	size_t left = size - (size_t)written;
	return written + (left > 0 ? (ssize_t)hold(f, bytes + written, left) : 0);
}

void feed_end(struct feed *f)
{
	if (f->fd < 0 || f->ending)
		return;
	f->ending = true;
	if (f->n_held == 0)
		end_now(f);
}
