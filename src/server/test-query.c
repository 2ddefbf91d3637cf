/* SPDX-License-Identifier: MIT */
#include "server/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void decoded(const char *text, const char *expected)
{
	cleanup_arena struct arena a = ARENA_INIT;
	const char *out = query_decode(text, &a);
	if (!expected)
		assert_null(out);
	else
		assert_string_equal(out, expected);
}

static void test_decode(void **state)
{
	(void)state;
	decoded("", "");
	decoded("a+b%20c", "a b c");
	decoded("%41%7a%7A", "Azz");
	decoded("%C3%A9", "\xc3\xa9");
	decoded("100%25", "100%");
	decoded("%00", NULL);
	decoded("a%0", NULL);
	decoded("%", NULL);
	decoded("%g0", NULL);
	decoded("%0g", NULL);
	decoded("%ff", NULL);
	decoded("\xff", NULL);
}

static void test_faults(void **state)
{
	static const struct {
		const char *name, *good, *bad;
	} cases[] = {
		{"wait", "1", "yes"},
		{"now", "0", ""},
		{"gone", "cancel", "Cancel"},
		{"stream", "stderr", "stdin"},
		{"limit", "1000", "1001"},
		{"limit", "1", "0"},
		{"cause", "memory_limit", "oom"},
		{"key", "a key", "a\nkey"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int query = query_from_name(cases[i].name);
		assert_true(query >= 0);
		assert_string_equal(query_name((enum query)query), cases[i].name);
		assert_null(query_fault((enum query)query, cases[i].good));
		assert_non_null(query_fault((enum query)query, cases[i].bad));
	}
	assert_int_equal(query_from_name("Wait"), -1);
	assert_int_equal(query_from_name(""), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_faults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
