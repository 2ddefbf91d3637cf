/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "run/test-engine.h"

/* Runs as a client of the engine sees them. */

#define SAYS(t, text) assert_non_null(strstr(buf_str(&(t)->output), text))

static struct live *run_argv(const char *const *argv, size_t n, struct engine_request request)
{
	const char *words[16] = {NULL};
	memcpy(words, argv, n * sizeof(*argv));
	request.request.argv = (struct strv){.v = words, .n = n};
	return rig_run(&request);
}

static struct live *sh(const char *script, struct engine_request request)
{
	const char *argv[] = {"sh", "-c", script};
	return run_argv(argv, 3, request);
}

static void test_a_run_ends_with_its_verdict(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct told *t = rig_end(rig_sh(NULL, "echo out; echo err >&2; exit 7"));
	assert_int_equal(t->cause, CAUSE_EXIT_NONZERO);
	assert_int_equal(t->exit_code, 7);
	SAYS(t, "out\n");
	SAYS(t, "err\n");
}

static void test_each_way_to_end(void **state)
{
	(void)state;
	NEEDS_ROOT();
	static const struct {
		const char *script;
		enum cause cause;
		int exit_code, signal;
	} ways[] = {
		{"exit 0", CAUSE_OK, 0, 0},
		{"exit 137", CAUSE_EXIT_NONZERO, 137, 0},
		{"kill -9 $$", CAUSE_CRASH, -1, SIGKILL},
		{"kill -SEGV $$", CAUSE_CRASH, -1, SIGSEGV},
	};
	struct live *lives[sizeof(ways) / sizeof(ways[0])];
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		lives[i] = rig_sh(NULL, ways[i].script);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct told *t = rig_end(lives[i]);
		assert_int_equal(t->cause, ways[i].cause);
		assert_int_equal(t->exit_code, ways[i].exit_code);
		assert_int_equal(t->term_signal, ways[i].signal);
	}
}

static void test_what_cannot_be_executed(void **state)
{
	(void)state;
	NEEDS_ROOT();
	static const char *const missing[] = {"no-such-program"}, *const not [] = {"/etc/hostname"};
	struct engine_request none = {0};
	assert_int_equal(rig_end(run_argv(missing, 1, none))->cause, CAUSE_NOT_FOUND);
	assert_int_equal(rig_end(run_argv(not, 1, none))->cause, CAUSE_NOT_EXECUTABLE);
}

static void test_limits_of_the_run(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct engine_request request = {0};
	struct request *r = &request.request;
	r->limit_given[LIMIT_TIMEOUT] = r->limit_given[LIMIT_NOFILE] = true;
	r->limits[LIMIT_TIMEOUT] = (struct limit_value){.set = true, .value = 2 * US_PER_SEC};
	r->limits[LIMIT_NOFILE] = (struct limit_value){.set = true, .value = 77};
	struct told *t = rig_end(sh("ulimit -n; sleep 60", request));
	assert_int_equal(t->cause, CAUSE_WALL_TIMEOUT);
	SAYS(t, "77\n");
}

static void test_the_memory_limit(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct engine_request request = {0};
	request.request.limit_given[LIMIT_MEMORY] = true;
	request.request.limits[LIMIT_MEMORY] = (struct limit_value){.set = true, .value = 16 << 20};
	struct told *t = rig_end(sh("x=$(head -c 100000000 /dev/zero | tr '\\0' x)", request));
	assert_int_equal(t->cause, CAUSE_MEMORY_LIMIT);
}

static void test_environment_and_directory(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct env_pair pair = {"GREETING", "hi there"};
	struct engine_request request = {.cwd = "/usr"};
	request.request.env = (struct policy_env){.set = &pair, .n_set = 1};
	setenv("SECRET_OF_THE_DAEMON", "x", 1);
	struct live *l = sh("pwd; env", request);
	char own[64];
	snprintf(own, sizeof(own), "BULKHEAD=%s\n", live_id(l));
	struct told *t = rig_end(l);
	unsetenv("SECRET_OF_THE_DAEMON");
	SAYS(t, "/usr\n");
	SAYS(t, "GREETING=hi there\n");
	SAYS(t, own);
	assert_null(strstr(buf_str(&t->output), "SECRET_OF_THE_DAEMON"));
	t = rig_end(rig_sh(NULL, "pwd; env"));
	SAYS(t, "/tmp\n");
	assert_null(strstr(buf_str(&t->output), "GREETING"));
}

/* ---- stdin ---- */

static void test_stdin_is_empty_or_all_that_was_said(void **state)
{
	(void)state;
	NEEDS_ROOT();
	static char much[300000];
	memset(much, 'x', sizeof(much));
	struct engine_request none = {0}, little = {.stdin_text = "abc\n", .stdin_size = 4},
			      large = {.stdin_text = much, .stdin_size = sizeof(much)};
	struct live *lives[] = {sh("wc -c", none), sh("wc -c", little), sh("wc -c", large)};
	static const char *const expected[] = {"0\n", "4\n", "300000\n"};
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(buf_str(&rig_end(lives[i])->output), expected[i]);
}

struct feeding {
	struct live_follower follower;
	size_t left;
};

static const char feed_part[4096] = {'y'};

static void feed(struct live_follower *f, struct live *l)
{
	struct feeding *feeding = (struct feeding *)f;
	struct error e = ERROR_INIT;
	ssize_t n = 1;
	while (feeding->left > 0 && n > 0) {
		size_t part = feeding->left < sizeof(feed_part) ? feeding->left : sizeof(feed_part);
		n = live_stdin(l, feed_part, part, &e);
		assert_true(n >= 0);
		feeding->left -= (size_t)n;
	}
	if (feeding->left == 0) {
		live_follow_no_more(f);
		assert_int_equal(live_stdin_close(l, &e), 0);
	}
}

/* A program that reads late: more than is held for it comes to it all the same. */
static void test_stdin_that_is_fed(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct engine_request request = {.stdin_open = true};
	struct feeding feeding = {.follower = {.told = feed}, .left = 1000000};
	struct error e = ERROR_INIT;
	struct live *l = sh("sleep 0.1; wc -c", request);
	live_follow(l, &feeding.follower);
	live_hold(l);
	struct told *t = rig_end(l);
	assert_int_equal(feeding.left, 0);
	assert_string_equal(buf_str(&t->output), "1000000\n");
	assert_int_equal(live_stdin(l, "x", 1, &e), -1);
	assert_int_equal(e.errnum, ESHUTDOWN);
	live_let_go(l);
	l = rig_sh(NULL, "sleep 60");
	rig_reach(l, LIVE_RUNNING);
	assert_int_equal(live_stdin(l, "x", 1, &e), -1);
	assert_int_equal(e.errnum, EBUSY);
	live_cancel(l, true, NULL, &e);
	rig_end(l);
}

static void test_a_program_that_closes_its_stdin(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct engine_request request = {.stdin_open = true};
	struct error e = ERROR_INIT;
	struct live *l = sh("exec <&-; echo closed; sleep 60", request);
	rig_says(l, "closed");
	assert_int_equal(live_stdin(l, "x", 1, &e), -1);
	assert_int_equal(e.errnum, EPIPE);
	live_cancel(l, true, NULL, &e);
	assert_int_equal(rig_end(l)->cause, CAUSE_CANCELLED);
}

/* ---- a terminal ---- */

static void test_a_terminal(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct engine_request request = {.rows = 33, .cols = 99};
	struct error e = ERROR_INIT;
	request.request.tty = true;
	struct live *l = sh("test -t 0 && test -t 1 && stty size; read a; stty size; "
			    "read b || echo end; echo got $a",
		request);
	assert_true(live_has_terminal(l));
	rig_says(l, "33 99");
	assert_int_equal(live_resize(l, 44, 111, &e), 0);
	assert_int_equal(live_stdin(l, "word\n", 5, &e), 5);
	rig_says(l, "44 111");
	assert_int_equal(live_stdin_close(l, &e), 0);
	struct told *t = rig_end(l);
	SAYS(t, "end");
	SAYS(t, "got word");
	assert_int_equal(t->cause, CAUSE_OK);
}

static void test_only_a_terminal_has_a_size(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct error e = ERROR_INIT;
	struct live *l = rig_sh(NULL, "sleep 60");
	assert_int_equal(live_resize(l, 44, 111, &e), -1);
	assert_int_equal(e.errnum, EBUSY);
	live_cancel(l, true, NULL, &e);
	rig_end(l);
}

/* ---- being asked to end ---- */

static void test_cancel_is_term_and_then_kill(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct engine_request request = {0};
	struct error e = ERROR_INIT;
	request.request.grace_given = true;
	request.request.grace_us = 30 * US_PER_SEC;
	struct live *polite = sh("trap 'echo bye; exit 3' TERM; echo on; sleep 60 & wait", request);
	request.request.grace_us = 200000;
	struct live *deaf = sh("trap '' TERM; echo on; sleep 60; sleep 60", request);
	rig_says(polite, "on");
	rig_says(deaf, "on");
	uint64_t before = time_monotonic_us();
	assert_int_equal(live_cancel(polite, false, NULL, &e), 0);
	assert_int_equal(live_cancel(deaf, false, NULL, &e), 0);
	struct told *t = rig_end(polite);
	SAYS(t, "bye");
	assert_int_equal(t->cause, CAUSE_CANCELLED);
	live_hold(deaf);
	assert_int_equal(rig_end(deaf)->cause, CAUSE_CANCELLED);
	assert_in_range(time_monotonic_us() - before, 190000, 10 * US_PER_SEC);
	assert_int_equal(live_cancel(deaf, false, NULL, &e), -1);
	assert_int_equal(e.errnum, ESHUTDOWN);
	live_let_go(deaf);
}

/* At each moment of its life, the first ones included. */
static void test_cancel_at_any_moment(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct error e = ERROR_INIT;
	for (int turns = 0; turns < 40; turns++) {
		struct live *l = rig_sh(NULL, "sleep 60");
		for (int i = 0; i < turns; i++)
			uv_run(&rig.loop, UV_RUN_NOWAIT);
		if (live_cancel(l, turns % 2, NULL, &e) < 0)
			fail_msg("%d: %s %s", turns, e.text, live_verdict_json(l));
		assert_int_equal(live_cancel(l, false, NULL, &e), 0);
		assert_int_equal(rig_end(l)->cause, CAUSE_CANCELLED);
	}
}

static void test_signals(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct error e = ERROR_INIT;
	struct live *l = rig_sh(NULL,
		"trap 'echo usr1' USR1; trap 'exit 9' TERM; echo on; "
		"while :; do sleep 0.05; done");
	assert_int_equal(live_signal(l, 0, NULL, &e), -1);
	assert_int_equal(e.errnum, EINVAL);
	rig_says(l, "on");
	assert_int_equal(live_signal(l, SIGUSR1, NULL, &e), 0);
	rig_says(l, "usr1");
	assert_int_equal(live_signal(l, SIGTERM, NULL, &e), 0);
	struct told *t = rig_end(l);
	assert_int_equal(t->exit_code, 9);
	l = rig_sh(NULL, "sleep 60");
	assert_int_equal(live_signal(l, SIGTERM, NULL, &e), 0); /* it waits in the queue */
	assert_int_equal(rig_end(l)->cause, CAUSE_CANCELLED);
	l = rig_sh(NULL, "sleep 60");
	rig_reach(l, LIVE_STARTING);
	assert_int_equal(live_signal(l, SIGTERM, NULL, &e), 0);
	assert_int_equal(rig_end(l)->cause, CAUSE_CANCELLED);
	l = rig_sh(NULL, "sleep 5");
	rig_reach(l, LIVE_STARTING);
	assert_int_equal(live_signal(l, SIGTERM, NULL, &e), 0);
	assert_int_equal(live_signal(l, SIGWINCH, NULL, &e), 0); /* not in place of that */
	assert_int_equal(rig_end(l)->cause, CAUSE_CANCELLED);
}

/* Who is named is who asked first. */
static void test_signals_that_come_early_are_kept(void **state)
{
	(void)state;
	NEEDS_ROOT();
	const struct engine_client first = {.uid = 4711}, second = {.uid = 4712};
	struct error e = ERROR_INIT;
	struct live *l = rig_sh(NULL, "sleep 5");
	rig_reach(l, LIVE_STARTING);
	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			assert_int_equal(live_signal(l, sig, &first, &e), 0);
	assert_int_equal(live_signal(l, SIGTERM, &second, &e), 0);
	struct told *t = rig_end(l);
	assert_int_equal(t->cause, CAUSE_CANCELLED);
	/* HUP, INT, QUIT and TERM: the others are no wish to end it; and what it left behind was ended */
	assert_in_range(t->n_acts, 4, 5);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(t->cancel_uids[i], first.uid);
}

/* ---- waiters ---- */

struct listener {
	struct live_waiter waiter;
	unsigned told;
	struct listener *takes_off;
};

static void on_told(struct live_waiter *w, struct live *l)
{
	struct listener *listener = (struct listener *)w;
	assert_int_equal(live_state(l), LIVE_ENDED);
	listener->told++;
	if (listener->takes_off)
		live_wait_no_more(&listener->takes_off->waiter);
}

static void test_all_waiters_are_told_once_whenever_they_come(void **state)
{
	(void)state;
	NEEDS_ROOT();
	static struct listener many[1000], gone, late;
	struct live *l = rig_sh(NULL, "exit 5");
	for (size_t i = 0; i < 1000; i++) {
		many[i] = (struct listener){.waiter = {.told = on_told}};
		live_wait(l, &many[i].waiter);
	}
	gone = late = (struct listener){.waiter = {.told = on_told}};
	live_wait(l, &gone.waiter);
	many[500].takes_off = &gone; /* one that may have been told before, or never is */
	live_wait(l, &late.waiter);
	live_wait_no_more(&late.waiter);
	live_wait_no_more(&late.waiter);
	live_hold(l);
	rig_end(l);
	rig_quiet(10);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(many[i].told, 1);
	assert_int_equal(late.told, 0);
	assert_true(gone.told <= 1);
	live_wait(l, &late.waiter);
	assert_int_equal(late.told, 0); /* not from within the call */
	rig_quiet(1);
	assert_int_equal(late.told, 1);
	live_let_go(l);
}

/* ---- who may start ---- */

static int refused(struct engine_request request)
{
	struct error e = ERROR_INIT;
	struct live *l;
	static const struct engine_client client = {.uid = 0};
	const char *argv[] = {"true", NULL};
	request.request.argv = (struct strv){.v = argv, .n = 1};
	assert_int_equal(engine_run(rig.engine, &request, &client, &l, &e), -1);
	assert_true(e.text[0] != 0);
	return e.errnum;
}

static void test_requests_that_make_no_sense(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct engine_request none = {0}, policy = {0}, text = {0}, cwd = {.cwd = "relative"},
			      box = {.box = "0000000000000000"};
	struct error e = ERROR_INIT;
	struct live *l;
	assert_int_equal(engine_run(rig.engine, &none, NULL, &l, &e), -1);
	assert_int_equal(e.errnum, EINVAL);
	policy.request.policy = "no-such-policy";
	text.policy_text = "{\"limits\": 7}";
	text.policy_size = strlen(text.policy_text);
	assert_int_equal(refused(policy), ENOENT);
	assert_int_equal(refused(text), EINVAL);
	assert_int_equal(refused(cwd), EINVAL);
	assert_int_equal(refused(box), ENOENT);
	assert_null(engine_find_run(rig.engine, "0000000000000000"));
}

static void test_the_queue_is_bounded_and_goes_on(void **state)
{
	(void)state;
	NEEDS_ROOT();
	const struct engine_options options = {
		.max_runs = 2, .max_boxes = 10, .max_queue = 5, .keep_ended = 3};
	struct live *lives[5];
	struct engine_stats stats;
	struct engine_request none = {0}, large = {0};
	rig_close();
	rig_open(&options);
	for (int i = 0; i < 5; i++)
		lives[i] = rig_sh(NULL, "exit 4");
	assert_int_equal(refused(none), EAGAIN);
	large.request.limit_given[LIMIT_MEMORY] = true;
	large.request.limits[LIMIT_MEMORY] = (struct limit_value){.set = true, .value = 1ull << 60};
	assert_int_equal(refused(large), EDQUOT);
	engine_stats(rig.engine, &stats);
	assert_int_equal(stats.queued, 5);
	assert_int_equal(stats.refused_total, 2);
	for (int i = 0; i < 5; i++) {
		engine_stats(rig.engine, &stats);
		assert_true(stats.starting + stats.running <= 2);
		assert_int_equal(rig_end(lives[i])->exit_code, 4);
	}
	engine_stats(rig.engine, &stats);
	assert_int_equal(stats.runs_total, 5);
	assert_int_equal(stats.runs_by_cause[CAUSE_EXIT_NONZERO], 5);
	assert_int_equal(stats.queued + stats.starting + stats.running, 0);
}

/* Each way out of the queue: nothing was taken for them, and what another one holds is still held. */
static void test_who_leaves_the_queue_gives_nothing_back(void **state)
{
	(void)state;
	NEEDS_ROOT();
	const struct engine_options options = {
		.max_runs = 1, .max_boxes = 10, .max_queue = 5, .keep_ended = 9};
	struct error e = ERROR_INIT;
	struct engine_stats before, now;
	rig_close();
	rig_open(&options);
	struct live *first = rig_sh(NULL, "sleep 60");
	rig_reach(first, LIVE_RUNNING);
	engine_stats(rig.engine, &before);
	struct live *cancelled = rig_sh(NULL, "sleep 60"), *signalled = rig_sh(NULL, "sleep 60");
	struct live *last = rig_sh(NULL, "exit 4");
	assert_int_equal(live_cancel(cancelled, false, NULL, &e), 0);
	assert_int_equal(rig_end(cancelled)->cause, CAUSE_CANCELLED);
	assert_int_equal(live_signal(signalled, SIGTERM, NULL, &e), 0);
	assert_int_equal(rig_end(signalled)->cause, CAUSE_CANCELLED);
	rig_quiet(50); /* in which one that had found room would have begun */
	engine_stats(rig.engine, &now);
	assert_int_equal(now.memory_promised_bytes, before.memory_promised_bytes);
	assert_int_equal(live_state(last), LIVE_QUEUED);
	live_cancel(first, true, NULL, &e);
	rig_end(first);
	assert_int_equal(rig_end(last)->exit_code, 4);
}

static void count(void *data, struct live *l)
{
	(void)l;
	++*(unsigned *)data;
}

static void test_ended_runs_are_remembered_for_a_while(void **state)
{
	(void)state;
	NEEDS_ROOT();
	const struct engine_options options = {
		.max_runs = 2, .max_boxes = 10, .max_queue = 5, .keep_ended = 3};
	char first[RUN_ID_SIZE], last[RUN_ID_SIZE];
	unsigned n = 0;
	rig_close();
	rig_open(&options);
	for (int i = 0; i < 5; i++) {
		struct live *l = rig_sh(NULL, "exit 4");
		strcpy(i == 0 ? first : last, live_id(l));
		rig_end(l);
	}
	rig_quiet(10);
	engine_each_run(rig.engine, count, &n);
	assert_int_equal(n, 3);
	assert_null(engine_find_run(rig.engine, first));
	assert_non_null(engine_find_run(rig.engine, last));
	assert_non_null(live_verdict_json(engine_find_run(rig.engine, last)));
}

static void add_verdict(void *data, struct live *l)
{
	*(size_t *)data += strlen(live_verdict_json(l));
}

static void test_long_verdicts_are_remembered_for_less_long(void **state)
{
	static char word[65000];
	const char *argv[] = {"true", word};
	const struct engine_request none = {0};
	size_t each = 0, all = 0;
	unsigned n = 0;
	(void)state;
	NEEDS_ROOT();
	memset(word, 0x7f, sizeof(word) - 1); /* six bytes in JSON */
	for (int i = 0; i < 60; i++) {
		struct live *l = run_argv(argv, 2, none);
		rig_end(l);
		each = strlen(live_verdict_json(l));
	}
	rig_quiet(10);
	engine_each_run(rig.engine, count, &n);
	engine_each_run(rig.engine, add_verdict, &all);
	assert_true(n < 60 && all <= ENGINE_ENDED_BYTES_MAX);
	assert_true(all > ENGINE_ENDED_BYTES_MAX - 2 * each); /* and no fewer than may be */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_a_run_ends_with_its_verdict),
		RIG_TEST(test_each_way_to_end),
		RIG_TEST(test_what_cannot_be_executed),
		RIG_TEST(test_limits_of_the_run),
		RIG_TEST(test_the_memory_limit),
		RIG_TEST(test_environment_and_directory),
		RIG_TEST(test_stdin_is_empty_or_all_that_was_said),
		RIG_TEST(test_stdin_that_is_fed),
		RIG_TEST(test_a_program_that_closes_its_stdin),
		RIG_TEST(test_a_terminal),
		RIG_TEST(test_only_a_terminal_has_a_size),
		RIG_TEST(test_cancel_is_term_and_then_kill),
		RIG_TEST(test_cancel_at_any_moment),
		RIG_TEST(test_signals),
		RIG_TEST(test_signals_that_come_early_are_kept),
		RIG_TEST(test_all_waiters_are_told_once_whenever_they_come),
		RIG_TEST(test_requests_that_make_no_sense),
		RIG_TEST(test_the_queue_is_bounded_and_goes_on),
		RIG_TEST(test_who_leaves_the_queue_gives_nothing_back),
		RIG_TEST(test_ended_runs_are_remembered_for_a_while),
		RIG_TEST(test_long_verdicts_are_remembered_for_less_long),
	};
	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests_name("run-engine", tests, NULL, NULL);
}
