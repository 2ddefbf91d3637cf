/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "run/resolve.h"

/* Policies' paths against a real tree, each test with one of its own, which is cwd and home. */
struct fixture {
	char dir[64];
	struct arena a;
	struct policy policy;
	struct host host;
	struct resolved r;
	struct error e;
};

static int setup(void **state)
{
	char template[] = "/var/tmp/bulkhead-resolve-XXXXXX";
	struct fixture *f = calloc(1, sizeof(*f));
	*state = f;
	if (!f || !mkdtemp(template) || !realpath(template, f->dir))
		return -1;
	f->policy.filesystem.root = "/";
	f->policy.filesystem.cwd = CWD_WRITE;
	f->host.cwd = f->host.home = f->dir;
	f->host.uid = 1000;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int r = nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	arena_fini(&f->a);
	free(f);
	return r;
}

/* ---- words for the tests ---- */

static const char *at(struct fixture *f, const char *name)
{
	return path_join(&f->a, f->dir, name);
}

static void make_dir(struct fixture *f, const char *name)
{
	assert_int_equal(mkdir(at(f, name), 0755), 0);
}

static void make_file(struct fixture *f, const char *name)
{
	int fd = open(at(f, name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	close(fd);
}

static void make_link(struct fixture *f, const char *target, const char *name)
{
	assert_int_equal(symlink(target, at(f, name)), 0);
}

static void hide(struct fixture *f, const char *path)
{
	strv_push(&f->a, &f->policy.filesystem.hide, path);
}

static void bind_to(struct fixture *f, struct bind_list *list, const char *source, const char *dest)
{
	struct bind_rule *v = arena_calloc(&f->a, list->n + 1, sizeof(*v));
	if (list->n > 0)
		memcpy(v, list->v, list->n * sizeof(*v));
	v[list->n] = (struct bind_rule){.source = source, .dest = dest};
	list->v = v;
	list->n++;
}

static void read_of(struct fixture *f, const char *source)
{
	bind_to(f, &f->policy.filesystem.read, source, NULL);
}

static void resolve(struct fixture *f)
{
	f->e = ERROR_INIT;
	if (resolve_paths(&f->r, &f->policy, &f->host, &f->a, &f->e) < 0)
		fail_msg("%s", f->e.text);
}

static void refused(struct fixture *f, const char *words)
{
	f->e = ERROR_INIT;
	assert_int_equal(resolve_paths(&f->r, &f->policy, &f->host, &f->a, &f->e), -1);
	assert_int_equal(f->e.blame, BLAME_REQUEST);
	if (!strstr(f->e.text, words))
		fail_msg("'%s' does not say '%s'", f->e.text, words);
}

static const struct resolved_path *find(const struct resolved_list *list, const char *dest)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i].dest, dest) == 0)
			return &list->v[i];
	return NULL;
}

static void shown(
	struct fixture *f, const struct resolved_list *list, const char *source, const char *dest)
{
	const struct resolved_path *p = find(list, at(f, dest));
	if (!p)
		fail_msg("nothing is at '%s'", dest);
	assert_string_equal(p->source, at(f, source));
}

static bool noted(const struct fixture *f, const char *words)
{
	for (size_t i = 0; i < f->r.notes.n; i++)
		if (strstr(f->r.notes.v[i], words))
			return true;
	return false;
}

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_links_are_followed_once),
		TEST(test_files_are_files),
		TEST(test_loops_and_missing_are_refused),
		TEST(test_names_of_any_bytes),
		TEST(test_long_names),
		TEST(test_what_is_the_boxs_own_is_refused),
		TEST(test_too_many_paths),
		TEST(test_what_is_not_there_needs_no_hiding),
		TEST(test_names_of_one_thing_are_hidden_once),
		TEST(test_hard_links_are_hidden_each),
		TEST(test_patterns),
		TEST(test_a_pattern_of_everything),
		TEST(test_the_root_cannot_be_hidden),
		TEST(test_renamed_directories_hide_what_is_hidden),
		TEST(test_a_hidden_thing_can_be_shown_elsewhere_by_name),
		TEST(test_both_names_are_hidden_in_an_empty_root),
		TEST(test_a_foreign_roots_links_stay_in_it),
		TEST(test_proc_is_the_same_in_every_root),
		TEST(test_patterns_of_a_foreign_root_look_there),
		TEST(test_a_root_is_named_from_where_the_caller_is),
		TEST(test_roots_that_are_none),
		TEST(test_the_working_directory_is_written),
		TEST(test_a_working_directory_that_is_read),
		TEST(test_a_link_does_not_make_the_system_writable),
		TEST(test_a_working_directory_that_cannot_be),
		TEST(test_a_working_directory_in_a_tmpfs),
		TEST(test_a_hidden_working_directory_is_empty_and_said_to_be),
		TEST(test_what_is_in_a_hidden_directory_can_be_worked_in),
		TEST(test_an_isolated_user_is_led_past_closed_directories),
		TEST(test_proc_is_protected_from_the_hosts_root_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
