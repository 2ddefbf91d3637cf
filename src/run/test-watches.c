/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "run/host.h"
#include "run/watch.h"

/* Many runs on one loop, as a daemon has them, each with real processes and a group of its own. */

#define RUNS     8
#define GRACE_US (20 * US_PER_SEC)

struct one {
	struct watch w;
	struct observation o;
	struct policy policy;
	struct plan plan;
	struct arena a;
	struct subject subject;
	struct group *group;
	pid_t init;
	char id[16];
	char order[8]; /* s: settled, g: gone, c: closed */
	bool held; /* init had not been told when it settled */
	struct error left;
};

struct many {
	uv_loop_t loop;
	struct host host;
	struct arena a;
	struct one one[RUNS];
};

static void note(struct one *r, char what)
{
	size_t n = strlen(r->order);
	assert_true(n + 1 < sizeof(r->order));
	r->order[n] = what;
}

static void on_settled(void *data)
{
	struct one *r = data;
	note(r, 's');
	r->held = r->subject.life_fd >= 0;
	watch_conclude(&r->w);
}

static void on_closed(void *data, const struct error *left)
{
	struct one *r = data;
	note(r, 'c');
	r->left = *left;
	r->group = NULL;
}

static void on_gone(void *data)
{
	struct one *r = data;
	note(r, 'g');
	watch_close(&r->w, on_closed);
}

static int setup(void **state)
{
	struct many *m = calloc(1, sizeof(*m));
	*state = m;
	if (!m || uv_loop_init(&m->loop) != 0)
		return -1;
	alarm(60);
	host_probe(&m->host, &m->a, false);
	for (int i = 0; i < RUNS; i++) {
		struct one *r = &m->one[i];
		snprintf(r->id, sizeof(r->id), "many%d", i);
		r->plan.policy = &r->policy;
		r->policy.limits.grace_us = GRACE_US;
		r->policy.limits.oom = OOM_GROUP;
		r->subject = SUBJECT_INIT;
	}
	return 0;
}

static int teardown(void **state)
{
	struct many *m = *state;
	int left = 0;
	for (int i = 0; i < RUNS; i++) {
		struct one *r = &m->one[i];
		if (r->init > 0) {
			kill(r->init, SIGKILL);
			waitpid(r->init, NULL, 0);
		}
		left |= r->group != NULL;
		subject_fini(&r->subject);
		arena_fini(&r->a);
	}
	int r = uv_loop_close(&m->loop);
	arena_fini(&m->a);
	free(m);
	alarm(0);
	return r || left ? -1 : 0;
}

static bool has_groups(const struct many *m)
{
	return m->host.cgroup.rung != RUNG_NONE;
}

static void enter(const struct group_entry *entry)
{
	for (unsigned i = 0; i < entry->n_tasks; i++)
		if (write(entry->tasks[i], "0", 1) != 1)
			_exit(100);
	if (entry->into_fd >= 0 && entry->n_tasks == 0 &&
		file_write_text(entry->into_fd, "cgroup.procs", "0") < 0)
		_exit(101);
	if (entry->into_fd >= 0 && entry->n_tasks > 0)
		file_write_text(entry->into_fd, "cgroup.procs", "0");
}

/* @leftover: it has a child that stays, and that does as it likes about TERM. */
struct behaviour {
	int exit_code; /* -1: it stays until it is killed */
	bool leftover, stubborn;
};

/* @ready is closed when all is arranged. */
static void behave(const struct behaviour *b, int ready)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	signal(SIGSEGV, SIG_DFL); /* of cmocka, which is not in here */
	if (b->stubborn)
		signal(SIGTERM, SIG_IGN);
	if (b->leftover && fork() == 0) {
		close(ready);
		for (;;)
			pause();
	}
	close(ready);
	while (b->exit_code < 0)
		pause();
	_exit(b->exit_code);
}

static pid_t start_process(const struct group *group, const struct behaviour *b, int *ret_pidfd)
{
	int ready[2];
	char byte;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (group)
			enter(group_entry(group));
		close(ready[0]);
		behave(b, ready[1]);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	close(ready[0]);
	*ret_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(pid > 0 && *ret_pidfd >= 0);
	return pid;
}

static void init_watch(struct many *m, struct one *r)
{
	const struct watch_spec spec = {.loop = &m->loop,
		.plan = &r->plan,
		.host = &m->host,
		.o = &r->o,
		.a = &r->a,
		.subject = &r->subject,
		.group = r->group,
		.prompt = true,
		.guarded = true,
		.began_us = time_monotonic_us(),
		.hooks = {r, on_settled, on_gone, NULL, NULL}};
	watch_init(&r->w, &spec);
	watch_begin(&r->w);
}

static void open_group(struct many *m, struct one *r)
{
	enum enforced_by by[LIMIT_COUNT_] = {ENFORCED_NONE};
	const struct group_spec spec = {
		.id = r->id, .limits = &r->policy.limits, .oom_group = true};
	struct error e = ERROR_INIT;
	if (has_groups(m) && group_open(&r->group, &m->host.cgroup, &spec, by, &e) < 0)
		fail_msg("%s", e.text);
}

/* As a run in a kept box: without an init of its own. */
static void start_kept(struct many *m, struct one *r, const struct behaviour *b)
{
	open_group(m, r);
	r->subject.kept = true;
	init_watch(m, r);
	r->subject.payload = start_process(r->group, b, &r->subject.payload_pidfd);
	watch_started(&r->w);
}

static void run_out(struct many *m)
{
	uv_run(&m->loop, UV_RUN_DEFAULT);
}

static void run_until(struct many *m, const struct one *r, enum watch_state state)
{
	while (r->w.state < state)
		assert_int_not_equal(uv_run(&m->loop, UV_RUN_ONCE), 0);
}

static void ended(const struct one *r)
{
	assert_string_equal(r->order, "sgc");
	if (r->left.blame != BLAME_NONE)
		fail_msg("%s", r->left.text);
	assert_true(r->subject.payload_reaped || r->subject.payload_pidfd < 0);
}

static void test_each_has_its_own_end(void **state)
{
	struct many *m = *state;
	for (int i = 0; i < RUNS; i++)
		start_kept(m, &m->one[i], &(struct behaviour){.exit_code = 40 + i});
	run_out(m);
	for (int i = 0; i < RUNS; i++) {
		ended(&m->one[i]);
		assert_int_equal(m->one[i].o.wait, WAIT_EXITED);
		assert_int_equal(m->one[i].o.exit_code, 40 + i);
		assert_int_equal(m->one[i].o.n_acts, 0);
	}
}

/* One is killed: the others do not notice, until they are told themselves. */
static void test_one_is_killed_and_the_others_are_not(void **state)
{
	struct many *m = *state;
	for (int i = 0; i < RUNS; i++)
		start_kept(m, &m->one[i], &(struct behaviour){.exit_code = -1, .leftover = true});
	killer_kill(&m->one[3].w, ACT_WALL_TIMEOUT, 7);
	run_until(m, &m->one[3], WATCH_GONE);
	for (int i = 0; i < RUNS; i++)
		assert_int_equal(m->one[i].w.state, i == 3 ? WATCH_GONE : WATCH_RUNNING);
	for (int i = 0; i < RUNS; i++)
		killer_stop(&m->one[i].w, ACT_SHUTDOWN, 0);
	run_out(m);
	for (int i = 0; i < RUNS; i++) {
		ended(&m->one[i]);
		assert_int_equal(m->one[i].o.wait, WAIT_SIGNALED);
		assert_int_equal(m->one[i].o.term_signal, i == 3 ? SIGKILL : SIGTERM);
		assert_int_equal(
			m->one[i].o.acts[0].reason, i == 3 ? ACT_WALL_TIMEOUT : ACT_SHUTDOWN);
	}
}

/* ---- what a run in a kept box leaves behind ---- */

static void test_leftovers_are_asked_to_go(void **state)
{
	struct many *m = *state;
	struct one *r = &m->one[0];
	start_kept(m, r, &(struct behaviour){.exit_code = 5, .leftover = true});
	run_out(m);
	ended(r);
	assert_int_equal(r->o.exit_code, 5);
	assert_int_equal(r->o.n_acts, 1);
	assert_int_equal(r->o.acts[0].reason, ACT_LEFTOVER);
	assert_int_equal(r->o.acts[0].signal, SIGTERM);
	assert_int_equal(r->o.kill_us, 0);
}

static void test_leftovers_that_do_not_go_are_killed(void **state)
{
	struct many *m = *state;
	struct one *r = &m->one[0];
	r->policy.limits.grace_us = 2000;
	start_kept(m, r, &(struct behaviour){.exit_code = 0, .leftover = true, .stubborn = true});
	run_out(m);
	ended(r);
	assert_int_equal(r->o.n_acts, 2);
	assert_int_equal(r->o.acts[1].reason, ACT_LEFTOVER);
	assert_int_equal(r->o.acts[1].signal, SIGKILL);
	assert_true(r->o.kill_us > 0);
}

/* What stopped the program is why those are killed that it leaves. */
static void test_leftovers_of_what_was_stopped(void **state)
{
	struct many *m = *state;
	struct one *r = &m->one[0];
	r->policy.limits.grace_us = 2000;
	start_kept(m, r, &(struct behaviour){.exit_code = -1, .leftover = true, .stubborn = true});
	killer_stop(&r->w, ACT_WALL_TIMEOUT, 9);
	run_out(m);
	ended(r);
	assert_int_equal(r->o.term_signal, SIGKILL);
	for (size_t i = 0; i < r->o.n_acts; i++)
		assert_int_equal(r->o.acts[i].reason, ACT_WALL_TIMEOUT);
}

/* Without groups by descent and session: slower, and as well as can be. */
static void test_without_groups(void **state)
{
	struct many *m = *state;
	struct one *r = &m->one[0], *other = &m->one[1];
	m->host.cgroup = (struct host_cgroup){.rung = RUNG_NONE};
	r->policy.limits.grace_us = 2000;
	start_kept(m, r, &(struct behaviour){.exit_code = 6, .leftover = true, .stubborn = true});
	start_kept(m, other, &(struct behaviour){.exit_code = -1, .leftover = true});
	run_until(m, r, WATCH_GONE);
	assert_int_equal(other->w.state, WATCH_RUNNING);
	killer_kill(&other->w, ACT_CANCELLED, 0);
	run_out(m);
	ended(r);
	ended(other);
	assert_int_equal(r->o.exit_code, 6);
	assert_int_equal(r->o.acts[1].signal, SIGKILL);
}

/* ---- before it runs ---- */

static const struct setup_failure failure = {
	.stage = SETUP_BOX, .errnum = 5, .blame = BLAME_HOST, .what = "it failed"};

static void failed(const struct one *r, const char *what)
{
	ended(r);
	assert_int_equal(r->o.wait, WAIT_NEVER_STARTED);
	assert_string_equal(r->o.setup.what, what);
	assert_int_equal(r->o.n_acts, 0);
}

static void test_what_fails_before_there_is_anybody(void **state)
{
	struct many *m = *state;
	struct one *r = &m->one[0];
	open_group(m, r);
	r->subject.kept = true;
	init_watch(m, r);
	watch_failed(&r->w, &failure);
	assert_string_equal(r->order, "sg");
	run_out(m);
	failed(r, "it failed");
}

/* A parked process is ended with what it was parked for. */
static void test_what_fails_with_a_parked_process(void **state)
{
	struct many *m = *state;
	struct one *r = &m->one[0];
	open_group(m, r);
	r->subject.kept = true;
	init_watch(m, r);
	r->subject.payload = start_process(
		r->group, &(struct behaviour){.exit_code = -1}, &r->subject.payload_pidfd);
	watch_failed(&r->w, &failure);
	assert_string_equal(r->order, "");
	run_out(m);
	failed(r, "it failed");
}

static void test_a_kill_while_it_starts(void **state)
{
	struct many *m = *state;
	struct one *r = &m->one[0];
	open_group(m, r);
	r->subject.kept = true;
	init_watch(m, r);
	r->subject.payload = start_process(
		r->group, &(struct behaviour){.exit_code = -1}, &r->subject.payload_pidfd);
	killer_stop_for(&r->w, false, 77, 88);
	assert_int_equal(r->w.state, WATCH_STARTING);
	watch_started(&r->w); /* as the end of the talk looks like */
	run_out(m);
	ended(r);
	assert_int_equal(r->o.term_signal, SIGKILL);
	assert_int_equal(r->o.acts[0].reason, ACT_CANCELLED);
	assert_int_equal(r->o.acts[0].cancel_pid, 77);
	assert_int_equal(r->o.acts[0].cancel_uid, 88);
}

/* Who writes has started: the news of that may come after the output. */
static void test_too_much_output_while_it_starts(void **state)
{
	struct many *m = *state;
	struct one *r = &m->one[0];
	open_group(m, r);
	r->subject.kept = true;
	init_watch(m, r);
	r->subject.payload = start_process(
		r->group, &(struct behaviour){.exit_code = -1}, &r->subject.payload_pidfd);
	killer_kill_for_output(&r->w, 1234);
	assert_int_equal(r->o.n_acts, 0);
	assert_int_equal(r->w.state, WATCH_STARTING);
	watch_started(&r->w);
	assert_int_equal(r->w.state, WATCH_KILLING);
	run_out(m);
	ended(r);
	assert_int_equal(r->o.term_signal, SIGKILL);
	assert_int_equal(r->o.n_acts, 1);
	assert_int_equal(r->o.acts[0].reason, ACT_OUTPUT_LIMIT);
	assert_int_equal(r->o.acts[0].measured, 1234);
}

static void on_kill(void *data)
{
	note(data, 'k');
}

/* Whoever makes the box is told, and says how it went. */
static void test_a_kill_before_there_is_anybody(void **state)
{
	struct many *m = *state;
	struct one *r = &m->one[0];
	open_group(m, r);
	r->subject.kept = true;
	init_watch(m, r);
	r->w.at.hooks.kill = on_kill;
	killer_stop_for(&r->w, true, 77, 88);
	assert_string_equal(r->order, "k");
	watch_failed(&r->w, &failure);
	run_out(m);
	assert_string_equal(r->order, "ksgc");
	assert_int_equal(r->o.wait, WAIT_NEVER_STARTED);
	assert_int_equal(r->o.acts[0].reason, ACT_CANCELLED);
}

static void test_the_box_goes_while_it_starts(void **state)
{
	struct many *m = *state;
	struct one *r = &m->one[0];
	open_group(m, r);
	r->subject.kept = true;
	init_watch(m, r);
	watch_box_gone(&r->w, "its box has ended");
	run_out(m);
	failed(r, "its box has ended");
}

/* The kernel kills all in it: that is nobody's act of ours. */
static void test_the_box_goes_while_it_runs(void **state)
{
	struct many *m = *state;
	struct one *r = &m->one[0];
	start_kept(m, r, &(struct behaviour){.exit_code = -1});
	watch_box_gone(&r->w, "its box has ended");
	killer_stop(&r->w, ACT_SHUTDOWN, 0);
	kill(r->subject.payload, SIGKILL);
	run_out(m);
	ended(r);
	assert_int_equal(r->o.term_signal, SIGKILL);
	assert_int_equal(r->o.n_acts, 0);
}

static void test_one_that_never_began_is_closed(void **state)
{
	struct many *m = *state;
	struct one *r = &m->one[0];
	open_group(m, r);
	r->subject.kept = true;
	init_watch(m, r);
	watch_close(&r->w, on_closed);
	assert_string_equal(r->order, "");
	run_out(m);
	assert_string_equal(r->order, "c");
}

/* ---- signals that somebody asks for ---- */

static void test_a_signal_that_ends_it_is_a_cancel(void **state)
{
	static const int signals[] = {SIGUSR1, SIGTERM, SIGKILL, SIGALRM};
	struct many *m = *state;
	for (size_t i = 0; i < 4; i++) {
		start_kept(m, &m->one[i], &(struct behaviour){.exit_code = -1});
		killer_signal(&m->one[i].w, SIGWINCH, 1, 1);
		killer_signal(&m->one[i].w, signals[i], 42, 43);
	}
	run_out(m);
	for (size_t i = 0; i < 4; i++) {
		const struct observation *o = &m->one[i].o;
		ended(&m->one[i]);
		assert_int_equal(o->term_signal, signals[i]);
		assert_int_equal(o->n_acts, 1);
		assert_int_equal(o->acts[0].reason, ACT_CANCELLED);
		assert_int_equal(o->acts[0].signal, signals[i]);
		assert_int_equal(o->acts[0].cancel_pid, 42);
		assert_int_equal(o->acts[0].cancel_uid, 43);
	}
}

/* One that it lives through says nothing about its end. */
static void test_a_signal_that_does_not_end_it(void **state)
{
	struct many *m = *state;
	struct one *r = &m->one[0];
	start_kept(m, r, &(struct behaviour){.exit_code = -1});
	killer_signal(&r->w, SIGWINCH, 42, 43);
	kill(r->subject.payload, SIGSEGV);
	run_out(m);
	ended(r);
	assert_int_equal(r->o.term_signal, SIGSEGV);
	assert_int_equal(r->o.n_acts, 0);
	killer_signal(&r->w, SIGTERM, 42, 43);
	assert_int_equal(r->o.n_acts, 0);
}

/* ---- a box of its own ---- */

/* The verdict does not wait for init, which the kernel is still taking down. */
static void test_a_box_of_its_own(void **state)
{
	struct many *m = *state;
	struct one *r = &m->one[0];
	char word;
	int life[2];
	if (!has_groups(m))
		skip();
	open_group(m, r);
	init_watch(m, r);
	assert_int_equal(pipe2(life, O_NONBLOCK), 0);
	r->subject.life_fd = life[1];
	r->init = r->subject.init =
		start_process(NULL, &(struct behaviour){.exit_code = -1}, &r->subject.init_pidfd);
	r->subject.payload = start_process(
		r->group, &(struct behaviour){.exit_code = 9}, &r->subject.payload_pidfd);
	watch_started(&r->w);
	run_until(m, r, WATCH_SETTLING);
	assert_string_equal(r->order, "s");
	assert_int_equal(r->o.exit_code, 9);
	assert_true(r->held);
	while (r->subject.life_fd >= 0)
		uv_run(&m->loop, UV_RUN_ONCE);
	assert_int_equal(read(life[0], &word, 1), 1);
	close(life[0]);
	kill(r->init, SIGKILL);
	run_out(m);
	ended(r);
	assert_true(r->subject.init_reaped);
	r->init = 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_has_its_own_end),
		TEST(test_one_is_killed_and_the_others_are_not),
		TEST(test_leftovers_are_asked_to_go),
		TEST(test_leftovers_that_do_not_go_are_killed),
		TEST(test_leftovers_of_what_was_stopped),
		TEST(test_without_groups),
		TEST(test_what_fails_before_there_is_anybody),
		TEST(test_what_fails_with_a_parked_process),
		TEST(test_a_kill_while_it_starts),
		TEST(test_too_much_output_while_it_starts),
		TEST(test_a_kill_before_there_is_anybody),
		TEST(test_the_box_goes_while_it_starts),
		TEST(test_the_box_goes_while_it_runs),
		TEST(test_one_that_never_began_is_closed),
		TEST(test_a_signal_that_ends_it_is_a_cancel),
		TEST(test_a_signal_that_does_not_end_it),
		TEST(test_a_box_of_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
