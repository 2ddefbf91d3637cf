/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "warden/test-rig.h"

/*
 * Callers that are several, that are disturbed in their calls, or that change what they call for: on this kernel, and in
 * the way that Linux before 5.19 takes.
 */

/* ls -l is refused, all else allowed. */
static const char *const rules[] = {"deny ls -l|say ls", NULL};

static char directory[64]; /* of the test's own */

static int vforked(void)
{
	int status;
	pid_t pid = vfork();
	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		_exit(9);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	pid = vfork();
	if (pid == 0) {
		execl("/bin/ls", "ls", "-l", NULL);
		_exit(errno == EPERM ? 0 : 9);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	return 0;
}

static void test_vfork(void **state)
{
	(void)state;
	struct warden_board board = rig_run_body(EXEC_ENFORCE, rules, vforked);
	assert_int_equal(board.started, 1);
	assert_int_equal(board.refused, 1);
}

static void *exec_true(void *unused)
{
	(void)unused;
	execl("/bin/true", "true", NULL);
	return NULL;
}

static void *wait_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static int exec_of_a_thread(void)
{
	pthread_t thread, other;
	CHECK(pthread_create(&other, NULL, wait_for_ever, NULL) == 0);
	CHECK(pthread_create(&thread, NULL, exec_true, NULL) == 0);
	pthread_join(thread, NULL);
	return 1;
}

/* All threads of a process execute at once: one wins, the others are killed by the kernel, and nothing hangs. */
static int exec_of_all_threads(void)
{
	for (int round = 0; round < 30; round++) {
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			pthread_t threads[8];
			for (int i = 0; i < 8; i++)
				pthread_create(&threads[i], NULL, exec_true, NULL);
			wait_for_ever(NULL);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	return 0;
}

static void test_threads(void **state)
{
	(void)state;
	struct warden_board board = rig_run_body(EXEC_ENFORCE, rules, exec_of_a_thread);
	assert_int_equal(board.started, 1);
	board = rig_run_body(EXEC_ENFORCE, rules, exec_of_all_threads);
	assert_int_equal(board.started, 30);
	assert_int_equal(board.killed, 0);
	board = rig_run_body(EXEC_AUDIT, rules, exec_of_all_threads);
	assert_int_equal(board.started, 30);
}

/* With no room for a stack the kernel ends it when nothing of the old image is left to return to. */
static void *exec_without_room(void *unused)
{
	const struct rlimit room = {65536, 65536};
	setrlimit(RLIMIT_AS, &room);
	return exec_true(unused);
}

/* All but the thread that executes are gone by then, and it has the number of the first. */
static int exec_of_a_thread_that_dies(void)
{
	const struct rlimit no_core = {0, 0};
	CHECK(setrlimit(RLIMIT_CORE, &no_core) == 0);
	for (int round = 0; round < 20; round++) {
		int status;
		pthread_t thread;
		pid_t pid = fork();
		if (pid == 0) {
			pthread_create(&thread, NULL, exec_without_room, NULL);
			if (round % 2)
				syscall(SYS_exit, 0); /* of this thread: or it is gone before */
			wait_for_ever(NULL);
		}
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	}
	return 0;
}

static int run_here(void)
{
	exec_true(NULL);
	return 1;
}

/* At any point: before it has the first one's number, at its exec stop, or between these; or it is the only thread. */
static int execs_that_are_killed(void)
{
	for (int round = 0; round < 200; round++) {
		int status;
		pid_t pid = fork();
		if (pid == 0)
			_exit(round % 4 ? exec_of_a_thread() : run_here());
		for (int i = 0; i < round * 4; i++)
			sched_yield();
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : status == 0);
	}
	return 0;
}

static void test_threads_that_die(void **state)
{
	(void)state;
	struct warden_board board = rig_run_body(EXEC_ENFORCE, rules, exec_of_a_thread_that_dies);
	assert_int_equal(board.failed, 20);
	assert_int_equal(board.started + board.killed, 0);
	/* somebody else's kill is none of the warden's */
	board = rig_run_body(EXEC_ENFORCE, rules, execs_that_are_killed);
	assert_int_equal(board.killed, 0);
}

/* ---- signals ---- */

static int n_signals;

static void count(int sig)
{
	(void)sig;
	n_signals++;
}

/* A parent rains signals on a child that executes, fails to execute, and is refused. */
static int signals_during_execs(void)
{
	const struct sigaction counting = {.sa_handler = count, .sa_flags = SA_RESTART};
	CHECK(sigaction(SIGUSR1, &counting, NULL) == 0);
	for (int round = 0; round < 40; round++) {
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			for (int i = 0; i < 10; i++) {
				if (execl("/nonexistent", "x", NULL) != -1 || errno != ENOENT)
					_exit(8);
				if (execl("/bin/ls", "ls", "-l", NULL) != -1 || errno != EPERM)
					_exit(7);
			}
			signal(SIGUSR1, SIG_IGN);
			execl("/bin/true", "true", NULL);
			_exit(9);
		}
		while (waitpid(pid, &status, WNOHANG) == 0)
			kill(pid, SIGUSR1);
		CHECK(status == 0);
	}
	return 0;
}

static void test_signals(void **state)
{
	(void)state;
	struct warden_board board = rig_run_body(EXEC_ENFORCE, rules, signals_during_execs);
	assert_int_equal(board.started, 40);
	/* each is one event, however often it was interrupted; before Linux 5.19 that may be while it is answered */
	assert_in_range(board.refused, 400, rig_is_old ? 4000 : 400);
	assert_in_range(board.failed, 400, rig_is_old ? 4000 : 400);
}

/* Stopped in the middle, and later continued: it goes on as if nothing had been. */
static int stops_during_execs(void)
{
	for (int round = 0; round < 40; round++) {
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			execl(round % 2 ? "/bin/true" : "/nonexistent", "x", NULL);
			execl("/bin/true", "true", NULL);
			_exit(9);
		}
		for (int i = 0; i < round * 20; i++)
			sched_yield();
		kill(pid, SIGSTOP);
		CHECK(waitpid(pid, &status, WUNTRACED) == pid);
		if (WIFSTOPPED(status)) {
			kill(pid, SIGCONT);
			CHECK(waitpid(pid, &status, 0) == pid);
		}
		CHECK(status == 0);
	}
	return 0;
}

static void test_stopped_callers(void **state)
{
	(void)state;
	struct warden_board board = rig_run_body(EXEC_ENFORCE, rules, stops_during_execs);
	assert_int_equal(board.started, 40);
	assert_int_equal(board.killed, 0);
}

/* Killed at any point: every zombie can be had. */
static int killed_during_execs(void)
{
	for (int round = 0; round < 200; round++) {
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			for (;;)
				if (fork() == 0)
					execl("/bin/true", "true", NULL);
				else
					wait(&status);
		}
		for (int i = 0; i < round; i++)
			sched_yield();
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, &status, 0) == pid);
	}
	return 0;
}

static void test_killed_callers(void **state)
{
	(void)state;
	struct warden_board board = rig_run_body(EXEC_ENFORCE, rules, killed_during_execs);
	assert_int_equal(board.killed, 0);
}

/* ---- the race ---- */

#define TRIES 300

static char word_in_turn[] = "-d"; /* argv[1] of the attacked calls */

static void *swap_letters(void *unused)
{
	volatile char *letter = &word_in_turn[1];
	for (;;) {
		for (volatile int i = 0; i < 20000; i++)
			;
		*letter = *letter == 'd' ? 'l' : 'd';
		if (unused)
			return unused;
	}
}

/* "ls -l" of the empty directory says "total 0", "ls -d" its name: the exit status tells who came through. */
static int attack(void)
{
	static int foreign, killed;
	pthread_t thread;
	CHECK(chdir(directory) == 0);
	CHECK(pthread_create(&thread, NULL, swap_letters, NULL) == 0);
	for (int i = 0; i < TRIES; i++) {
		int out[2], status;
		char said[64] = {0};
		CHECK(pipe2(out, O_CLOEXEC) == 0);
		pid_t pid = vfork();
		if (pid == 0) {
			dup2(out[1], STDOUT_FILENO);
			execl("/bin/ls", "ls", word_in_turn, ".", NULL);
			_exit(errno == EPERM ? 0 : 9);
		}
		close(out[1]);
		ssize_t n = read(out[0], said, sizeof(said) - 1);
		CHECK(n >= 0 && waitpid(pid, &status, 0) == pid);
		close(out[0]);
		foreign += strncmp(said, "total", 5) == 0;
		killed += WIFSIGNALED(status);
	}
	return foreign > 0 ? 200 : killed > 0 ? 0 : 100;
}

static void test_race(void **state)
{
	(void)state;
	struct rig rig = rig_start(EXEC_ENFORCE, true, rules);
	struct rig_run run = rig_add_run(&rig);
	rig_launch(&run, attack);
	int status = rig_wait(&run);
	rig_until_health(&run, WARDEN_HEALTH_ENDED);
	print_message("%d tries: %d refused, %d killed at the stop\n", TRIES,
		(int)run.board->refused, (int)run.board->killed);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 200);
	assert_int_equal(run.board->killed > 0, WEXITSTATUS(status) == 0);
	if (run.board->killed > 0) {
		assert_string_not_equal(run.board->first_killed.real_executable, "");
		assert_memory_equal(run.board->first_killed.argv, "ls\0-d\0.\0\0", 9);
		assert_memory_equal(run.board->first_killed.real_argv, "ls\0-l\0.\0\0", 9);
	}
	assert_int_equal(rig_stop(&rig), 0);
	rig_end_run(&run);
	/* that the attack works: without the stop's word, what was judged is not what comes */
	uint64_t foreign = 0;
	for (int i = 0; i < 10 && foreign == 0; i++) {
		rig = rig_start(EXEC_AUDIT, true, rules);
		run = rig_add_run(&rig);
		rig_launch(&run, attack);
		assert_int_equal(WEXITSTATUS(rig_wait(&run)), 200);
		rig_until_health(&run, WARDEN_HEALTH_ENDED);
		foreign = run.board->killed;
		assert_int_equal(rig_stop(&rig), 0);
		rig_end_run(&run);
	}
	assert_true(foreign > 0);
}

static int make_directory(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/test-warden-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

static int be_old(void **state)
{
	(void)state;
	rig_is_old = true;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vfork),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_threads_that_die),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_stopped_callers),
		cmocka_unit_test(test_killed_callers),
		cmocka_unit_test_setup_teardown(test_race, make_directory, remove_directory),
	};
	int faults = cmocka_run_group_tests(tests, NULL, NULL);
	return faults + cmocka_run_group_tests_name("before Linux 5.19", tests, be_old, NULL);
}
