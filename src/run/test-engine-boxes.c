/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "run/test-engine.h"

/* Kept boxes, and what goes wrong around them. */

#define SAYS(t, text) assert_non_null(strstr(buf_str(&(t)->output), text))

static void remove_box(struct box *b)
{
	struct error e = ERROR_INIT;
	assert_int_equal(box_remove(b, false, &e), 0);
	assert_int_equal(box_remove(b, true, &e), 0);
	rig_box_gone(b);
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
		assert_string_equal(live_box(lives[i]), box_id(b));
		struct told *t = rig_end(lives[i]);
		snprintf(script, sizeof(script), "%d\n", i);
		assert_int_equal(t->exit_code, i);
		assert_string_equal(buf_str(&t->output), script);
	}
	assert_int_equal(box_n_runs(b), 0);
	remove_box(b);
}

static void test_runs_in_a_box_share_it_and_nothing_else(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(NULL), *other = rig_box(NULL);
	rig_end(rig_sh(box_id(b), "echo kept >/tmp/x; export SECRET=1; cd /usr"));
	SAYS(rig_end(rig_sh(box_id(b), "cat /tmp/x; pwd")), "kept\n/tmp\n");
	struct told *t = rig_end(rig_sh(box_id(other), "cat /tmp/x; env"));
	assert_null(strstr(buf_str(&t->output), "kept"));
	assert_null(strstr(buf_str(&t->output), "SECRET"));
	remove_box(b);
	remove_box(other);
}

/* One after the other: nothing grows. */
static void test_many_runs_leave_nothing(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(NULL);
	rig_end(rig_sh(box_id(b), "sleep 0.2")); /* long enough for all that is opened once */
	rig_settle();
	int fds = rig_count_fds();
	unsigned children = rig_count_children(), groups = rig_count_groups();
	for (int i = 0; i < 300; i++)
		assert_int_equal(
			rig_end(rig_sh(box_id(b), i % 3 ? "exit 1" : "kill -9 $$"))->exit_code,
			i % 3 ? 1 : -1);
	rig_settle();
	assert_int_equal(rig_count_fds(), fds);
	assert_int_equal(rig_count_children(), children);
	assert_int_equal(rig_count_groups(), groups);
	remove_box(b);
}

/* The descendants of a run end with it, and with nobody else. */
static void test_a_run_is_ended_with_all_it_has_started(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(NULL);
	struct error e = ERROR_INIT;
	struct live *good = rig_sh(box_id(b), "echo on; read x; sleep 0.3; exit 8");
	struct live *bad = rig_sh(box_id(b),
		"trap '' TERM; for i in 1 2 3; do setsid sleep 61 & done; echo on; wait");
	rig_says(bad, "on");
	live_cancel(bad, true, NULL, &e);
	assert_int_equal(rig_end(bad)->cause, CAUSE_CANCELLED);
	struct told *t = rig_end(rig_sh(box_id(b), "ps -ef | grep -c '[s]leep 61'"));
	assert_string_equal(buf_str(&t->output), "0\n");
	assert_int_equal(rig_end(good)->exit_code, 8);
	remove_box(b);
}

static void test_what_only_a_box_has_is_refused_for_its_runs(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(NULL);
	const char *argv[] = {"true", NULL};
	struct engine_request request = {
		.box = box_id(b), .request = {.argv = {.v = argv, .n = 1}, .root = "/srv"}};
	struct error e = ERROR_INIT;
	struct live *l;
	assert_int_equal(engine_run(rig.engine, &request, NULL, &l, &e), -1);
	assert_int_equal(e.errnum, EINVAL);
	assert_int_equal(box_n_runs(b), 0);
	assert_int_equal(engine_box(rig.engine, &request, NULL, &b, &e), -1);
	assert_int_equal(e.errnum, EINVAL);
	remove_box(b);
}

/* Runs may be sent before the box is made, and it may never be. */
static void test_a_box_that_cannot_be_made(void **state)
{
	(void)state;
	NEEDS_ROOT();
	/* an empty root, and a mount where there is no place for one */
	static const char text[] =
		"{\"filesystem\": {\"root\": \"/proc\", \"tmpfs\": [\"/no/such/place\"]}}";
	struct engine_request request = {.policy_text = text, .policy_size = strlen(text)};
	struct error e = ERROR_INIT;
	struct box *b;
	if (engine_box(rig.engine, &request, NULL, &b, &e) < 0)
		fail_msg("%s", e.text);
	box_hold(b);
	assert_int_equal(box_state(b), BOX_MAKING);
	struct live *early = rig_sh(box_id(b), "exit 0");
	rig_box_gone(b);
	assert_non_null(box_fault(b));
	assert_int_equal(rig_end(early)->cause, CAUSE_SETUP_FAILED);
}

static void test_runs_that_come_before_the_box_is_made(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct engine_request request = {0};
	struct error e = ERROR_INIT;
	struct box *b;
	struct live *lives[5];
	assert_int_equal(engine_box(rig.engine, &request, NULL, &b, &e), 0);
	box_hold(b);
	for (int i = 0; i < 5; i++)
		lives[i] = rig_sh(box_id(b), "exit 3");
	live_cancel(lives[4], false, NULL, &e);
	for (int i = 0; i < 4; i++)
		assert_int_equal(rig_end(lives[i])->exit_code, 3);
	assert_int_equal(rig_end(lives[4])->cause, CAUSE_CANCELLED);
	remove_box(b);
}

/* ---- the end of a box ---- */

static void test_a_box_goes_with_runs_that_do_not_want_to(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box("{\"limits\": {\"grace\": \"300ms\"}}");
	struct error e = ERROR_INIT;
	struct live *lives[4];
	for (int i = 0; i < 4; i++)
		lives[i] = rig_sh(
			box_id(b), "trap '' TERM; setsid sleep 63 & echo on; sleep 63; sleep 63");
	for (int i = 0; i < 4; i++)
		rig_says(lives[i], "on");
	uint64_t before = time_monotonic_us();
	assert_int_equal(box_remove(b, false, &e), 0);
	assert_int_equal(box_state(b), BOX_STOPPING);
	for (int i = 0; i < 4; i++)
		assert_int_equal(rig_end(lives[i])->cause, CAUSE_CANCELLED);
	assert_in_range(time_monotonic_us() - before, 290000, 10 * US_PER_SEC);
	const char *argv[] = {"true", NULL};
	struct engine_request late = {.box = box_id(b), .request = {.argv = {.v = argv, .n = 1}}};
	struct live *l;
	assert_int_equal(engine_run(rig.engine, &late, NULL, &l, &e), -1);
	assert_int_equal(e.errnum, ESHUTDOWN);
	rig_box_gone(b);
	assert_null(box_fault(b));
	assert_int_equal(box_remove(b, false, &e), -1);
	assert_int_equal(e.errnum, ESHUTDOWN);
}

/* Those that wait for room are not forgotten: there may never be any. */
static void test_a_box_goes_with_runs_that_wait_for_room(void **state)
{
	(void)state;
	NEEDS_ROOT();
	const struct engine_options options = {
		.max_runs = 1, .max_boxes = 10, .max_queue = 5, .keep_ended = 3};
	struct error e = ERROR_INIT;
	rig_close();
	rig_open(&options);
	struct live *other = rig_sh(NULL, "sleep 66");
	rig_reach(other, LIVE_RUNNING);
	struct box *b = rig_box(NULL);
	struct live *waits = rig_sh(box_id(b), "exit 0");
	rig_quiet(20);
	assert_int_equal(live_state(waits), LIVE_QUEUED);
	assert_int_equal(box_remove(b, false, &e), 0);
	assert_int_equal(rig_end(waits)->cause, CAUSE_CANCELLED);
	rig_box_gone(b);
	assert_int_equal(live_state(other), LIVE_RUNNING);
	live_cancel(other, true, NULL, &e);
	rig_end(other);
}

static void test_a_box_is_removed_while_it_is_made(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct engine_request request = {0};
	struct error e = ERROR_INIT;
	for (int turns = 0; turns < 20; turns++) {
		struct box *b;
		assert_int_equal(engine_box(rig.engine, &request, NULL, &b, &e), 0);
		box_hold(b);
		for (int i = 0; i < turns; i++)
			uv_run(&rig.loop, UV_RUN_NOWAIT);
		remove_box(b);
	}
}

/* ---- who is killed by others ---- */

static void test_the_init_of_a_box_is_killed(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(NULL), *other = rig_box(NULL);
	struct live *lives[8], *beside = rig_sh(box_id(other), "echo on; sleep 0.5; exit 2");
	pid_t inits[2];
	for (int i = 0; i < 8; i++) {
		lives[i] = rig_sh(box_id(b), "echo on; sleep 64; exit 1");
		rig_says(lives[i], "on");
	}
	assert_int_equal(rig_find_children("bulkhead-init", inits, 2), 2);
	kill(inits[0], SIGKILL); /* the older one is the first */
	for (int i = 0; i < 8; i++) {
		struct told *t = rig_end(lives[i]);
		assert_int_equal(t->exit_code, -1);
		assert_int_not_equal(t->cause, CAUSE_OK);
	}
	rig_box_gone(b);
	assert_non_null(box_fault(b));
	assert_int_equal(rig_end(beside)->exit_code, 2);
	remove_box(other);
}

/* Those that run go on and keep their status; those that come have a new one. */
static void test_the_zygote_is_killed(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(NULL);
	struct engine_stats stats;
	struct live *lives[20];
	for (int round = 0; round < 5; round++) {
		pid_t zygote;
		for (int i = 0; i < 20; i++) {
			lives[i] = rig_sh(i % 2 ? box_id(b) : NULL, "sleep 0.05; exit 5");
			if (i == 3 * round) {
				assert_int_equal(
					rig_find_children("bulkhead-zygote", &zygote, 1), 1);
				kill(zygote, SIGKILL);
			}
			uv_run(&rig.loop, UV_RUN_NOWAIT);
		}
		for (int i = 0; i < 20; i++) {
			struct told *t = rig_end(lives[i]);
			if (t->cause != CAUSE_SETUP_FAILED)
				assert_int_equal(t->exit_code, 5);
		}
	}
	engine_stats(rig.engine, &stats);
	assert_true(stats.zygote_restarts >= 1);
	assert_int_equal(rig_end(rig_sh(box_id(b), "exit 6"))->exit_code, 6);
	remove_box(b);
}

/* ---- the end of all ---- */

static void test_stop_with_many_boxes_and_runs(void **state)
{
	(void)state;
	NEEDS_ROOT();
	static const char text[] = "{\"limits\": {\"grace\": \"300ms\"}}";
	struct box *boxes[30];
	struct live *lives[60];
	for (int i = 0; i < 30; i++) {
		boxes[i] = rig_box(text);
		box_let_go(boxes[i]);
		for (int k = 0; k < 2; k++)
			lives[2 * i + k] = rig_sh(box_id(boxes[i]),
				k ? "trap '' TERM; echo on; sleep 65; sleep 65"
				  : "echo on; sleep 65");
	}
	struct live *alone = rig_sh(NULL, "echo on; sleep 65");
	for (int i = 0; i < 60; i++)
		rig_says(lives[i], "on");
	rig_says(alone, "on");
	struct live *queued = rig_sh(NULL, "exit 1");
	live_let_go(queued);
	live_let_go(alone);
	for (int i = 0; i < 60; i++)
		live_let_go(lives[i]);
	uint64_t before = time_monotonic_us();
	size_t n = rig.n_told;
	struct error e = ERROR_INIT;
	rig_close();
	assert_in_range(time_monotonic_us() - before, 290000, 5 * US_PER_SEC + 300000);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(rig.told[i].cause, CAUSE_SHUTDOWN);
	(void)e;
}

static void on_stopped(void *data)
{
	++*(unsigned *)data;
}

static void test_a_stopped_engine_takes_nothing(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct error e = ERROR_INIT;
	const char *argv[] = {"true", NULL};
	struct engine_request run = {.request = {.argv = {.v = argv, .n = 1}}}, box = {0};
	struct live *l;
	struct box *b;
	unsigned stopped = 0;
	engine_stop(rig.engine, on_stopped, &stopped);
	engine_stop(rig.engine, on_stopped, &stopped);
	assert_int_equal(stopped, 0);
	assert_int_equal(engine_run(rig.engine, &run, NULL, &l, &e), -1);
	assert_int_equal(e.errnum, ESHUTDOWN);
	assert_int_equal(engine_box(rig.engine, &box, NULL, &b, &e), -1);
	assert_int_equal(e.errnum, ESHUTDOWN);
	rig_quiet(10);
	assert_int_equal(stopped, 1);
	rig.stopped = true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_runs_at_once_in_one_box),
		RIG_TEST(test_runs_in_a_box_share_it_and_nothing_else),
		RIG_TEST(test_many_runs_leave_nothing),
		RIG_TEST(test_a_run_is_ended_with_all_it_has_started),
		RIG_TEST(test_what_only_a_box_has_is_refused_for_its_runs),
		RIG_TEST(test_a_box_that_cannot_be_made),
		RIG_TEST(test_runs_that_come_before_the_box_is_made),
		RIG_TEST(test_a_box_goes_with_runs_that_do_not_want_to),
		RIG_TEST(test_a_box_goes_with_runs_that_wait_for_room),
		RIG_TEST(test_a_box_is_removed_while_it_is_made),
		RIG_TEST(test_the_init_of_a_box_is_killed),
		RIG_TEST(test_the_zygote_is_killed),
		RIG_TEST(test_stop_with_many_boxes_and_runs),
		RIG_TEST(test_a_stopped_engine_takes_nothing),
	};
	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests_name("run-engine-boxes", tests, NULL, NULL);
}
