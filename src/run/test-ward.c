/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>

#include "run/engine-internal.h"
#include "run/test-engine.h"

/*
 * Wardens of an engine's boxes that end at each point: the test's own, which do as PATH says
 * (test-warden-double.c). Whatever becomes of them each run ends, once, and no warden is left.
 */

static char directory[64], mark[96];

static int setup(void **state)
{
	strcpy(directory, "/tmp/bulkhead-ward-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(mark, sizeof(mark), "%s/mark", directory);
	return rig_setup(state);
}

static int teardown(void **state)
{
	unlink(mark);
	return rmdir(directory) | rig_teardown(state);
}

/* Of wardens that all do as @mode says, or only the first one. */
static const char *policy(const char *mode, bool once)
{
	static char text[512];
	snprintf(text, sizeof(text),
		"extends: default\nenv: {set: {PATH: \"%s%s%s%s\"}}\n"
		"exec: {mode: enforce, rules: [{deny: touch}]}\n",
		mode, once ? ":" : "", once ? mark : "",
		once || strcmp(mode, "judge") == 0 ? ":/usr/bin:/bin" : "");
	return text;
}

static struct live *begin(const char *policy_text, struct box *b, const char *script)
{
	const char *argv[] = {"/bin/sh", "-c", script, NULL};
	const struct engine_request request = {.request = {.argv = {.v = argv, .n = 3}},
		.policy_text = policy_text,
		.policy_size = policy_text ? strlen(policy_text) : 0,
		.box = b ? box_id(b) : NULL,
		.stdin_open = true};
	return rig_run(&request);
}

#define GOOD "/bin/true && exit 7"

static struct live *in_box(struct box *b)
{
	return begin(NULL, b, GOOD);
}

static struct live *alone(const char *policy_text)
{
	return begin(policy_text, NULL, GOOD);
}

/* Wait for its end, and let it go. */
static void exits_with(struct live *l, int code)
{
	char verdict[1024];
	rig_reach(l, LIVE_ENDED);
	snprintf(verdict, sizeof(verdict), "%s", live_verdict_json(l));
	if (rig_end(l)->exit_code != code)
		fail_msg("not %d: %s", code, verdict);
}

static void remove_box(struct box *b)
{
	struct error e = ERROR_INIT;
	assert_int_equal(box_remove(b, true, &e), 0);
	rig_box_gone(b);
}

/* ---- what the engine has of wardens ---- */

static struct engine_stats stats(void)
{
	struct engine_stats s;
	engine_stats(rig.engine, &s);
	return s;
}

static unsigned n_awaiting(void)
{
	unsigned n = 0;
	for (const struct ward *w = rig.engine->wards; w; w = w->next)
		for (const struct body *b = w->awaiting; b; b = b->next_awaiting)
			n++;
	return n;
}

static bool is_awaited(void *data)
{
	return n_awaiting() == *(unsigned *)data;
}

static void until_awaited_by(unsigned runs)
{
	rig_until(is_awaited, &runs);
}

static bool is_serving(void *data)
{
	(void)data;
	return rig.engine->wards && rig.engine->wards->warden.state == WARDEN_SERVING;
}

static bool are_as_many(void *data)
{
	return rig.engine->n_wards == *(unsigned *)data;
}

static void until_wards(unsigned n)
{
	rig_until(are_as_many, &n);
}

static bool were_lost(void *data)
{
	return stats().wardens_lost == *(uint64_t *)data;
}

static void until_lost(uint64_t n)
{
	rig_until(were_lost, &n);
}

/* The newest. */
static pid_t warden_pid(void)
{
	assert_non_null(rig.engine->wards);
	assert_true(rig.engine->wards->warden.pid > 0);
	return rig.engine->wards->warden.pid;
}

/* Of one that does so once: it has come so far that the next one will judge. */
static void signal_first(int sig)
{
	uint64_t deadline = time_monotonic_us() + 60 * US_PER_SEC;
	while (access(mark, F_OK) < 0) {
		assert_true(time_monotonic_us() < deadline);
		usleep(1000);
	}
	assert_int_equal(kill(warden_pid(), sig), 0);
}

/* It is dead when this returns, of which the loop has not heard. */
static void kill_unseen(pid_t pid)
{
	siginfo_t info;
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

/* ---- in good order ---- */

static void test_one_for_all_runs_of_a_box(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(policy("judge", false));
	struct live *first = begin(NULL, b, "/bin/touch /tmp/x; echo up; read x; exit 3");
	struct live *second = begin(NULL, b, "/bin/true; echo up; read x; exit 4");
	struct error e = ERROR_INIT;
	rig_says(first, "up");
	rig_says(second, "up");
	assert_int_equal(rig.engine->n_wards, 1);
	assert_int_equal(rig.engine->wards->holders, 3);
	assert_int_equal(stats().wardens, 1);
	live_stdin_close(first, &e);
	live_stdin_close(second, &e);
	exits_with(first, 3);
	exits_with(second, 4);
	assert_int_equal(rig.engine->wards->holders, 1);
	assert_int_equal(stats().execs_started, 3);
	assert_int_equal(stats().execs_refused, 1);
	remove_box(b);
	assert_int_equal(rig.engine->n_wards, 0);
	assert_int_equal(stats().wardens + stats().wardens_lost, 0);
}

static void test_one_of_a_run_alone(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct live *l = begin(policy("judge", false), NULL, "echo up; read x; exit 3");
	struct error e = ERROR_INIT;
	rig_says(l, "up");
	assert_int_equal(stats().wardens, 1);
	live_stdin_close(l, &e);
	exits_with(l, 3);
	until_wards(0);
	assert_int_equal(stats().wardens + stats().wardens_lost, 0);
}

/* ---- it ends while it starts ---- */

static void test_killed_while_it_starts(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(policy("mute", true));
	struct live *lives[3];
	for (int i = 0; i < 3; i++)
		lives[i] = in_box(b);
	until_awaited_by(3);
	assert_int_equal(rig.engine->n_wards, 1);
	signal_first(SIGKILL);
	for (int i = 0; i < 3; i++)
		exits_with(lives[i], 7);
	until_wards(1);
	assert_int_equal(rig.engine->wards->holders, 1);
	assert_int_equal(stats().wardens, 1);
	assert_int_equal(stats().wardens_lost, 1);
	remove_box(b);
}

static void test_killed_while_it_starts_for_one(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct live *l = alone(policy("mute", true));
	until_awaited_by(1);
	signal_first(SIGKILL);
	exits_with(l, 7);
	assert_int_equal(stats().wardens_lost, 1);
	until_wards(0);
}

/* Who was not ready for a reason of its own is not tried again: nothing of that will be another time. */
static void test_stopped_while_it_starts(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(policy("mute", true));
	struct live *l = in_box(b);
	until_awaited_by(1);
	signal_first(SIGSTOP);
	rig_reach(l, LIVE_ENDED);
	assert_non_null(strstr(live_verdict_json(l), "was stopped by a signal"));
	assert_int_equal(rig_end(l)->cause, CAUSE_SETUP_FAILED);
	assert_int_equal(stats().wardens_lost, 1);
	assert_int_equal(box_state(b), BOX_READY);
	exits_with(in_box(b), 7);
	remove_box(b);
}

/* ---- each one ends ---- */

/* However @mode's wardens end, a run of them ends in setup_failed, of which @why is said. */
static void fails_with(struct live *l, const char *why)
{
	rig_reach(l, LIVE_ENDED);
	if (!strstr(live_verdict_json(l), why))
		fail_msg("no '%s': %s", why, live_verdict_json(l));
	assert_int_equal(rig_end(l)->cause, CAUSE_SETUP_FAILED);
}

static void test_each_one_dies(void **state)
{
	static const struct {
		const char *mode, *why;
		uint64_t least, most; /* that are lost by two runs at a time in a box */
	} rows[] = {
		{"die", "the warden of the exec policy ended with status 3", 2, 6},
		{"garbage", "said something that it may not say", 1, 4},
		{"drop", "the warden of the exec policy", 1, 6},
	};
	(void)state;
	NEEDS_ROOT();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct box *b = rig_box(policy(rows[i].mode, false));
		uint64_t before = stats().wardens_lost;
		struct live *first = in_box(b), *second = in_box(b);
		fails_with(first, rows[i].why);
		fails_with(second, rows[i].why);
		uint64_t lost = stats().wardens_lost - before;
		assert_in_range(lost, rows[i].least, rows[i].most);
		assert_int_equal(box_state(b), BOX_READY);
		remove_box(b);
		fails_with(alone(policy(rows[i].mode, false)), rows[i].why);
		until_wards(0);
	}
}

static bool is_warden(pid_t pid)
{
	const struct ward *w = rig.engine->wards;
	while (w && w->warden.pid != pid)
		w = w->next;
	return w && pid > 0;
}

/*
 * Each one gets ready when the loop waits for its word, and is dead when that is read: then there is nobody who could
 * be given the run.
 */
static unsigned n_left;

static bool ends_among_the_dead(void *data)
{
	pid_t pids[8];
	siginfo_t info;
	unsigned n = 0;
	for (const struct ward *w = rig.engine->wards; w && n < 8; w = w->next)
		pids[n++] = w->warden.pid;
	uv_run(&rig.loop, UV_RUN_NOWAIT);
	for (unsigned i = 0; i < n; i++)
		if (is_warden(pids[i]) && kill(pids[i], SIGUSR1) == 0)
			n_left += waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOWAIT) == 0;
	assert_true(n_left < 10); /* else without end */
	return live_state(data) == LIVE_ENDED;
}

/* For the loop to turn. */
static void on_often(uv_timer_t *timer)
{
	(void)timer;
}

static void block(int how)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(how, &set, NULL);
}

static void fails_among_the_dead(struct live *l)
{
	n_left = 0;
	rig_until(ends_among_the_dead, l);
	assert_in_range(n_left, 2, 4);
	assert_int_equal(rig_end(l)->cause, CAUSE_SETUP_FAILED);
}

static void test_each_one_leaves_when_it_is_ready(void **state)
{
	uv_timer_t often;
	(void)state;
	NEEDS_ROOT();
	uv_timer_init(&rig.loop, &often);
	uv_timer_start(&often, on_often, 5, 5);
	block(SIG_BLOCK); /* wardens have it blocked, too: they wait for it */
	struct box *b = rig_box(policy("leave", false));
	fails_among_the_dead(in_box(b));
	assert_int_equal(box_state(b), BOX_READY);
	remove_box(b);
	fails_among_the_dead(alone(policy("leave", false)));
	until_wards(0);
	block(SIG_UNBLOCK);
	uv_close((uv_handle_t *)&often, NULL);
	uv_run(&rig.loop, UV_RUN_NOWAIT);
}

/* ---- it ends before, when and after a run is given to it ---- */

static void test_killed_before_a_run(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(policy("judge", false));
	rig_until(is_serving, NULL);
	kill(warden_pid(), SIGKILL);
	until_lost(1);
	assert_int_equal(stats().wardens, 0); /* the box has one, and it is dead */
	assert_int_equal(rig.engine->n_wards, 1);
	exits_with(in_box(b), 7);
	until_wards(1);
	assert_int_equal(stats().wardens, 1);
	for (int i = 0; i < 5; i++) {
		kill_unseen(warden_pid());
		struct live *first = in_box(b), *second = in_box(b);
		exits_with(first, 7);
		exits_with(second, 7);
	}
	until_lost(6);
	until_wards(1);
	remove_box(b);
}

/* It has the run, and has answered nobody yet. */
static void test_killed_with_a_run(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(policy("drop", true));
	struct live *first = in_box(b), *second = in_box(b);
	exits_with(first, 7);
	exits_with(second, 7);
	assert_int_equal(stats().wardens_lost, 1);
	until_wards(1);
	remove_box(b);
	unlink(mark);
	struct live *l = alone(policy("drop", true));
	exits_with(l, 7);
	assert_int_equal(stats().wardens_lost, 2);
	until_wards(0);
}

static bool has_a_run(void *data)
{
	(void)data;
	return rig.engine->wards && rig.engine->wards->holders > 1 && is_serving(NULL);
}

static void test_killed_while_the_payload_waits(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(policy("deaf", true));
	struct live *l = in_box(b);
	rig_until(has_a_run, NULL);
	rig_quiet(50);
	assert_int_equal(live_state(l), LIVE_STARTING);
	kill(warden_pid(), SIGKILL);
	exits_with(l, 7);
	assert_int_equal(stats().wardens_lost, 1);
	until_wards(1);
	remove_box(b);
}

#define EXECUTES_FOR_EVER "/bin/true; echo up; while /bin/true; do :; done; exit 9"

static void test_killed_during_runs(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(policy("judge", false));
	struct live *runs[2], *rests = begin(NULL, b, "echo up; read x; /bin/true || exit 5");
	struct error e = ERROR_INIT;
	for (int i = 0; i < 2; i++)
		runs[i] = begin(NULL, b, EXECUTES_FOR_EVER);
	for (int i = 0; i < 2; i++)
		rig_says(runs[i], "up");
	rig_says(rests, "up");
	kill(warden_pid(), SIGKILL);
	for (int i = 0; i < 2; i++) {
		exits_with(runs[i], 9);
	}
	/* the one that rests has the old one still, the next run has another */
	exits_with(in_box(b), 7);
	assert_int_equal(rig.engine->n_wards, 2);
	assert_int_equal(stats().wardens, 1);
	live_stdin_close(rests, &e);
	rig_reach(rests, LIVE_ENDED);
	assert_non_null(strstr(live_verdict_json(rests), "\"why\":\"was killed by signal 9\""));
	exits_with(rests, 5);
	until_wards(1);
	assert_int_equal(stats().wardens_lost, 1);
	remove_box(b);
	assert_int_equal(stats().wardens, 0);
}

static void test_killed_after_a_run(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(policy("judge", false));
	exits_with(in_box(b), 7);
	kill(warden_pid(), SIGKILL);
	until_lost(1);
	remove_box(b);
	until_wards(0);
	assert_int_equal(stats().wardens, 0);
}

/* ---- whoever waits for it goes ---- */

static void test_one_that_waits_is_cancelled(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(policy("mute", true));
	struct live *goes = in_box(b), *stays = in_box(b);
	struct error e = ERROR_INIT;
	until_awaited_by(2);
	live_cancel(goes, true, NULL, &e);
	assert_int_equal(rig_end(goes)->cause, CAUSE_CANCELLED);
	assert_int_equal(n_awaiting(), 1);
	signal_first(SIGKILL);
	exits_with(stays, 7);
	remove_box(b);
	unlink(mark);
	goes = alone(policy("mute", true));
	until_awaited_by(1);
	live_cancel(goes, true, NULL, &e);
	assert_int_equal(rig_end(goes)->cause, CAUSE_CANCELLED);
	until_wards(0);
	assert_int_equal(stats().wardens_lost, 1);
}

static void test_a_box_is_removed_while_it_starts(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(policy("mute", false));
	struct live *l = in_box(b);
	until_awaited_by(1);
	remove_box(b);
	assert_int_equal(rig_end(l)->exit_code, -1);
	assert_int_equal(rig.engine->n_wards, 0);
	assert_int_equal(stats().wardens_lost, 0);
}

static void test_the_engine_stops_while_they_start(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct box *b = rig_box(policy("mute", false));
	struct live *lives[] = {in_box(b), in_box(b), alone(policy("mute", false))};
	until_awaited_by(3);
	for (int i = 0; i < 3; i++)
		live_let_go(lives[i]);
	box_let_go(b);
	rig_close();
}

#define WARD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WARD_TEST(test_one_for_all_runs_of_a_box),
		WARD_TEST(test_one_of_a_run_alone),
		WARD_TEST(test_killed_while_it_starts),
		WARD_TEST(test_killed_while_it_starts_for_one),
		WARD_TEST(test_stopped_while_it_starts),
		WARD_TEST(test_each_one_dies),
		WARD_TEST(test_each_one_leaves_when_it_is_ready),
		WARD_TEST(test_killed_before_a_run),
		WARD_TEST(test_killed_with_a_run),
		WARD_TEST(test_killed_while_the_payload_waits),
		WARD_TEST(test_killed_during_runs),
		WARD_TEST(test_killed_after_a_run),
		WARD_TEST(test_one_that_waits_is_cancelled),
		WARD_TEST(test_a_box_is_removed_while_it_starts),
		WARD_TEST(test_the_engine_stops_while_they_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
