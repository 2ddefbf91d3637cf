/* SPDX-License-Identifier: MIT */
#ifndef STORE_TEST_STATE_H
#define STORE_TEST_STATE_H

/* For the unit tests of the store: a state directory of their own, of which nothing is left. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "model/run-id.h"
#include "store/state-dir.h"

struct test_state {
	char path[64];
	int n_fds;
	struct state_dir dir;
};

static inline int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int test_state_setup(void **state)
{
	struct test_state *t = calloc(1, sizeof *t);
	struct error e = ERROR_INIT;
	assert_non_null(t);
	t->n_fds = count_fds();
	strcpy(t->path, "/tmp/bulkhead-test-XXXXXX");
	assert_non_null(mkdtemp(t->path));
	setenv("BULKHEAD_STATE", t->path, 1);
	if (state_dir_open(&t->dir, STATE_DIR_CREATE, &e) < 0)
		fail_msg("%s", e.text);
	*state = t;
	return 0;
}

static inline int test_state_teardown(void **state)
{
	struct test_state *t = *state;
	state_dir_close(&t->dir);
	nftw(t->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	assert_int_equal(access(t->path, F_OK), -1);
	assert_int_equal(count_fds(), t->n_fds);
	unsetenv("BULKHEAD_STATE");
	free(t);
	return 0;
}

#define state_test(f) cmocka_unit_test_setup_teardown(f, test_state_setup, test_state_teardown)

/* An id that sorts by @ms, and is another one for another @salt. */
static inline const char *test_id(uint64_t ms, uint64_t salt)
{
	static char ids[8][RUN_ID_SIZE];
	static unsigned next;
	char *id = ids[next++ % 8];
	run_id_format(ms, salt, id);
	return id;
}

/* Run @f in a child; its result is the exit status. */
static inline int in_child(int (*f)(void *data), void *data)
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(f(data));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline int write_proc(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

/* A user namespace in which we are who we are; without maps no file can be made in a tmpfs. */
static inline int unshare_as_user(void)
{
	char uids[48], gids[48];
	snprintf(uids, sizeof uids, "%u %u 1", (unsigned)geteuid(), (unsigned)geteuid());
	snprintf(gids, sizeof gids, "%u %u 1", (unsigned)getegid(), (unsigned)getegid());
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
		write_proc("/proc/self/setgroups", "deny") &&
		write_proc("/proc/self/uid_map", uids) && write_proc("/proc/self/gid_map", gids);
}

/*
 * In a child: mount namespaces of its own, in which @path is a tmpfs of @size bytes. False where that is
 * not allowed. What is mounted goes with the child.
 */
static inline int mount_small(const char *path, const char *size)
{
	if (unshare(CLONE_NEWNS) < 0 && !unshare_as_user())
		return 0;
	char options[64];
	snprintf(options, sizeof options, "size=%s,mode=0700", size);
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		mount("tmpfs", path, "tmpfs", 0, options) == 0;
}

/* What the children above exit with. */
enum { CHILD_OK = 0, CHILD_WRONG = 1, CHILD_CANNOT = 77 };

static inline void expect_child_ok(int status)
{
	if (status == CHILD_CANNOT) {
		print_message("skipped: no mount namespace can be made here\n");
		skip();
	}
	assert_int_equal(status, CHILD_OK);
}

static inline void write_file(int dir, const char *name, const void *data, size_t size)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	close(fd);
}

static inline off_t file_size(int dir, const char *name)
{
	struct stat st;
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -1 : st.st_size;
}

#endif
