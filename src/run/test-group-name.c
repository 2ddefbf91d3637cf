/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "run/group-name.h"

static void test_round_trip(void **state)
{
	char name[GROUP_NAME_SIZE];
	struct group_owner owner = {4026531836, 1234, 567890}, back;
	const char *id;
	(void)state;
	assert_true(group_name_format(name, &owner, "0abc-d.e_f"));
	assert_string_equal(name, "bulkhead-4026531836.1234.567890-0abc-d.e_f");
	assert_true(group_name_parse(name, &back, &id));
	assert_true(back.pid_namespace == owner.pid_namespace && back.start == owner.start);
	assert_int_equal(back.pid, owner.pid);
	assert_string_equal(id, "0abc-d.e_f");
	owner = (struct group_owner){UINT64_MAX, INT32_MAX, UINT64_MAX};
	assert_true(group_name_format(
		name, &owner, "0123456789012345678901234567890123456789012345678901234567890123"));
	assert_true(group_name_parse(name, &back, &id));
	assert_int_equal(strlen(id), GROUP_ID_MAX);
	assert_true(back.start == UINT64_MAX && back.pid == INT32_MAX);
}

static void test_foreign_names(void **state)
{
	static const char *const foreign[] = {"", "bulkhead", "bulkhead-", "bulkhead--x",
		"bulkhead-1.2.3", "bulkhead-1.2.3-", "bulkhead-1.2-x", "bulkhead-1.2.3.4-x",
		"bulkhead-a.2.3-x", "bulkhead-1.2.3-x y", "bulkhead-1.2.3-x/y", "bulkhead-01.2.3-x",
		"bulkhead-1.02.3-x", "bulkhead-1.2.03-x", "bulkhead-0.2.3-x", "bulkhead-1.0.3-x",
		"bulkhead-1.-2.3-x", "bulkhead-+1.2.3-x", "bulkhead- 1.2.3-x",
		"bulkhead-1.2147483648.3-x", "bulkhead-18446744073709551616.2.3-x",
		"bulkhead-99999999999999999999999999.2.3-x", "Bulkhead-1.2.3-x",
		"xbulkhead-1.2.3-x", "bulkhead-1.2.3-\n", "bulkhead-1.2.3-\xff", "bulkhead-self",
		"system.slice"};
	struct group_owner owner = {.pid = 77};
	const char *id = "kept";
	(void)state;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		if (group_name_parse(foreign[i], &owner, &id))
			fail_msg("taken for ours: '%s'", foreign[i]);
		assert_int_equal(owner.pid, 77);
		assert_string_equal(id, "kept");
	}
}

static void test_only_the_certainly_dead_are_dead(void **state)
{
	struct group_owner owner = *group_owner_self();
	(void)state;
	assert_true(owner.pid_namespace != 0 && owner.start != 0);
	assert_int_equal(owner.pid, getpid());
	assert_false(group_owner_is_dead(&owner));
	owner.start++;
	assert_true(group_owner_is_dead(&owner)); /* another process has its pid now */
	owner.start = 0;
	assert_false(group_owner_is_dead(&owner)); /* it may be this one */
	owner.start = 1;
	owner.pid_namespace++;
	assert_false(group_owner_is_dead(&owner)); /* numbers of elsewhere mean nothing here */
}

static void test_child_zombie_and_reaped(void **state)
{
	int fds[2];
	struct group_owner owner;
	siginfo_t info;
	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(write(fds[1], group_owner_self(), sizeof(owner)) != sizeof(owner));
	assert_int_equal(read(fds[0], &owner, sizeof(owner)), sizeof(owner));
	assert_int_equal(owner.pid, pid);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(group_owner_is_dead(&owner));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(group_owner_is_dead(&owner));
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_foreign_names),
		cmocka_unit_test(test_only_the_certainly_dead_are_dead),
		cmocka_unit_test(test_child_zombie_and_reaped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
