/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "run/group-backend.h"

/* The end of the processes of a group: killing, stopping, and waiting until none is left. */

/* Rounds of signalling where there is no cgroup.kill; what was being forked is met in the next. */
#define KILL_ROUNDS 128

/*
 * Where the kernel cannot kill a group at once (v2 before 5.14, v1 alone): nothing new may be
 * born, and what there is stands still where it can be made to, while each is killed.
 */
void group_kill_each(int procs, int pids, int core)
{
	if (pids >= 0)
		cgroup_write(pids, "pids.max", "0");
	if (core >= 0)
		cgroup_freeze(core, true);
	for (int i = 0; i < KILL_ROUNDS && cgroup_signal_each(procs, SIGKILL) > 0; i++)
		;
	if (core >= 0)
		cgroup_freeze(core, false);
}

bool group_kill(struct group *g)
{
	int core = group_fd(g, CONTROLLER_CORE);
	/* Linux 6.14 to 6.18 at least kill whoever is cloned into a group that was killed once */
	g->spoiled = true;
	if (core >= 0 && cgroup_kill(core) == 0)
		return true;
	int procs = group_procs_fd(g);
	if (procs < 0)
		return false;
	group_kill_each(procs, group_fd(g, CONTROLLER_PIDS), core);
	return true;
}

bool group_freeze(struct group *g, bool frozen)
{
	int core = group_fd(g, CONTROLLER_CORE);
	return core >= 0 && cgroup_freeze(core, frozen) == 0;
}

void group_signal(struct group *g, int sig)
{
	int procs = group_procs_fd(g);
	if (procs >= 0)
		cgroup_signal_each(procs, sig);
}

int group_events_fd(struct group *g)
{
	int core = group_fd(g, CONTROLLER_CORE);
	if (g->events_fd < 0 && core >= 0)
		g->events_fd = cgroup_open_file(core, "cgroup.events", O_RDONLY);
	return g->events_fd;
}

/* 1, 0, or -1 where it is not told. */
static int read_populated(const struct group *g)
{
	char text[CGROUP_TEXT_SIZE];
	uint64_t populated;
	int core = group_fd(g, CONTROLLER_CORE);
	if (g->events_fd < 0)
		return core >= 0 ? cgroup_populated(core) : -1;
	if (cgroup_reread_piece(g->events_fd, text, sizeof(text)) <= 0 ||
		cgroup_text_key(text, "populated", &populated) < 0)
		return -1;
	return populated != 0;
}

bool group_empty(struct group *g)
{
	int populated = read_populated(g);
	if (populated >= 0)
		return populated == 0;
	int procs = group_procs_fd(g);
	return procs < 0 || cgroup_has_procs(procs) <= 0;
}

static int left_ms(uint64_t deadline_us)
{
	uint64_t now = time_monotonic_us();
	return now >= deadline_us ? 0 : (int)((deadline_us - now + 999) / 1000);
}

/* v2 tells when the last process is gone. */
static void wait_populated(int events, uint64_t deadline_us)
{
	char text[CGROUP_TEXT_SIZE];
	uint64_t populated;
	while (cgroup_reread(events, text, sizeof(text)) > 0 &&
		cgroup_text_key(text, "populated", &populated) == 0 && populated != 0) {
		int n = cgroup_wait_change(events, left_ms(deadline_us));
		if (n == 0 || (n < 0 && errno != EINTR))
			return;
	}
}

/* v1 does not; but each process does. */
static void wait_each(int procs, uint64_t deadline_us)
{
	pid_t pid;
	while (cgroup_procs(procs, &pid, 1) == 1 && pid > 0) {
		cleanup_fd int fd = (int)syscall(SYS_pidfd_open, pid, 0);
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if ((fd < 0 && errno != ESRCH) || left_ms(deadline_us) == 0)
			return;
		int n = fd < 0 ? 1 : poll(&p, 1, left_ms(deadline_us));
		if (n == 0 || (n < 0 && errno != EINTR))
			return;
	}
}

void group_wait_empty(int group, uint64_t deadline_us)
{
	cleanup_fd int events = cgroup_open_file(group, "cgroup.events", O_RDONLY);
	if (events >= 0)
		wait_populated(events, deadline_us);
	else
		wait_each(group, deadline_us);
}
