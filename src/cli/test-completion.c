/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "cli/completion.h"
#include "cli/option-table.h"
#include "model/policy.h"

static const char *const shells[] = {"bash", "zsh", "fish"};

static void assert_holds(const struct buf *b, const char *shell, const char *text)
{
	if (!strstr(buf_str(b), text))
		fail_msg("%s: no %s", shell, text);
}

/* Nothing of the tables is missing in any script. */
static void test_complete(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		cleanup_buf struct buf b = BUF_INIT;
		const char *dashes = strcmp(shells[i], "fish") == 0 ? "-l " : "--";

		assert_int_equal(completion_put(&b, shells[i]), 0);
		for_each_option (o, COMMAND_PLAN)
			assert_holds(&b, shells[i], arena_printf(&a, "%s%s", dashes, o->name));
		for (int c = 0; c < COMMAND_COUNT_; c++) {
			const char *name = command_spec((enum command)c)->name;
			assert_holds(
				&b, shells[i], strchr(name, ' ') ? strchr(name, ' ') + 1 : name);
		}
		for (size_t p = 0; policy_shipped_names()[p]; p++)
			assert_holds(&b, shells[i], policy_shipped_names()[p]);
		assert_holds(&b, shells[i], "group process");
		assert_holds(&b, shells[i], "self isolated");
		assert_holds(&b, shells[i], "none host");
	}
}

static void test_unknown_shell(void **state)
{
	cleanup_buf struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(completion_put(&b, "tcsh"), -1);
	assert_int_equal(b.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_unknown_shell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
