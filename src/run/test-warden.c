/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/time.h"
#include "run/test-tracer.h"
#include "run/warden.h"

/* The supervisor's end, with wardens that behave (test-warden-double.c) and that do not. */

struct scene {
	uv_loop_t loop;
	uv_timer_t look;
	struct warden w;
	unsigned ready, gone, closed;
	bool expected;
};

static void on_ready(struct warden *w)
{
	((struct scene *)w->hooks.data)->ready++;
}

static void on_gone(struct warden *w, bool expected)
{
	struct scene *s = w->hooks.data;
	s->gone++;
	s->expected = expected;
	assert_int_equal(w->state, WARDEN_GONE);
	assert_true(w->why[0]);
	assert_null(strpbrk(w->why, "\x1b\n"));
}

/* SIGCHLD in the place where a supervisor has it; at every turn. */
static void on_look(uv_timer_t *timer)
{
	warden_look(&((struct scene *)timer->data)->w);
}

static void begin(struct scene *s, const char *mode)
{
	static const struct policy_exec policy = {.mode = EXEC_ENFORCE, .default_allow = true};
	const struct warden_hooks hooks = {.ready = on_ready, .gone = on_gone, .data = s};
	struct error e = ERROR_INIT;
	*s = (struct scene){0};
	uv_loop_init(&s->loop);
	uv_timer_init(&s->loop, &s->look);
	s->look.data = s;
	uv_timer_start(&s->look, on_look, 5, 5);
	if (warden_start(&s->w, &s->loop, &policy, mode, &hooks, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(s->w.state, WARDEN_STARTING);
}

static void until(struct scene *s, enum warden_state state)
{
	uint64_t end = time_monotonic_us() + 30 * US_PER_SEC;
	while (s->w.state != state && time_monotonic_us() < end)
		uv_run(&s->loop, UV_RUN_ONCE);
	assert_int_equal(s->w.state, state);
}

static void on_closed(struct warden *w)
{
	((struct scene *)w->hooks.data)->closed++;
}

static void end(struct scene *s)
{
	warden_close(&s->w, on_closed);
	uv_close((uv_handle_t *)&s->look, NULL);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	assert_int_equal(s->closed, 1);
	assert_int_equal(uv_loop_close(&s->loop), 0);
}

static void test_good_order(void **state)
{
	struct scene s;
	(void)state;
	begin(&s, "/bin:/usr/bin");
	until(&s, WARDEN_SERVING);
	assert_int_equal(s.ready, 1);
	warden_shut_down(&s.w);
	warden_shut_down(&s.w);
	until(&s, WARDEN_GONE);
	assert_int_equal(s.gone, 1);
	assert_true(s.expected && !s.w.late);
	warden_shut_down(&s.w);
	warden_kill(&s.w, "too late");
	assert_int_equal(s.w.state, WARDEN_GONE);
	end(&s);
}

/* Kept from the CPU for as long as it may take, we find that to be over, and its READY. */
static void test_ready_in_time(void **state)
{
	struct scene s;
	(void)state;
	begin(&s, "/bin");
	struct pollfd ready = {.fd = s.w.control, .events = POLLIN};
	assert_int_equal(poll(&ready, 1, 30000), 1);
	uv_timer_start(&s.w.bound, s.w.bound.timer_cb, 0, 0);
	until(&s, WARDEN_SERVING);
	assert_string_equal(s.w.why, "");
	warden_shut_down(&s.w);
	until(&s, WARDEN_GONE);
	assert_true(s.expected);
	end(&s);
}

static void test_never_ready(void **state)
{
	struct scene s;
	(void)state;
	begin(&s, "mute");
	uv_timer_start(&s.w.bound, s.w.bound.timer_cb, 0, 0);
	until(&s, WARDEN_GONE);
	assert_false(s.expected);
	assert_string_equal(s.w.why, "did not get ready in time");
	end(&s);
}

static void test_shut_down_before_ready(void **state)
{
	struct scene s;
	(void)state;
	begin(&s, "/bin");
	warden_shut_down(&s.w);
	until(&s, WARDEN_GONE);
	assert_int_equal(s.ready, 0);
	assert_true(s.expected);
	end(&s);
}

static void test_bad_ends(void **state)
{
	static const struct {
		const char *mode, *why;
	} cases[] = {
		{"die", "ended with status 3"},
		{"refuse", "refused to serve: no ?[31mlistener"},
		{"garbage", "said something that it may not say"},
		{"stop", "was stopped by a signal, and therefore killed"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene s;
		begin(&s, cases[i].mode);
		until(&s, WARDEN_GONE);
		assert_int_equal(s.gone, 1);
		assert_false(s.expected);
		assert_string_equal(s.w.why, cases[i].why);
		end(&s);
	}
}

/* Whoever does not hear is waited for no longer than was promised. */
static void test_deaf(void **state)
{
	struct scene s;
	(void)state;
	begin(&s, "deaf");
	until(&s, WARDEN_SERVING);
	uint64_t from = time_monotonic_us();
	warden_shut_down(&s.w);
	until(&s, WARDEN_GONE);
	assert_true(s.w.late && s.expected);
	assert_true(time_monotonic_us() - from >= (WARDEN_DRAIN_MS - 50) * 1000ull);
	end(&s);
}

static void test_killed(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct warden_run run = WARDEN_RUN_INIT;
	struct observation o = {.exec = {.mode = EXEC_ENFORCE}};
	struct scene s;
	(void)state;
	begin(&s, "deaf");
	until(&s, WARDEN_SERVING);
	warden_kill(&s.w, "held something up");
	warden_tell(&s.w, &run, &o, &a); /* of a run that has ended of it before its end is told */
	assert_true(o.exec.warden_lost);
	assert_string_equal(o.exec.lost_why, "held something up");
	until(&s, WARDEN_GONE);
	assert_string_equal(s.w.why, "held something up");
	assert_false(s.expected);
	end(&s);
}

static void test_closed_alive(void **state)
{
	struct scene s;
	(void)state;
	begin(&s, "deaf");
	end(&s);
	assert_int_equal(s.gone, 0);
}

/* ---- traced, by one who does not care for its end ---- */

/* It is gone at once; its status is waited for without going round, and without keeping anybody. */
static void test_an_end_that_is_held_up(void **state)
{
	struct scene s;
	unsigned turns = 0;
	(void)state;
	begin(&s, "/bin");
	until(&s, WARDEN_SERVING);
	uv_timer_stop(&s.look);
	pid_t pid = s.w.pid, tracer = start_tracer(pid, 0);
	warden_shut_down(&s.w);
	until(&s, WARDEN_GONE);
	assert_true(s.expected && !s.w.late);
	assert_int_equal(s.gone, 1);
	warden_close(&s.w, on_closed);
	for (uint64_t end = time_monotonic_us() + US_PER_SEC / 2; time_monotonic_us() < end;
		turns++)
		uv_run(&s.loop, UV_RUN_ONCE);
	assert_int_equal(s.closed, 0);
	assert_in_range(turns, 1, 40);
	end_tracer(tracer);
	uv_close((uv_handle_t *)&s.look, NULL);
	uv_run(&s.loop, UV_RUN_DEFAULT);
	assert_int_equal(s.closed, 1);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
	assert_int_equal(uv_loop_close(&s.loop), 0);
}

/* As if what it may take were over. */
static void run_out(struct scene *s)
{
	uv_timer_start(&s->w.bound, s->w.bound.timer_cb, 0, 0);
}

/* A tracer can stop it on its way out, where no second KILL reaches it. */
static void test_one_that_cannot_be_killed(void **state)
{
	struct scene s;
	(void)state;
	begin(&s, "deaf");
	until(&s, WARDEN_SERVING);
	pid_t pid = s.w.pid, tracer = start_tracer(pid, PTRACE_O_TRACEEXIT);
	warden_shut_down(&s.w);
	run_out(&s);
	while (!s.w.killed)
		uv_run(&s.loop, UV_RUN_ONCE);
	run_out(&s);
	until(&s, WARDEN_GONE);
	assert_true(s.w.late && s.expected);
	assert_string_equal(s.w.why, "was killed, and does not end");
	end_tracer(tracer);
	end(&s);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
}

static const struct warden_run_spec spec = {.started_us = 1, .audit = -1, .stderr_fd = -1};

/* What is on the board is copied, cut to its fields, and never trusted to end. */
static void test_board(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct scene s;
	struct warden_run run = WARDEN_RUN_INIT;
	struct observation o = {.exec = {.mode = EXEC_ENFORCE}};
	struct error e = ERROR_INIT;
	(void)state;
	begin(&s, "board");
	until(&s, WARDEN_SERVING);
	assert_int_equal(warden_add_run(&s.w, &spec, &run, &e), 0);
	assert_true(run.socket >= 0);
	until(&s, WARDEN_GONE); /* READY once more is what it may not say */
	warden_tell(&s.w, &run, &o, &a);
	const struct observed_exec *x = &o.exec;
	assert_int_equal(x->mode, EXEC_ENFORCE);
	assert_int_equal(x->started, 5);
	assert_int_equal(x->refused, 2);
	assert_true(x->warden_lost && x->lost_why && x->lost_at_us > 0);
	assert_false(x->first_refused.known || x->payload.known);
	assert_int_equal(strlen(x->last_refused.rule), 256);
	assert_int_equal(x->last_refused.argv.n, 1);
	assert_int_equal(strlen(x->last_refused.argv.v[0]), 2048);
	assert_int_equal(x->first_killed.at_us, 77);
	assert_int_equal(x->first_killed.argv.n, 3);
	assert_string_equal(x->first_killed.argv.v[1], "");
	assert_string_equal(x->first_killed.argv.v[2], "push");
	assert_string_equal(x->first_killed.real_executable, "/bin/rm");
	assert_null(x->first_killed.hint);
	assert_int_equal(x->first_killed.real_argv.n, 0);
	warden_end_run(&run);
	end(&s);
}

/* One that does not read at once is not to be told more than it has room for, but later. */
static void test_no_room(void **state)
{
	struct scene s;
	struct warden_run run = WARDEN_RUN_INIT;
	struct error e = ERROR_INIT;
	unsigned n = 0;
	(void)state;
	begin(&s, "/bin");
	until(&s, WARDEN_SERVING);
	uv_timer_stop(&s.look); /* it would be killed for this */
	kill(s.w.pid, SIGSTOP);
	for (; n < 10000 && warden_add_run(&s.w, &spec, &run, &e) == 0; n++)
		warden_end_run(&run);
	assert_int_equal(e.errnum, EAGAIN);
	assert_true(n > 10);
	uv_run(&s.loop, UV_RUN_NOWAIT);
	assert_int_equal(s.ready, 1);
	kill(s.w.pid, SIGCONT);
	for (uint64_t end = time_monotonic_us() + 30 * US_PER_SEC;
		s.ready == 1 && time_monotonic_us() < end;)
		uv_run(&s.loop, UV_RUN_ONCE);
	assert_int_equal(s.ready, 2);
	assert_int_equal(warden_add_run(&s.w, &spec, &run, &e), 0);
	warden_end_run(&run);
	warden_shut_down(&s.w);
	until(&s, WARDEN_GONE);
	assert_int_equal(s.ready, 2);
	end(&s);
}

static void test_no_run_without_a_warden(void **state)
{
	struct scene s;
	struct warden_run run = WARDEN_RUN_INIT;
	struct error e = ERROR_INIT;
	(void)state;
	begin(&s, "die");
	assert_int_equal(warden_add_run(&s.w, &spec, &run, &e), -1);
	until(&s, WARDEN_GONE);
	e = ERROR_INIT;
	assert_int_equal(warden_add_run(&s.w, &spec, &run, &e), -1);
	assert_string_equal(e.text, "the warden ended with status 3");
	assert_null(run.board);
	end(&s);
}

static void stop_polling(uv_poll_t *handle, int status, int events)
{
	(void)status;
	(void)events;
	uv_poll_stop(handle);
}

/* The loop can watch the process, and not the socket: for it there is a handle with that number already. */
static void test_nobody_can_listen(void **state)
{
	struct scene s;
	uv_poll_t other;
	int ends[2];
	static const struct policy_exec policy = {.mode = EXEC_ENFORCE};
	const struct warden_hooks hooks = {.ready = on_ready, .gone = on_gone, .data = &s};
	struct error e = ERROR_INIT;
	(void)state;
	s = (struct scene){0};
	uv_loop_init(&s.loop);
	uv_timer_init(&s.loop, &s.look);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(uv_poll_init(&s.loop, &other, ends[0]), 0);
	uv_poll_start(&other, UV_READABLE, stop_polling);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(warden_start(&s.w, &s.loop, &policy, "/bin", &hooks, &e), 0);
	assert_int_equal(s.w.control, ends[0]);
	until(&s, WARDEN_GONE);
	assert_false(s.expected);
	assert_int_equal(s.ready, 0);
	assert_string_equal(s.w.why, "could not be listened to, and was killed");
	uv_close((uv_handle_t *)&other, NULL);
	end(&s);
}

static void test_long_path(void **state)
{
	struct scene s = {0};
	struct warden w;
	struct error e = ERROR_INIT;
	const struct policy_exec policy = {.mode = EXEC_ENFORCE};
	const struct warden_hooks hooks = {.ready = on_ready, .gone = on_gone, .data = &s};
	char path[5000];
	(void)state;
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = 0;
	uv_loop_init(&s.loop);
	assert_int_equal(warden_start(&w, &s.loop, &policy, path, &hooks, &e), -1);
	assert_int_equal(e.blame, BLAME_REQUEST);
	assert_int_equal(w.state, WARDEN_NONE);
	assert_int_equal(uv_loop_close(&s.loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_order),
		cmocka_unit_test(test_ready_in_time),
		cmocka_unit_test(test_never_ready),
		cmocka_unit_test(test_shut_down_before_ready),
		cmocka_unit_test(test_bad_ends),
		cmocka_unit_test(test_deaf),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_closed_alive),
		cmocka_unit_test(test_an_end_that_is_held_up),
		cmocka_unit_test(test_one_that_cannot_be_killed),
		cmocka_unit_test(test_board),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_no_run_without_a_warden),
		cmocka_unit_test(test_nobody_can_listen),
		cmocka_unit_test(test_long_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
