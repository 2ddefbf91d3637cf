/* SPDX-License-Identifier: MIT */
#include "model/suggest.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define MIB ((uint64_t)1 << 20)

static void test_half_as_much_again(void **state)
{
	(void)state;
	assert_int_equal(suggest_size(64 * MIB, 0), 96 * MIB);
	assert_int_equal(suggest_size(64 * MIB, 64 * MIB), 96 * MIB);
	assert_int_equal(suggest_size(24 * MIB, 20 * MIB), 36 * MIB);
	assert_int_equal(suggest_size(1024 * MIB, 0), 1536 * MIB);
	assert_int_equal(suggest_size(100 * MIB, 0), 160 * MIB);
	assert_int_equal(suggest_size(0, 70 * MIB), 112 * MIB);
}

static void test_edges(void **state)
{
	(void)state;
	assert_int_equal(suggest_size(0, 0), 0);
	assert_int_equal(suggest_size(1, 0), MIB);
	assert_int_equal(suggest_size(UINT64_MAX, 0), 0);
	assert_int_equal(suggest_size(4, UINT64_MAX), 0);
	assert_int_equal(suggest_size((uint64_t)1 << 61, 0), (uint64_t)3 << 60);
	assert_int_equal(suggest_size(((uint64_t)1 << 61) + 1, 0), 0);
}

/* Always larger than both, never by more than two thirds, at most four significant bits. */
static void test_all_magnitudes(void **state)
{
	(void)state;
	for (uint64_t size = MIB; size < (uint64_t)1 << 60; size += size / 7 + 1) {
		uint64_t got = suggest_size(size, size / 2);
		assert_true(got >= size + size / 2);
		assert_true(got <= size + size / 2 + size / 4);
		while (got % 2 == 0)
			got /= 2;
		assert_true(got < 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_half_as_much_again),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_all_magnitudes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
