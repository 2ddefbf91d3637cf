/* SPDX-License-Identifier: MIT */
#include "store/output-read.h"
#include "store/output-name.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>

#include "base/fd.h"
#include "store/test-state.h"

/* What the log says, in short: stdout's bytes as they are, "<N" dropped, "~N" repaired, "!N" damaged. */
static void expect_log(const struct test_state *t, const char *expected)
{
	struct output_reader *r = NULL;
	struct error e = ERROR_INIT;
	struct output_event event;
	static const char marks[] = {
		[OUTPUT_DROPPED] = '<', [OUTPUT_REPAIRED] = '~', [OUTPUT_DAMAGED] = '!'};
	cleanup_buf struct buf all = BUF_INIT;
	int got;
	if (output_reader_open(&r, t->dir.fd, &e) < 0)
		fail_msg("%s", e.text);
	while ((got = output_reader_next(r, &event)) > 0) {
		if (event.kind == OUTPUT_DATA)
			buf_add(&all, event.data, event.size);
		else
			buf_printf(&all, "%c%" PRIu64 ".", marks[event.kind], event.count);
	}
	assert_int_equal(got, 0);
	output_reader_close(r);
	assert_string_equal(buf_str(&all), expected);
}

static void write_log(const struct test_state *t, const char *text)
{
	write_file(t->dir.fd, "output.jsonl", text, strlen(text));
}

static struct output_log *open_log(const struct test_state *t, uint64_t head, uint64_t tail)
{
	struct output_log *log = NULL;
	assert_int_equal(
		output_log_open(&log, t->dir.fd, &(struct output_caps){head, tail}, false, NULL),
		0);
	return log;
}

#define A "{\"t_us\":1,\"stream\":\"stdout\",\"text\":\"a\"}\n"
#define B "{\"t_us\":2,\"stream\":\"stderr\",\"base64\":\"Yg==\"}\n"

static void what_was_written_comes_back(void **state)
{
	struct test_state *t = *state;
	static unsigned char data[100000];
	unsigned char *next = data;
	struct output_log *log = open_log(t, 1 << 20, 1 << 20);
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i % 3 ? i * i : (size_t) "\"\xe2\x82\xac"[i % 4]);
	for (size_t at = 0, n = 1; at < sizeof data; at += n, n = n * 2 % 40009)
		assert_int_equal(output_log_write(log, at, OUTPUT_STDOUT, data + at,
					 n < sizeof data - at ? n : sizeof data - at),
			0);
	output_log_close(log);
	struct output_reader *r;
	struct output_event event;
	assert_int_equal(output_reader_open(&r, t->dir.fd, NULL), 0);
	while (output_reader_next(r, &event) > 0) {
		assert_int_equal(event.kind, OUTPUT_DATA);
		assert_true(event.size <= (size_t)(data + sizeof data - next));
		assert_memory_equal(event.data, next, event.size);
		next += event.size;
	}
	output_reader_close(r);
	assert_ptr_equal(next, data + sizeof data);
}

static void without_a_log_it_says_so(void **state)
{
	struct test_state *t = *state;
	struct output_reader *r = NULL;
	struct error e = ERROR_INIT;
	assert_int_equal(output_reader_open(&r, t->dir.fd, &e), -1);
	assert_int_equal(e.errnum, ENOENT);
	assert_int_equal(mkfifoat(t->dir.fd, "output.jsonl", 0600), 0);
	assert_int_equal(output_reader_open(&r, t->dir.fd, &e), -1); /* and does not wait */
}

static void the_middle_is_missing_and_said(void **state)
{
	struct test_state *t = *state;
	struct output_log *log = open_log(t, 100, 120);
	for (uint64_t i = 0; i < 13; i++)
		assert_int_equal(
			output_log_write(log, i, OUTPUT_STDOUT, &"abcdefghijklm"[i], 1), 0);
	/* two lines fit into each file; also while it is written */
	expect_log(t, "ab<8.klm");
	output_log_close(log);
	expect_log(t, "ab<8.klm");
}

static void a_tear_is_repaired_once(void **state)
{
	struct test_state *t = *state;
	write_log(t, A B "{\"t_us\":3,\"stream\":\"std");
	expect_log(t, "ab~23.");
	char text[256];
	assert_true(file_read_text(t->dir.fd, "output.jsonl", text, sizeof text) > 0);
	assert_string_equal(text, A B "{\"repaired\":{\"removed_bytes\":23}}\n");
	expect_log(t, "ab~23.");
	write_log(t, "{\"t_us\":3,\"stream\":\"std");
	expect_log(t, "~23.");
	write_log(t, "");
	expect_log(t, "");
}

static void a_tear_longer_than_any_line_is_repaired(void **state)
{
	struct test_state *t = *state;
	static char text[1 << 20];
	memset(text, 'x', sizeof text - 1);
	memcpy(text, A, sizeof A - 1);
	write_log(t, text);
	char expected[64];
	snprintf(expected, sizeof expected, "a~%zu.", sizeof text - sizeof A);
	expect_log(t, expected);
}

static void a_tear_in_the_last_segment_is_repaired_there(void **state)
{
	struct test_state *t = *state;
	struct output_log *log = open_log(t, 50, 120);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(output_log_write(log, i, OUTPUT_STDOUT, &"abcd"[i], 1), 0);
	output_log_close(log);
	cleanup_fd int fd = openat(t->dir.fd, "output.2.jsonl", O_WRONLY | O_CLOEXEC);
	off_t size = file_size(t->dir.fd, "output.2.jsonl");
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size - 5), 0);
	expect_log(t, "abc~35.");
	expect_log(t, "abc~35.");
}

static void a_log_that_is_written_is_left_alone(void **state)
{
	struct test_state *t = *state;
	struct output_log *log = open_log(t, 1000, 1000);
	assert_int_equal(output_log_write(log, 1, OUTPUT_STDOUT, "a", 1), 0);
	cleanup_fd int fd = openat(t->dir.fd, "output.jsonl", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "{\"t_us", 6), 6); /* as a line that is on its way looks */
	off_t size = file_size(t->dir.fd, "output.jsonl");
	expect_log(t, "a");
	assert_int_equal(file_size(t->dir.fd, "output.jsonl"), size);
	output_log_close(log);
	expect_log(t, "a~6.");
}

/* Whatever is in the file: no crash, and what is whole is read. */
static void damage_is_counted_and_passed_over(void **state)
{
	struct test_state *t = *state;
	write_log(t, A "garbage\n" B "[]\n\n{}\nnull\n" A);
	expect_log(t, "a!8.b!3.!1.!3.!5.a");
	static const char *const lines[] = {
		"{\"t_us\":-1,\"stream\":\"stdout\",\"text\":\"x\"}\n",
		"{\"t_us\":1,\"stream\":\"stdin\",\"text\":\"x\"}\n",
		"{\"t_us\":1,\"stream\":\"stdout\"}\n",
		"{\"t_us\":1,\"stream\":\"stdout\",\"base64\":\"=\"}\n",
		"{\"t_us\":1,\"stream\":\"stdout\",\"text\":\"x\",\"base64\":\"eA==\"}\n",
		"{\"t_us\":1,\"stream\":\"stdout\",\"text\":\"x\",\"text\":\"y\"}\n",
		"{\"t_us\":1,\"stream\":\"stdout\",\"text\":\"\xff\"}\n",
		"{\"dropped_bytes\":99999999999999999999}\n",
		"{\"dropped_bytes\":\"1\"}\n",
		"{\"repaired\":1}\n",
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		char expected[32];
		snprintf(expected, sizeof expected, "!%zu.", strlen(lines[i]));
		write_log(t, lines[i]);
		expect_log(t, expected);
	}
}

static void a_line_without_end_takes_no_memory(void **state)
{
	struct test_state *t = *state;
	static char text[1 << 20];
	memset(text, '[', sizeof text - 1);
	memcpy(text, A, sizeof A - 1);
	strcpy(text + sizeof text - sizeof "\n" B, "\n" B);
	write_log(t, text);
	char expected[64];
	snprintf(expected, sizeof expected, "a!%zu.b", sizeof text - sizeof A - sizeof B);
	expect_log(t, expected);
}

/* As a program may leave its own log behind: more than anybody could read, and none of it written. */
static void terabytes_of_nothing_are_refused_at_once(void **state)
{
	struct test_state *t = *state;
	static const char *const begins[] = {"", A, "{\"segment\":1}\n", A "torn"};
	alarm(60); /* would take days */
	for (size_t i = 0; i < 2 * sizeof begins / sizeof *begins; i++) {
		struct output_reader *r;
		struct output_event event;
		write_log(t, begins[i / 2]);
		cleanup_fd int fd = openat(t->dir.fd, "output.jsonl", O_WRONLY | O_CLOEXEC);
		assert_int_equal(ftruncate(fd, (off_t)4 << 40), 0);
		assert_int_equal((i % 2 ? output_reader_open_to_follow : output_reader_open)(
					 &r, t->dir.fd, NULL),
			0);
		int got;
		while ((got = output_reader_next(r, &event)) > 0)
			assert_int_equal(event.kind, OUTPUT_DATA);
		assert_int_equal(got, -1);
		assert_int_equal(errno, EBADMSG);
		output_reader_close(r);
		assert_int_equal(file_size(t->dir.fd, "output.jsonl"), (off_t)4 << 40);
	}
	alarm(0);
}

/* Lines that are right, but mean nothing to a reader, and never end. */
static void lines_that_say_nothing_are_not_read_for_ever(void **state)
{
	struct test_state *t = *state;
	static const char line[] = "{\"segment\":1}\n";
	struct output_reader *r;
	struct output_event event;
	cleanup_buf struct buf b = BUF_INIT;
	while (b.size < 5 << 20)
		buf_add(&b, line, sizeof line - 1);
	write_log(t, buf_str(&b));
	assert_int_equal(output_reader_open(&r, t->dir.fd, NULL), 0);
	assert_int_equal(output_reader_next(r, &event), -1);
	assert_int_equal(errno, EBADMSG);
	output_reader_close(r);
}

static void deep_nesting_is_refused(void **state)
{
	struct test_state *t = *state;
	static char text[100002];
	memset(text, '[', sizeof text - 2);
	text[sizeof text - 2] = '\n';
	write_log(t, text);
	expect_log(t, "!100001.");
}

static int write_until_killed(void *data)
{
	struct test_state *t = data;
	struct output_log *log = open_log(t, 1 << 20, 1 << 20);
	for (uint64_t i = 0; i < 1000; i++)
		output_log_write(log, i, OUTPUT_STDOUT, "x", 1);
	return raise(SIGKILL);
}

static void a_kill_leaves_all_that_went_before(void **state)
{
	struct test_state *t = *state;
	char expected[1001] = {0};
	assert_int_equal(in_child(write_until_killed, t), 128 + SIGKILL);
	memset(expected, 'x', 1000);
	expect_log(t, expected);
}

static int read_where_nothing_may_be_written(void *data)
{
	struct test_state *t = data;
	if (!mount_small(t->path, "1m"))
		return CHILD_CANNOT;
	int dir = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct test_state inner = {.dir = {.fd = dir}};
	write_log(&inner, A "torn");
	close(dir);
	if (mount(NULL, t->path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
		return CHILD_CANNOT;
	inner.dir.fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	expect_log(&inner, "a~4.");
	return CHILD_OK;
}

static void a_tear_that_cannot_be_mended_is_said(void **state)
{
	expect_child_ok(in_child(read_where_nothing_may_be_written, *state));
}

/* ---- following ---- */

static struct output_reader *follow(const struct test_state *t)
{
	struct output_reader *r;
	struct error e = ERROR_INIT;
	if (output_reader_open_to_follow(&r, t->dir.fd, &e) < 0)
		fail_msg("%s", e.text);
	return r;
}

/* All there is by now: bytes of output, and those that are said to be missing. */
static void take_all(struct output_reader *r, uint64_t *bytes, uint64_t *missing)
{
	struct output_event event;
	int rc;
	while ((rc = output_reader_next(r, &event)) > 0) {
		assert_in_range(event.kind, OUTPUT_DATA, OUTPUT_DROPPED);
		*(event.kind == OUTPUT_DATA ? bytes : missing) +=
			event.kind == OUTPUT_DATA ? event.size : event.count;
	}
	assert_int_equal(rc, 0);
}

static void a_follower_sees_what_comes(void **state)
{
	struct test_state *t = *state;
	struct output_log *log = open_log(t, 1 << 20, 1 << 20);
	struct output_reader *r = follow(t);
	struct output_event event;
	assert_int_equal(output_reader_next(r, &event), 0);
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(output_log_write(log, i, OUTPUT_STDERR, "abc", 3), 0);
		assert_int_equal(output_reader_next(r, &event), 1);
		assert_int_equal(event.t_us, i);
		assert_int_equal(event.stream, OUTPUT_STDERR);
		assert_memory_equal(event.data, "abc", 3);
		assert_int_equal(output_reader_next(r, &event), 0);
	}
	output_log_close(log);
	assert_int_equal(output_reader_next(r, &event), 0);
	output_reader_close(r);
}

static void a_follower_waits_for_the_end_of_a_line(void **state)
{
	static const char line[] = "{\"t_us\":1,\"stream\":\"stdout\",\"text\":\"whole\"}\n";
	struct test_state *t = *state;
	struct output_event event;
	struct output_log *log = open_log(t, 1 << 20, 1 << 20);
	struct output_reader *r = follow(t);
	int fd = openat(t->dir.fd, "output.jsonl", O_WRONLY | O_APPEND | O_CLOEXEC);
	for (size_t i = 0; i < sizeof line - 1; i++) {
		assert_int_equal(output_reader_next(r, &event), 0);
		assert_int_equal(write(fd, line + i, 1), 1);
	}
	assert_int_equal(output_reader_next(r, &event), 1);
	assert_int_equal(event.size, 5);
	close(fd);
	output_reader_close(r);
	output_log_close(log);
}

/* However seldom it looks: what it got and what it was told to be missing is all there was. */
static void a_slow_follower_misses_nothing_unsaid(void **state)
{
	struct test_state *t = *state;
	static const unsigned pauses[] = {1, 7, 40, 1000, 3000};
	char block[100];
	memset(block, 'x', sizeof block);
	for (size_t p = 0; p < sizeof pauses / sizeof *pauses; p++) {
		struct output_log *log = open_log(t, 4096, 2048);
		struct output_reader *r = follow(t);
		uint64_t bytes = 0, missing = 0;
		for (unsigned i = 1; i <= 3000; i++) {
			assert_int_equal(
				output_log_write(log, i, OUTPUT_STDOUT, block, sizeof block), 0);
			if (i % pauses[p] == 0)
				take_all(r, &bytes, &missing);
		}
		take_all(r, &bytes, &missing);
		assert_int_equal(bytes + missing, 3000 * sizeof block);
		assert_true(pauses[p] > 7 || missing == 0);
		assert_true(pauses[p] < 1000 || missing > 0);
		assert_true(bytes >= 4096 - 256);
		output_reader_close(r);
		output_log_close(log);
		assert_int_equal(unlinkat(t->dir.fd, "output.jsonl", 0), 0);
		for (unsigned k = 0; k < 1000; k++) {
			char name[OUTPUT_NAME_SIZE];
			unlinkat(t->dir.fd, output_segment_name(k, name), 0);
		}
	}
}

/* What is there and is no file is no segment that has just been removed: nobody looks for it for ever. */
static void a_follower_does_not_wait_for_what_is_no_segment(void **state)
{
	struct test_state *t = *state;
	struct output_event event;
	alarm(60);
	for (int i = 0; i < 3; i++) {
		struct output_log *log = open_log(t, 1 << 20, 1 << 20);
		struct output_reader *r = follow(t);
		assert_int_equal(output_reader_next(r, &event), 0);
		int rc = i == 0  ? mkdirat(t->dir.fd, "output.1.jsonl", 0700)
			: i == 1 ? symlinkat("output.jsonl", t->dir.fd, "output.1.jsonl")
				 : mkfifoat(t->dir.fd, "output.1.jsonl", 0600);
		assert_int_equal(rc, 0);
		assert_int_equal(output_reader_next(r, &event), -1);
		assert_int_not_equal(errno, ENOENT);
		output_reader_close(r);
		output_log_close(log);
		assert_int_equal(
			unlinkat(t->dir.fd, "output.1.jsonl", i == 0 ? AT_REMOVEDIR : 0), 0);
		assert_int_equal(unlinkat(t->dir.fd, "output.jsonl", 0), 0);
	}
	alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(what_was_written_comes_back),
		state_test(without_a_log_it_says_so),
		state_test(the_middle_is_missing_and_said),
		state_test(a_tear_is_repaired_once),
		state_test(a_tear_longer_than_any_line_is_repaired),
		state_test(a_tear_in_the_last_segment_is_repaired_there),
		state_test(a_log_that_is_written_is_left_alone),
		state_test(damage_is_counted_and_passed_over),
		state_test(a_line_without_end_takes_no_memory),
		state_test(terabytes_of_nothing_are_refused_at_once),
		state_test(lines_that_say_nothing_are_not_read_for_ever),
		state_test(deep_nesting_is_refused),
		state_test(a_kill_leaves_all_that_went_before),
		state_test(a_tear_that_cannot_be_mended_is_said),
		state_test(a_follower_sees_what_comes),
		state_test(a_follower_waits_for_the_end_of_a_line),
		state_test(a_slow_follower_misses_nothing_unsaid),
		state_test(a_follower_does_not_wait_for_what_is_no_segment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
