/* SPDX-License-Identifier: MIT */
#include "model/exit-help.h"

#include "model/codec-json.h"
#include "model/test-golden.h"

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		int status, signal;
		bool negative, raw;
	} rows[] = {
		{"0", 0, 0, false, false},
		{"137", 137, 9, false, false},
		{"128", 128, 0, false, false},
		{"192", 192, 64, false, false},
		{"193", 193, 0, false, false},
		{"255", 255, 0, false, false},
		{"-9", 137, 9, true, false},
		{"-64", 192, 64, true, false},
		{"SIGKILL", 137, 9, true, false},
		{"TERM", 143, 15, true, false},
		{"256", 1, 0, false, true},
		{"35072", 137, 9, false, true},
		{"65280", 255, 0, false, true},
	};
	static const char *const wrong[] = {"", "-", "-0", "-65", "257", "65536", "139264", "9 ",
		"0x9", "SIG", "SIGFOO", "kill", "--", "99999999999999999999",
		"-9223372036854775808"};
	struct error e = ERROR_INIT;
	struct exit_number n;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (exit_number_parse(&n, rows[i].text, &e) != 0)
			fail_msg("%s: %s", rows[i].text, e.text);
		assert_int_equal(n.status, rows[i].status);
		assert_int_equal(n.signal, rows[i].signal);
		assert_int_equal(n.negative, rows[i].negative);
		assert_int_equal(n.raw, rows[i].raw);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct error refused = ERROR_INIT;
		assert_int_equal(exit_number_parse(&n, wrong[i], &refused), -1);
		assert_int_equal(refused.blame, BLAME_REQUEST);
	}
}

/* Whatever verdict there is, its exit status leads back to its cause. */
static void leads_back(const char *name, const struct observation *o, struct arena *a)
{
	struct verdict v;
	bool typical;

	verdict_decide(&v, o, a);
	if (!exit_may_be(v.cause, v.exit_status, &typical))
		fail_msg(
			"%s: --exit %d does not name %s", name, v.exit_status, cause_name(v.cause));
}

static void test_causes(void **state)
{
	static const struct {
		enum cause cause;
		int status;
		bool may, typical;
	} rows[] = {
		{CAUSE_MEMORY_LIMIT, 137, true, true},
		{CAUSE_MEMORY_HOST, 1, false, false},
		{CAUSE_CRASH, 139, true, true},
		{CAUSE_CRASH, 137, true, false},
		{CAUSE_CRASH, 3, false, false},
		{CAUSE_OK, 0, true, true},
		{CAUSE_EXIT_NONZERO, 0, false, false},
		{CAUSE_EXIT_NONZERO, 137, true, false},
		{CAUSE_WALL_TIMEOUT, 124, true, true},
		{CAUSE_WALL_TIMEOUT, 137, false, false},
		{CAUSE_CANCELLED, 0, true, false},
		{CAUSE_NOT_FOUND, 127, true, true},
		{CAUSE_BREAKER_OPEN, 75, true, true},
	};
	bool typical;

	(void)state;
	for_each_golden(leads_back);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(exit_may_be(rows[i].cause, rows[i].status, &typical), rows[i].may);
		assert_int_equal(typical, rows[i].typical);
	}
}

static const char *help(const char *text, struct arena *a)
{
	struct error e = ERROR_INIT;
	struct exit_number n;

	assert_int_equal(exit_number_parse(&n, text, &e), 0);
	return exit_help_text(&n, a);
}

static void test_text(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	const char *kill = help("137", &a), *python = help("-9", &a);

	(void)state;
	assert_non_null(strstr(kill, "137 = 128 + 9, SIGKILL\n"));
	for (const char *const *word = (const char *const[]){"docker", "systemd", "subprocess",
		     "memory_limit", "external_kill", "oom-kill", "exit(137)", NULL};
		*word; word++)
		if (!strstr(kill, *word))
			fail_msg("no '%s' in\n%s", *word, kill);
	assert_non_null(strstr(python, "-9: SIGKILL\n"));
	assert_non_null(strstr(python, "the program itself died of SIGKILL"));
	assert_null(strstr(python, "exit(137)"));
	assert_non_null(strstr(help("127", &a), "failed to map segment"));
	assert_non_null(strstr(help("124", &a), "wall_timeout"));
	assert_non_null(strstr(help("203", &a), "203 exec"));
	assert_non_null(strstr(help("99", &a), "No convention has this number"));
	assert_non_null(strstr(help("35072", &a), "256 times"));
	assert_null(strstr(help("0", &a), "what to look at next"));
}

/* Every number there is has a text and JSON with something in each. */
static void test_all(void **state)
{
	(void)state;
	for (int i = 0; i < 256; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct error e = ERROR_INIT;
		struct exit_number n;
		assert_int_equal(exit_number_parse(&n, arena_printf(&a, "%d", i), &e), 0);
		assert_true(strlen(exit_help_text(&n, &a)) > 40);
		json_t *root = json_loads(exit_help_json(&n, &a), 0, NULL);
		assert_int_equal(json_integer_value(json_object_get(root, "exit_status")), i);
		assert_true(json_array_size(json_object_get(root, "causes")) > 0);
		assert_true((json_array_size(json_object_get(root, "next")) > 0) == (i > 0));
		json_decref(root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
