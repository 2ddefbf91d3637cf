/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "run/host-cgroup.h"

/* The layout of this very host, and text that is too much. (test-host-cgroup.c has the rest.) */

static struct arena arena;

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static bool is_one_directory(const char *a, const char *b)
{
	struct stat x, y;
	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* The quick look and the thorough one are of one opinion. */
static void test_both_looks_agree(void **state)
{
	struct cgroup_layout quick = {0}, thorough;
	(void)state;
	if (!cgroup_layout_standard(&quick, &arena)) {
		print_message("skipped: this host has its hierarchies in unusual places\n");
		skip();
	}
	cgroup_layout_unusual(&thorough, &arena);
	for (int c = 0; c < CONTROLLER_COUNT_; c++) {
		print_message("%s\n", controller_name((enum controller)c));
		assert_int_equal(!quick.mount[c].path, !thorough.mount[c].path);
		if (!quick.mount[c].path)
			continue;
		assert_true(is_one_directory(quick.mount[c].path, thorough.mount[c].path));
		assert_int_equal(quick.mount[c].v2, thorough.mount[c].v2);
	}
}

/* Whatever it says, each mount that it found is one. */
static void test_what_is_found_is_mounted(void **state)
{
	struct cgroup_layout l;
	(void)state;
	cgroup_layout_unusual(&l, &arena);
	for (int c = 0; c < CONTROLLER_COUNT_; c++) {
		struct statfs st;
		if (!l.mount[c].path)
			continue;
		assert_int_equal(statfs(l.mount[c].path, &st), 0);
		assert_int_equal((unsigned long)st.f_type,
			l.mount[c].v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC);
	}
}

static void expect_core(const char *text, const char *path)
{
	struct cgroup_layout l;
	cgroup_layout_parse(&l, text, &arena);
	if (!path)
		assert_null(l.mount[CONTROLLER_CORE].path);
	else
		assert_string_equal(l.mount[CONTROLLER_CORE].path, path);
}

/* A mount may have any number of optional fields; what they hide is not taken for something else. */
static void test_lines_with_very_many_fields(void **state)
{
	(void)state;
	for (unsigned n = 50; n < 70; n++) {
		cleanup_buf struct buf text = BUF_INIT;
		buf_puts(&text, "1 2 3:4 / /x rw");
		for (unsigned i = 0; i < n; i++)
			buf_printf(&text, " shared:%u", i);
		buf_puts(&text, " - cgroup2 none rw\n2 2 3:4 / /y rw - cgroup2 none rw\n");
		/* 64 are looked at: six before, and the dash and three after */
		expect_core(buf_str(&text), n <= 54 ? "/x" : "/y");
	}
}

static void test_paths_of_any_length(void **state)
{
	cleanup_buf struct buf path = BUF_INIT, text = BUF_INIT;
	(void)state;
	for (int i = 0; i < 4000; i++)
		buf_puts(&path, "/n");
	buf_printf(&text, "1 2 3:4 / %s rw - cgroup2 none rw", buf_str(&path));
	expect_core(buf_str(&text), buf_str(&path));
}

static void test_bytes_that_are_no_text(void **state)
{
	(void)state;
	expect_core("1 2 3:4 / /\xff\\012\xfe rw - cgroup2 none rw\n", "/\xff\n\xfe");
	expect_core("1 2 3:4 / /x\\0 rw - cgroup2 none rw\n", "/x\\0");
	expect_core("1 2 3:4  / /x rw - cgroup2 none rw\n", "/");
	expect_core("1 2 3:4 / /x rw - cgroup2  none rw\n", "/x");
	expect_core("1 2 3:4 / /x rw - - cgroup2 none rw\n", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_both_looks_agree, teardown),
		cmocka_unit_test_teardown(test_what_is_found_is_mounted, teardown),
		cmocka_unit_test_teardown(test_lines_with_very_many_fields, teardown),
		cmocka_unit_test_teardown(test_paths_of_any_length, teardown),
		cmocka_unit_test_teardown(test_bytes_that_are_no_text, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
