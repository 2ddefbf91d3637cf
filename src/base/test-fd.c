/* SPDX-License-Identifier: MIT */
#include "base/fd.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

/* Each test has a directory of its own, and must leave no descriptor and no file behind. */
struct place {
	char dir[64];
	int n_fds;
};

static int count_entries(const char *dir)
{
	DIR *d = opendir(dir);
	assert_non_null(d);
	int n = 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	strcpy(p->dir, "/tmp/bulkhead-test-fd-XXXXXX");
	if (!p || !mkdtemp(p->dir) || chdir(p->dir) < 0)
		return -1;
	p->n_fds = count_entries("/proc/self/fd");
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	bool leaked = count_entries("/proc/self/fd") != p->n_fds;
	bool cleaned = chdir("/") == 0 && rmdir(p->dir) == 0;
	free(p);
	return leaked || !cleaned ? -1 : 0;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* Signals that are handled interrupt also a poll(2) that does not wait. */
static void test_poll_now(void **state)
{
	const struct sigaction handled = {.sa_handler = on_alarm}, usual = {.sa_handler = SIG_DFL};
	const struct itimerval often = {{0, 20}, {0, 20}}, never = {{0, 0}, {0, 0}};
	int ends[2];
	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(sigaction(SIGALRM, &handled, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	int wrong = 0;
	for (int i = 0; i < 200000; i++)
		wrong += fd_poll_now(ends[0], POLLIN) != 0 ||
			fd_poll_now(ends[1], POLLOUT) != POLLOUT;
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &usual, NULL);
	assert_int_equal(wrong, 0);
	fd_close(ends[1]);
	assert_int_equal(fd_poll_now(ends[0], POLLIN), POLLHUP);
	fd_close(ends[0]);
	assert_int_equal(fd_poll_now(ends[0], POLLIN), POLLNVAL);
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void assert_file(const char *name, const char *text)
{
	char buf[256];
	assert_int_equal(file_read_text(AT_FDCWD, name, buf, sizeof buf), strlen(text));
	assert_string_equal(buf, text);
}

static void test_close(void **state)
{
	(void)state;
	errno = ENOTTY;
	assert_int_equal(fd_close(-1), -1);
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	int number = fd;
	int owned = fd_take(&fd);
	assert_int_equal(fd, -1);
	assert_int_equal(owned, number);
	assert_int_equal(fd_close(owned), -1);
	assert_int_equal(fcntl(number, F_GETFD), -1);
	errno = ENOTTY;
	assert_int_equal(fd_close(number), -1); /* EBADF inside, not seen outside */
	assert_int_equal(errno, ENOTTY);
	{
		cleanup_fd int scoped = open("/dev/null", O_RDONLY | O_CLOEXEC);
		number = scoped;
	}
	assert_int_equal(fcntl(number, F_GETFD), -1);
}

/* A pipe whose reader is the handler of a timer: the writer sees EINTR and short writes. */
static int drain_fd;
static volatile size_t drained, torn;

static void drain(int signum)
{
	(void)signum;
	unsigned char bytes[4000];
	ssize_t n = read(drain_fd, bytes, sizeof bytes);
	for (ssize_t i = 0; i < n; i++)
		torn += bytes[i] != (unsigned char)((drained + (size_t)i) % 251);
	if (n > 0)
		drained += (size_t)n;
}

static void test_write_through_interruptions(void **state)
{
	(void)state;
	enum { SIZE = 400000 };
	int pipes[2];
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	drain_fd = pipes[0];
	drained = torn = 0;
	unsigned char *data = malloc(SIZE);
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (unsigned char)(i % 251);

	struct sigaction action = {.sa_handler = drain}, before; /* no SA_RESTART */
	struct itimerval fast = {{0, 200}, {0, 200}}, off = {{0, 0}, {0, 0}};
	assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &fast, NULL), 0);
	int r = fd_write_all(pipes[1], data, SIZE);
	assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
	assert_int_equal(r, 0);
	close(pipes[1]);
	for (size_t last = SIZE; last != drained;) {
		last = drained;
		drain(0);
	}
	assert_int_equal(drained, SIZE);
	assert_int_equal(torn, 0);
	close(pipes[0]);
	free(data);
}

static void test_write_errors(void **state)
{
	(void)state;
	assert_int_equal(fd_write_all(-1, "x", 1), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(fd_write_all(-1, NULL, 0), 0); /* nothing to write never fails */
	cleanup_fd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_int_equal(fd_write_all(full, "x", 1), -1);
	assert_int_equal(errno, ENOSPC);

	int pipes[2];
	assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
	char *data = calloc(1, 1 << 21);
	assert_int_equal(fd_write_all(pipes[1], data, 1 << 21), -1);
	assert_int_equal(errno, EAGAIN);
	free(data);
	close(pipes[0]);
	close(pipes[1]);
}

static void test_read_text(void **state)
{
	(void)state;
	char buf[8] = "before";
	write_file("f", "1234567");
	assert_file("f", "1234567");
	assert_int_equal(file_read_text(AT_FDCWD, "f", buf, 8), 7);
	assert_int_equal(file_read_text(AT_FDCWD, "f", buf, 7), -1);
	assert_int_equal(errno, EFBIG);
	assert_string_equal(buf, "");
	assert_int_equal(file_read_text(AT_FDCWD, "f", buf, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(file_read_text(AT_FDCWD, "f", buf, 1), -1);
	assert_int_equal(errno, EFBIG);
	write_file("f", "");
	assert_int_equal(file_read_text(AT_FDCWD, "f", buf, 1), 0);
	assert_string_equal(buf, "");
	assert_int_equal(unlink("f"), 0);
	assert_int_equal(file_read_text(AT_FDCWD, "f", buf, 8), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(file_read_text(AT_FDCWD, "/", buf, 8), -1);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(file_read_text(AT_FDCWD, "/dev/zero", buf, 8), -1); /* endless */
	assert_int_equal(errno, EFBIG);
}

static void test_read_in_pieces(void **state)
{
	(void)state;
	int pipes[2];
	char buf[16];
	assert_int_equal(pipe2(pipes, O_CLOEXEC | O_DIRECT), 0); /* each write is read by itself */
	assert_int_equal(write(pipes[1], "ab", 2), 2);
	assert_int_equal(write(pipes[1], "cde", 3), 3);
	close(pipes[1]);
	assert_int_equal(fd_read_text(pipes[0], buf, sizeof buf), 5);
	assert_string_equal(buf, "abcde");
	close(pipes[0]);
}

static void test_write_text(void **state)
{
	(void)state;
	assert_int_equal(file_write_text(AT_FDCWD, "absent", "1"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(access("absent", F_OK), -1);
	write_file("f", "...");
	cleanup_fd int dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(file_write_text(dir, "f", "max"), 0);
	assert_file("f", "max");
	assert_int_equal(unlink("f"), 0);
}

static void test_atomic_replaces(void **state)
{
	struct place *p = *state;
	umask(027);
	assert_int_equal(file_write_atomic("f", "one", 3), 0);
	umask(022);
	assert_file("f", "one");
	struct stat first, second;
	assert_int_equal(stat("f", &first), 0);
	assert_int_equal(first.st_mode & 07777, 0640);
	/* Who has the old file open keeps the whole of it. */
	cleanup_fd int old = open("f", O_RDONLY | O_CLOEXEC);
	char absolute[128], buf[8];
	snprintf(absolute, sizeof absolute, "%s/f", p->dir);
	assert_int_equal(file_write_atomic(absolute, "two!", 4), 0);
	assert_file("f", "two!");
	assert_int_equal(fd_read_text(old, buf, sizeof buf), 3);
	assert_string_equal(buf, "one");
	assert_int_equal(stat("f", &second), 0);
	assert_int_not_equal(first.st_ino, second.st_ino);
	assert_int_equal(count_entries("."), 3);
	assert_int_equal(unlink("f"), 0);
}

static void test_atomic_errors(void **state)
{
	(void)state;
	assert_int_equal(file_write_atomic("absent/f", "x", 1), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(file_write_atomic("", "x", 1), -1);
	assert_int_equal(count_entries("."), 2); /* no temporary file stays */
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(file_write_atomic("d", "x", 1), -1);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(rmdir("d"), 0);
	char path[9000];
	memset(path, 'x', sizeof path);
	path[sizeof path - 1] = '\0';
	path[8000] = '/';
	assert_int_equal(file_write_atomic(path, "x", 1), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	path[300] = '\0'; /* only the last name is too long */
	assert_int_equal(file_write_atomic(path, "x", 1), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(count_entries("."), 2);
}

static void test_atomic_longest_name(void **state)
{
	(void)state;
	char name[256];
	memset(name, 'x', sizeof name);
	name[255] = '\0';
	assert_int_equal(file_write_atomic(name, "x", 1), 0);
	assert_file(name, "x");
	assert_int_equal(unlink(name), 0);
}

/* As root, a rename over /dev/null would break the machine. */
static void test_atomic_keeps_what_is_no_file(void **state)
{
	(void)state;
	assert_int_equal(file_write_atomic("/dev/full", "x", 1), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(file_write_atomic("/dev/null", "x", 1), 0);
	struct stat st;
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));

	write_file("target", "longer than the new text");
	assert_int_equal(symlink("target", "link"), 0);
	assert_int_equal(file_write_atomic("link", "new", 3), 0);
	assert_file("target", "new");
	assert_int_equal(lstat("link", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(unlink("link"), 0);
	assert_int_equal(unlink("target"), 0);

	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(file_write_atomic("fifo", "x", 1), -1); /* and does not wait */
	assert_int_equal(errno, ENXIO);
	cleanup_fd int reader = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(file_write_atomic("fifo", "x", 1), 0);
	char buf[4];
	assert_int_equal(fd_read_text(reader, buf, sizeof buf), 1);
	assert_int_equal(unlink("fifo"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_close, setup, teardown),
		cmocka_unit_test_setup_teardown(test_poll_now, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_through_interruptions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_atomic_replaces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_atomic_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_atomic_longest_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_atomic_keeps_what_is_no_file, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
