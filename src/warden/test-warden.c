/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "warden/test-rig.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return __LINE__ % 251 + 1;                                                 \
	} while (0)

static const char *const rules[] = {"deny ls -l|use ls", NULL};

static int three_programs(void)
{
	CHECK(run_words("/bin/true", "true", NULL) == 0);
	CHECK(run_words("/bin/ls", "ls", "-d", "/", NULL) == 0);
	CHECK(run_words("/bin/ls", "ls", "-l", "/", NULL) == -EPERM);
	CHECK(run_words("/nonexistent", "x", NULL) == -ENOENT);
	return 0;
}

static void test_allow_and_deny(void **state)
{
	(void)state;
	struct rig rig = rig_start(EXEC_ENFORCE, true, rules);
	struct rig_run run = rig_add_run(&rig);
	struct exec_event *events;
	cleanup_arena struct arena a = ARENA_INIT;
	char text[4096];
	rig_launch(&run, three_programs);
	assert_int_equal(rig_wait(&run), 0);
	rig_until_health(&run, WARDEN_HEALTH_ENDED);
	assert_int_equal(run.board->started, 2);
	assert_int_equal(run.board->refused, 1);
	assert_int_equal(run.board->failed, 1);
	assert_int_equal(run.board->killed, 0);
	assert_int_equal(rig_events(&run, &a, &events), 4);
	print_message("%s", rig_stderr(&run, text, sizeof(text)));
	assert_int_equal(rig_stop(&rig), 0);
	rig_end_run(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allow_and_deny),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
