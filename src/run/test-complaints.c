/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "run/complaints.h"

struct heard {
	uv_loop_t loop;
	struct complaints *c;
	int fd; /* to be written to */
	bool closed;
};

static int setup(void **state)
{
	struct heard *h = calloc(1, sizeof(*h));
	struct error e = ERROR_INIT;
	int ends[2];
	*state = h;
	alarm(60); /* nothing here waits for long */
	if (!h || uv_loop_init(&h->loop) != 0 || pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	h->fd = ends[1];
	fcntl(h->fd, F_SETFL, O_NONBLOCK);
	h->c = complaints_open_take(&h->loop, ends[0], &e);
	return h->c ? 0 : -1;
}

static void on_closed(void *data)
{
	struct heard *h = data;
	assert_false(h->closed);
	h->closed = true;
}

static int teardown(void **state)
{
	struct heard *h = *state;
	complaints_close(h->c, on_closed, h);
	close(h->fd);
	int r = uv_run(&h->loop, UV_RUN_DEFAULT) || uv_loop_close(&h->loop) || !h->closed;
	free(h);
	alarm(0);
	return r;
}

static void says(struct heard *h, const char *text)
{
	assert_int_equal(write(h->fd, text, strlen(text)), strlen(text));
}

static void test_the_last_of_it(void **state)
{
	struct heard *h = *state;
	char line[COMPLAINTS_KEPT + 100];
	assert_string_equal(complaints_last(NULL), "");
	assert_string_equal(complaints_last(h->c), "");
	says(h, "a traceback\nof two lines\n\n");
	assert_string_equal(complaints_last(h->c), "a traceback\nof two lines");
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	says(h, line);
	uv_run(&h->loop, UV_RUN_ONCE);
	says(h, "end");
	assert_int_equal(strlen(complaints_last(h->c)), COMPLAINTS_KEPT - 1);
	assert_string_equal(complaints_last(h->c) + COMPLAINTS_KEPT - 5, "xend");
}

/* More than a pipe holds, by one who would be held up. */
static void test_nobody_is_held_up(void **state)
{
	struct heard *h = *state;
	static const char block[1000] = "line\n";
	size_t n = 0;
	while (n < 1000000) {
		ssize_t r = write(h->fd, block, sizeof(block));
		assert_true(r > 0 || errno == EAGAIN);
		if (r < 0)
			uv_run(&h->loop, UV_RUN_ONCE);
		n += r > 0 ? (size_t)r : 0;
	}
}

static size_t left_in(int fd)
{
	int n = -1;
	assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
	return (size_t)n;
}

/* However much there is, others have their turn; and it is not looked at again at once. */
static void test_a_turn_is_bounded(void **state)
{
	struct heard *h = *state;
	static const char block[4096];
	size_t n = 0;
	if (fcntl(h->fd, F_SETPIPE_SZ, 8 * COMPLAINTS_A_TURN) < 0)
		skip(); /* the user has all that pipes may have */
	while (write(h->fd, block, sizeof(block)) > 0)
		n += sizeof(block);
	assert_int_equal(n, 8 * COMPLAINTS_A_TURN);
	uint64_t before = time_monotonic_us();
	uv_run(&h->loop, UV_RUN_NOWAIT);
	assert_int_equal(left_in(h->fd), 7 * COMPLAINTS_A_TURN);
	uv_run(&h->loop, UV_RUN_NOWAIT);
	bool in_time = time_monotonic_us() - before < 9000; /* else its pause is over */
	size_t left = left_in(h->fd);
	assert_true(left == 7 * COMPLAINTS_A_TURN || !in_time);
	complaints_last(h->c);
	assert_int_equal(left_in(h->fd), left - COMPLAINTS_A_TURN);
}

/* Faster than it can be read: several write whenever there is room. */
static void test_who_writes_for_ever(void **state)
{
	struct heard *h = *state;
	pid_t pids[4];
	fcntl(h->fd, F_SETFL, 0);
	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		while (pids[i] == 0)
			if (write(h->fd, "for ever\n", 9) < 0)
				_exit(0);
	}
	while (!strstr(complaints_last(h->c), "for ever"))
		; /* they have not begun */
	for (int turns = 0; turns < 20; turns++)
		assert_non_null(strstr(complaints_last(h->c), "for ever"));
	for (int turns = 0; turns < 20; turns++)
		uv_run(&h->loop, UV_RUN_ONCE);
	for (int i = 0; i < 4; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
}

/* A program may close its stderr: that is no event that comes again and again. */
static void test_nobody_writes_any_more(void **state)
{
	struct heard *h = *state;
	says(h, "bye");
	close(h->fd);
	h->fd = -1;
	assert_int_equal(uv_run(&h->loop, UV_RUN_DEFAULT), 0);
	assert_string_equal(complaints_last(h->c), "bye");
}

static void test_what_cannot_be_waited_for(void **state)
{
	struct heard *h = *state;
	struct error e = ERROR_INIT;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC); /* no epoll for files */
	assert_true(fd >= 0);
	assert_null(complaints_open_take(&h->loop, fd, &e));
	assert_int_equal(e.blame, BLAME_HOST);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

#define COMPLAINTS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		COMPLAINTS_TEST(test_the_last_of_it),
		COMPLAINTS_TEST(test_nobody_is_held_up),
		COMPLAINTS_TEST(test_a_turn_is_bounded),
		COMPLAINTS_TEST(test_who_writes_for_ever),
		COMPLAINTS_TEST(test_nobody_writes_any_more),
		COMPLAINTS_TEST(test_what_cannot_be_waited_for),
	};
	return cmocka_run_group_tests_name("run-complaints", tests, NULL, NULL);
}
