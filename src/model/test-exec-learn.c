/* SPDX-License-Identifier: MIT */
#include "model/exec-learn.h"

#include "model/exec-rules.h"
#include "model/test-golden.h"

/* Files of a box in which /usr cannot be written: a rule means one by its name on PATH, or by a path. */
static bool about(void *data, const char *program, const struct exec_event *event, struct arena *a,
	const char **ret_why)
{
	const char *called = event->called ? event->called : "";

	(void)data;
	(void)a;
	if (strncmp(event->executable, "/usr/", 5) != 0) {
		*ret_why = "the box can write it";
		return false;
	}
	if (strchr(program, '/'))
		return strcmp(program, event->executable) == 0 || strcmp(program, called) == 0;
	return (strncmp(called, "/usr/bin/", 9) == 0 && strcmp(program, called + 9) == 0) ||
		(strncmp(event->executable, "/usr/bin/", 9) == 0 &&
			strcmp(program, event->executable + 9) == 0);
}

static const struct exec_learn_files files = {.about = about};
static const char *const argv[] = {"sh", "-c", "make\n- allow: it"};
static const char *const warnings[] = {"Its warden was lost\nafter 3 s."};

static void format(struct buf *out, const struct exec_learned *learned)
{
	exec_learned_format(out, learned,
		&(struct exec_lesson){.id = "06h006zz3mmnpxaw",
			.extends = "default",
			.argv = argv,
			.argc = 3,
			.warnings = warnings,
			.n_warnings = learned->n_gaps > 4});
}

static void learn_lines(const char *text, struct exec_learned *ret, struct arena *a)
{
	struct exec_learn *l = exec_learn_new(&files, a);

	while (*text) {
		const char *end = strchrnul(text, '\n');
		struct error e = ERROR_INIT;
		struct exec_event event;
		if (exec_event_parse(&event, text, (size_t)(end - text), a, &e) < 0)
			fail_msg("%s", e.text);
		exec_learn_add(l, &event);
		text = *end ? end + 1 : end;
	}
	exec_learn_finish(l, ret);
}

/* What a rule stands for has to be found in the file again, and nothing besides. */
static void check_policy(const char *text, const struct exec_learned *learned, struct arena *a)
{
	struct policy p;
	struct exec_rules *rules;
	struct error e = ERROR_INIT;

	if (policy_load_text(&p, a, NULL, text, strlen(text), &e) < 0)
		fail_msg("%s in:\n%s", e.text, text);
	if (exec_rules_compile(&rules, &p.exec, a, &e) < 0)
		fail_msg("%s in:\n%s", e.text, text);
	assert_int_equal(p.exec.mode, EXEC_ENFORCE);
	assert_false(p.exec.default_allow);
	assert_int_equal(p.exec.n_rules, learned->n_rules);
	for (size_t i = 0; i < p.exec.n_rules; i++) {
		assert_true(p.exec.rules[i].allow);
		assert_string_equal(p.exec.rules[i].pattern, learned->rules[i].pattern);
	}
}

static void test_golden(void **state)
{
	static const char *const names[] = {"git", "build", "hostile", "nothing"};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		cleanup_buf struct buf b = BUF_INIT;
		struct exec_learned learned;
		size_t size;
		const char *events = read_file(
			&a, arena_printf(&a, TEST_GOLDEN "/learn/%s.jsonl", names[i]), &size);
		const char *expected = read_file(
			&a, arena_printf(&a, TEST_GOLDEN "/learn/%s.yaml", names[i]), &size);
		assert_non_null(events);
		learn_lines(events, &learned, &a);
		format(&b, &learned);
		if (!expected || strcmp(expected, buf_str(&b)) != 0)
			fail_msg("%s.yaml should be:\n%s", names[i], buf_str(&b));
		check_policy(buf_str(&b), &learned, &a);
	}
}

static void add(struct exec_learn *l, const char *program, const char *argument)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct exec_event event = {.argc = 2,
		.called = arena_printf(&a, "/usr/bin/%s", program),
		.executable = arena_printf(&a, "/usr/bin/%s", program),
		.rule = "default: allow"};

	strv_push(&a, &event.argv, program);
	strv_push(&a, &event.argv, argument);
	exec_learn_add(l, &event);
}

/* Of a program with many subcommands the whole is allowed; of others it always is. */
static void test_many_subcommands(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;

	(void)state;
	for (int more = 0; more < 2; more++) {
		struct exec_learn *l = exec_learn_new(&files, &a);
		struct exec_learned learned;
		for (int i = 0; i < EXEC_LEARN_MAX_SUBCOMMANDS + more; i++) {
			add(l, "git", arena_printf(&a, "sub%d", i));
			add(l, "cp", arena_printf(&a, "file%d", i));
		}
		exec_learn_finish(l, &learned);
		assert_int_equal(learned.n_rules, more ? 2 : 1 + EXEC_LEARN_MAX_SUBCOMMANDS);
		assert_string_equal(learned.rules[0].pattern, "cp");
		assert_string_equal(learned.rules[1].pattern, more ? "git" : "git sub0");
		assert_int_equal(learned.execs, 2 * (EXEC_LEARN_MAX_SUBCOMMANDS + more));
	}
}

/* Names and gaps without end: bounded, counted, and in time. */
static void test_bounds(void **state)
{
	enum { N = 6000 };
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_buf struct buf b = BUF_INIT;
	struct exec_learn *l = exec_learn_new(&files, &a);
	struct exec_learned learned;

	(void)state;
	for (int i = 0; i < N; i++)
		add(l, arena_printf(&a, "program%d", i), "x");
	exec_learn_finish(l, &learned);
	assert_int_equal(learned.n_rules, EXEC_LEARN_MAX_PROGRAMS);
	assert_int_equal(learned.n_gaps, EXEC_LEARN_MAX_GAPS);
	assert_int_equal(learned.execs + learned.n_gaps + learned.more_gaps, N);
	format(&b, &learned);
	assert_true(b.size < 64 << 10);
	check_policy(buf_str(&b), &learned, &a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_many_subcommands),
		cmocka_unit_test(test_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
