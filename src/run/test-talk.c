/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "run/test-talk.h"

static struct request nothing_asked;
static char text[65536];

static void a_box_runs_a_command(void **state)
{
	(void)state;
	struct bench b;
	struct scene act = {0};
	bench_open(&b, &nothing_asked);
	act_open(&act, &b, -1);
	until_parked(&act);
	assert_true(talk_payload_pid(&act.talk) > 0);
	int status = run_shell(
		&act, "echo $$; pwd; cat /proc/self/cgroup | tail -1; exit 7", text, sizeof(text));
	print_message("%s", text);
	assert_int_equal(status, 7 << 8);
	box_end(&act.box);
	act_close(&act);
	bench_close(&b);
}

static void entries_run_side_by_side(void **state)
{
	(void)state;
	struct bench b;
	struct scene first = {.keeps = true}, more[8] = {0};
	bench_open(&b, &nothing_asked);
	act_open(&first, &b, -1);
	until_parked(&first);
	for (int i = 0; i < 8; i++)
		act_open(&more[i], &b, first.box.init.pidfd);
	for (int i = 0; i < 8; i++)
		until_parked(&more[i]);
	for (int i = 7; i >= 0; i--) {
		char script[64];
		snprintf(script, sizeof(script), "echo run %d; exit %d", i, i + 10);
		assert_int_equal(run_shell(&more[i], script, text, sizeof(text)), (i + 10) << 8);
		snprintf(script, sizeof(script), "run %d\n", i);
		assert_string_equal(text, script);
		act_close(&more[i]);
	}
	assert_int_equal(run_shell(&first, "exit 3", text, sizeof(text)), 3 << 8);
	act_close(&first);
	box_end(&first.box);
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_box_runs_a_command),
		cmocka_unit_test(entries_run_side_by_side),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
