/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/resource.h>
#include <sys/stat.h>

#include "run/test-engine.h"

/* What there is not enough of: descriptors, at each point where one is needed. */

static struct rlimit before;

/* So many more than there are now. */
static void allow(int more)
{
	struct rlimit limit = {
		.rlim_cur = (rlim_t)(rig_count_fds() + more), .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void allow_all(void)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static bool holds_as_many(void *data)
{
	engine_tidy(rig.engine);
	return rig_count_fds() == *(int *)data;
}

/* Each is right or says what is wrong with the host, and all is as it was then. */
static void test_runs_without_descriptors(void **state)
{
	(void)state;
	NEEDS_ROOT();
	unsigned right = 0, wrong = 0;
	getrlimit(RLIMIT_NOFILE, &before);
	rig_end(rig_sh(NULL, "sleep 0.2; exit 3")); /* long enough for all that is opened once */
	rig_settle();
	int fds = rig_count_fds();
	for (int more = 0; more < 70; more++) {
		allow(more);
		struct live *l = rig_sh(NULL, "exit 3");
		struct told *t = rig_end(l);
		rig_quiet(2);
		allow_all();
		right += t->exit_code == 3;
		wrong += t->cause == CAUSE_SETUP_FAILED;
		if (t->exit_code != 3)
			assert_int_equal(t->cause, CAUSE_SETUP_FAILED);
	}
	assert_true(right > 0 && wrong > 0);
	assert_int_equal(rig_end(rig_sh(NULL, "exit 3"))->exit_code, 3);
	rig_until(holds_as_many, &fds);
}

static void test_a_box_without_descriptors(void **state)
{
	(void)state;
	NEEDS_ROOT();
	getrlimit(RLIMIT_NOFILE, &before);
	struct box *b = rig_box(NULL);
	rig_end(rig_sh(box_id(b), "sleep 0.2; exit 3"));
	rig_settle();
	int fds = rig_count_fds();
	for (int more = 0; more < 60; more++) {
		allow(more);
		struct live *l = rig_sh(box_id(b), "exit 3"), *m = rig_sh(box_id(b), "exit 3");
		struct told *t = rig_end(l), *u = rig_end(m);
		rig_quiet(2);
		allow_all();
		if (t->exit_code != 3)
			assert_int_equal(t->cause, CAUSE_SETUP_FAILED);
		if (u->exit_code != 3)
			assert_int_equal(u->cause, CAUSE_SETUP_FAILED);
		assert_int_equal(box_state(b), BOX_READY);
		/* and the next finds all that it needs, the parked one included */
		assert_int_equal(rig_end(rig_sh(box_id(b), "exit 4"))->exit_code, 4);
		rig_quiet(2);
	}
	rig_until(holds_as_many, &fds);
	struct error e = ERROR_INIT;
	box_remove(b, true, &e);
	rig_box_gone(b);
}

struct gone {
	struct box_waiter waiter;
	bool told;
};

static void on_made(struct box_waiter *w, struct box *b)
{
	(void)b;
	((struct gone *)w)->told = true;
}

static bool was_made(void *data)
{
	return ((struct gone *)data)->told;
}

static void test_boxes_are_made_without_descriptors(void **state)
{
	(void)state;
	NEEDS_ROOT();
	unsigned right = 0, wrong = 0;
	getrlimit(RLIMIT_NOFILE, &before);
	for (int more = 0; more < 50; more++) {
		struct engine_request request = {0};
		struct gone made = {.waiter = {.told = on_made}};
		struct error e = ERROR_INIT;
		struct box *b = NULL;
		allow(more);
		int r = engine_box(rig.engine, &request, NULL, &b, &e);
		if (r == 0) {
			box_hold(b);
			box_wait_made(b, &made.waiter);
			rig_until(was_made, &made);
		} else {
			assert_int_equal(e.blame, BLAME_HOST);
		}
		rig_quiet(2);
		allow_all();
		right += r == 0 && box_state(b) == BOX_READY;
		wrong += r < 0 || box_fault(b) != NULL;
		if (r == 0 && box_state(b) == BOX_READY)
			box_remove(b, true, &e);
		if (r == 0)
			rig_box_gone(b);
	}
	assert_true(right > 0 && wrong > 0);
	assert_int_equal(right + wrong, 50);
}

/* The pool as well. */
static void test_a_pool_without_descriptors(void **state)
{
	(void)state;
	NEEDS_ROOT();
	char path[] = "/tmp/bulkhead-pool-XXXXXX";
	static const char text[] = "extends: default\npool: {size: 3}\n";
	static const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	const char *argv[] = {"true", NULL};
	struct engine_request request = {.request = {.argv = {.v = argv, .n = 1}, .policy = path}};
	int fd = mkstemp(path);
	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	assert_int_equal(futimens(fd, long_ago), 0);
	close(fd);
	getrlimit(RLIMIT_NOFILE, &before);
	for (int more = 0; more < 80; more += 3) {
		allow(more);
		struct told *t = rig_end(rig_run(&request));
		rig_quiet(5);
		allow_all();
		assert_true(t->cause == CAUSE_OK || t->cause == CAUSE_SETUP_FAILED);
		assert_int_equal(rig_end(rig_run(&request))->cause, CAUSE_OK);
	}
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_runs_without_descriptors),
		RIG_TEST(test_a_box_without_descriptors),
		RIG_TEST(test_boxes_are_made_without_descriptors),
		RIG_TEST(test_a_pool_without_descriptors),
	};
	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests_name("run-engine-faults", tests, NULL, NULL);
}
