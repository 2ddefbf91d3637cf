/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "run/test-resolve.h"

/* ---- hidden paths ---- */

static void test_what_is_not_there_needs_no_hiding(void **state)
{
	struct fixture *f = *state;
	make_link(f, "nowhere", "dangling");
	make_link(f, "loop", "loop");
	hide(f, "~/.missing");
	hide(f, "~/dangling");
	hide(f, "~/loop");
	resolve(f);
	assert_int_equal(f->r.hide.n, 0);
}

static void test_names_of_one_thing_are_hidden_once(void **state)
{
	struct fixture *f = *state;
	make_dir(f, ".keys");
	make_link(f, ".keys", "link");
	make_link(f, "link", "link2");
	hide(f, "~/link2");
	hide(f, "~/.keys");
	hide(f, "~/.keys/");
	hide(f, "link/../.keys/.");
	hide(f, "~/link");
	resolve(f);
	assert_int_equal(f->r.hide.n, 1);
	shown(f, &f->r.hide, ".keys", ".keys");
	assert_true(f->r.hide.v[0].is_dir);
}

/* A hard link is another name that the first does not cover. */
static void test_hard_links_are_hidden_each(void **state)
{
	struct fixture *f = *state;
	make_file(f, "token");
	assert_int_equal(link(at(f, "token"), at(f, "token2")), 0);
	hide(f, "token");
	hide(f, "token2");
	resolve(f);
	assert_int_equal(f->r.hide.n, 2);
}

static void test_patterns(void **state)
{
	struct fixture *f = *state;
	make_file(f, ".a_history");
	make_file(f, ".B_HISTORY");
	make_file(f, "history.txt");
	make_file(f, "new\n_history");
	hide(f, "~/*_history");
	hide(f, "~/missing/*_history");
	resolve(f);
	assert_int_equal(f->r.hide.n, 3);
	assert_non_null(find(&f->r.hide, at(f, ".B_HISTORY")));
	assert_null(find(&f->r.hide, at(f, "history.txt")));
}

static void test_a_pattern_of_everything(void **state)
{
	struct fixture *f = *state;
	make_file(f, "a");
	make_file(f, "b");
	hide(f, "~/*");
	resolve(f);
	/* neither "." nor "..": the directory and the one above stay */
	assert_int_equal(f->r.hide.n, 2);
}

static void test_the_root_cannot_be_hidden(void **state)
{
	static const char *const roots[] = {"/", "//", "/..", "/tmp/.."};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		f->policy.filesystem.hide.n = 0;
		hide(f, roots[i]);
		refused(f, "'/' cannot be hidden");
	}
}

/* A secret does not come back under another name of the directory that it is in. */
static void test_renamed_directories_hide_what_is_hidden(void **state)
{
	struct fixture *f = *state;
	make_dir(f, "home");
	make_dir(f, "home/.ssh");
	make_dir(f, "home/.sshx");
	bind_to(f, &f->policy.filesystem.read, "home", "/srv/elsewhere");
	bind_to(f, &f->policy.filesystem.write, "home", "/");
	hide(f, "home/.ssh");
	refused(f, "'/' cannot be given");
	f->policy.filesystem.write.n = 0;
	resolve(f);
	assert_int_equal(f->r.hide.n, 2);
	assert_non_null(find(&f->r.hide, at(f, "home/.ssh")));
	assert_non_null(find(&f->r.hide, "/srv/elsewhere/.ssh"));
}

/* It has been named itself: that is meant. */
static void test_a_hidden_thing_can_be_shown_elsewhere_by_name(void **state)
{
	struct fixture *f = *state;
	make_dir(f, ".ssh");
	bind_to(f, &f->policy.filesystem.read, ".ssh", "/srv/keys");
	hide(f, ".ssh");
	resolve(f);
	assert_int_equal(f->r.hide.n, 1);
	assert_null(find(&f->r.hide, "/srv/keys"));
}

/* An empty root knows a directory by the name that it was asked for, or by its real one. */
static void test_both_names_are_hidden_in_an_empty_root(void **state)
{
	struct fixture *f = *state;
	f->policy.filesystem.root = NULL;
	make_dir(f, "real");
	make_dir(f, "real/.ssh");
	make_link(f, "real", "home");
	hide(f, "home/.ssh");
	read_of(f, "home");
	read_of(f, "real");
	resolve(f);
	shown(f, &f->r.read, "real", "home");
	shown(f, &f->r.read, "real", "real");
	assert_non_null(find(&f->r.hide, at(f, "home/.ssh")));
	assert_non_null(find(&f->r.hide, at(f, "real/.ssh")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RESOLVE_TEST(test_what_is_not_there_needs_no_hiding),
		RESOLVE_TEST(test_names_of_one_thing_are_hidden_once),
		RESOLVE_TEST(test_hard_links_are_hidden_each),
		RESOLVE_TEST(test_patterns),
		RESOLVE_TEST(test_a_pattern_of_everything),
		RESOLVE_TEST(test_the_root_cannot_be_hidden),
		RESOLVE_TEST(test_renamed_directories_hide_what_is_hidden),
		RESOLVE_TEST(test_a_hidden_thing_can_be_shown_elsewhere_by_name),
		RESOLVE_TEST(test_both_names_are_hidden_in_an_empty_root),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
