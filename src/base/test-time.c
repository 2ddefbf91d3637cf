/* SPDX-License-Identifier: MIT */
#include "base/time.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

static void assert_text(uint64_t us, const char *want)
{
	char text[TIME_TEXT_SIZE];
	assert_string_equal(time_format_rfc3339(us, text), want);
}

static void test_known_dates(void **state)
{
	(void)state;
	assert_text(0, "1970-01-01T00:00:00.000000Z");
	assert_text(1715934600123456, "2024-05-17T08:30:00.123456Z");
	assert_text(951782399999999, "2000-02-28T23:59:59.999999Z");
	assert_text(951782400000000, "2000-02-29T00:00:00.000000Z");
	assert_text(4107542400000000, "2100-03-01T00:00:00.000000Z"); /* no leap year */
	assert_text(253402300799999999, "9999-12-31T23:59:59.999999Z");
	assert_text(
		253402300800000000, "9999-12-31T23:59:59.999999Z"); /* five digits are no date */
	assert_text(UINT64_MAX, "9999-12-31T23:59:59.999999Z");
}

static void test_every_day(void **state)
{
	(void)state;
	for (uint64_t day = 0; day < 300000; day++) { /* to the year 2791 */
		time_t seconds = (time_t)(day * 86400 + day % 86400);
		struct tm tm;
		assert_non_null(gmtime_r(&seconds, &tm));
		char want[64];
		strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S.000007Z", &tm);
		assert_text((uint64_t)seconds * US_PER_SEC + 7, want);
	}
}

static void test_clocks(void **state)
{
	(void)state;
	uint64_t a = time_monotonic_us(), b = time_monotonic_us();
	assert_true(a <= b);
	time_t now = time(NULL);
	uint64_t c = time_realtime_us() / US_PER_SEC;
	assert_in_range(c, now - 1, now + 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_dates),
		cmocka_unit_test(test_every_day),
		cmocka_unit_test(test_clocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
