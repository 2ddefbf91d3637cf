/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/time.h"
#include "run/group-backend.h"
#include "run/host.h"

/*
 * Real groups, below one of our own: in the bases of this host every bulkhead that starts meanwhile
 * tidies up as well. What the janitor must not touch is removed by name.
 */

static struct arena arena;
static struct host host;
static const char *own_base; /* NULL: none can be made here */

static int setup(void **state)
{
	enum controller c;
	(void)state;
	host_probe(&host, &arena, false);
	c = host.cgroup.base[CONTROLLER_CORE] != NULL ? CONTROLLER_CORE : CONTROLLER_MEMORY;
	own_base = NULL;
	if (host.cgroup.base[c] == NULL || host.cgroup.self_leaf)
		return 0;
	own_base =
		arena_printf(&arena, "%s/bulkhead-test-janitor-%d", host.cgroup.base[c], getpid());
	host.cgroup = (struct host_cgroup){.rung = host.cgroup.rung};
	host.cgroup.base[c] = own_base;
	return mkdir(own_base, 0755);
}

static int teardown(void **state)
{
	int r = own_base != NULL ? rmdir(own_base) : 0;
	(void)state;
	arena_fini(&arena);
	return r;
}

static const char *base(void)
{
	if (own_base == NULL) {
		print_message("skipped: no control group may be made here (%s)\n",
			host.cgroup.why_not_better != NULL ? host.cgroup.why_not_better : "?");
		skip();
	}
	return own_base;
}

/* The owner of a process that was, and is gone. */
static struct group_owner dead_owner(void)
{
	struct group_owner owner = *group_owner_self();
	owner.start += 1000000000;
	return owner;
}

static void test_dead_go_and_others_stay(void **state)
{
	char dead[GROUP_NAME_SIZE], living[GROUP_NAME_SIZE], elsewhere[GROUP_NAME_SIZE];
	struct group_owner owner = dead_owner();
	(void)state;
	cleanup_fd int dir = cgroup_open(base());
	assert_true(group_name_format(dead, &owner, "dead"));
	assert_true(group_name_format(living, group_owner_self(), "living"));
	owner.pid_namespace++;
	assert_true(group_name_format(elsewhere, &owner, "elsewhere"));
	const char *const kept[] = {living, elsewhere, "bulkhead-test-foreign",
		"bulkhead-1.2-foreign", "test-bulkhead-foreign"};
	const size_t n = sizeof(kept) / sizeof(kept[0]);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(cgroup_make(dir, kept[i]), 0);
	assert_int_equal(cgroup_make(dir, dead), 0);

	unsigned removed = group_janitor(&host.cgroup);
	bool dead_there = cgroup_has_file(dir, dead);
	size_t there = 0;
	for (size_t i = 0; i < n; i++)
		there += cgroup_remove(dir, kept[i]) == 0;
	if (dead_there)
		cgroup_remove(dir, dead);
	assert_true(removed >= 1);
	assert_false(dead_there);
	assert_int_equal(there, n);
}

/* A supervisor that was killed, with a process of its run alive. */
static void test_processes_of_the_dead_are_ended(void **state)
{
	struct group_owner owner = dead_owner();
	char name[GROUP_NAME_SIZE];
	siginfo_t info;
	int fds[2];
	char byte;
	(void)state;
	cleanup_fd int dir = cgroup_open(base());
	assert_true(group_name_format(name, &owner, "left"));
	assert_int_equal(cgroup_make(dir, name), 0);
	cleanup_fd int group = cgroup_open_at(dir, name);
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		byte = cgroup_write(group, "cgroup.procs", "0") == 0;
		if (write(fds[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(byte, 1);
	assert_true(group_janitor(&host.cgroup) >= 1);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED), 0);
	assert_int_equal(info.si_code, CLD_KILLED);
	assert_int_equal(info.si_status, SIGKILL);
	assert_false(cgroup_has_file(dir, name));
	close(fds[0]);
	close(fds[1]);
}

/* A daemon that was killed, with two runs in a box of its, one of which lives; and a stranger below. */
static void test_boxes_go_with_what_is_in_them(void **state)
{
	struct group_owner owner = dead_owner();
	char box[GROUP_NAME_SIZE], run[GROUP_NAME_SIZE], empty[GROUP_NAME_SIZE], byte;
	int fds[2], status;
	(void)state;
	cleanup_fd int dir = cgroup_open(base());
	assert_true(group_name_format(box, &owner, "box"));
	assert_true(group_name_format(run, &owner, "run"));
	assert_true(group_name_format(empty, &owner, "empty"));
	assert_int_equal(cgroup_make(dir, box), 0);
	cleanup_fd int inside = cgroup_open_at(dir, box);
	assert_int_equal(cgroup_make(inside, run), 0);
	assert_int_equal(cgroup_make(inside, empty), 0);
	assert_int_equal(cgroup_make(inside, "stranger"), 0);
	cleanup_fd int group = cgroup_open_at(inside, run);
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		byte = cgroup_write(group, "cgroup.procs", "0") == 0;
		if (write(fds[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(byte, 1);
	assert_int_equal(group_janitor(&host.cgroup), 2);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(cgroup_remove(inside, "stranger"), 0);
	assert_int_equal(group_janitor(&host.cgroup), 1);
	assert_false(cgroup_has_file(dir, box));
	close(fds[0]);
	close(fds[1]);
}

/* What came into a dead supervisor's leaf afterwards is a stranger. */
static void test_strangers_in_a_leaf_live(void **state)
{
	struct group_owner owner = dead_owner();
	char name[GROUP_NAME_SIZE], byte;
	int fds[2], status;
	(void)state;
	cleanup_fd int dir = cgroup_open(base());
	assert_true(group_name_format(name, &owner, GROUP_SELF_ID));
	assert_int_equal(cgroup_make(dir, name), 0);
	cleanup_fd int group = cgroup_open_at(dir, name);
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		byte = cgroup_write(group, "cgroup.procs", "0") == 0;
		if (write(fds[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	group_janitor(&host.cgroup);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	group_wait_empty(group, time_monotonic_us() + US_PER_SEC);
	group_janitor(&host.cgroup);
	assert_false(cgroup_has_file(dir, name));
	close(fds[0]);
	close(fds[1]);
}

static void test_no_bases_no_work(void **state)
{
	struct host_cgroup none = {.rung = RUNG_NONE};
	struct host_cgroup gone = {.rung = RUNG_V2};
	(void)state;
	gone.base[CONTROLLER_CORE] = gone.base[CONTROLLER_MEMORY] = "/nonexistent";
	assert_int_equal(group_janitor(&none), 0);
	assert_int_equal(group_janitor(&gone), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dead_go_and_others_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_processes_of_the_dead_are_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_boxes_go_with_what_is_in_them, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strangers_in_a_leaf_live, setup, teardown),
		cmocka_unit_test(test_no_bases_no_work),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
