/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "run/isolated.h"

#define RANGE 65536u

struct fixture {
	char dir[64], path[80];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	*state = f;
	if (!f)
		return -1;
	strcpy(f->dir, "/tmp/bulkhead-isolated-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/uids", f->dir);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int r = unlink(f->path) < 0 && rmdir(f->path) < 0 ? -1 : 0;
	r |= rmdir(f->dir);
	free(f);
	return r;
}

static void need_root(struct fixture *f)
{
	if (geteuid() == 0)
		return;
	close(open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	print_message("skipped: only root has ranges to give\n");
	skip();
}

static uint32_t take(struct fixture *f, uint32_t random, int *ret_fd)
{
	struct error e = ERROR_INIT;
	uint32_t base = 0;
	*ret_fd = -1;
	if (isolated_take_from(f->path, random, &base, ret_fd, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(fcntl(*ret_fd, F_GETFD) & FD_CLOEXEC);
	return base;
}

static void test_ranges_do_not_meet(void **state)
{
	struct fixture *f = *state;
	int fds[4];
	struct stat st;
	need_root(f);
	assert_int_equal(take(f, 7, &fds[0]), ISOLATED_FIRST_UID + 7 * RANGE);
	assert_int_equal(take(f, 7, &fds[1]), ISOLATED_FIRST_UID + 8 * RANGE);
	assert_int_equal(take(f, 6, &fds[2]), ISOLATED_FIRST_UID + 6 * RANGE);
	assert_int_equal(take(f, 6, &fds[3]), ISOLATED_FIRST_UID + 9 * RANGE);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

/* No uid is beyond what a signed number holds: some programs read it as one. */
static void test_the_last_range_and_the_first(void **state)
{
	struct fixture *f = *state;
	int fds[3];
	need_root(f);
	uint32_t last = take(f, ISOLATED_SLOTS - 1, &fds[0]);
	assert_int_equal(last, ISOLATED_FIRST_UID + (ISOLATED_SLOTS - 1) * RANGE);
	assert_int_equal(last + (RANGE - 1), INT32_MAX);
	assert_int_equal(take(f, ISOLATED_SLOTS - 1, &fds[1]), ISOLATED_FIRST_UID);
	assert_int_equal(take(f, UINT32_MAX, &fds[2]), ISOLATED_FIRST_UID + RANGE);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void test_a_range_is_free_when_its_holder_is_gone(void **state)
{
	struct fixture *f = *state;
	int fd, ready[2];
	char byte;
	need_root(f);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int own;
		uint32_t base;
		if (isolated_take_from(f->path, 3, &base, &own, NULL) < 0 ||
			write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(take(f, 3, &fd), ISOLATED_FIRST_UID + 4 * RANGE);
	close(fd);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(take(f, 3, &fd), ISOLATED_FIRST_UID + 3 * RANGE);
	close(fd);
	close(ready[0]);
	close(ready[1]);
}

/* A copy of the descriptor holds the range as well: a box may outlive who took it by a moment. */
static void test_a_copy_holds_it_too(void **state)
{
	struct fixture *f = *state;
	int fd, other;
	need_root(f);
	take(f, 3, &fd);
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	close(fd);
	assert_int_equal(take(f, 3, &other), ISOLATED_FIRST_UID + 4 * RANGE);
	close(other);
	close(copy);
	assert_int_equal(take(f, 3, &other), ISOLATED_FIRST_UID + 3 * RANGE);
	close(other);
}

static void refused(struct fixture *f, const char *words)
{
	struct error e = ERROR_INIT;
	uint32_t base = 42;
	int fd = 42;
	assert_int_equal(isolated_take_from(f->path, 0, &base, &fd, &e), -1);
	assert_int_equal(e.blame, BLAME_HOST);
	if (!strstr(e.text, words))
		fail_msg("'%s' does not say '%s'", e.text, words);
	assert_int_equal(base, 42);
	assert_int_equal(fd, 42);
}

static void test_all_in_use(void **state)
{
	struct fixture *f = *state;
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = ISOLATED_SLOTS};
	need_root(f);
	int fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &all), 0);
	refused(f, "all 4096 uid ranges for isolated users are in use");
	close(fd);
	take(f, 0, &fd);
	close(fd);
}

/* What somebody else put there does not decide who shares a uid with whom. */
static void test_what_is_no_file_of_roots(void **state)
{
	struct fixture *f = *state;
	char other[80];
	need_root(f);
	snprintf(other, sizeof(other), "%s/other", f->dir);
	close(open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(symlink(other, f->path), 0);
	refused(f, "cannot open");
	unlink(f->path);
	unlink(other);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	refused(f, "is not a file of root's alone");
	unlink(f->path);
	close(open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(chown(f->path, 1000, 1000), 0);
	refused(f, "is not a file of root's alone");
	assert_int_equal(chown(f->path, 0, 0), 0);
	assert_int_equal(chmod(f->path, 0666), 0);
	refused(f, "is not a file of root's alone");
	unlink(f->path);
	assert_int_equal(mkdir(f->path, 0700), 0);
	refused(f, "cannot open");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ranges_do_not_meet),
		TEST(test_the_last_range_and_the_first),
		TEST(test_a_range_is_free_when_its_holder_is_gone),
		TEST(test_a_copy_holds_it_too),
		TEST(test_all_in_use),
		TEST(test_what_is_no_file_of_roots),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
