/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>

#include "run/test-resolve.h"

/* What is shown, the root, the working directory. */

/* ---- binds ---- */

static void test_links_are_followed_once(void **state)
{
	struct fixture *f = *state;
	make_dir(f, "real");
	make_link(f, "real", "one");
	make_link(f, "one", "two");
	read_of(f, "two");
	read_of(f, "./real/../one");
	bind_to(f, &f->policy.filesystem.read, "two", "/srv/there");
	resolve(f);
	/* all names of one directory are one mount, on the directory itself */
	assert_int_equal(f->r.read.n, 2);
	shown(f, &f->r.read, "real", "real");
	const struct resolved_path *there = find(&f->r.read, "/srv/there");
	assert_non_null(there);
	assert_string_equal(there->source, at(f, "real"));
	assert_true(there->is_dir);
}

static void test_files_are_files(void **state)
{
	struct fixture *f = *state;
	make_file(f, "data");
	read_of(f, "data");
	resolve(f);
	shown(f, &f->r.read, "data", "data");
	assert_false(f->r.read.v[0].is_dir);
}

static void test_loops_and_missing_are_refused(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *path;
		int errnum;
	} table[] = {{"loop", ELOOP}, {"missing", ENOENT}, {"dangling", ENOENT},
		{"file/below", ENOTDIR}, {"loop/below", ELOOP}};
	make_link(f, "loop", "loop");
	make_link(f, "nowhere", "dangling");
	make_file(f, "file");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		f->policy.filesystem.read.n = 0;
		read_of(f, table[i].path);
		refused(f, at(f, table[i].path));
		assert_int_equal(f->e.errnum, table[i].errnum);
		f->policy.filesystem.read.v[0].optional = true;
		resolve(f);
		assert_int_equal(f->r.read.n, 0);
	}
}

static void test_names_of_any_bytes(void **state)
{
	static const char *const names[] = {"a b", " lead", "new\nline", "\xff\xfe", "tab\t",
		"'q\"", "back\\040slash", "%s%n", "-dash", "a:b", "\xe2\x80\xae"};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		make_dir(f, names[i]);
		read_of(f, at(f, names[i]));
		hide(f, arena_printf(&f->a, "%s/secret", names[i]));
		make_file(f, arena_printf(&f->a, "%s/secret", names[i]));
	}
	resolve(f);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		shown(f, &f->r.read, names[i], names[i]);
		assert_non_null(
			find(&f->r.hide, arena_printf(&f->a, "%s/%s/secret", f->dir, names[i])));
	}
}

static void test_long_names(void **state)
{
	struct fixture *f = *state;
	char name[5000];
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	read_of(f, name);
	refused(f, "cannot use");
	assert_int_equal(f->e.errnum, ENAMETOOLONG);
}

static void test_what_is_the_boxs_own_is_refused(void **state)
{
	static const char *const dests[] = {"/", "/dev", "/proc", "/proc/sys", "/proc/1/root",
		"/dev/../proc", "/proc/../dev/.", "//"};
	struct fixture *f = *state;
	make_dir(f, "real");
	make_link(f, "/proc", "link");
	for (size_t i = 0; i < sizeof(dests) / sizeof(dests[0]); i++) {
		f->policy.filesystem.write.n = 0;
		bind_to(f, &f->policy.filesystem.write, "real", dests[i]);
		refused(f, "cannot be given to a box");
	}
	/* a box whose own empty files are covered hides nothing any more */
	f->policy.filesystem.write.n = 0;
	bind_to(f, &f->policy.filesystem.write, "real", "/dev/.bulkhead");
	refused(f, "'/dev/.bulkhead' is of the box's own making");
	f->policy.filesystem.write.n = 0;
	bind_to(f, &f->policy.filesystem.write, "link", NULL);
	refused(f, "'/proc' cannot be given to a box");
	f->policy.filesystem.write.n = 0;
	strv_push(&f->a, &f->policy.filesystem.tmpfs, "/proc/x");
	refused(f, "'/proc/x' cannot be given to a box");
	f->policy.filesystem.tmpfs.n = f->policy.filesystem.write.n = 0;
	strv_push(&f->a, &f->policy.filesystem.tmpfs, "/dev/.bulkhead/dir");
	refused(f, "'/dev/.bulkhead/dir' is of the box's own making");
}

static void test_too_many_paths(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 257; i++)
		strv_push(&f->a, &f->policy.filesystem.tmpfs, arena_printf(&f->a, "/t/%d", i));
	refused(f, "too many paths");
	f->policy.filesystem.tmpfs.n = 255; /* and /tmp */
	resolve(f);
	assert_int_equal(f->r.tmpfs.n, 256);
}

/* ---- another root ---- */

static void test_a_foreign_roots_links_stay_in_it(void **state)
{
	struct fixture *f = *state;
	struct resolved_list *hide_list = &f->r.hide;
	make_dir(f, "root");
	make_dir(f, "root/etc");
	make_dir(f, "root/srv");
	make_dir(f, "root/srv/keys");
	make_file(f, "root/srv/a.key");
	make_file(f, "a.key");
	make_link(f, "/srv/keys", "root/etc/keys"); /* absolute: from there, not from here */
	make_link(f, "/etc/passwd", "root/etc/host");
	make_link(f, "../../../../../../etc/passwd", "root/etc/up");
	f->policy.filesystem.root = at(f, "root");
	hide(f, "/etc/keys");
	hide(f, "/etc/host");
	hide(f, "/etc/up");
	hide(f, "/srv/a.key");
	resolve(f);
	assert_string_equal(f->r.root, at(f, "root"));
	assert_int_equal(hide_list->n, 2);
	assert_non_null(find(hide_list, "/etc/keys"));
	assert_true(find(hide_list, "/etc/keys")->is_dir);
	assert_non_null(find(hide_list, "/srv/a.key"));
}

/* It is none of the directory's, but mounted by the box. */
static void test_proc_is_the_same_in_every_root(void **state)
{
	struct fixture *f = *state;
	make_dir(f, "root");
	f->policy.filesystem.root = at(f, "root");
	hide(f, "/proc/version");
	resolve(f);
	assert_non_null(find(&f->r.hide, "/proc/version"));
}

static void test_patterns_of_a_foreign_root_look_there(void **state)
{
	struct fixture *f = *state;
	make_dir(f, "root");
	make_dir(f, "root/keys");
	make_file(f, "root/keys/one");
	f->policy.filesystem.root = at(f, "root");
	hide(f, "/keys/*");
	resolve(f);
	assert_int_equal(f->r.hide.n, 1);
	assert_non_null(find(&f->r.hide, "/keys/one"));
}

static void test_a_root_is_named_from_where_the_caller_is(void **state)
{
	struct fixture *f = *state;
	make_dir(f, "root");
	make_link(f, "root", "link");
	f->policy.filesystem.workdir = "/srv"; /* in there */
	f->policy.filesystem.root = "./link/.";
	resolve(f);
	assert_string_equal(f->r.root, at(f, "root"));
	assert_string_equal(f->r.cwd, "/srv");
	assert_int_equal(f->r.write.n, 0);
}

static void test_roots_that_are_none(void **state)
{
	struct fixture *f = *state;
	make_file(f, "file");
	make_link(f, "loop", "loop");
	f->policy.filesystem.root = "missing";
	refused(f, "cannot use 'missing' as root");
	f->policy.filesystem.root = "file";
	refused(f, "cannot use 'file' as root");
	assert_int_equal(f->e.errnum, ENOTDIR);
	f->policy.filesystem.root = "loop";
	refused(f, "cannot use 'loop' as root");
}

/* ---- the working directory ---- */

static void test_the_working_directory_is_written(void **state)
{
	struct fixture *f = *state;
	resolve(f);
	assert_string_equal(f->r.cwd, f->dir);
	assert_true(f->r.cwd_writable);
	assert_int_equal(f->r.write.n, 1);
	shown(f, &f->r.write, "", "");
	assert_int_equal(f->r.notes.n, 0);
}

static void test_a_working_directory_that_is_read(void **state)
{
	struct fixture *f = *state;
	f->policy.filesystem.cwd = CWD_READ;
	resolve(f);
	assert_false(f->r.cwd_writable);
	assert_int_equal(f->r.write.n, 0);
	shown(f, &f->r.read, "", "");
}

/* A link in somebody's checkout, say: what it leads to decides. */
static void test_a_link_does_not_make_the_system_writable(void **state)
{
	static const char *const targets[] = {"/etc", "/usr/lib", "/", "/proc", "/home", "/tmp"};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		make_link(f, targets[i], "build");
		f->policy.filesystem.workdir = "build";
		resolve(f);
		assert_false(f->r.cwd_writable);
		assert_int_equal(f->r.write.n, 0);
		assert_true(noted(f, "is not writable in the box"));
		unlink(at(f, "build"));
	}
	make_dir(f, "inside");
	make_link(f, "inside", "build");
	resolve(f);
	assert_true(f->r.cwd_writable);
	assert_string_equal(f->r.cwd, at(f, "inside"));
	shown(f, &f->r.write, "inside", "inside");
}

static void test_a_working_directory_that_cannot_be(void **state)
{
	struct fixture *f = *state;
	make_file(f, "file");
	f->policy.filesystem.workdir = "file";
	refused(f, "cannot use working directory");
	assert_int_equal(f->e.errnum, ENOTDIR);
	f->policy.filesystem.workdir = "missing";
	refused(f, "cannot use working directory");
	assert_int_equal(f->e.errnum, ENOENT);
	f->host.cwd = NULL;
	f->policy.filesystem.workdir = NULL;
	refused(f, "the working directory has been removed");
	f->policy.filesystem.workdir = "relative";
	refused(f, "the working directory has been removed");
	f->policy.filesystem.workdir = f->dir;
	resolve(f);
	assert_string_equal(f->r.cwd, f->dir);
}

/* It is to be made by the program in a directory that only the box has. */
static void test_a_working_directory_in_a_tmpfs(void **state)
{
	struct fixture *f = *state;
	strv_push(&f->a, &f->policy.filesystem.tmpfs, "/scratch");
	f->policy.filesystem.workdir = "/scratch/x";
	resolve(f);
	assert_string_equal(f->r.cwd, "/scratch/x");
	assert_int_equal(f->r.write.n, 0);
}

static void test_a_hidden_working_directory_is_empty_and_said_to_be(void **state)
{
	struct fixture *f = *state;
	make_dir(f, ".ssh");
	f->host.cwd = at(f, ".ssh");
	hide(f, "~/.ssh");
	resolve(f);
	assert_false(f->r.cwd_writable);
	assert_true(noted(f, "is empty in the box: the policy hides it"));
	assert_non_null(find(&f->r.hide, at(f, ".ssh")));
}

static void test_what_is_in_a_hidden_directory_can_be_worked_in(void **state)
{
	struct fixture *f = *state;
	make_dir(f, "run");
	make_dir(f, "run/work");
	f->host.cwd = at(f, "run/work");
	hide(f, "~/run");
	resolve(f);
	assert_true(f->r.cwd_writable);
	assert_int_equal(f->r.notes.n, 0);
}

/* ---- who runs it ---- */

static void test_an_isolated_user_is_led_past_closed_directories(void **state)
{
	struct fixture *f = *state;
	f->policy.user.mode = USER_ISOLATED;
	assert_int_equal(chmod(f->dir, 0700), 0);
	make_dir(f, "open");
	read_of(f, at(f, "open"));
	f->policy.filesystem.workdir = "open";
	resolve(f);
	assert_non_null(find(&f->r.hide, f->dir));
	assert_null(find(&f->r.hide, "/var"));
}

static void test_proc_is_protected_from_the_hosts_root_only(void **state)
{
	struct fixture *f = *state;
	resolve(f);
	assert_int_equal(f->r.protect.n, 0);
	assert_null(find(&f->r.hide, "/proc/keys"));
	f->host.uid = 0;
	resolve(f);
	assert_true(f->r.protect.n > 0);
	if (access("/proc/keys", F_OK) == 0)
		assert_non_null(find(&f->r.hide, "/proc/keys"));
	f->policy.user.mode = USER_ISOLATED;
	resolve(f);
	assert_int_equal(f->r.protect.n, 0);
	assert_null(find(&f->r.hide, "/proc/keys"));
	f->policy.user = (struct policy_user){.mode = USER_ID, .uid = 1000, .gid = 1000};
	resolve(f);
	assert_int_equal(f->r.protect.n, 0);
	f->policy.user = (struct policy_user){.mode = USER_ID};
	resolve(f);
	assert_true(f->r.protect.n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RESOLVE_TEST(test_links_are_followed_once),
		RESOLVE_TEST(test_files_are_files),
		RESOLVE_TEST(test_loops_and_missing_are_refused),
		RESOLVE_TEST(test_names_of_any_bytes),
		RESOLVE_TEST(test_long_names),
		RESOLVE_TEST(test_what_is_the_boxs_own_is_refused),
		RESOLVE_TEST(test_too_many_paths),
		RESOLVE_TEST(test_a_foreign_roots_links_stay_in_it),
		RESOLVE_TEST(test_proc_is_the_same_in_every_root),
		RESOLVE_TEST(test_patterns_of_a_foreign_root_look_there),
		RESOLVE_TEST(test_a_root_is_named_from_where_the_caller_is),
		RESOLVE_TEST(test_roots_that_are_none),
		RESOLVE_TEST(test_the_working_directory_is_written),
		RESOLVE_TEST(test_a_working_directory_that_is_read),
		RESOLVE_TEST(test_a_link_does_not_make_the_system_writable),
		RESOLVE_TEST(test_a_working_directory_that_cannot_be),
		RESOLVE_TEST(test_a_working_directory_in_a_tmpfs),
		RESOLVE_TEST(test_a_hidden_working_directory_is_empty_and_said_to_be),
		RESOLVE_TEST(test_what_is_in_a_hidden_directory_can_be_worked_in),
		RESOLVE_TEST(test_an_isolated_user_is_led_past_closed_directories),
		RESOLVE_TEST(test_proc_is_protected_from_the_hosts_root_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
