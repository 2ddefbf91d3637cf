/* SPDX-License-Identifier: MIT */
#include "model/verdict.h"

#include <errno.h>
#include <signal.h>

#include "base/buf.h"
#include "model/test-golden.h"

/*
 * The golden table: each NAME.json in test/golden/verdict is an observation, and NAME.expected what
 * is made of it: exit status, line for stderr, verdict. UPDATE_GOLDEN=1 writes the expectations
 * anew; git shows what changed.
 */

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

/* The verdict with each of its members on a line of its own: short, and good to diff. */
static void put_verdict(struct buf *b, const char *json)
{
	int depth = 0;
	bool quoted = false;

	for (const char *c = json; *c; c++) {
		if (*c == '"' && (c == json || c[-1] != '\\'))
			quoted = !quoted;
		if (!quoted)
			depth += (*c == '{' || *c == '[') - (*c == '}' || *c == ']');
		buf_putc(b, *c);
		if (!quoted && depth == 1 && (*c == ',' || *c == '{'))
			buf_putc(b, '\n');
	}
}

static void check_golden(const char *name, const struct observation *o, struct arena *a)
{
	cleanup_buf struct buf b = BUF_INIT;
	const char *path = arena_printf(a, "%s%s.expected", golden, name);
	struct verdict v;
	size_t size;

	verdict_decide(&v, o, a);
	buf_printf(&b, "exit %d\n%s\n\n", v.exit_status, verdict_format_line(&v, a));
	put_verdict(&b, verdict_format_json(&v, o, a));
	if (getenv("UPDATE_GOLDEN"))
		write_file(path, buf_str(&b));
	const char *expected = read_file(a, path, &size);
	if (!expected || strcmp(expected, buf_str(&b)) != 0)
		fail_msg("%s: this is not what %s says:\n%s", name, path, buf_str(&b));
}

static void test_golden(void **state)
{
	(void)state;
	for_each_golden(check_golden);
}

/* A stored observation gives the same verdict again, to the byte. */
static void check_round_trip(const char *name, const struct observation *o, struct arena *a)
{
	const char *stored = observation_format_json(o, a);
	struct observation again;
	struct verdict v, w;
	struct error e = ERROR_INIT;

	if (observation_parse_json(&again, stored, strlen(stored), a, &e) != 0)
		fail_msg("%s: %s in %s", name, e.text, stored);
	assert_string_equal(observation_format_json(&again, a), stored);
	verdict_decide(&v, o, a);
	verdict_decide(&w, &again, a);
	assert_string_equal(verdict_format_json(&w, &again, a), verdict_format_json(&v, o, a));
	assert_int_equal(v.exit_status, w.exit_status);
}

static void test_round_trip(void **state)
{
	(void)state;
	for_each_golden(check_round_trip);
}

/* ---- what holds for every verdict ---- */

/* A person's terminal gets text and line feeds only, whatever the names inside were. */
static void assert_harmless(const char *text, bool lines)
{
	assert_true(utf8_valid(text, strlen(text)));
	for (const char *c = text; *c; c++)
		assert_true((unsigned char)*c >= 0x20 ? *c != 0x7f : lines && *c == '\n');
}

static void check_invariants(const char *name, const struct observation *o, struct arena *a)
{
	struct verdict v;

	(void)name;
	verdict_decide(&v, o, a);
	assert_in_range(v.exit_status, 0, 255);
	assert_true(v.summary && *v.summary);
	assert_true((v.retry == RETRY_LARGER) || !v.suggest_set);
	/* Success is never claimed for a run that did not exit with 0. */
	if (v.cause == CAUSE_OK || v.exit_status == 0)
		assert_true(o->wait == WAIT_EXITED && o->exit_code == 0);
	if (v.cause == CAUSE_OK)
		assert_int_equal(v.exit_status, 0);
	assert_harmless(verdict_format_line(&v, a), false);
	assert_harmless(verdict_format_text(&v, o, a), true);
	for (size_t i = 0; i < v.n_contributing; i++)
		assert_harmless(v.contributing[i], false);
}

static void test_invariants(void **state)
{
	(void)state;
	for_each_golden(check_invariants);
}

static unsigned seen_causes[CAUSE_COUNT_];

static void count_cause(const char *name, const struct observation *o, struct arena *a)
{
	struct verdict v;

	(void)name;
	verdict_decide(&v, o, a);
	seen_causes[v.cause]++;
}

/* No rule without an example. Those left out are not decided from an observation. */
static void test_each_cause_has_an_example(void **state)
{
	static const bool elsewhere[CAUSE_COUNT_] = {
		[CAUSE_COOLDOWN] = true,
		[CAUSE_BREAKER_OPEN] = true,
	};

	(void)state;
	for_each_golden(count_cause);
	for (int i = 0; i < CAUSE_COUNT_; i++) {
		if (!elsewhere[i] && seen_causes[i] == 0)
			fail_msg("no golden observation is judged %s", cause_name((enum cause)i));
	}
}

/* ---- structs that no decoder would let through ---- */

static uint32_t random_state = 1;

static uint32_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

static void make_wild_incident(struct exec_incident *i, struct arena *a)
{
	static const char *const words[] = {NULL, "", "git", "\x1b[2J\xff", "a b"};

	i->known = next_random() & 1;
	i->rule = words[next_random() % 5];
	i->hint = words[next_random() % 5];
	i->why = words[next_random() % 5];
	i->called = words[next_random() % 5];
	i->executable = words[next_random() % 5];
	i->real_executable = words[next_random() % 5];
	i->argv = i->real_argv = (struct strv){0};
	for (unsigned n = next_random() % 4; n > 0; n--)
		strv_push(a, &i->argv, words[1 + next_random() % 4]);
	for (unsigned n = next_random() % 3; n > 0; n--)
		strv_push(a, &i->real_argv, words[1 + next_random() % 4]);
}

static void make_wild_exec(struct observed_exec *x, struct arena *a)
{
	make_wild_incident(&x->first_refused, a);
	make_wild_incident(&x->last_refused, a);
	make_wild_incident(&x->first_killed, a);
	make_wild_incident(&x->payload, a);
	x->warden_lost = next_random() & 1;
	x->drain_late = next_random() & 1;
	x->lost_why = next_random() & 1 ? "\x1b[2J\xff" : NULL;
}

/* Any bits in any field, but for pointers, which are valid or NULL, and bools, which are 0 or 1. */
static void make_wild(struct observation *o, struct arena *a)
{
	static const char *const words[] = {
		"oom_kill", "oom", "failcnt", "pids_max", "\x1b[2J\xff"};
	unsigned char *bytes = (unsigned char *)o;

	for (size_t i = 0; i < sizeof *o; i++)
		bytes[i] = next_random() % 3 ? (unsigned char)(next_random() & 1)
					     : (unsigned char)next_random();
	for (size_t i = 0; i < OBSERVATION_MAX_COUNTERS; i++) {
		o->counters[i].fact = next_random() % 9 ? words[next_random() % 5] : NULL;
		o->counters[i].where = next_random() % 9 ? words[next_random() % 5] : NULL;
		o->counters[i].own = next_random() & 1;
	}
	for (size_t i = 0; i < OBSERVATION_MAX_ACTS; i++) {
		o->acts[i].whole_run = next_random() & 1;
		o->acts[i].oom_known = next_random() & 1;
	}
	for (size_t i = 0; i < OBSERVATION_MAX_VICTIMS; i++)
		o->victims[i].leader = o->victims[i].at_known = next_random() & 1,
		o->victims[i].group = words[next_random() % 5];
	for (int i = 0; i < LIMIT_COUNT_; i++)
		o->limits[i].asked.set = o->inherited[i].soft_set = o->inherited[i].hard_set =
			next_random() & 1;
	for (size_t i = 0; i < OBSERVATION_MAX_REFUSALS; i++) {
		o->refusals[i].leader = next_random() & 1;
		if (next_random() & 1)
			o->refusals[i].limit = LIMIT_ADDRESS_SPACE;
	}
	o->argc = next_random() % 3;
	o->argv = arena_calloc(a, 4, sizeof *o->argv);
	for (size_t i = 0; i < o->argc; i++)
		((const char **)o->argv)[i] = words[next_random() % 5];
	o->id = o->key = o->policy = o->kernel = o->version = words[4];
	for (size_t i = 0; i < OBSERVATION_MAX_DISKS; i++) {
		o->disks[i].own = next_random() & 1;
		o->disks[i].files_full = next_random() & 1;
		o->disks[i].path = words[next_random() % 5];
	}
	o->image.known = o->image.has_loader = o->refusals_watched = next_random() & 1;
	o->denied.known = o->denied.by_filter = next_random() & 1;
	o->denied.name = next_random() & 1 ? words[4] : NULL;
	o->leader_virtual_peak_sampled = next_random() & 1;
	o->setup.what = next_random() & 1 ? words[4] : NULL;
	make_wild_exec(&o->exec, a);
	static const char *const groups[] = {
		NULL, "", "/", "//", "/.service/a.scope", "/x\xff.service", "/a.service/b.slice/"};
	o->killer.cgroup = groups[next_random() % 7];
	o->killer.at_known = o->senders.watched = next_random() & 1;
	o->leader_virtual_peak_known = next_random() & 1;
	o->senders.why_not = next_random() & 1 ? words[4] : NULL;
	o->setup.file_exists = o->privileged = o->core_dumped = o->seccomp = next_random() & 1;
	struct usage *u = &o->usage;
	u->cpu_known = u->memory_peak_known = u->pids_peak_known = u->io_known = next_random() & 1;
	u->throttled_known = u->output_known = u->growth.known = next_random() & 1;
	u->cpu.known = u->memory.known = u->io.known = next_random() & 1;
}

static void test_wild_structs(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct observation o;
		struct verdict v;
		make_wild(&o, &a);
		check_invariants("wild", &o, &a);
		verdict_decide(&v, &o, &a);
		assert_non_null(verdict_format_json(&v, &o, &a));
		assert_non_null(observation_format_json(&o, &a));
	}
}

/* ---- single questions ---- */

static struct observation killed(int signal)
{
	return (struct observation){.wait = WAIT_SIGNALED,
		.term_signal = signal,
		.oom = OOM_GROUP,
		.rung = RUNG_V2,
		.grace_us = 2000000,
		.usage = {.wall_us = 1000000}};
}

static enum cause cause_of(const struct observation *o)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct verdict v;

	verdict_decide(&v, o, &a);
	return v.cause;
}

static int status_of(const struct observation *o)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct verdict v;

	verdict_decide(&v, o, &a);
	return v.exit_status;
}

static void test_every_exit_code_and_signal(void **state)
{
	(void)state;
	for (int code = 1; code <= 255; code++) {
		struct observation o = {.wait = WAIT_EXITED, .exit_code = code};
		assert_int_equal(cause_of(&o), CAUSE_EXIT_NONZERO);
		assert_int_equal(status_of(&o), code);
	}
	for (int signal = 1; signal <= 64; signal++) {
		struct observation o = killed(signal);
		bool others = signal == SIGKILL || signal == SIGTERM || signal == SIGHUP ||
			signal == SIGINT;
		assert_int_equal(cause_of(&o), others ? CAUSE_EXTERNAL_KILL : CAUSE_CRASH);
		assert_int_equal(status_of(&o), 128 + signal);
	}
}

static void test_what_could_not_be_learned_is_never_0(void **state)
{
	static const int codes[] = {-1, 256, INT32_MAX, INT32_MIN};
	(void)state;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		struct observation o = {.wait = WAIT_EXITED, .exit_code = codes[i]};
		assert_int_equal(cause_of(&o), CAUSE_SUPERVISOR_LOST);
		assert_int_equal(status_of(&o), EXIT_REFUSED);
		o = killed(i == 0 ? 0 : codes[i]);
		assert_int_equal(cause_of(&o), CAUSE_SUPERVISOR_LOST);
	}
}

static enum cause exec_failed(int errnum)
{
	struct observation o = {.wait = WAIT_NEVER_STARTED,
		.setup = {.stage = SETUP_EXEC, .errnum = errnum, .blame = BLAME_REQUEST}};
	return cause_of(&o);
}

static void test_exec_errors(void **state)
{
	(void)state;
	assert_int_equal(exec_failed(ENOENT), CAUSE_NOT_FOUND);
	assert_int_equal(exec_failed(ENOTDIR), CAUSE_NOT_FOUND);
	assert_int_equal(exec_failed(ELOOP), CAUSE_NOT_FOUND);
	assert_int_equal(exec_failed(ENAMETOOLONG), CAUSE_NOT_FOUND);
	assert_int_equal(exec_failed(EACCES), CAUSE_NOT_EXECUTABLE);
	assert_int_equal(exec_failed(EPERM), CAUSE_NOT_EXECUTABLE);
	assert_int_equal(exec_failed(ENOEXEC), CAUSE_NOT_EXECUTABLE);
	assert_int_equal(exec_failed(EISDIR), CAUSE_NOT_EXECUTABLE);
	assert_int_equal(exec_failed(ETXTBSY), CAUSE_NOT_EXECUTABLE);
	assert_int_equal(exec_failed(E2BIG), CAUSE_SETUP_FAILED);
	assert_int_equal(exec_failed(ENOMEM), CAUSE_SETUP_FAILED);
	assert_int_equal(exec_failed(0), CAUSE_SETUP_FAILED);
}

static void test_the_first_act_decides(void **state)
{
	static const enum cause causes[ACT_COUNT_] = {
		[ACT_WALL_TIMEOUT] = CAUSE_WALL_TIMEOUT,
		[ACT_IDLE_TIMEOUT] = CAUSE_IDLE_TIMEOUT,
		[ACT_CPU_TIME] = CAUSE_CPU_TIME_LIMIT,
		[ACT_OUTPUT_LIMIT] = CAUSE_OUTPUT_LIMIT,
		[ACT_MEMORY_SAMPLED] = CAUSE_MEMORY_LIMIT,
		[ACT_OOM_GROUP] = CAUSE_MEMORY_LIMIT,
		[ACT_CANCELLED] = CAUSE_CANCELLED,
		[ACT_SHUTDOWN] = CAUSE_SHUTDOWN,
		[ACT_LEFTOVER] = CAUSE_CRASH, /* it never is one */
	};

	(void)state;
	for (int first = 0; first < ACT_LEFTOVER; first++) {
		for (int second = 0; second < ACT_COUNT_; second++) {
			struct observation o = killed(SIGKILL);
			o.acts[0] = (struct act){.reason = first, .signal = SIGTERM, .at_us = 1000};
			o.acts[1] = (struct act){.reason = second, .signal = SIGKILL};
			o.n_acts = 2;
			assert_int_equal(cause_of(&o), causes[first]);
		}
	}
}

/* The report of `show`, once in full: a reader's order, and nothing of the hostile name. */
static void test_text(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct observation o;
	struct verdict v;

	(void)state;
	load("memory-limit-hostile-names", &o, &a);
	verdict_decide(&v, &o, &a);
	const char *text = verdict_format_text(&v, &o, &a);
	assert_non_null(
		strstr(text, "run 20240517-083000-k3x9: memory_limit: reached its own limit"));
	assert_non_null(strstr(text, "\\x1b[2J\\xffbad\\x0a[12]"));
	assert_non_null(strstr(text, "oom_kill 0 → 1 ("));
	assert_non_null(strstr(text, "memory 64 MiB, enforced by cgroup-v1"));
	assert_non_null(strstr(text, "try --memory 96M"));
}

/* A command line of a megabyte, or of thousands of words, is cut where it is shown. */
static void test_long_commands_are_cut(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	const char **argv = arena_calloc(&a, 5001, sizeof *argv);
	char *word = arena_alloc(&a, 100001);
	struct observation o = {.argv = argv, .argc = 5000};
	struct verdict v;

	(void)state;
	memset(word, 'x', 100000);
	for (size_t i = 0; i < o.argc; i++)
		argv[i] = i == 0 ? word : "y";
	verdict_decide(&v, &o, &a);
	const char *text = verdict_format_text(&v, &o, &a);
	assert_non_null(strstr(text, "xxx…' y y"));
	assert_non_null(strstr(text, "more)\n"));
	assert_true(strlen(text) < 2000);
	o.wait = WAIT_NEVER_STARTED;
	o.setup = (struct setup_failure){.stage = SETUP_EXEC, .errnum = ENOENT};
	verdict_decide(&v, &o, &a);
	assert_true(strlen(v.summary) < 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_invariants),
		cmocka_unit_test(test_each_cause_has_an_example),
		cmocka_unit_test(test_wild_structs),
		cmocka_unit_test(test_every_exit_code_and_signal),
		cmocka_unit_test(test_what_could_not_be_learned_is_never_0),
		cmocka_unit_test(test_exec_errors),
		cmocka_unit_test(test_the_first_act_decides),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_long_commands_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
