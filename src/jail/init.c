/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "jail/box.h"
#include "kernel/sys.h"

/*
 * pid 1 of a box. It keeps its capabilities over the box: with them nothing inside may trace it,
 * and it may signal what runs under another uid. It holds no descriptor but the life pipe, and
 * lives outside the run's cgroups, so that neither the run's limits nor a kill of the run's
 * processes touch it.
 *
 * Orphans are reaped by the kernel itself, since SIGCHLD is ignored here; wait(2) then blocks until
 * the last child is gone. The payload is the supervisor's child, not ours.
 */

static bool detach(const struct new_box *box)
{
	uint64_t all = ~0ull;
	struct sys_sigaction ignore = {.handler = SIG_IGN};
	return sys_rt_sigprocmask(SIG_SETMASK, &all, NULL) == 0 &&
		sys_rt_sigaction(SIGCHLD, &ignore, NULL) == 0 && sys_setpgid(0, 0) == 0 &&
		sys_dup3(box->life, 0, O_CLOEXEC) == 0 && sys_close_range(1, ~0u, 0) == 0 &&
		sys_chdir("/") == 0 &&
		sys_prctl(PR_SET_NAME, (long)"bulkhead-init", 0, 0, 0) == 0 &&
		sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0;
}

/* TERM to all that is left, and wait for its end; the supervisor bounds that by killing us. */
static int end_leftovers(void)
{
	if (sys_wait4(-1, NULL, WNOHANG, NULL) < 0)
		return INIT_NOTHING_LEFT; /* ECHILD */
	sys_kill(-1, SIGTERM);
	sys_kill(-1, SIGCONT);
	while (sys_wait4(-1, NULL, 0, NULL) != -ECHILD)
		; /* until ECHILD */
	return INIT_ENDED_LEFTOVERS;
}

/* Until the supervisor says that the payload has ended. False: the supervisor itself has. */
static bool wait_for_the_end(int life)
{
	char word = 0;
	long n;
	while ((n = sys_read(life, &word, 1)) == -EINTR)
		;
	return n == 1 && word == LIFE_ENDED;
}

int init_main(void *data)
{
	struct new_box *box = data;
	if (box->way)
		box->way->init(box);
	/* a supervisor that died before PDEATHSIG was set shows as the end of the life pipe */
	if (!detach(box) || !wait_for_the_end(0))
		return INIT_FAILED;
	return end_leftovers();
}
