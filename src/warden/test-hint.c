/* SPDX-License-Identifier: MIT */
#include "warden/hint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/fd.h"

static const struct exec_event refused = {
	.pid = 7,
	.outcome = EXEC_REFUSED,
	.called = "/usr/bin/git",
	.rule = "deny: git push",
	.argv = {.v = (const char *[]){"git", "push"}, .n = 2},
};
#define REFUSED "bulkhead: not allowed to execute 'git push' (deny: git push)"

static void tell(struct hint *hint, const struct exec_event *event, const char *advice)
{
	cleanup_buf struct buf line = BUF_INIT;
	hint_tell(hint, event, advice, &line);
}

static int open_proc(void)
{
	int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(proc >= 0);
	return proc;
}

/* ---- ways ---- */

enum end { A_PIPE, A_PIPE_OF_STRANGERS, A_SOCKET, A_FILE, A_TERMINAL, N_ENDS };

/* The writing end is *ret_fd; what comes of it is read from the other, which is returned. */
static int open_end(enum end end, int *ret_fd)
{
	int pair[2];
	if (end == A_PIPE || end == A_PIPE_OF_STRANGERS) {
		assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	} else if (end == A_SOCKET) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	} else if (end == A_FILE) {
		pair[0] = memfd_create("stderr", MFD_CLOEXEC);
		pair[1] = fcntl(pair[0], F_DUPFD_CLOEXEC, 0);
	} else {
		pair[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
		assert_true(pair[0] >= 0 && grantpt(pair[0]) == 0 && unlockpt(pair[0]) == 0);
		pair[1] = open(ptsname(pair[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
	}
	assert_true(pair[0] >= 0 && pair[1] >= 0);
	*ret_fd = pair[1];
	return pair[0];
}

/* What can be had at once. */
static size_t take(enum end end, int fd, char *text, size_t size)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	ssize_t n = end == A_FILE ? pread(fd, text, size - 1, 0) : read(fd, text, size - 1);
	n = n < 0 ? 0 : n;
	text[n] = 0;
	return (size_t)n;
}

static const enum hint_way ways[N_ENDS] = {
	[A_PIPE] = HINT_WRITE,
	[A_PIPE_OF_STRANGERS] = HINT_NOWAIT,
	[A_SOCKET] = HINT_SEND,
	[A_FILE] = HINT_WRITE,
	[A_TERMINAL] = HINT_WRITE,
};

/* Of a hint for @end; *ret_others: the same description in others' hands. */
static int begin(struct hint *ret, enum end end, int *ret_others)
{
	cleanup_fd int proc = open_proc();
	int fd, reader = open_end(end, &fd);
	*ret_others = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	/* nothing can be opened again where /proc is not */
	hint_init_take(ret, end == A_PIPE_OF_STRANGERS ? -1 : proc, fd);
	assert_int_equal(ret->way, ways[end]);
	return reader;
}

static void test_ways(void **state)
{
	(void)state;
	for (enum end end = 0; end < N_ENDS; end++) {
		struct hint hint;
		char text[4096];
		int others, reader = begin(&hint, end, &others);
		tell(&hint, &refused, "ask");
		assert_false(fcntl(others, F_GETFL) & O_NONBLOCK);
		assert_true(take(end, reader, text, sizeof(text)) > 0);
		text[strcspn(text, "\r\n")] = 0;
		assert_string_equal(text, REFUSED "; ask");
		hint_fini(&hint);
		close(others);
		close(reader);
	}
}

/* Where a file is shared, so is the place where the next one writes. */
static void test_offset_is_shared(void **state)
{
	struct hint hint;
	char text[4096];
	int others, reader = begin(&hint, A_FILE, &others);
	(void)state;
	assert_int_equal(write(others, "before\n", 7), 7);
	tell(&hint, &refused, NULL);
	assert_int_equal(write(others, "after\n", 6), 6);
	take(A_FILE, reader, text, sizeof(text));
	assert_string_equal(text, "before\n" REFUSED "\nafter\n");
	hint_fini(&hint);
	close(others);
	close(reader);
}

static void fill(int fd)
{
	static const char zeros[4096];
	int flags = fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (write(fd, zeros, sizeof(zeros)) > 0 || write(fd, zeros, 1) > 0)
		;
	assert_int_equal(errno, EAGAIN);
	fcntl(fd, F_SETFL, flags);
}

/* Nobody reads: what there is no room for is lost, and nobody waits. */
static void test_nobody_reads(void **state)
{
	static const enum end full[] = {A_PIPE, A_PIPE_OF_STRANGERS, A_SOCKET, A_TERMINAL};
	(void)state;
	for (size_t i = 0; i < sizeof(full) / sizeof(full[0]); i++) {
		struct hint hint;
		int others, reader = begin(&hint, full[i], &others);
		fill(others);
		alarm(20); /* who waits is ended, and so has failed */
		tell(&hint, &refused, NULL);
		alarm(0);
		hint_fini(&hint);
		close(others);
		close(reader);
	}
}

static void test_reader_is_gone(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN); /* as a warden has it */
	for (enum end end = 0; end < N_ENDS; end++) {
		struct hint hint;
		int others, reader = begin(&hint, end, &others);
		close(reader);
		tell(&hint, &refused, NULL);
		hint_fini(&hint);
		close(others);
	}
	signal(SIGPIPE, SIG_DFL);
}

/* Nothing to write to, or nothing that can be written without waiting. */
static void test_no_way(void **state)
{
	cleanup_fd int proc = open_proc();
	struct hint hint;
	int fd, master = open_end(A_TERMINAL, &fd);
	(void)state;
	hint_init_take(&hint, proc, -1);
	assert_int_equal(hint.way, HINT_NONE);
	tell(&hint, &refused, NULL);
	hint_fini(&hint);
	hint_init_take(&hint, -1, fd); /* a terminal that cannot be opened again */
	assert_int_equal(hint.way, HINT_NONE);
	assert_int_equal(hint.fd, fd);
	hint_fini(&hint);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	close(master);
}

/* ---- words ---- */

struct said {
	struct hint hint;
	int others, reader;
	char text[8192];
};

static struct said *hear(struct said *s, const struct exec_event *event, const char *advice)
{
	tell(&s->hint, event, advice);
	take(A_PIPE, s->reader, s->text, sizeof(s->text));
	return s;
}

static void begin_said(struct said *s)
{
	s->reader = begin(&s->hint, A_PIPE, &s->others);
}

static void end_said(struct said *s)
{
	hint_fini(&s->hint);
	close(s->others);
	close(s->reader);
}

static void test_words(void **state)
{
	const struct exec_event unknown = {.outcome = EXEC_REFUSED},
				killed =
					{
						.outcome = EXEC_KILLED,
						.argv = refused.argv,
						.real_executable = "/bin/rm",
					},
				hostile = {
					.outcome = EXEC_REFUSED,
					.argv = {.v = (const char *[]){"a\n\x1b[2J", "\xff"},
						.n = 2},
					.rule = "deny: \r",
				};
	struct said s;
	(void)state;
	begin_said(&s);
	assert_string_equal(
		hear(&s, &unknown, NULL)->text, "bulkhead: not allowed to execute '?' (no rule)\n");
	assert_string_equal(hear(&s, &killed, NULL)->text,
		"bulkhead: killed: '/bin/rm' took the place of 'git push'\n");
	assert_string_equal(hear(&s, &hostile, "\x07")->text,
		"bulkhead: not allowed to execute 'a\\x0a\\x1b[2J \\xff' (deny: \\x0d); \\x07\n");
	end_said(&s);
}

/* Who goes on along PATH comes again with the same; others, and later ones, are told. */
static void test_not_twice(void **state)
{
	struct exec_event other = refused;
	struct said s;
	(void)state;
	other.pid++;
	begin_said(&s);
	assert_string_equal(hear(&s, &refused, NULL)->text, REFUSED "\n");
	assert_string_equal(hear(&s, &refused, NULL)->text, "");
	assert_string_equal(hear(&s, &refused, "ask")->text, REFUSED "; ask\n");
	assert_string_equal(hear(&s, &other, "ask")->text, REFUSED "; ask\n");
	assert_string_equal(hear(&s, &other, "ask")->text, "");
	end_said(&s);
}

/* Who refuses to give up fills no disk: the last line says where the others are. */
static void test_bounded(void **state)
{
	static const char last[] = "bulkhead: … further refusals are in the record\n";
	static char text[4 * HINT_MAX];
	struct exec_event event = refused;
	struct hint hint;
	int others, reader = begin(&hint, A_FILE, &others);
	(void)state;
	for (event.pid = 1; event.pid < 2 * (pid_t)HINT_MAX / (pid_t)sizeof(REFUSED); event.pid++)
		tell(&hint, &event, NULL);
	size_t size = take(A_FILE, reader, text, sizeof(text));
	assert_in_range(size, HINT_MAX - 100, HINT_MAX + sizeof(last));
	assert_string_equal(text + size - strlen(last), last);
	assert_ptr_equal(strstr(text, last), text + size - strlen(last));
	hint_fini(&hint);
	close(others);
	close(reader);
}

static const char *filled(struct arena *a, const char *with, size_t times)
{
	struct buf b = BUF_INIT;
	for (size_t i = 0; i < times; i++)
		buf_puts(&b, with);
	const char *text = arena_strdup(a, buf_str(&b));
	buf_fini(&b);
	return text;
}

/* However long its parts are a line is one write, is text, and ends. */
static void test_long_ones(void **state)
{
	static const char *const characters[] = {"x", "\x1b", "\xff", "é", "€", "😀"};
	(void)state;
	for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++) {
		for (size_t lead = 0; lead < 4; lead++) {
			cleanup_arena struct arena a = ARENA_INIT;
			struct exec_event event = {.outcome = EXEC_KILLED};
			struct said s;
			const char *word = arena_printf(
				&a, "%s%s", filled(&a, "x", lead), filled(&a, characters[i], 2000));
			for (int k = 0; k < 10; k++)
				strv_push(&a, &event.argv, word);
			event.real_argv = event.argv;
			event.rule = filled(&a, "\x1b", 300);
			/* for the line to end in the middle of a character, if it was not looked at */
			const char *advice = arena_printf(&a, "%s%s", filled(&a, "\x1b", 150),
				filled(&a, characters[i], 150));
			begin_said(&s);
			for (int outcome = 0; outcome < 2; outcome++) {
				event.outcome = outcome ? EXEC_KILLED : EXEC_REFUSED;
				hear(&s, &event, advice);
				size_t size = strlen(s.text);
				assert_in_range(size, 2000, PIPE_BUF);
				assert_ptr_equal(strchr(s.text, '\n'), s.text + size - 1);
				assert_true(utf8_valid(s.text, size));
				assert_non_null(strstr(s.text, "…"));
				assert_null(strstr(s.text, "''"));
			}
			end_said(&s);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_offset_is_shared),
		cmocka_unit_test(test_nobody_reads),
		cmocka_unit_test(test_reader_is_gone),
		cmocka_unit_test(test_no_way),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_not_twice),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_long_ones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
