/* SPDX-License-Identifier: MIT */
#include "model/host.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void test_rungs(void **state)
{
	(void)state;
	assert_string_equal(rung_name(RUNG_V2), "cgroup-v2");
	assert_string_equal(rung_name(RUNG_DELEGATED), "cgroup-v2 (delegated)");
	assert_string_equal(rung_name(RUNG_HYBRID), "cgroup-v1 (hybrid)");
	assert_string_equal(rung_name(RUNG_NONE), "none");
}

static void test_controllers(void **state)
{
	(void)state;
	static const char *const names[] = {"memory", "pids", "cpu", "cpuacct", "io", "core"};
	for (int i = 0; i < CONTROLLER_COUNT_; i++)
		assert_string_equal(controller_name((enum controller)i), names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rungs),
		cmocka_unit_test(test_controllers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
