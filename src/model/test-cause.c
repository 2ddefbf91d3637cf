/* SPDX-License-Identifier: MIT */
#include "model/cause.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < CAUSE_COUNT_; i++) {
		assert_int_equal(cause_from_name(cause_name((enum cause)i)), i);
		assert_true(strlen(cause_meaning((enum cause)i)) > 10);
	}
	assert_int_equal(cause_from_name(""), -1);
	assert_int_equal(cause_from_name("OK"), -1);
	assert_string_equal(cause_name((enum cause)1000), "supervisor_lost");
	assert_string_equal(retry_name((enum retry) - 1), "no");
	assert_string_equal(confidence_name((enum confidence)9), "likely");
}

/* Programs decide on these words; the advice of each is part of the contract. */
static void test_advice(void **state)
{
	(void)state;
	static const enum cause larger[] = {CAUSE_MEMORY_LIMIT, CAUSE_ADDRESS_SPACE,
		CAUSE_OUTPUT_LIMIT, CAUSE_FILE_SIZE_LIMIT, CAUSE_DISK_LIMIT, CAUSE_PIDS_LIMIT};
	static const enum cause later[] = {CAUSE_MEMORY_ANCESTOR, CAUSE_MEMORY_HOST,
		CAUSE_MEMORY_DAEMON, CAUSE_SHUTDOWN, CAUSE_EXTERNAL_KILL, CAUSE_SUPERVISOR_LOST,
		CAUSE_COOLDOWN, CAUSE_BREAKER_OPEN};
	enum retry want[CAUSE_COUNT_] = {RETRY_NO};

	for (size_t i = 0; i < sizeof larger / sizeof *larger; i++)
		want[larger[i]] = RETRY_LARGER;
	for (size_t i = 0; i < sizeof later / sizeof *later; i++)
		want[later[i]] = RETRY_LATER;
	for (int i = 0; i < CAUSE_COUNT_; i++)
		assert_int_equal(cause_info((enum cause)i)->retry, want[i]);
}

/* docs/verdict.md has a row for each cause, with the advice of the table. */
static void test_documented(void **state)
{
	static char text[1 << 17];
	FILE *f = fopen(TEST_GOLDEN "/../../docs/verdict.md", "r");

	(void)state;
	assert_non_null(f);
	text[fread(text, 1, sizeof text - 1, f)] = '\0';
	fclose(f);
	for (int i = 0; i < CAUSE_COUNT_; i++) {
		char row[64];
		snprintf(row, sizeof row, "\n| `%s` | ", cause_name((enum cause)i));
		const char *at = strstr(text, row);
		if (!at)
			fail_msg("docs/verdict.md has no row for %s", cause_name((enum cause)i));
		const char *end = strchr(at + 1, '\n');
		snprintf(row, sizeof row, "| %s |", retry_name(cause_info((enum cause)i)->retry));
		const char *advice = strstr(at, row);
		if (i != CAUSE_SETUP_FAILED && (!advice || advice > end))
			fail_msg("docs/verdict.md does not say '%s' for %s", row,
				cause_name((enum cause)i));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_advice),
		cmocka_unit_test(test_documented),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
