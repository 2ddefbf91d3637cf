/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <linux/limits.h>
#include <string.h>

#include "model/policy-keys.h"

static void test_matches(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool hit;
	} cases[] = {
		{"A", "A", true},
		{"A", "AB", false},
		{"A", "a", false},
		{"A", "", false},
		{"LD_*", "LD_PRELOAD", true},
		{"LD_*", "LD_", true},
		{"LD_*", "LD", false},
		{"LD_*", "XLD_A", false},
		{"LD_*", "ld_preload", true},
		{"*_TOKEN", "A_TOKEN", true},
		{"*_TOKEN", "_TOKEN", true},
		{"*_TOKEN", "a_token", true},
		{"*_TOKEN", "TOKEN", false},
		{"*_TOKEN", "A_TOKEN_B", false},
		{"*_TOKEN", "A_TOKEN_TOKEN", true},
		{"*KEY*", "KEY", true},
		{"*KEY*", "a_keys", true},
		{"*KEY*", "KE", false},
		{"*KEY*", "KEKEYEY", true},
		{"*", "", true},
		{"*", "x", true},
		{"**", "", true},
		{"**", "x", true},
		{"", "", true},
		{"", "x", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (policy_name_matches(cases[i].pattern, cases[i].name) != cases[i].hit)
			fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].name);
}

static void test_binds(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct bind_rule rule;
	struct error e = ERROR_INIT;
	assert_int_equal(bind_rule_parse(&rule, &a, ".", &e), 0);
	assert_string_equal(rule.source, ".");
	assert_null(rule.dest);
	assert_false(rule.optional);
	assert_string_equal(bind_rule_format(&rule, &a), ".");
	assert_int_equal(bind_rule_parse(&rule, &a, "a b:~/c", &e), 0);
	assert_string_equal(rule.source, "a b");
	assert_string_equal(rule.dest, "~/c");
	assert_string_equal(bind_rule_format(&rule, &a), "a b:~/c");
	static const char *const wrong[] = {
		"", ":", "a:", ":/b", "a:b", "a:/b:/c", "~joe/x", "a:~joe/x"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (bind_rule_parse(&rule, &a, wrong[i], &e) == 0)
			fail_msg("accepted: '%s'", wrong[i]);
	assert_string_equal(e.text,
		"'a:~joe/x' names another user's home, which is not looked up; write its path");
	assert_int_equal(e.blame, BLAME_REQUEST);
	assert_string_equal(rule.dest, "~/c");
}

static void test_lengths(void **state)
{
	(void)state;
	char path[PATH_MAX + 1];
	memset(path, 'x', sizeof path);
	path[PATH_MAX - 1] = '\0';
	assert_null(policy_item_fault(ITEM_PATH, path));
	path[PATH_MAX - 1] = 'x';
	path[PATH_MAX] = '\0';
	assert_string_equal(policy_item_fault(ITEM_PATH, path), "is longer than a path can be");
	static char text[32 * 4096 + 1];
	memset(text, 'x', sizeof text);
	text[sizeof text - 2] = '\0';
	assert_null(policy_item_fault(ITEM_TEXT, text));
	text[sizeof text - 2] = 'x';
	text[sizeof text - 1] = '\0';
	assert_string_equal(policy_item_fault(ITEM_TEXT, text), "is too long");
	text[65] = '\0';
	assert_non_null(policy_item_fault(ITEM_SYSCALL, text));
	text[64] = '\0';
	assert_null(policy_item_fault(ITEM_SYSCALL, text));
}

static void test_items(void **state)
{
	static const struct {
		enum policy_item item;
		const char *text;
		bool good;
	} cases[] = {
		{ITEM_ROOT, "/", true},
		{ITEM_ROOT, "~/r", true},
		{ITEM_ROOT, "r", false},
		{ITEM_HIDE, "a*", true},
		{ITEM_HIDE, "*", false},
		{ITEM_HIDE, "*a", false},
		{ITEM_HIDE, "/a/b*", true},
		{ITEM_HIDE, "/a/*", false},
		{ITEM_HIDE, "/a**", false},
		{ITEM_PATTERN, "*A*", true},
		{ITEM_PATTERN, "**", false},
		{ITEM_PATTERN, "", false},
		{ITEM_PATTERN, "A*B*", false},
		{ITEM_NAME, "a.b", true},
		{ITEM_NAME, "=", false},
		{ITEM_NAME, "", false},
		{ITEM_NAME, "BULKHEAD", false},
		{ITEM_NAME, "BULKHEAD_X", true},
		{ITEM_SYSCALL, "read", true},
		{ITEM_SYSCALL, "read:EPERM", true},
		{ITEM_SYSCALL, "", false},
		{ITEM_SYSCALL, "read:a:b", false},
		{ITEM_OUTCOME, "memory_limit", true},
		{ITEM_OUTCOME, "later", true},
		{ITEM_OUTCOME, "no", false},
		{ITEM_OUTCOME, "ok", false},
		{ITEM_OUTCOME, "", false},
		{ITEM_OUTCOME, "nonsense", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (!policy_item_fault(cases[i].item, cases[i].text) != cases[i].good)
			fail_msg("'%s'", cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_binds),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_items),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
