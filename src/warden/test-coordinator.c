/* SPDX-License-Identifier: MIT */
#include "warden/coordinator.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/time.h"
#include "warden/test-rig.h"

static const char *const rules[] = {"deny ls -l", NULL};

/* Executes all the time, from several processes; ends when it is told so by the kernel: ENOSYS. */
static int execute_until_refused(void)
{
	for (int i = 0; i < 3; i++)
		fork();
	for (;;) {
		int r = run_words("/bin/true", "true", NULL);
		if (r == -ENOSYS)
			return 0;
	}
}

enum end { BY_CLOSE, BY_TERM, BY_BOTH, BY_TERM_TWICE, N_ENDS };

static void end_it(struct rig *rig, enum end end)
{
	if (end != BY_CLOSE)
		kill(rig->warden, SIGTERM);
	if (end == BY_TERM_TWICE)
		kill(rig->warden, SIGTERM);
	if (end == BY_BOTH || end == BY_CLOSE)
		rig->control = fd_close(rig->control);
}

/* In the middle of execs, in every way, and in time; afterwards the kernel refuses. */
static void test_ends_under_load(void **state)
{
	(void)state;
	uint64_t longest = 0;
	for (unsigned round = 0; round < 40; round++) {
		struct rig rig = rig_start(EXEC_ENFORCE, true, rules);
		struct rig_run run = rig_add_run(&rig);
		rig_launch(&run, execute_until_refused);
		rig_until_health(&run, WARDEN_HEALTH_SERVING);
		rig_until(&run.board->started, round % 7);
		uint64_t since = time_monotonic_us();
		end_it(&rig, (enum end)(round % N_ENDS));
		assert_int_equal(rig_stop(&rig), 0);
		uint64_t took = time_monotonic_us() - since;
		longest = took > longest ? took : longest;
		int status = rig_wait(&run);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		assert_int_equal(run.board->health, WARDEN_HEALTH_ENDED);
		assert_int_equal(run.board->in_flight, 0);
		rig_end_run(&run);
	}
	assert_true(longest < WARDEN_DRAIN_MS * 1000ull);
}

/* ---- a call that does not end ---- */

static int tids[2], orders[2];

static void *tell_tid_and_wait(void *unused)
{
	pid_t tid = gettid();
	if (write(tids[1], &tid, sizeof(tid)) == sizeof(tid))
		pause();
	return unused;
}

static int execute_beside_a_thread(void)
{
	pthread_t thread;
	char order;
	CHECK(pthread_create(&thread, NULL, tell_tid_and_wait, NULL) == 0);
	CHECK(read(orders[0], &order, 1) == 1);
	execl("/bin/true", "true", NULL);
	return 1;
}

/* An exec waits in the kernel until the other thread is reaped, which is left to us as its debugger. */
static int debug_the_other_thread(void)
{
	siginfo_t info;
	pid_t tid;
	CHECK(pipe2(tids, O_CLOEXEC) == 0 && pipe2(orders, O_CLOEXEC) == 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(execute_beside_a_thread());
	CHECK(pid > 0 && read(tids[0], &tid, sizeof(tid)) == sizeof(tid));
	CHECK(ptrace(PTRACE_SEIZE, tid, NULL, NULL) == 0);
	CHECK(write(orders[1], "", 1) == 1);
	CHECK(waitid(P_PID, (id_t)tid, &info, WEXITED | WNOWAIT | __WALL) == 0);
	return pause();
}

static void test_late(void **state)
{
	(void)state;
	struct rig rig = rig_start(EXEC_ENFORCE, true, rules);
	struct rig_run run = rig_add_run(&rig), other = rig_add_run(&rig);
	rig_launch(&run, debug_the_other_thread);
	rig_until(&run.board->in_flight, 1);
	uint64_t since = time_monotonic_us();
	kill(rig.warden, SIGTERM);
	rig_until_health(&other, WARDEN_HEALTH_ENDED); /* whom nobody waits for has ended at once */
	assert_true(time_monotonic_us() - since < WARDEN_DRAIN_MS * 1000ull);
	kill(rig.warden, SIGTERM); /* puts nothing off */
	int status = rig_stop(&rig);
	uint64_t took = time_monotonic_us() - since;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 2);
	assert_in_range(took / 1000, WARDEN_DRAIN_MS, 2 * WARDEN_DRAIN_MS + 10000);
	assert_int_equal(run.board->health, WARDEN_HEALTH_DRAIN_LATE);
	assert_int_equal(run.board->in_flight, 1);
	assert_int_equal(run.board->started, 0);
	assert_int_equal(kill(run.payload, SIGKILL), 0);
	rig_wait(&run);
	rig_end_run(&run);
	rig_end_run(&other);
}

static int execute_for_ever(void)
{
	while (run_words("/bin/true", "true", NULL) == 0)
		;
	return 1;
}

/* Whoever is in flight dies with it, the others are refused by the kernel. */
static int execute_until_lost(void)
{
	int r;
	do
		r = run_words("/bin/true", "true", NULL);
	while (r == 0);
	return r == -ENOSYS || (WIFSIGNALED(r) && WTERMSIG(r) == SIGKILL) ? 0 : 1;
}

static void test_killed(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		struct rig rig = rig_start(EXEC_ENFORCE, true, rules);
		struct rig_run run = rig_add_run(&rig);
		rig_launch(&run, execute_until_lost);
		rig_until_health(&run, WARDEN_HEALTH_SERVING);
		rig_until(&run.board->started, round % 5);
		kill(rig.warden, SIGKILL);
		assert_int_equal(rig_stop(&rig), SIGKILL);
		assert_int_equal(rig_wait(&run), 0);
		rig_end_run(&run);
	}
}

/* Runs come and go beside one that stays. */
static int one_program(void)
{
	return run_words("/bin/true", "true", NULL);
}

static void test_many_runs(void **state)
{
	(void)state;
	struct rig rig = rig_start(EXEC_ENFORCE, true, rules);
	struct rig_run stays = rig_add_run(&rig);
	rig_launch(&stays, execute_for_ever);
	for (unsigned i = 0; i < 100; i++) {
		struct rig_run run = rig_add_run(&rig);
		rig_launch(&run, one_program);
		assert_int_equal(rig_wait(&run), 0);
		rig_until_health(&run, WARDEN_HEALTH_ENDED);
		assert_int_equal(run.board->started, 1);
		rig_end_run(&run);
	}
	assert_int_equal(kill(stays.payload, SIGKILL), 0);
	rig_wait(&stays);
	rig_until_health(&stays, WARDEN_HEALTH_ENDED);
	rig_end_run(&stays);
	assert_int_equal(rig_stop(&rig), 0);
}

/* As many runs as there may be, and one more, which finds its socket closed. */
static void test_limit_of_runs(void **state)
{
	(void)state;
	static struct rig_run runs[SLOTS_MAX];
	struct rlimit files;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	if (files.rlim_max < 4 * SLOTS_MAX)
		skip();
	struct rig rig = rig_start(EXEC_ENFORCE, true, rules);
	for (unsigned i = 0; i < SLOTS_MAX; i++)
		runs[i] = rig_add_run(&rig);
	struct rig_run more = rig_add_run(&rig);
	struct pollfd end = {.fd = more.socket};
	assert_int_equal(poll(&end, 1, 30000), 1);
	assert_true(end.revents & POLLHUP);
	rig_end_run(&more);
	runs[7].socket = fd_close(runs[7].socket);
	rig_until_health(&runs[7], WARDEN_HEALTH_ENDED);
	rig_end_run(&runs[7]);
	struct rig_run again = rig_add_run(&rig);
	rig_launch(&again, one_program);
	assert_int_equal(rig_wait(&again), 0);
	rig_until_health(&again, WARDEN_HEALTH_ENDED);
	rig_end_run(&again);
	for (unsigned i = 0; i < SLOTS_MAX; i++)
		if (i != 7)
			rig_end_run(&runs[i]);
	assert_int_equal(rig_stop(&rig), 0);
}

/* What it has made of itself, as the kernel tells. */
static void test_confined(void **state)
{
	(void)state;
	struct rig rig = rig_start(EXEC_ENFORCE, true, rules);
	char name[64], text[4096];
	snprintf(name, sizeof(name), "/proc/%d/status", rig.warden);
	assert_true(file_read_text(AT_FDCWD, name, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "\nNoNewPrivs:\t1\n"));
	assert_non_null(strstr(text, "\nSeccomp:\t2\n"));
	assert_int_equal(getsid(rig.warden), rig.warden);
	assert_int_equal(rig_stop(&rig), 0);
}

/* ---- records ---- */

static const struct warden_record good = {
	.magic = WARDEN_MAGIC, .version = WARDEN_VERSION, .kind = WARDEN_RUN};

/* None of these is taken, and none disturbs. */
static void test_bad_records_are_ignored(void **state)
{
	(void)state;
	struct rig rig = rig_start(EXEC_ENFORCE, true, rules);
	struct warden_record r[7] = {good, good, good, good, good, good, good};
	r[0].magic++;
	r[1].version++;
	r[2].kind = 77;
	r[3].kind = WARDEN_START;
	r[4].flags = 128;
	r[5].zero = 1;
	memset(r[6].path, 'x', sizeof(r[6].path));
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(send(rig.control, &r[i], sizeof(r[i]), 0), sizeof(r[i]));
	assert_int_equal(
		send(rig.control, &good, sizeof(good), 0), sizeof(good)); /* without descriptors */
	assert_int_equal(send(rig.control, "x", 1, 0), 1);
	struct rig_run run = rig_add_run(&rig);
	rig_launch(&run, one_program);
	assert_int_equal(rig_wait(&run), 0);
	rig_until_health(&run, WARDEN_HEALTH_ENDED);
	rig_end_run(&run);
	assert_int_equal(rig_stop(&rig), 0);
}

/* A run socket that says something else, or nothing, is a run that is over. */
static void test_bad_payloads(void **state)
{
	(void)state;
	struct rig rig = rig_start(EXEC_ENFORCE, true, rules);
	struct rig_run run = rig_add_run(&rig);
	run.socket = fd_close(run.socket);
	rig_until_health(&run, WARDEN_HEALTH_ENDED);
	rig_end_run(&run);
	run = rig_add_run(&rig);
	assert_int_equal(send(run.socket, "no", 2, 0), 2);
	rig_until_health(&run, WARDEN_HEALTH_ENDED);
	rig_end_run(&run);
	assert_int_equal(rig_stop(&rig), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends_under_load),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_many_runs),
		cmocka_unit_test(test_limit_of_runs),
		cmocka_unit_test(test_confined),
		cmocka_unit_test(test_bad_records_are_ignored),
		cmocka_unit_test(test_bad_payloads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
