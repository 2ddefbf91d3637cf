/* SPDX-License-Identifier: MIT */
#include "model/test-exec-rules.h"

#include "model/policy.h"

/* Judged as a session of calls in /home/u/p. */
static void judge(struct fake_disk *d, const char *called, const struct strv *argv,
	struct exec_judgement *ret)
{
	const struct exec_lookup lookup = {disk_look_up, d};
	struct exec_file file = {0};
	if (!disk_tell(d, called, &file))
		file = (struct exec_file){.called = called, .writable = true};
	exec_rules_judge(d->rules, &file, argv, &lookup, d->a, ret);
}

static const struct exec_rules *compile(struct arena *a, const char *text)
{
	struct policy *p = arena_new(a, struct policy);
	struct exec_rules *r = NULL;
	struct error e = ERROR_INIT;
	if (policy_load_text(p, a, NULL, text, strlen(text), &e) < 0 ||
		exec_rules_compile(&r, &p->exec, a, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return r;
}

/* ── The golden tables ───────────────────────────────────────────────────────────────────────── */

static char *column(char **line)
{
	char *begin = *line + strspn(*line, " ");
	char *end = strchr(begin, '|');
	*line = end ? end + 1 : begin + strlen(begin);
	if (!end)
		return begin;
	while (end > begin && end[-1] == ' ')
		end--;
	*end = '\0';
	return begin;
}

/* VERDICT GROUND DEPTH | RULE | CALLED | ARGV */
static bool check_line(struct fake_disk *d, const char *file, const char *line)
{
	struct exec_judgement j;
	char *text = arena_strdup(d->a, line);
	const char *expected = column(&text), *rule = column(&text), *called = column(&text);
	struct strv argv = read_argv(d->a, text);
	judge(d, called, &argv, &j);
	const char *got = arena_printf(d->a, "%s %s %u", j.verdict == EXEC_ALLOW ? "allow" : "deny",
		exec_ground_name(j.ground), j.depth);
	assert_non_null(j.why);
	if (strcmp(got, expected) == 0 && strcmp(rule, j.rule_text) == 0)
		return true;
	print_error("%s: %s\ngot: %s | %s | %s\n", file, line, got, j.rule_text, j.why);
	return false;
}

static size_t check_table(const char *name, struct arena *a)
{
	size_t size, n = 0, wrong = 0;
	struct fake_disk d;
	const char *path = arena_printf(a, "%s/exec/%s", TEST_GOLDEN, name);
	char *text = read_file(a, path, &size), *save;
	assert_non_null(text);
	char *calls = strstr(text, "\n---\n");
	if (!calls) {
		fail_msg("%s: no calls", name);
		return 0;
	}
	*calls = '\0';
	read_disk(&d, a);
	d.rules = compile(a, text);
	for (char *line = strtok_r(calls + 5, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save))
		if (*line != '#') {
			wrong += !check_line(&d, name, line);
			n++;
		}
	assert_int_equal(wrong, 0);
	return n;
}

static int is_table(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');
	return dot && strcmp(dot, ".calls") == 0;
}

static void test_golden(void **state)
{
	struct dirent **entries;
	int n = scandir(TEST_GOLDEN "/exec", &entries, is_table, alphasort);
	size_t calls = 0;
	(void)state;
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		calls += check_table(entries[i]->d_name, &a);
		free(entries[i]);
	}
	free(entries);
	assert_true(calls >= 150);
}

/* ── Refused ─────────────────────────────────────────────────────────────────────────────────── */

static int compile_pattern(struct arena *a, const char *pattern, struct error *e)
{
	struct exec_rule rule = {false, pattern, NULL};
	struct policy_exec p = {.mode = EXEC_ENFORCE, .rules = &rule, .n_rules = 1};
	struct exec_rules *r;
	*e = ERROR_INIT;
	return exec_rules_compile(&r, &p, a, e);
}

/* What was meant for a pattern or for several rules would be one that matches nothing. */
static void test_rules_that_match_nothing(void **state)
{
	static const char *const refused[] = {"curl|wget", "curl | wget", "curl || wget",
		"git push && x", "git push & x", "git push ; x", "git push; git pull",
		"git push, git pull", "curl,wget", "curl;wget", "curl&wget", "mkfs.*fat",
		"python3.?", "mkfs.[ef]at", "/usr/*/wget", "/usr/[a-z]/[", "git pu*", "git push ,",
		"git push;", NULL};
	static const char *const accepted[] = {"[", "[[", "/usr/bin/[", "[ -e", "git log a|b",
		"git log a,b", "git push,git", "git log --format=%h;x", "g++", "x.y-z_1@2",
		"tool ?", NULL};
	(void)state;
	for (size_t i = 0; refused[i]; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct error e;
		if (compile_pattern(&a, refused[i], &e) == 0)
			fail_msg("accepted: %s", refused[i]);
		assert_int_equal(e.blame, BLAME_POLICY);
		assert_true(strstr(e.text, "one rule for each") || strstr(e.text, "leave the '*'"));
	}
	for (size_t i = 0; accepted[i]; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct error e;
		if (compile_pattern(&a, accepted[i], &e) < 0)
			fail_msg("%s: %s", accepted[i], e.text);
	}
}

/* ── Packed ──────────────────────────────────────────────────────────────────────────────────── */

static const struct policy_exec sample = {
	.mode = EXEC_ENFORCE,
	.default_allow = true,
	.builtin = false,
	.rules =
		(struct exec_rule[]){
			{false, "git push", "open a review"},
			{true, "git", NULL},
			{false, "rm", ""},
		},
	.n_rules = 3,
};

static void test_pack(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy_exec p;
	struct error e = ERROR_INIT;
	const void *data;
	size_t size;
	(void)state;
	assert_int_equal(exec_policy_pack(&sample, &a, &data, &size), 0);
	assert_int_equal(exec_policy_unpack(&p, data, size, &a, &e), 0);
	assert_int_equal(p.mode, EXEC_ENFORCE);
	assert_true(p.default_allow && !p.builtin);
	assert_int_equal(p.n_rules, 3);
	assert_string_equal(p.rules[0].pattern, "git push");
	assert_string_equal(p.rules[0].hint, "open a review");
	assert_true(!p.rules[0].allow && p.rules[1].allow && !p.rules[1].hint);
	assert_string_equal(p.rules[2].hint, "");
}

/* Cut anywhere, with any byte changed: refused or read, never beyond its end (the sanitizers look). */
static void test_unpack_hostile(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy_exec p;
	struct error e = ERROR_INIT;
	const void *data;
	size_t size, refused = 0;
	(void)state;
	assert_int_equal(exec_policy_pack(&sample, &a, &data, &size), 0);
	for (size_t n = 0; n < size; n++) {
		char *cut = malloc(n + 1);
		memcpy(cut, data, n);
		assert_int_equal(exec_policy_unpack(&p, cut, n, &a, &e), -1);
		free(cut);
	}
	for (size_t i = 0; i < size; i++)
		for (int flip = 1; flip < 256; flip <<= 1) {
			char *copy = malloc(size);
			memcpy(copy, data, size);
			copy[i] = (char)(copy[i] ^ flip);
			refused += exec_policy_unpack(&p, copy, size, &a, &e) < 0;
			free(copy);
		}
	assert_true(refused > 300);
	char *longer = arena_alloc(&a, size + 1);
	memcpy(longer, data, size);
	assert_int_equal(exec_policy_unpack(&p, longer, size + 1, &a, &e), -1);
	assert_int_equal(e.blame, BLAME_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_rules_that_match_nothing),
		cmocka_unit_test(test_pack),
		cmocka_unit_test(test_unpack_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
