/* SPDX-License-Identifier: MIT */
#include "run/talk-child.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "kernel/sys.h"

void talk_child_init(struct talk_child *c, struct talk *t, void (*changed)(struct talk_child *c))
{
	*c = (struct talk_child){.talk = t, .changed = changed, .process = {0, -1}};
}

static bool is_child(pid_t pid)
{
	siginfo_t info;
	return pid > 0 &&
		waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

int talk_child_adopt(struct talk_child *c, pid_t pid)
{
	if (c->was > 0)
		return c->was == pid ? 0 : -ECHILD;
	if (!is_child(pid))
		return -ECHILD;
	int pidfd = sys_pidfd_open(pid, 0);
	c->was = pid;
	c->process = (struct talk_process){pid, pidfd < 0 ? -1 : pidfd};
	if (pidfd >= 0)
		return 0;
	/*
	 * Our own child, not reaped yet: the number is its. It is not waited for: an init does not go
	 * before its children, who are ours to reap, do.
	 */
	kill(pid, SIGKILL);
	return pidfd;
}

static void on_closed(uv_handle_t *handle)
{
	struct talk_child *c = handle->data;
	c->handles--;
	c->changed(c);
}

static void release(struct talk_child *c)
{
	if (c->watched)
		uv_close((uv_handle_t *)&c->poll, on_closed);
	c->watched = false;
}

/*
 * Never waited for: the end of one that is traced is its tracer's to take first, and its pidfd is readable all the
 * time. No event tells when that is over, so it is looked for, as one that cannot be watched.
 */
static void on_end(uv_poll_t *handle, int status, int events)
{
	struct talk_child *c = handle->data;
	(void)status;
	(void)events;
	if (waitpid(c->process.pid, &c->status, WNOHANG | __WALL) != 0)
		c->process.pid = 0;
	release(c);
	c->process.pidfd = fd_close(c->process.pidfd);
	c->changed(c);
}

/* Where the loop cannot watch it (no memory for that) it is killed, and looked for. */
void talk_child_watch(struct talk_child *c)
{
	if (c->watched || c->process.pidfd < 0)
		return;
	if (uv_poll_init(zygote_link_loop(c->talk->link), &c->poll, c->process.pidfd) < 0) {
		sys_pidfd_send_signal(c->process.pidfd, SIGKILL, NULL, 0);
		c->process.pidfd = fd_close(c->process.pidfd);
		return;
	}
	c->poll.data = c;
	c->watched = true;
	c->handles++;
	uv_poll_start(&c->poll, UV_READABLE, on_end);
}

void talk_child_kill(struct talk_child *c)
{
	if (c->process.pidfd < 0)
		return;
	sys_pidfd_send_signal(c->process.pidfd, SIGKILL, NULL, 0);
	talk_child_watch(c);
}

bool talk_child_look(struct talk_child *c)
{
	int status;
	if (c->process.pid == 0 || c->process.pidfd >= 0)
		return true;
	if (waitpid(c->process.pid, &status, WNOHANG | __WALL) == 0)
		return false;
	c->status = status;
	c->process.pid = 0;
	return true;
}

bool talk_child_sweep(const struct talk_child *maker, const struct talk_child *known)
{
	siginfo_t info = {0};
	while (maker->was > 0 &&
		waitid(P_PGID, (id_t)maker->was, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) ==
			0) {
		if (info.si_pid == 0 || info.si_pid == known->process.pid)
			return false;
		waitpid(info.si_pid, NULL, WNOHANG | __WALL);
		info = (siginfo_t){0};
	}
	return true;
}

struct talk_process talk_child_take(struct talk_child *c)
{
	struct talk_process taken = c->process;
	release(c);
	c->process = (struct talk_process){0, -1};
	return taken;
}
