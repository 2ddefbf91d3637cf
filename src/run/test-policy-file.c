/* SPDX-License-Identifier: MIT */
#include "run/policy-file.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "model/codec-document.h"

/* Each test in a directory of its own, which is where the caller's configuration is as well. */
struct place_of_test {
	char dir[64], policies[160];
};

static int setup(void **state)
{
	struct place_of_test *t = calloc(1, sizeof *t);
	char bulkhead[128];
	if (!t)
		return -1;
	strcpy(t->dir, "/tmp/bulkhead-policy-XXXXXX");
	if (!mkdtemp(t->dir))
		return -1;
	snprintf(bulkhead, sizeof bulkhead, "%s/bulkhead", t->dir);
	snprintf(t->policies, sizeof t->policies, "%s/policies", bulkhead);
	setenv("XDG_CONFIG_HOME", t->dir, 1);
	*state = t;
	return mkdir(bulkhead, 0700) < 0 || mkdir(t->policies, 0700) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"mine.yaml", "tool.yaml", "x.yaml", "fifo.yaml",
		"link.yaml", "-bad.yaml", "other.txt", "wrong.yaml"};
	struct place_of_test *t = *state;
	char path[256];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", t->policies, names[i]);
		unlink(path);
	}
	int rc = rmdir(t->policies);
	snprintf(path, sizeof path, "%s/bulkhead", t->dir);
	rc |= rmdir(path);
	rc |= rmdir(t->dir);
	free(t);
	return rc;
}

static const char *path_to(struct arena *a, const struct place_of_test *t, const char *name)
{
	return arena_printf(a, "%s/%s", t->policies, name);
}

static void put(struct arena *a, const struct place_of_test *t, const char *name, const char *text,
	size_t size)
{
	cleanup_fd int fd =
		open(path_to(a, t, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, size), 0);
}

static void refused(struct arena *a, const char *name, enum blame blame, const char *expected)
{
	struct policy p;
	struct error e = ERROR_INIT;
	assert_int_equal(policy_load(&p, a, &policy_files, name, &e), -1);
	assert_string_equal(e.text, expected);
	assert_int_equal(e.blame, blame);
}

static void test_lookup(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct place_of_test *t = *state;
	struct policy p;
	struct error e = ERROR_INIT;
	static const char mine[] = "limits: {pids: 77}\n", tool[] = "limits: {pids: 1}\n";
	put(&a, t, "mine.yaml", mine, strlen(mine));
	put(&a, t, "tool.yaml", tool, strlen(tool));
	put(&a, t, "other.txt", mine, strlen(mine));
	put(&a, t, "-bad.yaml", mine, strlen(mine));
	assert_int_equal(policy_load(&p, &a, &policy_files, "mine", &e), 0);
	assert_int_equal(p.limits.v[LIMIT_PIDS].value, 77);
	assert_string_equal(p.name, "mine");
	/* a shipped policy cannot be replaced in silence, but a file is had by its path */
	assert_int_equal(policy_load(&p, &a, &policy_files, "tool", &e), 0);
	assert_int_equal(p.limits.v[LIMIT_PIDS].value, 512);
	assert_int_equal(policy_load(&p, &a, &policy_files, path_to(&a, t, "tool.yaml"), &e), 0);
	assert_int_equal(p.limits.v[LIMIT_PIDS].value, 1);
	struct strv dirs = policy_file_dirs(&a), names = policy_file_names(&a, t->policies);
	assert_int_equal(dirs.n, 2);
	assert_string_equal(dirs.v[0], t->policies);
	assert_string_equal(dirs.v[1], "/etc/bulkhead/policies");
	assert_int_equal(names.n, 1);
	assert_string_equal(names.v[0], "mine");
	refused(&a, "mien", BLAME_REQUEST, "no policy is called 'mien'; did you mean 'mine'?");
	refused(&a, "zzzzzzzz", BLAME_REQUEST,
		"no policy is called 'zzzzzzzz'; see 'bulkhead policy list', or give the path of a "
		"file");
}

static void test_config_home(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct place_of_test *t = *state;
	setenv("XDG_CONFIG_HOME", "relative", 1);
	setenv("HOME", t->dir, 1);
	struct strv dirs = policy_file_dirs(&a);
	assert_string_equal(dirs.v[0], arena_printf(&a, "%s/.config/bulkhead/policies", t->dir));
	unsetenv("HOME");
	unsetenv("XDG_CONFIG_HOME");
	dirs = policy_file_dirs(&a);
	assert_int_equal(dirs.n, 1);
	refused(&a, "nobody-has-this", BLAME_REQUEST,
		"no policy is called 'nobody-has-this'; see 'bulkhead policy list', or give the "
		"path "
		"of a file");
}

static void test_not_a_file(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct place_of_test *t = *state;
	assert_int_equal(mkfifo(path_to(&a, t, "fifo.yaml"), 0600), 0);
	refused(&a, path_to(&a, t, "fifo.yaml"), BLAME_REQUEST,
		arena_printf(&a, "policy '%s/fifo.yaml' is not a regular file", t->policies));
	refused(&a, "fifo", BLAME_REQUEST,
		arena_printf(&a, "policy '%s/fifo.yaml' is not a regular file", t->policies));
	refused(&a, "/dev/zero", BLAME_REQUEST, "policy '/dev/zero' is not a regular file");
	refused(&a, t->policies, BLAME_REQUEST,
		arena_printf(&a, "cannot read policy '%s': is a directory", t->policies));
	refused(&a, "./nothing.yaml", BLAME_REQUEST,
		"cannot open policy './nothing.yaml': no such file or directory");
	refused(&a, "", BLAME_REQUEST, "cannot open policy '': no such file or directory");
	assert_int_equal(symlink("link.yaml", path_to(&a, t, "link.yaml")), 0);
	refused(&a, path_to(&a, t, "link.yaml"), BLAME_HOST,
		arena_printf(&a,
			"cannot open policy '%s/link.yaml': too many levels of symbolic "
			"links",
			t->policies));
}

static void test_size(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct place_of_test *t = *state;
	struct policy p;
	char *text = arena_alloc(&a, DOCUMENT_MAX_SIZE + 1);
	memset(text, '#', DOCUMENT_MAX_SIZE + 1);
	memcpy(text, "limits: {pids: 3}\n", 18);
	put(&a, t, "x.yaml", text, DOCUMENT_MAX_SIZE);
	assert_int_equal(policy_load(&p, &a, &policy_files, path_to(&a, t, "x.yaml"), NULL), 0);
	put(&a, t, "x.yaml", text, DOCUMENT_MAX_SIZE + 1);
	refused(&a, path_to(&a, t, "x.yaml"), BLAME_POLICY,
		arena_printf(&a, "policy '%s/x.yaml' is larger than 1 MiB", t->policies));
	put(&a, t, "x.yaml", "a\0b", 3);
	refused(&a, path_to(&a, t, "x.yaml"), BLAME_POLICY,
		arena_printf(&a, "policy '%s/x.yaml' line 1 column 2: a NUL byte", t->policies));
	put(&a, t, "x.yaml", "", 0);
	refused(&a, path_to(&a, t, "x.yaml"), BLAME_POLICY,
		arena_printf(&a, "policy '%s/x.yaml' line 1 column 1: there is nothing in it",
			t->policies));
	/* one that says that it is empty and is not */
	refused(&a, "/proc/self/status", BLAME_POLICY,
		"policy '/proc/self/status' line 1 column 1: unknown key 'Name'");
}

static void test_nothing_left_open(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct place_of_test *t = *state;
	struct policy p;
	int before = dup(0);
	static const char *const names[] = {"wrong", "nobody", "/dev/zero", "/tmp", "tool"};
	put(&a, t, "wrong.yaml", "a: [", 4);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		policy_load(&p, &a, &policy_files, names[i], NULL);
	int after = dup(0);
	assert_int_equal(after, before + 1);
	close(after);
	close(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lookup, setup, teardown),
		cmocka_unit_test_setup_teardown(test_config_home, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_left_open, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
