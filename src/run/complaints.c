/* SPDX-License-Identifier: MIT */
#include "run/complaints.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"

/* From one turn to the next: also who writes byte by byte does not have us do nothing else. */
#define PAUSE_MS 10

struct complaints {
	int fd;
	uv_poll_t poll;
	uv_timer_t pause;
	unsigned closing;
	void (*closed)(void *data);
	void *closed_data;
	size_t n;
	char text[COMPLAINTS_KEPT];
};

static void keep(struct complaints *c, const char *block, size_t n)
{
	size_t new = n < COMPLAINTS_KEPT - 1 ? n : COMPLAINTS_KEPT - 1;
	size_t old = c->n + new < COMPLAINTS_KEPT ? c->n : COMPLAINTS_KEPT - 1 - new;
	memmove(c->text, c->text + c->n - old, old);
	memcpy(c->text + old, block + n - new, new);
	c->n = old + new;
}

/* Bounded: others may fill the pipe as fast as it is emptied. False: nobody writes to it any more. */
static bool read_a_turn(struct complaints *c)
{
	char block[4096];
	for (size_t done = 0; done < COMPLAINTS_A_TURN;) {
		ssize_t n = read(c->fd, block, sizeof(block));
		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EINTR);
		keep(c, block, (size_t)n);
		done += (size_t)n;
	}
	return true;
}

static void on_pause(uv_timer_t *timer);

static void on_readable(uv_poll_t *handle, int status, int events)
{
	struct complaints *c = handle->data;
	(void)status;
	(void)events;
	uv_poll_stop(handle);
	if (read_a_turn(c))
		uv_timer_start(&c->pause, on_pause, PAUSE_MS, 0);
}

static void on_pause(uv_timer_t *timer)
{
	struct complaints *c = timer->data;
	uv_poll_start(&c->poll, UV_READABLE, on_readable);
}

struct complaints *complaints_open_take(uv_loop_t *loop, int fd, struct error *e)
{
	struct complaints *c = calloc(1, sizeof(*c));
	if (!c)
		out_of_memory();
	int r = uv_poll_init(loop, &c->poll, fd);
	if (r < 0) {
		fd_close(fd);
		free(c);
		error_set(e, BLAME_HOST, -r, "cannot wait for what a program writes to its stderr");
		return NULL;
	}
	c->fd = fd;
	uv_timer_init(loop, &c->pause);
	c->poll.data = c->pause.data = c;
	uv_poll_start(&c->poll, UV_READABLE, on_readable);
	return c;
}

const char *complaints_last(struct complaints *c)
{
	if (!c)
		return "";
	read_a_turn(c);
	while (c->n > 0 && c->text[c->n - 1] == '\n')
		c->n--;
	c->text[c->n] = '\0';
	return c->text;
}

static void on_closed(uv_handle_t *handle)
{
	struct complaints *c = handle->data;
	if (--c->closing > 0)
		return;
	c->closed(c->closed_data);
	free(c);
}

void complaints_close(struct complaints *c, void (*closed)(void *data), void *data)
{
	c->closing = 2;
	c->closed = closed;
	c->closed_data = data;
	uv_close((uv_handle_t *)&c->poll, on_closed); /* before its descriptor */
	uv_close((uv_handle_t *)&c->pause, on_closed);
	c->fd = fd_close(c->fd);
}
