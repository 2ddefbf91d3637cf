/* SPDX-License-Identifier: MIT */
#include "run/child.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "kernel/sys.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* From one look at one that is held up to the next: twice as long each time. */
#define LOOK_MS       1
#define MAX_DOUBLINGS 6

static void on_closed(uv_handle_t *handle)
{
	struct child *c = handle->data;
	c->closing--;
	if (!c->closed)
		return;
	handle->data = c->closed_data;
	c->closed(handle);
}

static void close_handles(struct child *c)
{
	c->closing = 2;
	uv_close((uv_handle_t *)&c->poll, on_closed);
	uv_close((uv_handle_t *)&c->look, on_closed);
}

/* The handles first: libuv takes the number of a closed descriptor off its epoll once more. */
static void let_go(struct child *c)
{
	if (c->pidfd < 0)
		return;
	close_handles(c);
	c->pidfd = fd_close(c->pidfd);
}

int child_take(struct child *c)
{
	if (c->pidfd < 0)
		return -1;
	close_handles(c);
	return fd_take(&c->pidfd);
}

static void look(struct child *c);

static void on_look(uv_timer_t *timer)
{
	look(timer->data);
}

/* Its pidfd is readable all the time: to wait for that would be a loop that never sleeps. */
static void wait_for_tracer(struct child *c)
{
	unsigned n = c->looks < MAX_DOUBLINGS ? c->looks : MAX_DOUBLINGS;
	uv_poll_stop(&c->poll);
	uv_timer_start(&c->look, on_look, (uint64_t)LOOK_MS << n, 0);
	if (c->looks++ == 0 && c->held_up)
		c->held_up(c);
}

static void look(struct child *c)
{
	siginfo_t info = {0};
	long r = sys_waitid(P_PIDFD, c->pidfd, &info, WEXITED | WNOHANG, NULL);
	if (r == 0 && info.si_pid == 0) {
		wait_for_tracer(c);
		return;
	}
	let_go(c);
	c->ended(c, info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status);
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
	(void)status;
	(void)events;
	look(handle->data);
}

/* There is no way to be told of its end: it is made to come at once. */
static void end_unwatched(int pidfd)
{
	siginfo_t info;
	sys_pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	sys_waitid(P_PIDFD, pidfd, &info, WEXITED | WNOHANG, NULL);
}

int child_watch_take(struct child *c, uv_loop_t *loop, int pidfd)
{
	int r = uv_poll_init(loop, &c->poll, pidfd);
	if (r == 0) {
		uv_timer_init(loop, &c->look);
		c->poll.data = c->look.data = c;
		c->looks = 0;
		c->pidfd = pidfd;
		uv_poll_start(&c->poll, UV_READABLE, on_readable);
		return 0;
	}
	end_unwatched(pidfd);
	fd_close(pidfd);
	errno = -r;
	return -1;
}

void child_signal(const struct child *c, int sig)
{
	if (c->pidfd >= 0)
		sys_pidfd_send_signal(c->pidfd, sig, NULL, 0);
}

bool child_has_ended(const struct child *c)
{
	return c->pidfd < 0 || c->looks > 0;
}

unsigned child_fini(struct child *c, uv_close_cb closed, void *data)
{
	let_go(c);
	c->closed = closed;
	c->closed_data = data;
	return c->closing;
}

int child_open(pid_t pid)
{
	siginfo_t info = {0};
	if (pid <= 0) {
		errno = ECHILD;
		return -1;
	}
	int pidfd = (int)sys_pidfd_open(pid, 0);
	if (pidfd < 0) {
		errno = -pidfd;
		return -1;
	}
	long r = sys_waitid(P_PIDFD, pidfd, &info, WEXITED | WNOHANG | WNOWAIT, NULL);
	if (r == 0)
		return pidfd;
	fd_close(pidfd);
	errno = (int)-r;
	return -1;
}
