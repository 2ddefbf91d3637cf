/* SPDX-License-Identifier: MIT */
#include "model/limits.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < LIMIT_COUNT_; i++) {
		const char *name = limit_name((enum limit)i);
		assert_int_equal(limit_from_name(name), i);
		/* The option is the name with '-'; but "output" alone is no word for a limit. */
		char option[64] = "--";
		strcat(option, i == LIMIT_OUTPUT ? "output-limit" : name);
		for (char *c = option; *c; c++)
			*c = *c == '_' ? '-' : *c;
		assert_string_equal(limit_option((enum limit)i), option);
	}
	assert_int_equal(limit_from_name(""), -1);
	assert_int_equal(limit_from_name("Memory"), -1);
	assert_int_equal(limit_from_name("cpu-time"), -1);
	assert_int_equal(oom_mode_from_name("group"), OOM_GROUP);
	assert_int_equal(oom_mode_from_name("process"), OOM_PROCESS);
	assert_int_equal(oom_mode_from_name("none"), -1);
	assert_string_equal(oom_mode_name(OOM_PROCESS), "process");
	assert_string_equal(enforced_by_name(ENFORCED_NONE), "none");
	assert_string_equal(enforced_by_name(ENFORCED_CGROUP_V2), "cgroup-v2");
	assert_string_equal(enforced_by_name(ENFORCED_AFFINITY), "affinity");
	assert_int_equal(limit_unit(LIMIT_CPUS), UNIT_MILLI_CPUS);
}

static void assert_format(enum limit limit, uint64_t value, const char *want)
{
	struct limit_value v = {.set = true, .value = value};
	char text[LIMIT_TEXT_SIZE];
	assert_string_equal(limit_format(limit, &v, text), want);
}

static void test_format(void **state)
{
	(void)state;
	assert_format(LIMIT_MEMORY, 64 << 20, "64 MiB");
	assert_format(LIMIT_TIMEOUT, 30000000, "30 s");
	assert_format(LIMIT_PIDS, 512, "512");
	assert_format(LIMIT_PIDS, UINT64_MAX, "18446744073709551615");
	assert_format(LIMIT_CPUS, 1500, "1.5 CPUs");
	assert_format(LIMIT_CPUS, 1000, "1 CPU");
	assert_format(LIMIT_CPUS, UINT64_MAX, "18446744073709551.615 CPUs");
	struct limit_value unlimited = {.set = false, .value = 7};
	char text[LIMIT_TEXT_SIZE];
	assert_string_equal(limit_format(LIMIT_CPUS, &unlimited, text), "unlimited");
}

static void assert_parse(enum limit limit, const char *text, uint64_t want)
{
	struct limit_value v = {.set = false, .origin = ORIGIN_DEFAULT, .value = 7};
	assert_int_equal(limit_parse(limit, text, &v), 0);
	assert_true(v.set);
	assert_int_equal(v.origin, ORIGIN_ASKED);
	assert_int_equal(v.value, want);
}

static void assert_refused(enum limit limit, const char *text, int errnum)
{
	struct limit_value v = {.set = true, .origin = ORIGIN_DEFAULT, .value = 7};
	errno = 0;
	assert_int_equal(limit_parse(limit, text, &v), -1);
	assert_int_equal(errno, errnum);
	assert_true(v.set && v.origin == ORIGIN_DEFAULT && v.value == 7);
}

static void test_parse(void **state)
{
	(void)state;
	assert_parse(LIMIT_MEMORY, "64M", 64 << 20);
	assert_parse(LIMIT_SWAP, "0", 0);
	assert_parse(LIMIT_CPUS, "1.5", 1500);
	assert_parse(LIMIT_PIDS, "512", 512);
	assert_parse(LIMIT_TIMEOUT, "1h30m", 5400000000);
	assert_parse(LIMIT_OUTPUT, "0", 0);
	assert_refused(LIMIT_PIDS, "1K", EINVAL);
	assert_refused(LIMIT_MEMORY, "64s", EINVAL);
	assert_refused(LIMIT_TIMEOUT, "64M", EINVAL);
	assert_refused(LIMIT_TIMEOUT, "", EINVAL);
	assert_refused(LIMIT_MEMORY, "Unlimited", EINVAL);
}

static void test_unlimited(void **state)
{
	(void)state;
	static const char *const words[] = {"unlimited", "none"};
	for (size_t i = 0; i < 2; i++) {
		struct limit_value v = {.set = true, .value = 7};
		assert_int_equal(limit_parse(LIMIT_MEMORY, words[i], &v), 0);
		assert_false(v.set);
		assert_int_equal(v.origin, ORIGIN_ASKED);
	}
}

static void test_nonsense_is_refused(void **state)
{
	(void)state;
	static const enum limit never_zero[] = {LIMIT_MEMORY, LIMIT_CPUS, LIMIT_PIDS, LIMIT_TIMEOUT,
		LIMIT_CPU_TIME, LIMIT_IDLE_TIMEOUT, LIMIT_TMP_SIZE, LIMIT_NOFILE,
		LIMIT_ADDRESS_SPACE};
	for (size_t i = 0; i < sizeof never_zero / sizeof *never_zero; i++)
		assert_refused(never_zero[i], "0", ERANGE);
	assert_refused(LIMIT_MEMORY, "9223372036854775808", ERANGE);
	assert_parse(LIMIT_MEMORY, "9223372036854775807", INT64_MAX);
	assert_refused(LIMIT_TIMEOUT, "200000d", ERANGE);
	assert_parse(LIMIT_TIMEOUT, "100000d", 8640000000000000);
	assert_refused(LIMIT_PIDS, "4194305", ERANGE);
	assert_refused(LIMIT_NOFILE, "2147483648", ERANGE);
	assert_refused(LIMIT_CPUS, "8192.001", ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_unlimited),
		cmocka_unit_test(test_nonsense_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
