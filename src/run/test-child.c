/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "run/child.h"
#include "run/test-tracer.h"

/* Children that are watched and reaped, of whom one is traced by another. */

struct scene {
	uv_loop_t loop;
	struct child child;
	pid_t pid, tracer;
	int status; /* of its end; -1: not told */
	unsigned held_up, ended, closed;
};

static void on_ended(struct child *c, int status)
{
	struct scene *s = c->data;
	s->status = status;
	s->ended++;
}

static void on_held_up(struct child *c)
{
	struct scene *s = c->data;
	assert_int_equal(s->ended, 0);
	assert_true(child_has_ended(c));
	s->held_up++;
}

static void on_closed(uv_handle_t *handle)
{
	((struct scene *)handle->data)->closed++;
}

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	*state = s;
	alarm(60);
	if (!s || uv_loop_init(&s->loop) != 0)
		return -1;
	s->status = -1;
	s->pid = start_traceable();
	s->child = CHILD_INIT;
	s->child.data = s;
	s->child.ended = on_ended;
	s->child.held_up = on_held_up;
	return child_watch_take(&s->child, &s->loop, child_open(s->pid));
}

static int teardown(void **state)
{
	struct scene *s = *state;
	if (s->tracer) {
		kill(s->tracer, SIGKILL);
		waitpid(s->tracer, NULL, 0);
	}
	unsigned closing = child_fini(&s->child, on_closed, s);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	int r = s->closed == closing ? uv_loop_close(&s->loop) : -1;
	if (s->ended == 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	free(s);
	alarm(0);
	return r;
}

static void until_ended(struct scene *s)
{
	while (s->ended == 0)
		uv_run(&s->loop, UV_RUN_ONCE);
	assert_int_equal(s->ended, 1);
	assert_int_equal(s->status, 128 + SIGKILL);
	assert_int_equal(waitpid(s->pid, NULL, WNOHANG), -1);
}

static void test_an_end_is_told(void **state)
{
	struct scene *s = *state;
	assert_false(child_has_ended(&s->child));
	child_signal(&s->child, SIGKILL);
	until_ended(s);
	assert_int_equal(s->held_up, 0);
	assert_true(child_has_ended(&s->child));
}

static void test_a_tracer_does_not_make_us_busy(void **state)
{
	struct scene *s = *state;
	unsigned turns = 0;
	s->tracer = start_tracer(s->pid, 0);
	child_signal(&s->child, SIGKILL);
	uint64_t until = time_monotonic_us() + US_PER_SEC / 2;
	while (time_monotonic_us() < until) {
		uv_run(&s->loop, UV_RUN_ONCE);
		turns++;
	}
	assert_int_equal(s->ended, 0);
	assert_int_equal(s->held_up, 1);
	assert_in_range(turns, 1, 40);
	end_tracer(s->tracer);
	s->tracer = 0;
	until_ended(s);
	assert_int_equal(s->held_up, 1);
}

static void test_one_that_is_held_up_is_let_go(void **state)
{
	struct scene *s = *state;
	s->tracer = start_tracer(s->pid, 0);
	child_signal(&s->child, SIGKILL);
	while (s->held_up == 0)
		uv_run(&s->loop, UV_RUN_ONCE);
	int pidfd = child_take(&s->child);
	assert_true(pidfd >= 0);
	close(pidfd);
	assert_int_equal(child_take(&s->child), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_end_is_told),
		TEST(test_a_tracer_does_not_make_us_busy),
		TEST(test_one_that_is_held_up_is_let_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
