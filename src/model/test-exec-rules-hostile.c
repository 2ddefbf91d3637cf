/* SPDX-License-Identifier: MIT */
#include "model/test-exec-rules.h"

#include <time.h>

#include "model/exec-rules-parts.h"

/* What strangers send: an answer, soon, and the restrictive one where it cannot be told. */

static struct policy_exec policy_of(struct arena *a, size_t n)
{
	struct policy_exec p = {.mode = EXEC_ENFORCE, .default_allow = true, .n_rules = n};
	p.rules = arena_calloc(a, n, sizeof *p.rules);
	return p;
}

static const struct exec_rules *compile_one(struct arena *a, const char *pattern, bool allow)
{
	struct policy_exec p = policy_of(a, 1);
	struct exec_rules *r;
	struct error e = ERROR_INIT;
	p.default_allow = !allow;
	p.rules[0] = (struct exec_rule){allow, pattern, NULL};
	if (exec_rules_compile(&r, &p, a, &e) < 0)
		fail_msg("%s", e.text);
	return r;
}

static void judge(const struct exec_rules *r, const char *called, const struct strv *argv,
	struct arena *a, struct exec_judgement *ret)
{
	struct exec_file file = {.called = called, .path = called};
	const char *const *names;
	size_t n = exec_rules_programs(r, &names);
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], path_base(called)) == 0) {
			set(&file.is, i);
			set(&file.exactly, i);
		}
	exec_rules_judge(r, &file, argv, NULL, a, ret);
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct strv many(struct arena *a, const char *first, const char *word, size_t n)
{
	struct strv argv = {0};
	strv_push(a, &argv, first);
	for (size_t i = 0; i < n; i++)
		strv_push(a, &argv, word);
	return argv;
}

static void test_no_arguments(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct exec_judgement j;
	const struct exec_file nothing = {0};
	struct strv none = {0};
	const struct exec_rules *r = compile_one(&a, "git push", false);
	(void)state;
	judge(r, "/usr/bin/git", &none, &a, &j);
	assert_int_equal(j.verdict, EXEC_ALLOW);
	exec_rules_judge(r, &nothing, &none, NULL, &a, &j);
	assert_int_equal(j.verdict, EXEC_ALLOW);
	r = compile_one(&a, "git", false);
	judge(r, "/usr/bin/git", &none, &a, &j);
	assert_int_equal(j.verdict, EXEC_DENY);
	for (size_t i = 0; i < 4; i++) { /* names that are nothing but slashes, dashes, nothing */
		static const char *const odd[] = {"", "/", "-", "git/"};
		struct strv argv = {0};
		strv_push(&a, &argv, odd[i]);
		struct exec_file file = {.called = odd[i], .path = odd[i]};
		exec_rules_judge(r, &file, &argv, NULL, &a, &j);
		assert_int_equal(j.verdict, EXEC_ALLOW);
	}
}

/* Options that nobody knows: each may take the next word, so that the subcommand may be anywhere. */
static void test_many_options(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct exec_judgement j;
	struct strv argv = {0};
	(void)state;
	strv_push(&a, &argv, "tool");
	for (size_t i = 0; i < 100000; i++) {
		strv_push(&a, &argv, "-x");
		strv_push(&a, &argv, "y");
	}
	strv_push(&a, &argv, "push");
	double begin = seconds();
	judge(compile_one(&a, "tool push", false), "/usr/bin/tool", &argv, &a, &j);
	assert_int_equal(j.verdict, EXEC_DENY);
	judge(compile_one(&a, "tool push", true), "/usr/bin/tool", &argv, &a, &j);
	assert_int_equal(j.verdict, EXEC_DENY);
	judge(compile_one(&a, "tool -x", true), "/usr/bin/tool", &argv, &a, &j);
	assert_int_equal(j.verdict, EXEC_DENY);
	judge(compile_one(&a, "tool", true), "/usr/bin/tool", &argv, &a, &j);
	assert_int_equal(j.verdict, EXEC_ALLOW);
	assert_true(seconds() - begin < 5);
}

/* As many letters of options as a call may have, each the last that is known. */
static void test_many_letters(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct exec_judgement j;
	char *letters = arena_alloc(&a, 128 << 10);
	(void)state;
	memset(letters, 'h', 128 << 10);
	letters[0] = '-';
	letters[(128 << 10) - 1] = '\0';
	struct strv argv = many(&a, "docker", letters, 45);
	strv_push(&a, &argv, "push");
	double begin = seconds();
	judge(compile_one(&a, "docker push", false), "/usr/bin/docker", &argv, &a, &j);
	assert_int_equal(j.verdict, EXEC_DENY);
	judge(compile_one(&a, "docker push", true), "/usr/bin/docker", &argv, &a, &j);
	assert_int_equal(j.verdict, EXEC_ALLOW);
	assert_true(seconds() - begin < 2);
}

/* All that is looked at says "push", and what is meant comes after it. */
static void test_hidden_subcommand(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct exec_judgement j;
	struct strv argv = {0};
	(void)state;
	strv_push(&a, &argv, "tool");
	for (size_t i = 0; i < 200; i++) {
		strv_push(&a, &argv, "-x");
		strv_push(&a, &argv, "read");
	}
	judge(compile_one(&a, "tool read", true), "/usr/bin/tool", &argv, &a, &j);
	assert_int_equal(j.verdict, EXEC_DENY);
	argv.n = 1 + 2 * 10;
	judge(compile_one(&a, "tool read", true), "/usr/bin/tool", &argv, &a, &j);
	assert_int_equal(j.verdict, EXEC_DENY); /* "-x read" is all of it, if each takes its word */
}

static void test_all_rules_at_once(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy_exec p = policy_of(&a, EXEC_MAX_RULES);
	struct exec_rules *r;
	struct exec_judgement j;
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < p.n_rules; i++)
		p.rules[i].pattern = arena_printf(&a, "tool --x%zu= --y=", i);
	assert_int_equal(exec_rules_compile(&r, &p, &a, &e), 0);
	struct strv argv = many(&a, "tool", "--other", 20000);
	double begin = seconds();
	judge(r, "/usr/bin/tool", &argv, &a, &j);
	assert_int_equal(j.verdict, EXEC_ALLOW);
	strv_push(&a, &argv, "--y=1");
	strv_push(&a, &argv, "--x1023");
	judge(r, "/usr/bin/tool", &argv, &a, &j);
	assert_int_equal(j.verdict, EXEC_DENY);
	assert_true(seconds() - begin < 5);
}

static void test_too_many(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy_exec p = policy_of(&a, 4096);
	struct exec_rules *r;
	struct error e = ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < p.n_rules; i++)
		p.rules[i].pattern = arena_printf(&a, "program-%zu", i);
	assert_int_equal(exec_rules_compile(&r, &p, &a, &e), -1);
	assert_string_equal(e.text, "exec.rules has 4096 rules; at most 1024 are taken");
	p.n_rules = EXEC_MAX_RULES;
	assert_int_equal(exec_rules_compile(&r, &p, &a, &e), -1);
	assert_non_null(strstr(e.text, "rules name more than 512 programs"));
	p.n_rules = 300; /* and the built-in ones besides */
	p.builtin = true;
	assert_int_equal(exec_rules_compile(&r, &p, &a, &e), 0);
}

/* A wrapper in a wrapper, wide and deep: bounded, and what is found is found. */
static void test_many_wrappers(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct exec_judgement j;
	const struct exec_rules *r = compile_one(&a, "git push", false);
	struct strv argv = many(&a, "env", "env", 50000);
	(void)state;
	double begin = seconds();
	strv_push(&a, &argv, "git");
	strv_push(&a, &argv, "push");
	judge(r, "/usr/bin/env", &argv, &a, &j);
	assert_int_equal(j.verdict, EXEC_ALLOW); /* too deep; it is judged when it comes to it */
	argv = (struct strv){0};
	strv_push(&a, &argv, "xargs");
	for (size_t i = 0; i < 2000; i++) {
		strv_push(&a, &argv, "--unknown");
		strv_push(&a, &argv, "sudo");
	}
	judge(r, "/usr/bin/xargs", &argv, &a, &j);
	assert_int_equal(j.verdict, EXEC_ALLOW);
	argv = many(&a, "find", "-exec", 100000);
	judge(r, "/usr/bin/find", &argv, &a, &j);
	assert_int_equal(j.verdict, EXEC_ALLOW);
	assert_true(seconds() - begin < 5);
}

static const struct exec_rules *compile_builtins(struct arena *a)
{
	struct policy_exec p = policy_of(a, 0);
	struct exec_rules *r;
	struct error e = ERROR_INIT;
	p.builtin = true;
	if (exec_rules_compile(&r, &p, a, &e) < 0)
		fail_msg("%s", e.text);
	return r;
}

static void push_pairs(
	struct arena *a, struct strv *argv, const char *one, const char *other, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		strv_push(a, argv, one);
		strv_push(a, argv, other);
	}
}

#define LONGEST 600000 /* words of a call, about */

/* Calls that are each to be looked through for many rules, at many places, over and over: there is an end to it. */
static void test_costly_calls(void **state)
{
	static const char *const inner[] = {"dd", "docker", "sudo", "A=1", "env"};
	static const char *const options[] = {"--z", "-Senv", "--split-string=env"};
	(void)state;
	for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
		for (size_t j = 0; j < sizeof options / sizeof *options; j++) {
			cleanup_arena struct arena a = ARENA_INIT;
			struct exec_judgement judgement;
			const struct exec_rules *r = compile_builtins(&a);
			struct strv argv = {0};
			strv_push(&a, &argv, "env");
			push_pairs(&a, &argv, options[j], "env", 7);
			push_pairs(&a, &argv, "--z", inner[i], 60);
			for (size_t k = 0; k < LONGEST; k++)
				strv_push(&a, &argv, i % 2 == 1 ? "x=1" : "x");
			double begin = seconds();
			judge(r, "/usr/bin/env", &argv, &a, &judgement);
			assert_true(seconds() - begin < 2);
			assert_true(arena_size(&a) < (size_t)128 << 20);
		}
}

/* More words and rules than are looked at: what was not looked at is as if a rule denied it. */
static void test_work_is_bounded(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct exec_judgement j;
	struct exec_rules *r;
	struct error e = ERROR_INIT;
	struct strv argv = many(&a, "tool", "x", LONGEST);
	(void)state;
	for (int allow = 0; allow < 2; allow++) {
		struct policy_exec p = policy_of(&a, EXEC_MAX_RULES);
		for (size_t i = 0; i < p.n_rules; i++)
			p.rules[i] = (struct exec_rule){
				allow, arena_printf(&a, "tool --x%zu=", i), NULL};
		assert_int_equal(exec_rules_compile(&r, &p, &a, &e), 0);
		double begin = seconds();
		judge(r, "/usr/bin/tool", &argv, &a, &j);
		assert_true(seconds() - begin < 5);
		assert_int_equal(j.verdict, allow ? EXEC_ALLOW : EXEC_DENY);
		argv.n = 1000;
		judge(r, "/usr/bin/tool", &argv, &a, &j);
		assert_int_equal(j.verdict, EXEC_ALLOW);
		argv.n = LONGEST;
	}
}

/* What was seen of a word before says the same as to look again, in whatever order it is asked. */
static void test_nothing_is_overlooked(void **state)
{
	static const char *const words[] = {"run", "--b", "--b=1", "x", "--z", "a=2", "a"};
	cleanup_arena struct arena a = ARENA_INIT;
	const struct exec_rules *r = compile_one(&a, "tool run --b= a=", false);
	const struct compiled_rule *rule = NULL;
	unsigned seed = 1;
	size_t n_found = 0;
	(void)state;
	for (size_t i = 0; !rule; i++)
		rule = r->first[i];
	for (int round = 0; round < 2000; round++) {
		const char *args[12];
		struct reading reading = {.program = rule->program, .args = args, .n_args = 12};
		struct search search = {.r = r, .a = &a, .steps = EXEC_MAX_STEPS};
		for (size_t i = 0; i < 12; i++) {
			seed = seed * 1103515245 + 12345;
			args[i] = words[(seed >> 16) % 7];
		}
		for (size_t i = 0; i < 20; i++) {
			struct search fresh = {.r = r, .a = &a, .steps = EXEC_MAX_STEPS};
			size_t found, expected;
			seed = seed * 1103515245 + 12345;
			size_t place = (seed >> 16) % 13;
			bool matches = exec_rule_matches(&search, rule, &reading, place, &found);
			assert_int_equal(matches,
				exec_rule_matches(&fresh, rule, &reading, place, &expected));
			assert_true(!matches || found == expected);
			n_found += matches;
		}
	}
	assert_true(n_found > 1000);
}

/* What is shown of a hostile argument cannot move a cursor, and is short. */
static void test_words_are_visible(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct exec_judgement j;
	struct strv argv = {0};
	char *big = arena_alloc(&a, 200001);
	(void)state;
	memset(big, 'x', 200000);
	strv_push(&a, &argv, "tool");
	strv_push(&a, &argv, arena_printf(&a, "of=\x1b[2J\n\xff%s", big));
	judge(compile_one(&a, "tool of=", false), "/usr/bin/tool", &argv, &a, &j);
	assert_int_equal(j.verdict, EXEC_DENY);
	assert_null(strpbrk(j.why, "\x1b\n\xff"));
	assert_true(strlen(j.why) < 400);
}

/* ── Words of a shell ────────────────────────────────────────────────────────────────────────── */

static void test_shell_words(void **state)
{
	static const struct {
		const char *text, *words; /* joined by '|'; NULL: not that simple */
	} cases[] = {
		{"git push", "git|push"},
		{" \t git\t push \t", "git|push"},
		{"'git' \"push\"", "git|push"},
		{"g'i't pu\"s\"h", "git|push"},
		{"\\git pu\\sh", "git|push"},
		{"git \"\" ''", "git||"},
		{"git 'a b' \"c d\" e\\ f", "git|a b|c d|e f"},
		{"git \"a\\\"b\\\\c\\d\"", "git|a\"b\\c\\d"},
		{"git 'a\\'", "git|a\\"},
		{"git \"a\\$b\"", "git|a$b"},
		{"git pu\\\nsh", "git|push"},
		{"git \"pu\\\nsh\"", "git|push"},
		{"git push;", "git|push"},
		{"git push ; \n", "git|push"},
		{"\n\n git push\n", "git|push"},
		{"A=1 B='x y' git push", "git|push"},
		{"A=$x git push", NULL},
		{"'A=1' git", "A=1|git"},
		{"git A=1", "git|A=1"},
		{"1=2 git", "git"}, /* no name to a shell; harmless */
		{"a~b c#d e!f", "a~b|c#d|e!f"},
		{"", NULL},
		{"   ", NULL},
		{";", NULL},
		{"A=1", NULL},
		{"git push; ls", NULL},
		{"git push\nls", NULL},
		{"git push && ls", NULL},
		{"git push | cat", NULL},
		{"git push &", NULL},
		{"git push > x", NULL},
		{"git `push`", NULL},
		{"git $(push)", NULL},
		{"git \"$x\"", NULL},
		{"git \"`x`\"", NULL},
		{"git *", NULL},
		{"git p?sh", NULL},
		{"git [p]ush", NULL},
		{"git {push,x}", NULL},
		{"~/git push", NULL},
		{"# git", NULL},
		{"git # push", NULL},
		{"! git", NULL},
		{"(git push)", NULL},
		{"git 'push", NULL},
		{"git \"push", NULL},
		{"git push\\", NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct strv words = {0};
		bool simple = exec_shell_words(cases[i].text, &a, &words);
		const char *joined = "";
		for (size_t j = 0; j < words.n; j++)
			joined = arena_printf(&a, "%s%s%s", joined, j ? "|" : "", words.v[j]);
		if (simple != (cases[i].words != NULL) ||
			(simple && strcmp(joined, cases[i].words) != 0))
			fail_msg("[%s]: %d [%s]", cases[i].text, simple, joined);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_arguments),
		cmocka_unit_test(test_many_options),
		cmocka_unit_test(test_many_letters),
		cmocka_unit_test(test_hidden_subcommand),
		cmocka_unit_test(test_all_rules_at_once),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_many_wrappers),
		cmocka_unit_test(test_costly_calls),
		cmocka_unit_test(test_work_is_bounded),
		cmocka_unit_test(test_nothing_is_overlooked),
		cmocka_unit_test(test_words_are_visible),
		cmocka_unit_test(test_shell_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
