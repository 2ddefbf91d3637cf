/* SPDX-License-Identifier: MIT */
#include "run/loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What means the same to poll(2), by the same bits. */
#define LEVEL_EVENTS ((uint32_t)(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLHUP))

struct spare {
	int fd;
	uint32_t events;
	epoll_data_t data;
};

static struct {
	int epoll; /* the loop's own */
	size_t n, room;
	struct spare *v;
	struct pollfd *polled; /* room + 1: @epoll, and each of v */
} loop = {.epoll = -1};

int loop_open(uv_loop_t *of)
{
	int r = uv_loop_init(of);
	if (r == 0) {
		loop.epoll = uv_backend_fd(of);
		loop.n = 0;
	}
	return r;
}

size_t loop_spares(void)
{
	return loop.n;
}

/* ---- what is kept ---- */

static struct spare *find(int fd)
{
	for (size_t i = 0; i < loop.n; i++)
		if (loop.v[i].fd == fd)
			return &loop.v[i];
	return NULL;
}

static void drop(struct spare *s)
{
	*s = loop.v[--loop.n];
}

static int make_room(void)
{
	size_t room = loop.room ? 2 * loop.room : 16;
	struct spare *v = realloc(loop.v, room * sizeof(*v));
	if (!v)
		return -1;
	loop.v = v;
	struct pollfd *polled = realloc(loop.polled, (room + 1) * sizeof(*polled));
	if (!polled)
		return -1;
	loop.polled = polled;
	loop.room = room;
	return 0;
}

static int keep(int fd, const struct epoll_event *event)
{
	struct spare *s = find(fd);
	if (!s && loop.n == loop.room && make_room() < 0)
		return -1;
	if (!s)
		s = &loop.v[loop.n++];
	*s = (struct spare){.fd = fd, .events = event->events, .data = event->data};
	return 0;
}

/* ---- epoll_ctl(2) ---- */

static int control(int epoll, int op, int fd, struct epoll_event *event)
{
	return (int)syscall(SYS_epoll_ctl, epoll, op, fd, event);
}

/* A descriptor that was closed without a word may be here still: its number is another one's now. */
static int add(int fd, struct epoll_event *event)
{
	if (control(loop.epoll, EPOLL_CTL_ADD, fd, event) == 0) {
		struct spare *stale = find(fd);
		if (stale)
			drop(stale);
		return 0;
	}
	if ((errno != ENOSPC && errno != ENOMEM) || event->events & ~LEVEL_EVENTS)
		return -1;
	return keep(fd, event);
}

int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	if (epoll != loop.epoll)
		return control(epoll, op, fd, event);
	if (op == EPOLL_CTL_ADD)
		return add(fd, event);
	struct spare *s = find(fd);
	if (!s)
		return control(epoll, op, fd, event);
	if (op == EPOLL_CTL_MOD)
		return keep(fd, event);
	drop(s);
	return 0;
}

/* ---- epoll_wait(2) ---- */

static int wait_only(
	int epoll, struct epoll_event *events, int max, int timeout_ms, const sigset_t *mask)
{
	return (int)syscall(SYS_epoll_pwait, epoll, events, max, timeout_ms, mask, _NSIG / 8);
}

static int poll_all(int timeout_ms, const sigset_t *mask)
{
	const struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	loop.polled[0] = (struct pollfd){.fd = loop.epoll, .events = POLLIN};
	for (size_t i = 0; i < loop.n; i++)
		loop.polled[i + 1] =
			(struct pollfd){.fd = loop.v[i].fd, .events = (short)loop.v[i].events};
	return ppoll(loop.polled, loop.n + 1, timeout_ms < 0 ? NULL : &timeout, mask);
}

/* From the last on, whose place a dropped one gets: what is closed, the kernel's own watches forget, too. */
static int take_spares(struct epoll_event *events, int max)
{
	int n = 0;
	for (size_t i = loop.n; i > 0; i--) {
		short seen = loop.polled[i].revents;
		struct spare *s = &loop.v[i - 1];
		if (seen & POLLNVAL)
			drop(s);
		else if (seen && n < max)
			events[n++] =
				(struct epoll_event){.events = (uint16_t)seen, .data = s->data};
	}
	return n;
}

static int wait_for_all(struct epoll_event *events, int max, int timeout_ms, const sigset_t *mask)
{
	int n = 0;
	do {
		if (poll_all(timeout_ms, mask) < 0)
			return -1;
		n = take_spares(events, max);
		if (n < max && loop.polled[0].revents) {
			int more = wait_only(loop.epoll, events + n, max - n, 0, NULL);
			if (more < 0 && n == 0)
				return -1;
			n += more > 0 ? more : 0;
		}
	} while (n == 0 && timeout_ms < 0);
	return n;
}

int epoll_pwait(
	int epoll, struct epoll_event *events, int max, int timeout_ms, const sigset_t *mask)
{
	return epoll == loop.epoll && loop.n > 0 ? wait_for_all(events, max, timeout_ms, mask)
						 : wait_only(epoll, events, max, timeout_ms, mask);
}

int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms)
{
	return epoll_pwait(epoll, events, max, timeout_ms, NULL);
}
