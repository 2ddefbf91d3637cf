/* SPDX-License-Identifier: MIT */
#include "run/lookup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* TOP/dir/file, TOP/dir/sub, TOP/link → dir, TOP/dir/alias → file, TOP/loop → loop */
struct tree {
	char top[64];
	struct arena a;
	struct lookup l;
};

static const char *in(struct tree *t, const char *path)
{
	return arena_printf(&t->a, "%s/%s", t->top, path);
}

static void make_file(const char *path)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
}

static int set_up(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));
	strcpy(t->top, "/var/tmp/test-lookup-XXXXXX");
	if (!mkdtemp(t->top))
		return -1;
	mkdir(in(t, "dir"), 0700);
	mkdir(in(t, "dir/sub"), 0700);
	make_file(in(t, "dir/file"));
	int r = symlink("dir", in(t, "link"));
	r |= symlink("file", in(t, "dir/alias"));
	r |= symlink("loop", in(t, "loop"));
	lookup_init(&t->l, &t->a);
	*state = t;
	return r;
}

static int tear_down(void **state)
{
	static const char *const files[] = {"dir/alias", "dir/file", "link", "loop"};
	struct tree *t = *state;
	lookup_fini(&t->l);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(in(t, files[i]));
	int r = rmdir(in(t, "dir/sub")) | rmdir(in(t, "dir")) | rmdir(t->top);
	arena_fini(&t->a);
	free(t);
	return r;
}

static void expect(struct tree *t, const char *path, const char *real, bool is_dir)
{
	struct lookup_answer answer = {0};
	bool found = lookup(&t->l, in(t, path), &answer);
	assert_int_equal(found, real != NULL);
	if (!real)
		return;
	assert_string_equal(answer.real, in(t, real));
	assert_int_equal(answer.is_dir, is_dir);
}

static void look_everywhere(struct tree *t)
{
	expect(t, "dir/file", "dir/file", false);
	expect(t, "dir/sub", "dir/sub", true);
	expect(t, "dir/none", NULL, false);
	expect(t, "dir/alias", "dir/file", false);
	expect(t, "link/file", "dir/file", false);
	expect(t, "link/sub", "dir/sub", true);
	expect(t, "link/alias", "dir/file", false);
	expect(t, "link", "dir", true);
	expect(t, "none/file", NULL, false);
	expect(t, "none/deeper/file", NULL, false);
	expect(t, "dir/file/file", NULL, false);
	expect(t, "loop", NULL, false);
	expect(t, "loop/file", NULL, false);
}

static void test_finds(void **state)
{
	look_everywhere(*state);
	look_everywhere(*state); /* from what is kept */
}

/* What cannot be opened for want of descriptors is still found: it may be a secret to be hidden. */
static void test_without_descriptors(void **state)
{
	struct rlimit had, none;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &had), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = had.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	look_everywhere(*state);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &had), 0);
}

static void test_root(void **state)
{
	struct tree *t = *state;
	struct lookup_answer answer = {0};
	assert_true(lookup(&t->l, "/", &answer));
	assert_string_equal(answer.real, "/");
	assert_true(answer.is_dir);
	assert_true(lookup(&t->l, "/proc", &answer));
	assert_string_equal(answer.real, "/proc");
}

static void test_more_directories_than_are_kept(void **state)
{
	struct tree *t = *state;
	for (int i = 0; i < 200; i++)
		expect(t, arena_printf(&t->a, "none%d/file", i), NULL, false);
	look_everywhere(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_finds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_without_descriptors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_root, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_more_directories_than_are_kept, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
