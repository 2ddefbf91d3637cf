/* SPDX-License-Identifier: MIT */
#include "model/timeline.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"

#define MIB ((uint64_t)1 << 20)

static struct timeline t; /* too large for a stack that is checked */

static void begin(unsigned known)
{
	memset(&t, 0, sizeof t);
	t.known = known;
}

static void add(uint64_t at_us, uint64_t memory, uint64_t cpu_us)
{
	timeline_add(&t,
		&(struct timeline_point){
			.at_us = at_us, .v = {[SERIES_MEMORY] = memory, [SERIES_CPU] = cpu_us}});
}

static void test_intervals(void **state)
{
	static const struct {
		uint64_t at_us, interval_us;
	} rows[] = {
		{0, 100000},
		{9999999, 100000},
		{10 * US_PER_SEC, 200000},
		{20 * US_PER_SEC - 1, 200000},
		{20 * US_PER_SEC, 400000},
		{40 * US_PER_SEC, 800000},
		{80 * US_PER_SEC, 1600000},
		{160 * US_PER_SEC, 2000000},
		{3600 * US_PER_SEC, 2000000},
		{UINT64_MAX, 2000000},
	};

	(void)state;
	begin(0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(timeline_interval_us(&t, rows[i].at_us), rows[i].interval_us);
	t.floor_us = 7 * US_PER_SEC;
	assert_int_equal(timeline_interval_us(&t, 0), 7 * US_PER_SEC);
}

/* A run of that long, sampled as it would be: how many points it makes. */
static size_t live_through(uint64_t seconds)
{
	size_t taken = 0;

	begin(1 << SERIES_MEMORY | 1 << SERIES_CPU);
	for (uint64_t at = TIMELINE_INTERVAL_US; at <= seconds * US_PER_SEC;
		at += timeline_interval_us(&t, at)) {
		/* one peak in it, which must never be lost */
		bool peak = taken == 42;
		add(at, peak ? 900 * MIB : MIB, at / 2);
		taken++;
		assert_true(t.n <= TIMELINE_MAX_POINTS);
	}
	return taken;
}

static void test_long_runs(void **state)
{
	static const uint64_t spans[] = {10, 60, 3600, 24 * 3600, 40 * 24 * 3600};

	(void)state;
	for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
		size_t taken = live_through(spans[i]);
		bool thinned = taken > TIMELINE_MAX_POINTS;
		double v[8];
		assert_true(thinned ? t.n >= TIMELINE_MAX_POINTS / 2 : t.n == taken);
		assert_true(t.v[t.n - 1].at_us + t.v[t.n - 1].at_us / 200 >= spans[i] * US_PER_SEC);
		for (size_t k = 1; k < t.n; k++)
			assert_true(t.v[k].at_us > t.v[k - 1].at_us);
		timeline_plot(&t, SERIES_MEMORY, timeline_end_us(&t, 0), v, 8);
		double most = 0;
		for (size_t k = 0; k < 8; k++)
			most = fmax(most, v[k]);
		assert_true(most >= (double)(900 * MIB));
	}
}

static void test_order(void **state)
{
	(void)state;
	begin(1);
	add(100, 1, 0);
	add(100, 2, 0);
	add(50, 3, 0);
	assert_int_equal(t.n, 1);
	assert_int_equal(t.v[0].v[SERIES_MEMORY], 1);
}

static void test_plot(void **state)
{
	double v[10];

	(void)state;
	begin(1 << SERIES_MEMORY | 1 << SERIES_CPU);
	add(1000, 10, 500);
	add(2000, 40, 2500);
	add(3000, 20, 2500);
	add(4000, 30, 2000); /* a total that falls: a sampled process ended */
	timeline_plot(&t, SERIES_MEMORY, 5000, v, 5);
	assert_true(v[0] == 10 && v[1] == 40 && v[2] == 20 && v[3] == 30 && isnan(v[4]));
	timeline_plot(&t, SERIES_CPU, 5000, v, 5);
	assert_true(v[0] == 0.5 && v[1] == 2 && v[2] == 0 && v[3] == 0 && isnan(v[4]));
	timeline_plot(&t, SERIES_MEMORY, 4000, v, 2); /* the most of each half */
	assert_true(v[0] == 40 && v[1] == 30);
	timeline_plot(&t, SERIES_CPU, 4000, v, 2); /* the mean */
	assert_true(v[0] == 1.25 && v[1] == 0);
	timeline_plot(&t, SERIES_PIDS, 4000, v, 2); /* not counted */
	assert_true(isnan(v[0]) && isnan(v[1]));
	timeline_plot(&t, SERIES_MEMORY, 4000, v, 10); /* finer than the points */
	assert_true(v[0] == 10 && v[9] == 30);
}

static void test_growth(void **state)
{
	(void)state;
	begin(1 << SERIES_MEMORY);
	t.memory_limited = true;
	t.memory_limit_bytes = 64 * MIB;
	for (uint64_t i = 1; i <= 20; i++)
		add(i * 100000, i * 3 * MIB, 0);
	struct growth g = timeline_growth(&t, 2 * US_PER_SEC, 64 * MIB);
	assert_true(g.known && g.half_us == US_PER_SEC && g.bytes == 34 * MIB);
	assert_false(timeline_growth(&t, US_PER_SEC - 1, 64 * MIB).known); /* too short */
	assert_false(timeline_growth(&t, 2 * US_PER_SEC, 0).known); /* no peak */
	t.n = 4;
	assert_false(timeline_growth(&t, 2 * US_PER_SEC, 64 * MIB).known); /* too few */
	t.n = 20;
	t.memory_limit_bytes = 31 * MIB; /* at the limit since the middle */
	assert_false(timeline_growth(&t, 2 * US_PER_SEC, 31 * MIB).known);
	t.known = 1 << SERIES_CPU;
	assert_false(timeline_growth(&t, 2 * US_PER_SEC, 64 * MIB).known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_long_runs),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_plot),
		cmocka_unit_test(test_growth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
