/* SPDX-License-Identifier: MIT */
#include "store/state-dir.h"

#include <errno.h>

#include "base/fd.h"
#include "store/test-state.h"

static void expect_refused(const char *path, const char *why)
{
	struct state_dir dir = STATE_DIR_INIT;
	struct error e = ERROR_INIT;
	setenv("BULKHEAD_STATE", path, 1);
	assert_int_equal(state_dir_open(&dir, STATE_DIR_CREATE, &e), -1);
	assert_int_equal(dir.fd, -1);
	if (!strstr(e.text, why))
		fail_msg("'%s' does not say '%s'", e.text, why);
}

static void it_is_made_with_what_is_above(void **state)
{
	struct test_state *t = *state;
	struct state_dir dir = STATE_DIR_INIT;
	struct error e = ERROR_INIT;
	struct stat st;
	char path[128];
	snprintf(path, sizeof path, "%s/a/b/c", t->path);
	setenv("BULKHEAD_STATE", path, 1);
	assert_int_equal(state_dir_open(&dir, STATE_DIR_READ, &e), 0);
	assert_int_equal(dir.fd, -1); /* reading makes nothing */
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(state_dir_open(&dir, STATE_DIR_CREATE, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_string_equal(dir.path, path);
	state_dir_close(&dir);
}

static void home_is_used(void **state)
{
	struct test_state *t = *state;
	struct state_dir dir = STATE_DIR_INIT;
	struct error e = ERROR_INIT;
	char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
	char expected[128];
	unsetenv("BULKHEAD_STATE");
	setenv("HOME", t->path, 1);
	setenv("XDG_STATE_HOME", "not/absolute", 1); /* is to be ignored, says its standard */
	if (geteuid() == 0 && seteuid(65534) == 0) { /* root has its place without a variable */
		assert_int_equal(state_dir_open(&dir, STATE_DIR_READ, &e), -1); /* not nobody's */
		assert_int_equal(seteuid(0), 0);
	} else {
		assert_int_equal(state_dir_open(&dir, STATE_DIR_CREATE, &e), 0);
		snprintf(expected, sizeof expected, "%s/.local/state/bulkhead", t->path);
		assert_string_equal(dir.path, expected);
		state_dir_close(&dir);
	}
	unsetenv("XDG_STATE_HOME");
	if (home)
		setenv("HOME", home, 1);
	free(home);
}

static void what_others_could_write_is_refused(void **state)
{
	struct test_state *t = *state;
	char link[128];
	assert_int_equal(chmod(t->path, 0770), 0);
	expect_refused(t->path, "others may write");
	assert_int_equal(chmod(t->path, 0707), 0);
	expect_refused(t->path, "chmod go-w");
	assert_int_equal(chmod(t->path, 0700), 0);
	snprintf(link, sizeof link, "%s/link", t->path);
	assert_int_equal(symlink(t->path, link), 0);
	expect_refused(link, "is a symbolic link");
}

static void what_is_not_a_directory_of_ours_is_refused(void **state)
{
	struct test_state *t = *state;
	char path[PATH_MAX + 16];
	snprintf(path, sizeof path, "%s/file", t->path);
	write_file(t->dir.fd, "file", "x", 1);
	expect_refused(path, "not a directory");
	strcat(path, "/below");
	expect_refused(path, "not a directory");
	expect_refused("relative", "must be an absolute path");
	memset(path, 'a', sizeof path - 1);
	path[0] = '/';
	path[sizeof path - 1] = '\0';
	expect_refused(path, "must be an absolute path of at most");
	if (geteuid() == 0) {
		assert_int_equal(chown(t->path, 65534, 65534), 0);
		expect_refused(t->path, "belongs to uid 65534");
	}
}

static void run_directories_come_and_go(void **state)
{
	struct test_state *t = *state;
	struct error e = ERROR_INIT;
	char text[16];
	const char *id = test_id(1, 1);
	int fd = run_dir_make(&t->dir, id, &e);
	assert_true(fd >= 0);
	assert_int_equal(run_dir_make(&t->dir, id, &e), -1);
	assert_int_equal(e.errnum, EEXIST);
	assert_int_equal(run_dir_write(fd, "verdict.json", "{}\n", 3), 0);
	assert_int_equal(run_dir_write(fd, "verdict.json", "[]\n", 3), 0);
	assert_int_equal(file_read_text(fd, "verdict.json", text, sizeof text), 3);
	assert_string_equal(text, "[]\n");
	close(fd);
	assert_int_equal(run_dir_remove(&t->dir, id), 0);
	assert_int_equal(run_dir_open(&t->dir, id), -1);
	assert_int_equal(run_dir_remove(&t->dir, id), 0); /* once more is no error */
}

static void an_id_is_no_path(void **state)
{
	struct test_state *t = *state;
	static const char *const bad[] = {"", ".", "..", "../x", "/", "a/b", "../../../../etc/x",
		"0123456789abcdeF", "0123456789abcdef0"};
	struct error e = ERROR_INIT;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(run_dir_make(&t->dir, bad[i], &e), -1);
		assert_int_equal(run_dir_open(&t->dir, bad[i]), -1);
		assert_int_equal(run_dir_remove(&t->dir, bad[i]), -1);
	}
}

static void a_link_is_not_followed_out(void **state)
{
	struct test_state *t = *state;
	const char *id = test_id(1, 1);
	char name[64];
	write_file(t->dir.fd, "precious", "x", 1);
	assert_int_equal(mkdirat(t->dir.fd, "runs", 0700), 0);
	snprintf(name, sizeof name, "runs/%s", id);
	assert_int_equal(symlinkat("..", t->dir.fd, name), 0);
	assert_int_equal(run_dir_open(&t->dir, id), -1);
	assert_int_equal(run_dir_remove(&t->dir, id), -1);
	assert_int_equal(file_size(t->dir.fd, "precious"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(it_is_made_with_what_is_above),
		state_test(home_is_used),
		state_test(what_others_could_write_is_refused),
		state_test(what_is_not_a_directory_of_ours_is_refused),
		state_test(run_directories_come_and_go),
		state_test(an_id_is_no_path),
		state_test(a_link_is_not_followed_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
