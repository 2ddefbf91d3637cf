/* SPDX-License-Identifier: MIT */
#include "kernel/ptrace.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "kernel/task.h"
#include "kernel/test-child.h"

/* A child that waits for a byte before it does @body. */
struct child {
	pid_t pid;
	int go;
};

static struct child start(void (*body)(void))
{
	int pipe_fds[2];
	char byte;
	assert_int_equal(pipe(pipe_fds), 0);
	struct child c = {.pid = fork(), .go = pipe_fds[1]};
	assert_true(c.pid >= 0);
	if (c.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pipe_fds[1]);
		REQUIRE(read(pipe_fds[0], &byte, 1) == 1);
		body();
		_exit(9);
	}
	close(pipe_fds[0]);
	return c;
}

static void go(struct child *c)
{
	assert_int_equal(write(c->go, "x", 1), 1);
	close(c->go);
}

static int status_of(pid_t tid)
{
	int status;
	assert_int_equal(waitpid(tid, &status, __WALL), tid);
	return status;
}

static enum ptrace_report next_report(pid_t tid, int *ret_sig)
{
	return ptrace_report(status_of(tid), ret_sig);
}

static void exec_true(void)
{
	execl("/bin/true", "true", NULL);
}

static void test_exec_stop(void **state)
{
	(void)state;
	struct child c = start(exec_true);
	int sig;
	struct ptrace_regs regs;
	uint64_t words[2];
	char name[5];
	pid_t former = 0;
	assert_int_equal(ptrace_seize(c.pid), 0);
	go(&c);
	assert_int_equal(next_report(c.pid, &sig), PTRACE_REPORT_EXEC);
	assert_int_equal(ptrace_former_tid(c.pid, &former), 0);
	assert_int_equal(former, c.pid);
	assert_int_equal(ptrace_regs(c.pid, &regs), 0);
	assert_int_equal(task_read(c.pid, regs.stack, words, sizeof(words)), sizeof(words));
	assert_int_equal(words[0], 1);
	assert_int_equal(task_read(c.pid, words[1], name, sizeof(name)), sizeof(name));
	assert_string_equal(name, "true");
	assert_int_equal(ptrace_detach(c.pid, 0), 0);
	assert_int_equal(status_of(c.pid), 0);
	assert_int_equal(ptrace_interrupt(c.pid), -ESRCH);
}

static void fail_to_exec(void)
{
	execl("/nonexistent/program", "program", NULL);
	for (;;)
		pause();
}

static void test_interrupt_and_signal(void **state)
{
	(void)state;
	struct child c = start(fail_to_exec);
	int sig;
	assert_int_equal(ptrace_seize(c.pid), 0);
	assert_int_equal(ptrace_detach(c.pid, 0), -ESRCH); /* it is not stopped */
	go(&c);
	assert_int_equal(ptrace_interrupt(c.pid), 0);
	assert_int_equal(next_report(c.pid, &sig), PTRACE_REPORT_STOP);
	assert_int_equal(ptrace_detach(c.pid, 0), 0);
	assert_int_equal(ptrace_seize(c.pid), 0);
	assert_int_equal(kill(c.pid, SIGUSR1), 0);
	assert_int_equal(next_report(c.pid, &sig), PTRACE_REPORT_SIGNAL);
	assert_int_equal(sig, SIGUSR1);
	assert_int_equal(ptrace_detach(c.pid, sig), 0);
	int status = status_of(c.pid);
	assert_int_equal(ptrace_report(status, &sig), PTRACE_REPORT_GONE);
	assert_int_equal(WTERMSIG(status), SIGUSR1);
}

static int *tid_of_thread, *may_exec; /* in shared memory */

static void *exec_from_thread(void *unused)
{
	(void)unused;
	__atomic_store_n(tid_of_thread, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	while (!__atomic_load_n(may_exec, __ATOMIC_ACQUIRE))
		sched_yield();
	exec_true();
	_exit(9);
}

static void thread_execs(void)
{
	pthread_t thread;
	REQUIRE(pthread_create(&thread, NULL, exec_from_thread, NULL) == 0);
	pthread_join(thread, NULL);
}

/* Whichever thread it is, the new program has the process's id. */
static void test_exec_of_another_thread(void **state)
{
	(void)state;
	int *shared = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	tid_of_thread = &shared[0];
	may_exec = &shared[1];
	struct child c = start(thread_execs);
	int sig;
	pid_t tid, former = 0;
	go(&c);
	while ((tid = __atomic_load_n(tid_of_thread, __ATOMIC_ACQUIRE)) == 0)
		sched_yield();
	assert_int_not_equal(tid, c.pid);
	assert_int_equal(ptrace_seize(tid), 0);
	__atomic_store_n(may_exec, 1, __ATOMIC_RELEASE);
	assert_int_equal(next_report(c.pid, &sig), PTRACE_REPORT_EXEC);
	assert_int_equal(ptrace_former_tid(c.pid, &former), 0);
	assert_int_equal(former, tid);
	assert_int_equal(ptrace_detach(c.pid, 0), 0);
	assert_int_equal(status_of(c.pid), 0);
	munmap(shared, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exec_stop),
		cmocka_unit_test(test_interrupt_and_signal),
		cmocka_unit_test(test_exec_of_another_thread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
