/* SPDX-License-Identifier: MIT */
#include "base/parse.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef int parse_fn(const char *s, uint64_t *ret);

static void assert_reads(parse_fn *parse, const char *text, uint64_t want)
{
	uint64_t value = 42;
	if (parse(text, &value) != 0 || value != want)
		fail_msg("'%s' is %ju, not %ju", text, (uintmax_t)value, (uintmax_t)want);
}

static void assert_refuses(parse_fn *parse, const char *text, int errnum)
{
	uint64_t value = 42;
	errno = 0;
	if (parse(text, &value) != -1 || errno != errnum || value != 42)
		fail_msg("'%s' gives %ju, errno %d", text, (uintmax_t)value, errno);
}

/* What no parser takes. */
static const char *const nonsense[] = {"", " ", "-1", "+1", " 1", "1 ", "1\n", ".", ".5", "1.",
	"1..5", "1.5.5", "0x10", "1e3", "1,5", "x", "M", "s", "1x", "NaN", "inf", "-0", "1_000",
	"\xd9\xa1"};

static void test_nonsense(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
		assert_refuses(parse_size, nonsense[i], EINVAL);
		assert_refuses(parse_duration, nonsense[i], EINVAL);
		assert_refuses(parse_cpus, nonsense[i], EINVAL);
	}
}

static void test_size(void **state)
{
	(void)state;
	assert_reads(parse_size, "0", 0);
	assert_reads(parse_size, "4096", 4096);
	assert_reads(parse_size, "4096B", 4096);
	assert_reads(parse_size, "10KB", 10240);
	assert_reads(parse_size, "64M", 64 << 20);
	assert_reads(parse_size, "64m", 64 << 20);
	assert_reads(parse_size, "64mib", 64 << 20);
	assert_reads(parse_size, "2G", 2ull << 30);
	assert_reads(parse_size, "1.5GiB", 3ull << 29);
	assert_reads(parse_size, "1T", 1ull << 40);
	assert_reads(parse_size, "0.1G", 107374182);
	assert_reads(parse_size, "0.0000000001T", 109);
	assert_reads(parse_size, "0.99999999999999999999999999999999999999K", 1023);
	assert_reads(parse_size, "000000000000000000000000000000064M", 64 << 20);
	assert_reads(parse_size, "18446744073709551615", UINT64_MAX);
	assert_reads(parse_size, "16777215T", 16777215ull << 40);
	assert_reads(parse_size, "16777215.9999999999999999999T", UINT64_MAX);
}

static void test_size_refused(void **state)
{
	(void)state;
	assert_refuses(parse_size, "1.5", EINVAL);
	assert_refuses(parse_size, "1.0B", EINVAL);
	assert_refuses(parse_size, "1MM", EINVAL);
	assert_refuses(parse_size, "1Mi", EINVAL);
	assert_refuses(parse_size, "1MiBx", EINVAL);
	assert_refuses(parse_size, "1BB", EINVAL);
	assert_refuses(parse_size, "1BiB", EINVAL);
	assert_refuses(parse_size, "1 M", EINVAL);
	assert_refuses(parse_size, "1M ", EINVAL);
	assert_refuses(parse_size, "1P", EINVAL);
	assert_refuses(parse_size, "1M1K", EINVAL);
	assert_refuses(parse_size, "18446744073709551616", ERANGE);
	assert_refuses(parse_size, "16777216T", ERANGE);
	assert_refuses(parse_size, "99999999999999999999999999K", ERANGE);
	assert_refuses(parse_size, "0.0001K", ERANGE); /* not a silent 0 */
	assert_reads(parse_size, "0.000K", 0);
}

static void test_duration(void **state)
{
	(void)state;
	assert_reads(parse_duration, "0", 0);
	assert_reads(parse_duration, "90", 90000000);
	assert_reads(parse_duration, "0.5", 500000);
	assert_reads(parse_duration, "500ms", 500000);
	assert_reads(parse_duration, "250us", 250);
	assert_reads(parse_duration, "1.5s", 1500000);
	assert_reads(parse_duration, "30s", 30000000);
	assert_reads(parse_duration, "5m", 300000000);
	assert_reads(parse_duration, "1h30m", 5400000000);
	assert_reads(parse_duration, "2d", 172800000000);
	assert_reads(parse_duration, "1d1h1m1s1ms1us", 90061001001);
	assert_reads(parse_duration, "0.1d", 8640000000);
	assert_reads(parse_duration, "1.0000019s", 1000001);
	assert_reads(parse_duration, "18446744073709551615us", UINT64_MAX);
}

static void test_duration_refused(void **state)
{
	(void)state;
	assert_refuses(parse_duration, "1h30", EINVAL); /* 30 of what? */
	assert_refuses(parse_duration, "30m1h", EINVAL);
	assert_refuses(parse_duration, "1h1h", EINVAL);
	assert_refuses(parse_duration, "1h 30m", EINVAL);
	assert_refuses(parse_duration, "1h-30m", EINVAL);
	assert_refuses(parse_duration, "1hm", EINVAL);
	assert_refuses(parse_duration, "1.5us", EINVAL);
	assert_refuses(parse_duration, "5M", EINVAL);
	assert_refuses(parse_duration, "5min", EINVAL);
	assert_refuses(parse_duration, "1w", EINVAL);
	assert_refuses(parse_duration, "18446744073709551616us", ERANGE);
	assert_refuses(parse_duration, "18446744073709551615", ERANGE);
	assert_refuses(parse_duration, "213503983d", ERANGE);
	assert_refuses(parse_duration, "213503982d23h", ERANGE); /* only the sum is too large */
	assert_refuses(parse_duration, "0.0000001", ERANGE);
	assert_refuses(parse_duration, "0.0001ms", ERANGE);
}

static void test_u64(void **state)
{
	(void)state;
	uint64_t value = 42;
	assert_int_equal(parse_u64("7", 7, &value), 0);
	assert_int_equal(value, 7);
	assert_int_equal(parse_u64("8", 7, &value), -1);
	assert_int_equal(errno, ERANGE);
	assert_int_equal(parse_u64("18446744073709551615", UINT64_MAX, &value), 0);
	assert_true(value == UINT64_MAX);
	assert_int_equal(parse_u64("18446744073709551616", UINT64_MAX, &value), -1);
	assert_int_equal(errno, ERANGE);
	for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
		assert_int_equal(parse_u64(nonsense[i], UINT64_MAX, &value), -1);
		assert_int_equal(errno, EINVAL);
	}
	assert_int_equal(parse_u64("1.5", 7, &value), -1);
	assert_true(value == UINT64_MAX);
}

static void test_cpus(void **state)
{
	(void)state;
	assert_reads(parse_cpus, "2", 2000);
	assert_reads(parse_cpus, "0.5", 500);
	assert_reads(parse_cpus, "1.25", 1250);
	assert_reads(parse_cpus, "0.01", 10);
	assert_reads(parse_cpus, "0.33333", 333);
	assert_refuses(parse_cpus, "0", ERANGE);
	assert_refuses(parse_cpus, "0.0099", ERANGE);
	assert_refuses(parse_cpus, "18446744073709552", ERANGE);
	assert_refuses(parse_cpus, "200m", EINVAL);
}

static void test_user(void **state)
{
	(void)state;
	uint32_t uid = 1, gid = 2;
	assert_int_equal(parse_user("1000", &uid, &gid), 0);
	assert_int_equal(uid, 1000);
	assert_int_equal(gid, 1000);
	assert_int_equal(parse_user("0:100", &uid, &gid), 0);
	assert_int_equal(uid, 0);
	assert_int_equal(gid, 100);
	assert_int_equal(parse_user("4294967294:4294967294", &uid, &gid), 0);
	static const struct {
		const char *text;
		int errnum;
	} rows[] = {{"", EINVAL}, {":", EINVAL}, {"1:", EINVAL}, {":1", EINVAL}, {"1:2:3", EINVAL},
		{"root", EINVAL}, {"-1", EINVAL}, {"1:-1", EINVAL}, {"1 ", EINVAL}, {"1.5", EINVAL},
		{"4294967295", ERANGE}, {"1:4294967295", ERANGE}, {"4294967296", ERANGE},
		{"1:99999999999999999999999", ERANGE}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uid = gid = 7;
		assert_int_equal(parse_user(rows[i].text, &uid, &gid), -1);
		assert_int_equal(errno, rows[i].errnum);
		assert_int_equal(uid, 7);
		assert_int_equal(gid, 7);
	}
}

static void assert_writes(const char *(*format)(uint64_t, char *), uint64_t value, const char *want)
{
	char text[FORMAT_SIZE];
	assert_ptr_equal(format(value, text), text);
	assert_string_equal(text, want);
}

static void test_format_size(void **state)
{
	(void)state;
	assert_writes(format_size, 0, "0 B");
	assert_writes(format_size, 300, "300 B");
	assert_writes(format_size, 1023, "1023 B");
	assert_writes(format_size, 1024, "1 KiB");
	assert_writes(format_size, 1536, "1.5 KiB");
	assert_writes(format_size, 64 << 20, "64 MiB");
	assert_writes(format_size, (64 << 20) - 4096, "64 MiB");
	assert_writes(format_size, (1 << 20) - 1, "1 MiB");
	assert_writes(format_size, (1ull << 30) - 1, "1 GiB");
	assert_writes(format_size, 3ull << 29, "1.5 GiB");
	assert_writes(format_size, 1000ull << 20, "1000 MiB");
	assert_writes(format_size, INT64_MAX, "8 EiB");
	assert_writes(format_size, UINT64_MAX, "16 EiB");
}

static void test_format_size_option(void **state)
{
	(void)state;
	assert_writes(format_size_option, 0, "0");
	assert_writes(format_size_option, 1, "1");
	assert_writes(format_size_option, 64 << 20, "64M");
	assert_writes(format_size_option, 96 << 20, "96M");
	assert_writes(format_size_option, 1536ull << 20, "1536M");
	assert_writes(format_size_option, 1ull << 40, "1T");
	assert_writes(format_size_option, (65 << 20) + 1, "66M");
	assert_writes(format_size_option, UINT64_MAX, "18446744073709551615");
	for (uint64_t bytes = 1; bytes < UINT64_MAX / 3; bytes += bytes / 3 + 1) {
		char text[FORMAT_SIZE];
		uint64_t back;
		assert_int_equal(parse_size(format_size_option(bytes, text), &back), 0);
		assert_true(back >= bytes && back - bytes <= bytes / 64);
	}
}

static void test_format_duration(void **state)
{
	(void)state;
	assert_writes(format_duration, 0, "0 s");
	assert_writes(format_duration, 250, "250 us");
	assert_writes(format_duration, 999, "999 us");
	assert_writes(format_duration, 1000, "1 ms");
	assert_writes(format_duration, 2140, "2.1 ms");
	assert_writes(format_duration, 12000, "12 ms");
	assert_writes(format_duration, 99499, "99 ms");
	assert_writes(format_duration, 99500, "0.1 s");
	assert_writes(format_duration, 412345, "0.41 s");
	assert_writes(format_duration, 2000000, "2 s");
	assert_writes(format_duration, 9994999, "9.99 s");
	assert_writes(format_duration, 9996000, "10 s");
	assert_writes(format_duration, 30000000, "30 s");
	assert_writes(format_duration, 59940000, "59.9 s");
	assert_writes(format_duration, 59960000, "1 min");
	assert_writes(format_duration, 90000000, "1 min 30 s");
	assert_writes(format_duration, 3599600000, "1 h");
	assert_writes(format_duration, 5400000000, "1 h 30 min");
	assert_writes(format_duration, 86399999999, "1 d");
	assert_writes(format_duration, 180000000000, "2 d 2 h");
	assert_writes(format_duration, UINT64_MAX, "213503982 d 8 h");
}

static void test_format_milli(void **state)
{
	(void)state;
	assert_writes(format_milli, 1500, "1.5");
	assert_writes(format_milli, 2000, "2");
	assert_writes(format_milli, 10, "0.01");
	assert_writes(format_milli, 1001, "1.001");
	assert_writes(format_milli, 0, "0");
	assert_writes(format_milli, UINT64_MAX, "18446744073709551.615");
	for (uint64_t milli = 10; milli < 5000; milli++) {
		char text[FORMAT_SIZE];
		uint64_t back;
		assert_int_equal(parse_cpus(format_milli(milli, text), &back), 0);
		assert_int_equal(back, milli);
	}
}

static void test_nearest_name(void **state)
{
	(void)state;
	static const char *const names[] = {"memory", "swap", "cpus", "pids", "timeout", "cpu_time",
		"idle_timeout", "oom", NULL};
	static const char *const none[] = {NULL};
	assert_string_equal(nearest_name("memmory", names), "memory");
	assert_string_equal(nearest_name("memroy", names), "memory");
	assert_string_equal(nearest_name("mem0ry", names), "memory");
	assert_string_equal(nearest_name("memory", names), "memory");
	assert_string_equal(nearest_name("timeuot", names), "timeout");
	assert_string_equal(nearest_name("idle-timeout", names), "idle_timeout");
	assert_string_equal(nearest_name("idletimeout", names), "idle_timeout");
	assert_string_equal(nearest_name("cpu", names), "cpus");
	assert_string_equal(nearest_name("pid", names), "pids");
	assert_string_equal(nearest_name("om", names), "oom");
	assert_null(nearest_name("network", names));
	assert_null(nearest_name("xyz", names));
	assert_null(nearest_name("m", names));
	assert_null(nearest_name("", names));
	assert_null(nearest_name("memory", none));
	char huge[100000];
	memset(huge, 'm', sizeof huge);
	huge[sizeof huge - 1] = '\0';
	assert_null(nearest_name(huge, names));
	const char *const huge_names[] = {huge, "mm", NULL};
	assert_string_equal(nearest_name("mmm", huge_names), "mm");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_size_refused),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_duration_refused),
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_format_size),
		cmocka_unit_test(test_format_size_option),
		cmocka_unit_test(test_format_duration),
		cmocka_unit_test(test_format_milli),
		cmocka_unit_test(test_nearest_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
