/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "run/test-engine.h"

/* Runs and boxes as a client of the engine sees them. */

#define NEEDS_ROOT()                                                                               \
	do {                                                                                       \
		if (getuid() != 0) {                                                               \
			print_message("only root may make groups and boxes everywhere\n");         \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

static void test_a_run_ends_with_its_verdict(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct told *t = rig_end(rig_sh(NULL, "echo out; echo err >&2; exit 7"));
	assert_int_equal(t->cause, CAUSE_EXIT_NONZERO);
	assert_int_equal(t->exit_code, 7);
	assert_non_null(strstr(buf_str(&t->output), "out\n"));
	assert_non_null(strstr(buf_str(&t->output), "err\n"));
}

static void test_runs_at_once_in_one_box(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(NULL);
	struct live *lives[64];
	char script[64];
	for (int i = 0; i < 64; i++) {
		snprintf(script, sizeof(script), "echo %d; exit %d", i, i);
		lives[i] = rig_sh(box_id(b), script);
	}
	assert_int_equal(box_n_runs(b), 64);
	for (int i = 0; i < 64; i++) {
		struct told *t = rig_end(lives[i]);
		snprintf(script, sizeof(script), "%d\n", i);
		assert_int_equal(t->exit_code, i);
		assert_string_equal(buf_str(&t->output), script);
	}
	assert_int_equal(box_n_runs(b), 0);
	struct error e = ERROR_INIT;
	assert_int_equal(box_remove(b, false, &e), 0);
	rig_box_gone(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_a_run_ends_with_its_verdict),
		RIG_TEST(test_runs_at_once_in_one_box),
	};
	return cmocka_run_group_tests_name("run-engine", tests, NULL, NULL);
}
