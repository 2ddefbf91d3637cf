/* SPDX-License-Identifier: MIT */
#include "warden/seize.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "kernel/ptrace.h"

#define RETRIES_MAX 20

/*
 * The kernel takes the call up again after a handler, whatever SA_RESTART says (ERESTARTNOINTR): so the handler does
 * not return.
 */
static sigjmp_buf too_late;
static volatile sig_atomic_t is_seizing;

static void on_alarm(int sig)
{
	(void)sig;
	if (is_seizing)
		siglongjmp(too_late, 1);
}

void seize_init(void)
{
	/* not blocked while it is handled: nobody returns from there to unblock it */
	const struct sigaction alarm = {.sa_handler = on_alarm, .sa_flags = SA_NODEFER};
	sigaction(SIGALRM, &alarm, NULL);
}

static void set_alarm(unsigned ms)
{
	const struct itimerval when = {.it_value = {.tv_usec = ms * 1000}};
	setitimer(ITIMER_REAL, &when, NULL);
}

static int seize_once(pid_t tid)
{
	volatile int r = -ETIME;
	if (sigsetjmp(too_late, 0) == 0) {
		is_seizing = 1;
		set_alarm(SEIZE_MS);
		r = ptrace_seize(tid);
	}
	is_seizing = 0;
	set_alarm(0);
	return r;
}

/* How often we have slept: of our own will, not because others were given the CPU. */
static long sleeps(void)
{
	struct rusage usage = {.ru_nvcsw = 0};
	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

int seize_in_time(pid_t tid)
{
	int r = seize_once(tid);
	bool late = r == -ETIME;
	/* the alarm is of the clock: on a machine with too much to do it may find us before we have begun */
	for (unsigned i = 0; i < RETRIES_MAX && r == -ETIME; i++) {
		long before = sleeps();
		r = seize_once(tid);
		if (sleeps() != before)
			break;
	}
	/* or right behind it, when it was done already */
	return r == -EPERM && late && ptrace_interrupt(tid) == 0 ? 0 : r;
}
