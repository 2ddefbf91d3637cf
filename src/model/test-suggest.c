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

/* A run of 10 s that had its peak of 64 MiB, its limit, at the end. */
static uint64_t grown(uint64_t bytes)
{
	const struct usage u = {
		.wall_us = 10000000, .growth = {.known = true, .half_us = 5000000, .bytes = bytes}};
	return suggest_memory(64 * MIB, 64 * MIB, &u);
}

static void test_growth(void **state)
{
	struct usage u = {.wall_us = 10};

	(void)state;
	assert_int_equal(suggest_memory(64 * MIB, 0, &u), 96 * MIB); /* not known */
	assert_int_equal(grown(0), 80 * MIB); /* it had levelled off */
	assert_int_equal(grown(32 * MIB), 128 * MIB); /* steadily */
	assert_int_equal(grown(60 * MIB), 192 * MIB); /* nearly all of it in the second half */
	assert_int_equal(grown(1000 * MIB), 256 * MIB); /* never more than four times */
	assert_int_equal(grown(INT64_MAX), 256 * MIB);
	u.growth = (struct growth){.known = true, .half_us = 0, .bytes = 1};
	assert_int_equal(suggest_memory(64 * MIB, 0, &u), 96 * MIB);
	u.growth.half_us = 1;
	u.wall_us = UINT64_MAX;
	assert_int_equal(suggest_memory(64 * MIB, 64 * MIB, &u), 256 * MIB);
	assert_int_equal(suggest_memory(0, 0, &u), 0);
	assert_int_equal(suggest_memory((uint64_t)1 << 60, 0, &u), (uint64_t)1 << 62);
	assert_int_equal(suggest_memory((uint64_t)1 << 61, 0, &u), (uint64_t)3 << 60);
	assert_int_equal(suggest_memory(UINT64_MAX, 0, &u), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_half_as_much_again),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_all_magnitudes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
