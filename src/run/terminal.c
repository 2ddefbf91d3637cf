/* SPDX-License-Identifier: MIT */
#include "run/terminal.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"

void terminal_open(struct terminal *t)
{
	*t = (struct terminal){.fd = -1, .group = getpgrp()};
	t->fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0)
		return;
	t->leader = getsid(0) == getpid();
	t->foreground = tcgetpgrp(t->fd) == t->group;
	t->modes_known = t->foreground && tcgetattr(t->fd, &t->modes) == 0;
}

bool terminal_is_shared(const struct terminal *t)
{
	return t->fd >= 0;
}

bool terminal_told_all(const struct terminal *t, int sig)
{
	return terminal_is_shared(t) && !(sig == SIGHUP && t->leader);
}

/* SIGTTOU, which is what a background process gets for this, is blocked in the supervisor. */
static void give_terminal_to(const struct terminal *t, pid_t group)
{
	if (t->fd >= 0 && group > 0)
		tcsetpgrp(t->fd, group);
}

void terminal_stop_self(struct terminal *t, uint64_t *ret_stopped_us)
{
	uint64_t before = time_monotonic_us();
	pid_t had = t->fd >= 0 ? tcgetpgrp(t->fd) : -1;
	/* SIGSTOP: the others are not delivered to an orphaned process group */
	raise(SIGSTOP);
	*ret_stopped_us = time_monotonic_us() - before;
	/* a shell puts our group into the foreground; what runs inside may have one of its own */
	bool inner = t->foreground && had > 0 && had != t->group;
	if (inner && tcgetpgrp(t->fd) == t->group && kill(-had, 0) == 0)
		give_terminal_to(t, had);
}

void terminal_close(struct terminal *t, bool killed)
{
	if (t->fd < 0)
		return;
	if (t->foreground && tcgetpgrp(t->fd) != t->group)
		give_terminal_to(t, t->group);
	if (killed && t->modes_known && tcgetpgrp(t->fd) == t->group)
		tcsetattr(t->fd, TCSADRAIN, &t->modes);
	t->fd = fd_close(t->fd);
}
