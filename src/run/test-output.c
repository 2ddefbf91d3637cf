/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <pty.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "run/output.h"

/*
 * Our own stdout and stderr are what the caller gave: each test puts something else there. A write
 * that blocks would block for good: the alarm ends the whole program then.
 */
#define HANG_S 60
#define FLOOD  (8u << 20)
/* What is written: the numbers below PERIOD, again and again, anew after each BLOCK. */
#define BLOCK  65536
#define PERIOD 251

struct fixture {
	int saved[2];
	size_t n_fds;
	uv_loop_t loop;
	struct output output;
	int child[2]; /* the payload's ends */
	uint64_t told; /* bytes that the log was told of */
	unsigned limit_calls;
};

static size_t count_fds(void)
{
	size_t n = 0;
	DIR *d = opendir("/proc/self/fd");
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	alarm(HANG_S);
	signal(SIGPIPE, SIG_IGN);
	*state = f;
	if (!f)
		return -1;
	f->n_fds = count_fds();
	for (int i = 0; i < 2; i++)
		f->saved[i] = fcntl(i + 1, F_DUPFD_CLOEXEC, 100);
	f->child[0] = f->child[1] = -1;
	return uv_loop_init(&f->loop);
}

static void on_walk(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void restore(struct fixture *f)
{
	for (int i = 0; i < 2; i++) {
		if (f->saved[i] >= 0)
			dup2(f->saved[i], i + 1);
		f->saved[i] = fd_close(f->saved[i]);
	}
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	restore(f);
	output_close(&f->output, 0);
	uv_walk(&f->loop, on_walk, NULL);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	int r = uv_loop_close(&f->loop);
	fd_close(f->child[0]);
	fd_close(f->child[1]);
	alarm(0);
	if (count_fds() != f->n_fds)
		print_error("%zu descriptors before, %zu now\n", f->n_fds, count_fds());
	r |= count_fds() != f->n_fds;
	free(f);
	return r;
}

static void on_seen(void *data, int stream, const char *bytes, size_t size, uint64_t at_us)
{
	struct fixture *f = data;
	(void)bytes;
	assert_true(stream == 1 || stream == 2);
	assert_true(at_us <= time_monotonic_us());
	f->told += size;
}

static void on_limit(void *data)
{
	struct fixture *f = data;
	f->limit_calls++;
}

/* @out and @err become the caller's; taken. */
static void open_with_take(struct fixture *f, int out, int err)
{
	struct output_hooks hooks = {f, on_seen, on_limit};
	struct error e = ERROR_INIT;
	dup2(out, 1);
	dup2(err, 2);
	fd_close(out);
	fd_close(err);
	assert_int_equal(output_open(&f->output, &f->loop, &hooks, f->child, &e), 0);
}

static int nowhere(void)
{
	return open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static void make_pipe(int fds[2])
{
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
}

/* A process that writes @size bytes of a known sequence to @fd as fast as it can. */
static pid_t start_writer(int fd, size_t size)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	static char block[BLOCK];
	/* not the end that it is read from, or it would never be told that nobody reads */
	if (dup2(fd, 0) < 0 || close_range(1, ~0u, 0) < 0)
		_exit(2);
	alarm(HANG_S);
	signal(SIGPIPE, SIG_DFL);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)(i % PERIOD);
	for (size_t done = 0; done < size;) {
		size_t part = size - done < sizeof(block) ? size - done : sizeof(block);
		ssize_t n = write(0, block, part);
		if (n <= 0)
			_exit(1);
		done += (size_t)n;
	}
	_exit(0);
}

static int end_of(pid_t pid)
{
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* The payload has both ends now; once it ends, so do the streams. */
static void close_child_ends(struct fixture *f)
{
	f->child[0] = fd_close(f->child[0]);
	f->child[1] = fd_close(f->child[1]);
}

static void run_until_blocked(struct fixture *f)
{
	while (!output_is_blocked(&f->output))
		assert_int_not_equal(uv_run(&f->loop, UV_RUN_ONCE), 0);
}

static size_t read_all_there_is(int fd)
{
	static char block[BLOCK];
	size_t got = 0;
	ssize_t n;
	while ((n = read(fd, block, sizeof(block))) > 0)
		got += (size_t)n;
	return got;
}

/* ---- everything arrives ---- */

static void test_a_flood_into_a_file_is_whole(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	int file = memfd_create("out", MFD_CLOEXEC), copy = fcntl(file, F_DUPFD_CLOEXEC, 3);
	open_with_take(f, file, nowhere());
	pid_t writer = start_writer(f->child[0], FLOOD);
	close_child_ends(f);
	output_start(&f->output);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	output_close(&f->output, 0);
	restore(f);
	assert_int_equal(end_of(writer), 0);
	assert_int_equal(fstat(copy, &st), 0);
	close(copy);
	assert_int_equal(st.st_size, FLOOD);
	assert_int_equal(f->output.seen_bytes, FLOOD);
	assert_int_equal(f->told, FLOOD);
}

/* A reader that stops stops the payload, not us; and loses nothing when it goes on. */
static void slow_reader(struct fixture *f, int sink, int reader, size_t expected)
{
	size_t got = 0;
	open_with_take(f, sink, nowhere());
	pid_t writer = start_writer(f->child[0], FLOOD);
	close_child_ends(f);
	output_start(&f->output);
	run_until_blocked(f);
	for (int i = 0; i < 100; i++)
		uv_run(&f->loop, UV_RUN_NOWAIT);
	/* a terminal's buffers are moved on by a worker of the kernel, when that gets to it */
	run_until_blocked(f);
	bool small = f->output.seen_bytes < FLOOD / 2;
	fcntl(reader, F_SETFL, O_NONBLOCK);
	while (got < expected) {
		got += read_all_there_is(reader);
		uv_run(&f->loop, UV_RUN_NOWAIT);
	}
	output_close(&f->output, 0);
	restore(f);
	assert_true(small);
	assert_int_equal(end_of(writer), 0);
	assert_int_equal(got, expected);
	assert_int_equal(f->told, FLOOD);
	close(reader);
}

static void test_a_pipe_that_is_read_slowly(void **state)
{
	int fds[2];
	make_pipe(fds);
	slow_reader(*state, fds[1], fds[0], FLOOD);
}

static void test_a_socket_that_is_read_slowly(void **state)
{
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	slow_reader(*state, fds[1], fds[0], FLOOD);
}

/* Cooked: one byte in may be two out, and what poll promises is room for one. */
static void test_a_terminal_that_is_read_slowly(void **state)
{
	size_t newlines = 0;
	int master, slave;
	struct termios modes;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	fcntl(master, F_SETFD, FD_CLOEXEC);
	tcgetattr(slave, &modes);
	modes.c_oflag = OPOST | ONLCR;
	tcsetattr(slave, TCSANOW, &modes);
	for (size_t i = 0; i < FLOOD; i++)
		newlines += i % BLOCK % PERIOD == '\n';
	slow_reader(*state, slave, master, FLOOD + newlines);
}

/* ---- a reader that never reads ---- */

static void never_reads(struct fixture *f, int sink)
{
	enum { TIMEOUT_MS = 50 };
	open_with_take(f, sink, nowhere());
	pid_t writer = start_writer(f->child[0], FLOOD);
	output_start(&f->output);
	run_until_blocked(f);
	kill(writer, SIGKILL);
	end_of(writer);
	fcntl(f->child[0], F_SETFL, O_NONBLOCK);
	(void)!write(f->child[0], "", 1); /* or there is no room: then there is something in it */
	uint64_t before = time_monotonic_us(), seen = f->output.seen_bytes;
	output_close(&f->output, TIMEOUT_MS);
	uint64_t took = time_monotonic_us() - before;
	restore(f);
	close_child_ends(f);
	assert_in_range(took, TIMEOUT_MS * 1000, 5 * US_PER_SEC);
	/* what the caller did not take is in the log nevertheless */
	assert_true(f->output.seen_bytes > seen);
	assert_int_equal(f->told, f->output.seen_bytes);
}

static void test_a_pipe_that_is_never_read(void **state)
{
	int fds[2];
	make_pipe(fds);
	never_reads(*state, fds[1]);
	close(fds[0]);
}

static void test_a_socket_that_is_never_read(void **state)
{
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	never_reads(*state, fds[1]);
	close(fds[0]);
}

static void test_a_terminal_that_is_never_read(void **state)
{
	int master, slave;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	never_reads(*state, slave);
	close(master);
}

/* ---- a reader that is gone ---- */

static void test_a_closed_reader_ends_its_stream_only(void **state)
{
	struct fixture *f = *state;
	int out[2];
	int err = memfd_create("err", MFD_CLOEXEC), copy = fcntl(err, F_DUPFD_CLOEXEC, 3);
	struct stat st;
	make_pipe(out);
	close(out[0]);
	open_with_take(f, out[1], err);
	pid_t to_out = start_writer(f->child[0], FLOOD);
	pid_t to_err = start_writer(f->child[1], FLOOD);
	close_child_ends(f);
	output_start(&f->output);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	output_close(&f->output, 0);
	restore(f);
	int status = end_of(to_out);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
	assert_int_equal(end_of(to_err), 0);
	assert_int_equal(fstat(copy, &st), 0);
	close(copy);
	assert_int_equal(st.st_size, FLOOD);
}

static void test_a_reader_that_goes_away_while_we_wait_for_it(void **state)
{
	struct fixture *f = *state;
	int out[2];
	make_pipe(out);
	open_with_take(f, out[1], nowhere());
	pid_t writer = start_writer(f->child[0], FLOOD);
	close_child_ends(f);
	output_start(&f->output);
	run_until_blocked(f);
	close(out[0]);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	restore(f);
	int status = end_of(writer);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
	assert_false(output_is_blocked(&f->output));
}

static void test_a_full_disk_ends_the_stream(void **state)
{
	struct fixture *f = *state;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	if (full < 0)
		skip();
	open_with_take(f, full, nowhere());
	pid_t writer = start_writer(f->child[0], FLOOD);
	close_child_ends(f);
	output_start(&f->output);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	restore(f);
	int status = end_of(writer);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

/* A caller without a stdout: the payload writes for the log, and is not told. */
static void test_a_closed_stdout_is_no_error(void **state)
{
	struct fixture *f = *state;
	open_with_take(f, open("/dev/null", O_RDONLY | O_CLOEXEC), nowhere());
	pid_t writer = start_writer(f->child[0], FLOOD);
	close_child_ends(f);
	output_start(&f->output);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	restore(f);
	assert_int_equal(end_of(writer), 0);
	assert_int_equal(f->told, FLOOD);
}

/* ---- the limit ---- */

static void put(struct fixture *f, int stream, size_t size)
{
	static char block[BLOCK];
	assert_int_equal(write(f->child[stream - 1], block, size), size);
	while (uv_run(&f->loop, UV_RUN_NOWAIT) && f->output.seen_bytes < f->told)
		;
}

static void test_the_limit_is_told_once_and_what_is_within_it_is_passed_on(void **state)
{
	static const struct {
		size_t out, err, passed;
		unsigned calls;
	} table[] = {{100, 0, 100, 0}, {60, 40, 100, 0}, {101, 0, 100, 1}, {60, 41, 100, 1},
		{65536, 0, 100, 1}, {60, 65536, 100, 1}, {0, 0, 0, 0}};
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct stat st;
		int file = memfd_create("out", MFD_CLOEXEC);
		int copy = fcntl(file, F_DUPFD_CLOEXEC, 3);
		f->told = 0;
		f->limit_calls = 0;
		/* both end in one file, as with 2>&1 */
		open_with_take(f, file, fcntl(copy, F_DUPFD_CLOEXEC, 3));
		f->output.limit = 100;
		output_start(&f->output);
		put(f, 1, table[i].out);
		put(f, 2, table[i].err);
		close_child_ends(f);
		uv_run(&f->loop, UV_RUN_DEFAULT);
		output_close(&f->output, 0);
		restore(f);
		for (int j = 0; j < 2; j++)
			f->saved[j] = fcntl(j + 1, F_DUPFD_CLOEXEC, 100);
		assert_int_equal(fstat(copy, &st), 0);
		close(copy);
		assert_int_equal(st.st_size, table[i].passed);
		assert_int_equal(f->limit_calls, table[i].calls);
		assert_int_equal(f->output.seen_bytes, table[i].out + table[i].err);
		assert_int_equal(f->told, table[i].out + table[i].err);
	}
}

/* ---- without a caller ---- */

static unsigned handles_closed;

static void on_closed(uv_handle_t *handle)
{
	handles_closed += handle->data == &handles_closed;
}

/* As a daemon has it: our own stdout is none of the run's, and the loop goes on when it has ended. */
static void test_what_is_for_the_log_goes_nowhere_else(void **state)
{
	struct fixture *f = *state;
	struct output_hooks hooks = {f, on_seen, on_limit};
	struct error e = ERROR_INIT;
	struct stat st;
	int file = memfd_create("out", MFD_CLOEXEC);
	dup2(file, 1);
	assert_int_equal(output_open_for_log(&f->output, &f->loop, &hooks, f->child, &e), 0);
	output_start(&f->output);
	pid_t pids[] = {start_writer(f->child[0], FLOOD), start_writer(f->child[1], FLOOD)};
	close_child_ends(f);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(end_of(pids[0]), 0);
	assert_int_equal(end_of(pids[1]), 0);
	restore(f);
	assert_int_equal(f->told, 2 * FLOOD);
	assert_int_equal(fstat(file, &st), 0);
	close(file);
	assert_int_equal(st.st_size, 0);
	output_close(&f->output, 0);
	handles_closed = 0;
	assert_int_equal(output_fini(&f->output, on_closed, &handles_closed), 2);
	assert_int_equal(output_fini(&f->output, on_closed, &handles_closed), 0);
	assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(handles_closed, 2);
	assert_int_equal(uv_loop_alive(&f->loop), 0);
}

/* ---- the end ---- */

/* Something outside the box holds the pipe open: it is not waited for. */
static void test_what_is_left_is_read_and_nobody_is_waited_for(void **state)
{
	struct fixture *f = *state;
	int file = memfd_create("out", MFD_CLOEXEC), copy = fcntl(file, F_DUPFD_CLOEXEC, 3);
	struct stat st;
	static char block[40000];
	open_with_take(f, file, nowhere());
	assert_int_equal(write(f->child[0], block, sizeof(block)), sizeof(block));
	output_close(&f->output, 0);
	restore(f);
	assert_int_equal(fstat(copy, &st), 0);
	close(copy);
	assert_int_equal(st.st_size, sizeof(block));
	assert_int_equal(f->told, sizeof(block));
}

/* The description is the caller's too: a shell whose terminal does not block breaks. */
static void test_the_callers_descriptors_stay_as_they_are(void **state)
{
	struct fixture *f = *state;
	int out[2], err[2];
	make_pipe(out);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, err), 0);
	open_with_take(f, out[1], err[1]);
	output_start(&f->output);
	uv_run(&f->loop, UV_RUN_NOWAIT);
	int flags[2] = {fcntl(1, F_GETFL), fcntl(2, F_GETFL)};
	restore(f);
	assert_int_equal(flags[0] & O_NONBLOCK, 0);
	assert_int_equal(flags[1] & O_NONBLOCK, 0);
	close(out[0]);
	close(err[0]);
}

static void test_no_descriptors_left_to_open_one(void **state)
{
	struct fixture *f = *state;
	struct output_hooks hooks = {f, on_seen, on_limit};
	struct error e = ERROR_INIT;
	int taken[64];
	size_t n = 0;
	struct rlimit was, few;
	getrlimit(RLIMIT_NOFILE, &was);
	few = (struct rlimit){48, was.rlim_max};
	setrlimit(RLIMIT_NOFILE, &few);
	while (n < 64 && (taken[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	close(taken[--n]);
	close(taken[--n]);
	int r = output_open(&f->output, &f->loop, &hooks, f->child, &e);
	output_close(&f->output, 0);
	while (n > 0)
		close(taken[--n]);
	setrlimit(RLIMIT_NOFILE, &was);
	assert_int_equal(r, -1);
	assert_int_equal(e.blame, BLAME_HOST);
}

/* What libuv opens once for all loops. */
static int first_loop(void **state)
{
	uv_loop_t loop;
	(void)state;
	return uv_loop_init(&loop) | uv_loop_close(&loop);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_flood_into_a_file_is_whole),
		TEST(test_a_pipe_that_is_read_slowly),
		TEST(test_a_socket_that_is_read_slowly),
		TEST(test_a_terminal_that_is_read_slowly),
		TEST(test_a_pipe_that_is_never_read),
		TEST(test_a_socket_that_is_never_read),
		TEST(test_a_terminal_that_is_never_read),
		TEST(test_a_closed_reader_ends_its_stream_only),
		TEST(test_a_reader_that_goes_away_while_we_wait_for_it),
		TEST(test_a_full_disk_ends_the_stream),
		TEST(test_a_closed_stdout_is_no_error),
		TEST(test_the_limit_is_told_once_and_what_is_within_it_is_passed_on),
		TEST(test_what_is_for_the_log_goes_nowhere_else),
		TEST(test_what_is_left_is_read_and_nobody_is_waited_for),
		TEST(test_the_callers_descriptors_stay_as_they_are),
		TEST(test_no_descriptors_left_to_open_one),
	};
	return cmocka_run_group_tests(tests, first_loop, NULL);
}
