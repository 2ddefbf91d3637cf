/* SPDX-License-Identifier: MIT */
#ifndef RUN_TEST_TRACER_H
#define RUN_TEST_TRACER_H

/* (To be included after <cmocka.h> and what it needs.) */

#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* One that whoever likes may trace. */
static inline pid_t start_traceable(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	return pid;
}

/* One that traces @pid by the time that it is returned, and does not care for its end. */
static inline pid_t start_tracer(pid_t pid, long options)
{
	int ready[2];
	char byte;
	assert_int_equal(pipe(ready), 0);
	pid_t tracer = fork();
	if (tracer == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (ptrace(PTRACE_SEIZE, pid, 0, options) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return tracer;
}

/* Who is gone keeps nothing back. */
static inline void end_tracer(pid_t tracer)
{
	kill(tracer, SIGKILL);
	assert_int_equal(waitpid(tracer, NULL, 0), tracer);
}

#endif
