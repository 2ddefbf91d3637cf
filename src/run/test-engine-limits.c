/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "run/test-engine.h"

/* The limits of a kept box as a whole, and of the runs in it. */

#define SAYS(t, text) assert_non_null(strstr(buf_str(&(t)->output), text))

static void remove_box(struct box *b)
{
	struct error e = ERROR_INIT;
	assert_int_equal(box_remove(b, true, &e), 0);
	rig_box_gone(b);
}

/* Takes all the processes that there are to be had but one, which the next to come takes, and stays. */
#define BOMB "(while :; do sleep 62 & done) 2>/dev/null; echo full; exec sleep 62"

/* What is to be had is had by others: one more run comes in all the same, time and again. */
static void test_a_box_full_of_processes_is_entered(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box("limits: {pids: 12}");
	struct live *bomb = rig_sh(box_id(b), BOMB);
	struct error e = ERROR_INIT;
	char script[32];
	rig_says(bomb, "full");
	for (int i = 1; i <= 8; i++) {
		snprintf(script, sizeof(script), "exit %d", i);
		assert_int_equal(rig_end(rig_sh(box_id(b), script))->exit_code, i);
	}
	live_cancel(bomb, true, NULL, &e);
	assert_int_equal(rig_end(bomb)->cause, CAUSE_CANCELLED);
	SAYS(rig_end(rig_sh(box_id(b), "sleep 0 && sleep 0 && echo room")), "room");
	remove_box(b);
}

/* And ended, whatever it is full of. */
static void test_a_box_full_of_processes_is_removed(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box("limits: {pids: 12}");
	struct live *bomb = rig_sh(box_id(b), "trap '' TERM; " BOMB);
	rig_says(bomb, "full");
	remove_box(b);
	assert_int_equal(rig_end(bomb)->cause, CAUSE_CANCELLED);
}

/* Two runs within their own limits, and beyond that of their box together: the larger one ends for it. */
static void test_the_memory_of_all_runs_in_a_box(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box("limits: {memory: 48M}");
	struct live *small = rig_sh(
		box_id(b), "x=$(head -c 8000000 /dev/zero | tr '\\0' x); echo has; read y; exit 4");
	rig_says(small, "has");
	struct engine_request request = {.box = box_id(b)};
	static const char *words[] = {
		"/bin/sh", "-c", "x=$(head -c 400000000 /dev/zero | tr '\\0' x); echo never", NULL};
	request.request.argv = (struct strv){.v = words, .n = 3};
	request.request.limit_given[LIMIT_MEMORY] = true;
	request.request.limits[LIMIT_MEMORY] =
		(struct limit_value){.set = true, .value = 1000 << 20};
	struct told *t = rig_end(rig_run(&request));
	assert_int_equal(t->cause, CAUSE_MEMORY_ANCESTOR);
	assert_null(strstr(buf_str(&t->output), "never"));
	assert_int_equal(rig_end(small)->exit_code, 4);
	remove_box(b);
}

/* Its own limit is its own, whatever the box has left. */
static void test_the_memory_of_one_run_in_a_box(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box("limits: {memory: 200M}");
	struct engine_request request = {.box = box_id(b)};
	static const char *words[] = {
		"/bin/sh", "-c", "x=$(head -c 400000000 /dev/zero | tr '\\0' x); echo never", NULL};
	request.request.argv = (struct strv){.v = words, .n = 3};
	request.request.limit_given[LIMIT_MEMORY] = true;
	request.request.limits[LIMIT_MEMORY] = (struct limit_value){.set = true, .value = 16 << 20};
	struct live *other = rig_sh(box_id(b), "sleep 0.5; exit 3");
	assert_int_equal(rig_end(rig_run(&request))->cause, CAUSE_MEMORY_LIMIT);
	assert_int_equal(rig_end(other)->exit_code, 3);
	remove_box(b);
}

/* What a run leaves behind goes with it: asked first, then made to. */
static void test_leftovers_in_a_kept_box(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box("limits: {grace: 200ms}");
	struct told *t = rig_end(rig_sh(box_id(b), "sleep 63 & setsid sleep 63 & exit 5"));
	assert_int_equal(t->cause, CAUSE_EXIT_NONZERO);
	assert_int_equal(t->exit_code, 5);
	t = rig_end(rig_sh(box_id(b),
		"trap '' TERM; (while :; do sleep 63; done) & setsid sleep 63 & exit 0"));
	assert_int_equal(t->cause, CAUSE_OK);
	t = rig_end(rig_sh(box_id(b), "ps -ef | grep -c '[s]leep 63'"));
	assert_string_equal(buf_str(&t->output), "0\n");
	remove_box(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_a_box_full_of_processes_is_entered),
		RIG_TEST(test_a_box_full_of_processes_is_removed),
		RIG_TEST(test_the_memory_of_all_runs_in_a_box),
		RIG_TEST(test_the_memory_of_one_run_in_a_box),
		RIG_TEST(test_leftovers_in_a_kept_box),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
