/* SPDX-License-Identifier: MIT */
#include "model/timeline.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>

#include "base/time.h"

#define MIB ((uint64_t)1 << 20)

static struct timeline t; /* too large for a stack that is checked */

/* Memory that grows to its limit of 40 MiB in 4 s, one CPU in the first half, TERM in the middle. */
static void make(struct observation *o)
{
	memset(&t, 0, sizeof t);
	t.known =
		1 << SERIES_MEMORY | 1 << SERIES_CPU | 1 << SERIES_PIDS | 1 << SERIES_STALL_MEMORY;
	t.memory_limited = t.pids_limited = true;
	t.memory_limit_bytes = 40 * MIB;
	t.pids_limit = 64;
	for (uint64_t i = 1; i <= 40; i++)
		timeline_add(&t,
			&(struct timeline_point){.at_us = i * 100000,
				.v = {[SERIES_MEMORY] = i * MIB,
					[SERIES_CPU] = i < 20 ? i * 100000 : 2000000,
					[SERIES_PIDS] = i == 30 ? 7 : 3,
					[SERIES_STALL_MEMORY] = i > 36 ? (i - 36) * 50000 : 0}});
	*o = (struct observation){.usage = {.wall_us = 4 * US_PER_SEC},
		.acts = {{.signal = SIGTERM, .at_us = 2 * US_PER_SEC},
			{.signal = SIGKILL, .at_us = 9 * US_PER_SEC}},
		.n_acts = 2};
}

static void test_ascii(void **state)
{
	static const char expected[] =
		"  memory      .....:::::-----=====+++++*****#####@@@@@  peak 40 MiB of 40 MiB\n"
		"  cpus        @@@@@@@@@@@@@@@@@@@@                      at most 1.00\n"
		"  processes   =============================@==========  at most 7 of 64\n"
		"  memory wait                                     ====  at most 50 % of the time\n"
		"  signals                         T                  K  SIGTERM after 2 s\n"
		"  time        0                                    4 s\n";
	cleanup_arena struct arena a = ARENA_INIT;
	struct observation o;

	(void)state;
	make(&o);
	assert_string_equal(
		timeline_format_text(&t, &o, (struct plot_style){.utf8 = false}, &a), expected);
}

static void test_utf8_and_color(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct observation o;

	(void)state;
	make(&o);
	const char *plain = timeline_format_text(&t, &o, (struct plot_style){.utf8 = true}, &a);
	assert_non_null(strstr(plain, "▁▁▁▁▁▂▂▂▂▂▃▃▃▃▃▄▄▄▄▄▅▅▅▅▅▆▆▆▆▆▇▇▇▇▇█████"));
	assert_null(strchr(plain, '\033'));
	const char *colored =
		timeline_format_text(&t, &o, (struct plot_style){.utf8 = true, .color = true}, &a);
	assert_non_null(strstr(colored, "\033[33m▆▇▇▇▇▇██\033[31m███\033[0m  peak"));
	t.memory_limited = false; /* near to what? */
	assert_null(strchr(
		timeline_format_text(&t, &o, (struct plot_style){.color = true}, &a), '\033'));
}

/* Whatever figures there are, every row is as wide as the others. */
static void test_odd_figures(void **state)
{
	static const struct timeline_point odd[] = {{.at_us = 1},
		{.at_us = 2,
			.v = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
				UINT64_MAX}},
		{.at_us = UINT64_MAX - 1, .v = {0, 1, 0, 1, 0, 1}},
		{.at_us = UINT64_MAX, .v = {1, 0, 1, 0, UINT64_MAX, 0}}};
	cleanup_arena struct arena a = ARENA_INIT;
	struct observation o = {.usage = {.wall_us = 1},
		.n_acts = SIZE_MAX,
		.acts = {{.signal = 99, .at_us = UINT64_MAX}}};

	(void)state;
	memset(&t, 0, sizeof t);
	t.known = (1 << SERIES_COUNT_) - 1;
	t.memory_limited = t.pids_limited = true; /* at limits of 0 */
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		timeline_add(&t, &odd[i]);
	const char *text = timeline_format_text(&t, &o, (struct plot_style){.color = true}, &a);
	assert_non_null(strstr(text, "  time"));
	t.n = 1;
	assert_string_equal(
		timeline_format_text(&t, &o, (struct plot_style){.utf8 = true}, &a), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ascii),
		cmocka_unit_test(test_utf8_and_color),
		cmocka_unit_test(test_odd_figures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
