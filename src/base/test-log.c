/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"

/* stderr is a pipe of packets during a test: each write(2) is read by itself. */
struct capture {
	int saved, reader;
};

static struct capture capture_start(void)
{
	int pipes[2];
	assert_int_equal(pipe2(pipes, O_CLOEXEC | O_DIRECT | O_NONBLOCK), 0);
	struct capture c = {.saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), .reader = pipes[0]};
	assert_int_equal(dup2(pipes[1], STDERR_FILENO), STDERR_FILENO);
	close(pipes[1]);
	return c;
}

static void assert_next(const struct capture *c, const char *want)
{
	char text[8192];
	ssize_t n = read(c->reader, text, sizeof text - 1);
	text[n < 0 ? 0 : n] = '\0';
	if (want)
		assert_string_equal(text, want);
	else
		assert_int_equal(n, -1);
}

static void capture_end(struct capture *c)
{
	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	close(c->reader);
	log_set_level(LOG_NORMAL);
}

static void test_levels(void **state)
{
	(void)state;
	struct capture c = capture_start();
	static const struct {
		enum log_level level;
		const char *error, *line, *verbose;
	} rows[] = {
		{LOG_QUIET, "bulkhead: e 1\n", NULL, NULL},
		{LOG_NORMAL, "bulkhead: e 1\n", "bulkhead: l 2\n", NULL},
		{LOG_VERBOSE, "bulkhead: e 1\n", "bulkhead: l 2\n", "bulkhead: v 3\n"},
	};
	for (size_t i = 0; i < 3; i++) {
		log_set_level(rows[i].level);
		log_error("e %d", 1);
		assert_next(&c, rows[i].error);
		log_line("l %d", 2);
		assert_next(&c, rows[i].line);
		log_verbose("v %d", 3);
		assert_next(&c, rows[i].verbose);
	}
	capture_end(&c);
}

static void test_forges_no_line(void **state)
{
	(void)state;
	struct capture c = capture_start();
	log_error("'%s'", "x\nbulkhead: ok\x1b[1A\xff");
	assert_next(&c, "bulkhead: 'x\\x0abulkhead: ok\\x1b[1A\\xff'\n");
	log_error("%s", "");
	assert_next(&c, "bulkhead: \n");
	capture_end(&c);
}

static void test_long_line(void **state)
{
	(void)state;
	struct capture c = capture_start();
	log_error("%9000d", 1);
	char text[8192];
	ssize_t n = read(c.reader, text, sizeof text);
	assert_in_range(n, 1000, 4096);
	assert_int_equal(text[n - 1], '\n');
	assert_next(&c, NULL);
	capture_end(&c);
}

static void test_nobody_listens(void **state)
{
	(void)state;
	struct capture c = capture_start();
	close(STDERR_FILENO);
	errno = ENOTTY;
	log_error("lost");
	assert_int_equal(errno, ENOTTY);
	capture_end(&c);
}

/* So that it fits into a pipe with little room, whatever it is made of. */
static void test_a_line_of_control_bytes_is_cut(void **state)
{
	(void)state;
	struct capture c = capture_start();
	char text[2000], line[8192];
	memset(text, 1, sizeof text);
	log_error("%.*s", (int)sizeof text, text);
	ssize_t n = read(c.reader, line, sizeof line);
	assert_int_equal(n, PIPE_BUF);
	assert_int_equal(line[n - 1], '\n');
	assert_next(&c, NULL);
	capture_end(&c);
}

static void set_flags(int fd, int flags)
{
	assert_int_equal(fcntl(fd, F_SETFL, flags), 0);
}

/* In a pipe that is full, and stays so, the first line is waited with, the second is not. */
static void test_nobody_reads(void **state)
{
	(void)state;
	struct capture c = capture_start();
	static char page[4096];
	while (write(STDERR_FILENO, page, sizeof page) > 0)
		;
	set_flags(STDERR_FILENO, 0);
	uint64_t began = time_monotonic_us();
	log_error("lost");
	uint64_t waited = time_monotonic_us() - began;
	log_error("lost");
	assert_in_range(waited, LOG_WAIT_MS * 900, LOG_WAIT_MS * 10000);
	assert_true(time_monotonic_us() - began < waited + LOG_WAIT_MS * 900);
	while (read(c.reader, page, sizeof page) > 0)
		;
	log_error("said");
	assert_next(&c, "bulkhead: said\n");
	capture_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_forges_no_line),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_a_line_of_control_bytes_is_cut),
		cmocka_unit_test(test_nobody_reads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
