/* SPDX-License-Identifier: MIT */
#include "model/timeline.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static struct timeline t, back; /* too large for a stack that is checked */

static void test_round_trip(void **state)
{
	cleanup_buf struct buf text = BUF_INIT;

	(void)state;
	memset(&t, 0, sizeof t);
	t.known = 1 << SERIES_MEMORY | 1 << SERIES_STALL_IO;
	t.memory_limited = true;
	t.memory_limit_bytes = 7;
	for (uint64_t i = 0; i < TIMELINE_MAX_POINTS; i++)
		timeline_add(&t,
			&(struct timeline_point){.at_us = i * 100 + 1,
				.v = {[SERIES_MEMORY] = INT64_MAX, [SERIES_STALL_IO] = i}});
	timeline_format(&t, &text);
	assert_true(text.size < TIMELINE_MAX_SIZE / 2);
	assert_int_equal(timeline_parse(&back, buf_str(&text), text.size), 0);
	assert_int_equal(back.n, t.n);
	assert_int_equal(back.known, t.known);
	assert_true(back.memory_limited && back.memory_limit_bytes == 7 && !back.pids_limited);
	assert_memory_equal(back.v, t.v, sizeof t.v);
}

/* As large as it can become. */
static void test_size(void **state)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct timeline_point p;

	(void)state;
	memset(&t, 0, sizeof t);
	memset(&p, 0xff, sizeof p);
	t.known = (1 << SERIES_COUNT_) - 1;
	for (uint64_t i = 0; i < TIMELINE_MAX_POINTS; i++) {
		p.at_us = UINT64_MAX - TIMELINE_MAX_POINTS + i;
		timeline_add(&t, &p);
	}
	timeline_format(&t, &text);
	assert_true(text.size < TIMELINE_MAX_SIZE);
}

static void test_hostile(void **state)
{
	static const struct {
		const char *text;
		size_t n, bad;
	} rows[] = {
		{"", 0, 0},
		{"\n", 0, 1},
		{"{\"t_us\":1,\"pids\":2}\n", 1, 0},
		{"{\"t_us\":1,\"pids\":2}", 0, 1}, /* torn: it may have gone on */
		{"{\"t_us\":1}\n{\"t_us\":2,\"pi", 1, 1},
		{"{\"t_us\":5}\n{\"t_us\":5}\n{\"t_us\":4}\n{\"t_us\":6}\n", 2, 2},
		{"{\"t_us\":-1}\n", 0, 1},
		{"{\"t_us\":1e3}\n", 0, 1},
		{"{\"t_us\":\"1\"}\n", 0, 1},
		{"{\"t_us\":99999999999999999999}\n", 0, 1},
		{"{\"t_us\":1,\"t_us\":2}\n", 0, 1},
		{"{\"t_us\":1,\"memory_bytes\":-5,\"cpu_us\":null,\"x\":[{}]}\n", 1, 0},
		{"{\"timeline\":2}\n{\"t_us\":1}\n", 1, 1},
		{"{\"t_us\":1}\n{\"timeline\":1}\n", 1, 1},
		{"null\n[]\n7\n\"x\"\n{}\n", 0, 5},
		{"\xff\xfe\n\x01\x02\n{\"t_us\":1}\n", 1, 2},
		{"[[[[[[[[[[[[\n", 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t bad = timeline_parse(&back, rows[i].text, strlen(rows[i].text));
		if (back.n != rows[i].n || bad != rows[i].bad)
			fail_msg("%s: %zu points, %zu bad", rows[i].text, back.n, bad);
	}
	timeline_parse(&back, rows[11].text, strlen(rows[11].text));
	assert_int_equal(back.known, 0); /* no value of it was one */
}

static void test_huge(void **state)
{
	char *zeros = calloc(1, TIMELINE_MAX_SIZE);
	cleanup_buf struct buf many = BUF_INIT;

	(void)state;
	assert_int_equal(timeline_parse(&back, zeros, TIMELINE_MAX_SIZE), 1);
	memset(zeros, '\n', TIMELINE_MAX_SIZE);
	assert_int_equal(timeline_parse(&back, zeros, TIMELINE_MAX_SIZE), TIMELINE_MAX_SIZE);
	memset(zeros, '[', TIMELINE_MAX_SIZE);
	assert_int_equal(timeline_parse(&back, zeros, TIMELINE_MAX_SIZE), 1);
	free(zeros);
	for (int i = 1; i <= TIMELINE_MAX_POINTS + 3; i++)
		buf_printf(&many, "{\"t_us\":%d}\n", i);
	assert_int_equal(timeline_parse(&back, buf_str(&many), many.size), 3);
	assert_int_equal(back.n, TIMELINE_MAX_POINTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_huge),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
