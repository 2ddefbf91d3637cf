/* SPDX-License-Identifier: MIT */
#include "base/path.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

static void test_normalize(void **state)
{
	(void)state;
	static const struct {
		const char *cwd, *path, *want;
	} rows[] = {
		{"/w", "", "/w"},
		{"/w", ".", "/w"},
		{"/w", "..", "/"},
		{"/w", "a", "/w/a"},
		{"/w/", "a/", "/w/a"},
		{"//w//", "./a//b/./", "/w/a/b"},
		{"/w", "/", "/"},
		{"/w", "//", "/"},
		{"/w", "/..", "/"},
		{"/w", "/../../..", "/"},
		{"/w", "/../a", "/a"},
		{"/w", "../../../etc", "/etc"},
		{"/w/x", "../y", "/w/y"},
		{"/w", "/a/b/../../..//c/.", "/c"},
		{"/w", "...", "/w/..."},
		{"/w", "..a/.b/a..", "/w/..a/.b/a.."},
		{"/w", "/a/..b/../..", "/"},
		{"/", "a", "/a"},
		{"/", "", "/"},
		{"/a/..", "b", "/b"},
		{"/w", "a b\n", "/w/a b\n"},
	};
	cleanup_arena struct arena a = ARENA_INIT;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(path_normalize(&a, rows[i].cwd, rows[i].path), rows[i].want);
	assert_string_equal(path_normalize(&a, NULL, "/a/"), "/a"); /* no need of a cwd */
}

static void test_normalize_is_stable(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	/* All texts of "/", "." and "a" up to 8 characters. */
	for (unsigned n = 0; n < 6561; n++) {
		char path[16] = "";
		for (unsigned i = 0, rest = n; rest > 0; rest /= 3)
			path[i++] = "/.a"[rest % 3];
		char *once = path_normalize(&a, "/c/d", path);
		assert_int_equal(once[0], '/');
		assert_true(once[1] == '\0' || once[strlen(once) - 1] != '/');
		assert_null(strstr(once, "//"));
		char framed[64];
		strcat(strcpy(framed, once), "/");
		assert_null(strstr(framed, "/./"));
		assert_null(strstr(framed, "/../"));
		assert_string_equal(path_normalize(&a, "/e", once), once);
	}
}

static void test_home(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	assert_string_equal(path_expand_home(&a, "/h", "~"), "/h");
	assert_string_equal(path_expand_home(&a, "/h", "~/"), "/h");
	assert_string_equal(path_expand_home(&a, "/h/", "~/x"), "/h/x");
	assert_string_equal(path_expand_home(&a, "/h", "~//x"), "/h/x");
	assert_string_equal(path_expand_home(&a, "/h", "~user/x"), "~user/x");
	assert_string_equal(path_expand_home(&a, "/h", "a/~"), "a/~");
	assert_string_equal(path_expand_home(&a, "/h", ""), "");
	assert_string_equal(path_expand_home(&a, NULL, "~/x"), "~/x");
}

static void test_below(void **state)
{
	(void)state;
	assert_true(path_is_below("/a", "/a"));
	assert_true(path_is_below("/a/b", "/a"));
	assert_true(path_is_below("/a", "/"));
	assert_true(path_is_below("/", "/"));
	assert_false(path_is_below("/ab", "/a"));
	assert_false(path_is_below("/", "/a"));
	assert_false(path_is_below("/a", "/a/b"));
	assert_false(path_is_below("/b/a", "/a"));
}

static void test_join_and_base(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	assert_string_equal(path_join(&a, "/a", "b"), "/a/b");
	assert_string_equal(path_join(&a, "/a/", "b"), "/a/b");
	assert_string_equal(path_join(&a, "/a", "/b"), "/a/b");
	assert_string_equal(path_join(&a, "/a/", "//b"), "/a/b");
	assert_string_equal(path_join(&a, "/", "b"), "/b");
	assert_string_equal(path_join(&a, "/", ""), "/");
	assert_string_equal(path_join(&a, "", "b"), "b");
	assert_string_equal(path_join(&a, "a", ""), "a");
	assert_string_equal(path_base("/a/b"), "b");
	assert_string_equal(path_base("b"), "b");
	assert_string_equal(path_base("/a/"), "");
	assert_string_equal(path_base("/"), "");
	assert_string_equal(path_base(""), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normalize),
		cmocka_unit_test(test_normalize_is_stable),
		cmocka_unit_test(test_home),
		cmocka_unit_test(test_below),
		cmocka_unit_test(test_join_and_base),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
