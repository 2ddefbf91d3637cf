/* SPDX-License-Identifier: MIT */
#include "kernel/oom.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/fd.h"
#include "kernel/test-child.h"

static long now(void)
{
	char text[16];
	ssize_t n = file_read_text(AT_FDCWD, "/proc/self/oom_score_adj", text, sizeof(text));
	REQUIRE(n > 0);
	return strtol(text, NULL, 10);
}

static void set(const char *text)
{
	REQUIRE(file_write_text(AT_FDCWD, "/proc/self/oom_score_adj", text) == 0);
}

static void lower(void)
{
	long before = now();
	if (oom_lower((int)before - 1) == -EACCES)
		_exit(NOT_HERE);
	REQUIRE(now() == before - 1);
	REQUIRE(oom_lower(-900) == 0 && now() == -900);
}

static void keep(void)
{
	set("500");
	REQUIRE(oom_lower(600) == 0 && now() == 500);
	REQUIRE(oom_lower(500) == 0 && now() == 500);
}

static void refuse(void)
{
	long before = now();
	REQUIRE(geteuid() != 0 || setresuid(65534, 65534, 65534) == 0);
	REQUIRE(oom_lower((int)before - 1) == -EACCES);
	REQUIRE(now() == before);
}

static void test_it_is_lowered(void **state)
{
	(void)state;
	in_child(lower);
}

static void test_it_is_never_raised(void **state)
{
	(void)state;
	in_child(keep);
}

static void test_without_the_capability_it_stays(void **state)
{
	(void)state;
	in_child(refuse);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_is_lowered),
		cmocka_unit_test(test_it_is_never_raised),
		cmocka_unit_test(test_without_the_capability_it_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
