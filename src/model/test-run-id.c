/* SPDX-License-Identifier: MIT */
#include "model/run-id.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

static void assert_id(uint64_t ms, uint64_t random, const char *want)
{
	char id[RUN_ID_SIZE];
	memset(id, 'x', sizeof id);
	run_id_format(ms, random, id);
	assert_string_equal(id, want);
	assert_true(run_id_valid(id));
}

static void test_known(void **state)
{
	(void)state;
	assert_id(0, 0, "0000000000000000");
	assert_id(0, 1, "0000000000000001");
	assert_id(0, 0xffffffff, "0000000003zzzzzz");
	assert_id(1, 0, "0000000004000000");
	assert_id(256, 0, "0000000100000000");
	assert_id((1ull << 48) - 1, UINT64_MAX, "zzzzzzzzzzzzzzzz");
	assert_id(1ull << 48, 1ull << 32, "0000000000000000"); /* what is beyond is dropped */
}

static void test_sorts_by_time(void **state)
{
	(void)state;
	char last[RUN_ID_SIZE] = "", id[RUN_ID_SIZE];
	for (uint64_t ms = 0; ms < 1ull << 48; ms += ms / 7 + 1) {
		run_id_format(ms, ms % 2 ? 0 : UINT64_MAX, id);
		assert_true(strcmp(last, id) < 0);
		strcpy(last, id);
	}
	char a[RUN_ID_SIZE], b[RUN_ID_SIZE];
	run_id_format(1715934600123, UINT64_MAX, a);
	run_id_format(1715934600124, 0, b);
	assert_true(strcmp(a, b) < 0);
}

static void test_each_bit_counts(void **state)
{
	(void)state;
	char id[RUN_ID_SIZE], other[RUN_ID_SIZE];
	run_id_format(0x123456789abc, 0xdeadbeef, id);
	for (unsigned bit = 0; bit < 48; bit++) {
		run_id_format(0x123456789abc ^ 1ull << bit, 0xdeadbeef, other);
		assert_string_not_equal(id, other);
	}
	for (unsigned bit = 0; bit < 32; bit++) {
		run_id_format(0x123456789abc, 0xdeadbeef ^ 1ull << bit, other);
		assert_string_not_equal(id, other);
	}
}

static void test_valid(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "0", "000000000000000", "00000000000000000",
		"000000000000000i", "000000000000000l", "000000000000000o", "000000000000000u",
		"000000000000000A", "../../../etc/pas", "................", "0000000/00000000",
		"000000000000000\n", "-000000000000000", "000000000000000\xff"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(run_id_valid(bad[i]));
	assert_false(run_id_valid(NULL));
	assert_true(run_id_valid("0123456789abcdef"));
	assert_true(run_id_valid("ghjkmnpqrstvwxyz"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_sorts_by_time),
		cmocka_unit_test(test_each_bit_counts),
		cmocka_unit_test(test_valid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
