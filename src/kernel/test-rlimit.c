/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kernel/rlimit.h"
#include "kernel/test-child.h"

static void set(void)
{
	struct rlimit now;

	REQUIRE(rlimit_set(RLIMIT_NOFILE, 64, 128) == 0);
	REQUIRE(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 64 && now.rlim_max == 128);
	REQUIRE(rlimit_set(RLIMIT_NOFILE, 129, 128) == -EINVAL);
	REQUIRE(rlimit_set(12345, 1, 1) == -EINVAL);
	REQUIRE(rlimit_set(RLIMIT_CORE, 0, 0) == 0);
	REQUIRE(geteuid() != 0 || setresuid(65534, 65534, 65534) == 0);
	REQUIRE(rlimit_set(RLIMIT_CORE, 0, 1) == -EPERM);
	REQUIRE(rlimit_set(RLIMIT_CORE, 0, RLIMIT_NONE) == -EPERM);
}

/* More than 32 bits, and "unlimited", reach the kernel whole. */
static void set_large(void)
{
	struct rlimit now;

	if (getrlimit(RLIMIT_AS, &now) != 0 || now.rlim_max != RLIM_INFINITY)
		_exit(NOT_HERE);
	REQUIRE(rlimit_set(RLIMIT_AS, 5ull << 40, RLIMIT_NONE) == 0);
	REQUIRE(getrlimit(RLIMIT_AS, &now) == 0);
	REQUIRE(now.rlim_cur == 5ull << 40 && now.rlim_max == RLIM_INFINITY);
}

static void test_set(void **state)
{
	(void)state;
	in_child(set);
}

static void test_large(void **state)
{
	(void)state;
	in_child(set_large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
