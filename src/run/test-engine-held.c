/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>

#include "run/engine-internal.h"
#include "run/test-engine.h"
#include "run/test-tracer.h"

/* Processes whose end somebody holds up who traces them, in boxes and outside of them. */

/* Whom we fork from now on is born in the pid namespace of @pid. */
static void bear_in(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(setns(fd, CLONE_NEWPID), 0);
	close(fd);
}

/* How they call @pid who are in its own namespace. */
static pid_t number_inside(pid_t pid)
{
	char path[64], text[4096];
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	assert_true(file_read_text(-1, path, text, sizeof(text)) > 0);
	char *line = strstr(text, "\nNSpid:\t");
	assert_non_null(line);
	line[1 + strcspn(line + 1, "\n")] = 0;
	return (pid_t)strtol(strrchr(line, '\t'), NULL, 10);
}

/* ---- kept boxes ---- */

/* Whose run was given up long ago: nobody waits for it, and the kernel's end of the box does. */
static void test_a_box_ends_when_a_tracer_lets_go(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct error e = ERROR_INIT;
	struct box *b = rig_box(NULL);
	bear_in(b->inside.init.pid);
	pid_t given_up = start_traceable();
	bear_in(getpid());
	pid_t tracer = start_tracer(given_up, 0);
	assert_int_equal(box_remove(b, true, &e), 0);
	rig_quiet(1500); /* it has been looked for */
	assert_int_equal(box_state(b), BOX_STOPPING);
	end_tracer(tracer);
	rig_box_gone(b);
}

/* It goes with init: the one who is parked is not waited for before that. */
static void test_a_tracer_in_the_box_holds_up_nothing(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct error e = ERROR_INIT;
	struct box *b = rig_box(NULL);
	pid_t parked = talk_payload_pid(&b->spare->talk);
	bear_in(b->inside.init.pid);
	start_tracer(number_inside(parked), 0);
	bear_in(getpid());
	uint64_t before = time_monotonic_us();
	assert_int_equal(box_remove(b, true, &e), 0);
	rig_box_gone(b);
	assert_true(time_monotonic_us() - before < TALK_KILL_MS * 1000 - US_PER_SEC);
}

/* ---- runs ---- */

static bool has_begun_to_start(void *data)
{
	const struct live *l = data;
	return l->state >= LIVE_STARTING && (!l->body || l->body->watched);
}

struct pair {
	pid_t payload, init;
};

static bool are_reaped(void *data)
{
	const struct pair *pair = data;
	return kill(pair->payload, 0) < 0 && kill(pair->init, 0) < 0;
}

/* What the kernel may take has gone by. */
static void pass_bound(struct live *l)
{
	uv_timer_t *bound = &l->body->watch.timer[TIMER_BOUND];
	assert_true(uv_is_active((uv_handle_t *)bound));
	bound->timer_cb(bound);
}

/* Its processes are reaped whenever that may be. */
static void test_a_payload_that_was_given_up(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct error e = ERROR_INIT;
	struct live *l = rig_sh(NULL, "echo on; sleep 67");
	rig_says(l, "on");
	struct pair pair = {l->body->subject.payload, l->body->subject.init};
	pid_t tracer = start_tracer(pair.payload, 0);
	live_cancel(l, true, NULL, &e);
	pass_bound(l);
	assert_int_equal(rig_end(l)->cause, CAUSE_CANCELLED);
	rig_quiet(100);
	assert_false(are_reaped(&pair));
	end_tracer(tracer);
	rig_until(are_reaped, &pair);
}

static bool has_no_orphans(void *data)
{
	return ((const struct engine *)data)->n_orphans == 0;
}

static void test_there_is_a_limit_of_those_given_up(void **state)
{
	(void)state;
	NEEDS_ROOT();
	pid_t pids[ORPHANS_MAX + 2];
	int fds = 0;
	for (int i = 0; i < ORPHANS_MAX + 2; i++) {
		pids[i] = start_traceable();
		orphan_take(rig.engine, child_open(pids[i]));
		if (i == ORPHANS_MAX - 1)
			fds = rig_count_fds();
	}
	assert_int_equal(rig.engine->n_orphans, ORPHANS_MAX);
	assert_int_equal(rig_count_fds(), fds);
	for (int i = 0; i < ORPHANS_MAX + 2; i++)
		kill(pids[i], SIGKILL);
	rig_until(has_no_orphans, rig.engine);
	for (int i = 0; i < ORPHANS_MAX + 2; i++)
		assert_int_equal(waitpid(pids[i], NULL, 0), i < ORPHANS_MAX ? -1 : pids[i]);
}

static bool has_let_go_of_it(void *data)
{
	return !((struct live *)data)->body;
}

/* And do not hold up the end of all. */
static void test_an_engine_ends_before_a_tracer(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct error e = ERROR_INIT;
	struct live *l = rig_sh(NULL, "echo on; sleep 67");
	rig_says(l, "on");
	pid_t payload = l->body->subject.payload, init = l->body->subject.init;
	pid_t tracer = start_tracer(payload, 0);
	live_cancel(l, true, NULL, &e);
	pass_bound(l);
	rig_until(has_let_go_of_it, l);
	live_let_go(l);
	rig_close();
	end_tracer(tracer);
	assert_int_equal(waitpid(payload, NULL, __WALL), payload);
	assert_int_equal(waitpid(init, NULL, __WALL), init);
}

/* Given up before it has begun: what was parked for it ends without it. */
static void test_a_start_that_was_given_up(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct live *l = rig_sh(NULL, "exit 0");
	rig_until(has_begun_to_start, l);
	assert_int_equal(live_state(l), LIVE_STARTING);
	pass_bound(l);
	pass_bound(l);
	assert_int_equal(rig_end(l)->cause, CAUSE_WALL_TIMEOUT);
	assert_int_equal(rig_end(rig_sh(NULL, "exit 3"))->exit_code, 3);
}

/* ---- warmed programs ---- */

static const char warm_policy[] = "extends: default\n"
				  "pool: {size: 1, preload: [/usr/bin/python3, " TEST_LIBEXEC
				  "/bulkhead-preload-python, json]}\n";
static char policy_path[64];

/* In a file of long ago: one of just now would be read anew each time. */
static void write_warm_policy(void)
{
	static const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	strcpy(policy_path, "/tmp/bulkhead-held-XXXXXX");
	int fd = mkstemp(policy_path);
	ssize_t size = (ssize_t)strlen(warm_policy);
	assert_true(fd >= 0 && write(fd, warm_policy, (size_t)size) == size);
	assert_int_equal(futimens(fd, long_ago), 0);
	close(fd);
}

static bool is_one_ready(void *data)
{
	struct engine_stats stats;
	(void)data;
	engine_stats(rig.engine, &stats);
	return stats.parked == 1;
}

/* The warmed program, which waits for a run. */
static struct parked *open_pool(void)
{
	struct error e = ERROR_INIT;
	write_warm_policy();
	if (engine_pool(rig.engine, policy_path, &e) < 0)
		fail_msg("%s", e.text);
	rig_until(is_one_ready, NULL);
	struct parked *p = rig.engine->parked;
	while (p && !p->heat)
		p = p->next_of_all;
	assert_non_null(p);
	return p;
}

static struct live *run_warm(const char *code)
{
	const char *argv[] = {"/usr/bin/python3", "-c", code, NULL};
	struct engine_request request = {
		.request = {.policy = policy_path, .argv = {.v = argv, .n = 3}}};
	return rig_run(&request);
}

static bool is_dying(void *data)
{
	return parked_is_dying(data);
}

static void test_who_is_held_up_is_given_to_nobody(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct parked *p = open_pool();
	pid_t payload = p->heat->payload_pid, tracer = start_tracer(payload, 0);
	kill(payload, SIGKILL);
	rig_until(is_dying, p);
	assert_int_equal(rig_end(run_warm("raise SystemExit(14)"))->exit_code, 14);
	end_tracer(tracer);
	unlink(policy_path);
}

/* It is the run's already, and reaped as such. */
static void test_a_warm_start_that_was_given_up(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct parked *p = open_pool();
	pid_t tracer = start_tracer(p->heat->payload_pid, 0);
	struct pair pair = {p->heat->payload_pid, p->heat->init_pid};
	kill(pair.payload, SIGSTOP); /* it goes no further */
	struct live *l = run_warm("raise SystemExit(14)");
	rig_until(has_begun_to_start, l);
	assert_int_equal(live_state(l), LIVE_STARTING);
	assert_ptr_equal(l->body->parked, p);
	unlink(policy_path);
	pass_bound(l);
	pass_bound(l);
	assert_int_equal(rig_end(l)->cause, CAUSE_WALL_TIMEOUT);
	end_tracer(tracer);
	rig_until(are_reaped, &pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_a_box_ends_when_a_tracer_lets_go),
		RIG_TEST(test_a_tracer_in_the_box_holds_up_nothing),
		RIG_TEST(test_a_payload_that_was_given_up),
		RIG_TEST(test_there_is_a_limit_of_those_given_up),
		RIG_TEST(test_an_engine_ends_before_a_tracer),
		RIG_TEST(test_a_start_that_was_given_up),
		RIG_TEST(test_who_is_held_up_is_given_to_nobody),
		RIG_TEST(test_a_warm_start_that_was_given_up),
	};
	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests_name("run-engine-held", tests, NULL, NULL);
}
