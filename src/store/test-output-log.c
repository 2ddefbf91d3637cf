/* SPDX-License-Identifier: MIT */
#include "store/output-log.h"

#include <errno.h>
#include <sys/file.h>

#include "base/fd.h"
#include "store/output-name.h"
#include "store/test-state.h"

static struct output_log *open_log(const struct test_state *t, uint64_t head, uint64_t tail)
{
	struct error e = ERROR_INIT;
	struct output_log *log = NULL;
	if (output_log_open(&log, t->dir.fd, &(struct output_caps){head, tail}, false, &e) < 0)
		fail_msg("%s", e.text);
	return log;
}

static void put(struct output_log *log, uint64_t t_us, enum output_stream stream, const char *s)
{
	assert_int_equal(output_log_write(log, t_us, stream, s, strlen(s)), 0);
}

static void expect_file(const struct test_state *t, const char *name, const char *expected)
{
	static char text[1 << 16];
	assert_true(file_read_text(t->dir.fd, name, text, sizeof text) >= 0);
	assert_string_equal(text, expected);
}

static void each_event_is_a_line(void **state)
{
	struct test_state *t = *state;
	struct output_log *log = open_log(t, 1 << 20, 1 << 20);
	put(log, 7, OUTPUT_STDOUT, "hello\n");
	put(log, 8, OUTPUT_STDERR, "\xff");
	put(log, 9, OUTPUT_STDOUT, "");
	/* It is there at once, whatever becomes of the writer. */
	expect_file(t, "output.jsonl",
		"{\"t_us\":7,\"stream\":\"stdout\",\"text\":\"hello\\n\"}\n"
		"{\"t_us\":8,\"stream\":\"stderr\",\"base64\":\"/w==\"}\n");
	struct output_figures f = output_log_figures(log);
	assert_int_equal(f.seen_bytes, 7);
	assert_int_equal(f.kept_bytes, 7);
	assert_int_equal(f.dropped_bytes, 0);
	assert_int_equal(f.disk_bytes, file_size(t->dir.fd, "output.jsonl"));
	output_log_close(log);
}

static void a_character_cut_in_two_is_base64_at_the_cut(void **state)
{
	struct test_state *t = *state;
	struct output_log *log = open_log(t, 1 << 20, 1 << 20);
	put(log, 1, OUTPUT_STDOUT, "caf\xc3");
	put(log, 2, OUTPUT_STDOUT, "\xa9!");
	output_log_close(log);
	expect_file(t, "output.jsonl",
		"{\"t_us\":1,\"stream\":\"stdout\",\"text\":\"caf\"}\n"
		"{\"t_us\":1,\"stream\":\"stdout\",\"base64\":\"ww==\"}\n"
		"{\"t_us\":2,\"stream\":\"stdout\",\"base64\":\"qSE=\"}\n");
}

static void a_large_event_is_several_lines(void **state)
{
	struct test_state *t = *state;
	struct output_log *log = open_log(t, 1 << 20, 1 << 20);
	static char data[OUTPUT_EVENT_MAX + 2];
	char first[64];
	memset(data, 'x', sizeof data);
	memcpy(data + OUTPUT_EVENT_MAX - 1, "\xc3\xa9", 2); /* across the bound */
	assert_int_equal(output_log_write(log, 1, OUTPUT_STDOUT, data, sizeof data), 0);
	output_log_close(log);
	cleanup_fd int fd = openat(t->dir.fd, "output.jsonl", O_RDONLY | O_CLOEXEC);
	off_t second = (off_t)strlen("{\"t_us\":1,\"stream\":\"stdout\",\"text\":\"\"}\n") +
		OUTPUT_EVENT_MAX - 1;
	ssize_t n = pread(fd, first, sizeof first - 1, second);
	assert_true(n > 0);
	first[n] = '\0';
	assert_string_equal(first, "{\"t_us\":1,\"stream\":\"stdout\",\"text\":\"\xc3\xa9x\"}\n");
}

static void disk_use_is_bounded(void **state)
{
	struct test_state *t = *state;
	struct output_log *log = open_log(t, 4096, 4096);
	unsigned segments[OUTPUT_MAX_SEGMENTS];
	for (uint64_t i = 0; i < 20000; i++)
		put(log, i, OUTPUT_STDOUT, "0123456789");
	struct output_figures f = output_log_figures(log);
	size_t n = output_segments(t->dir.fd, segments);
	off_t on_disk = file_size(t->dir.fd, "output.jsonl");
	char name[OUTPUT_NAME_SIZE];
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++)
		on_disk += file_size(t->dir.fd, output_segment_name(segments[i], name));
	assert_int_equal(f.disk_bytes, on_disk);
	assert_true(on_disk <= 3 * 4096);
	assert_int_equal(f.seen_bytes, 200000);
	assert_int_equal(f.seen_bytes, f.kept_bytes + f.dropped_bytes);
	assert_true(f.kept_bytes > 1000);
	output_log_close(log);
}

static void a_line_larger_than_a_segment_is_kept(void **state)
{
	struct test_state *t = *state;
	struct output_log *log = open_log(t, 10, 10);
	for (uint64_t i = 0; i < 5; i++)
		put(log, i, OUTPUT_STDOUT, "larger than ten bytes");
	struct output_figures f = output_log_figures(log);
	assert_int_equal(f.kept_bytes, 2 * 21);
	assert_int_equal(f.dropped_bytes, 3 * 21);
	output_log_close(log);
}

static void one_writer_at_a_time(void **state)
{
	struct test_state *t = *state;
	struct error e = ERROR_INIT;
	struct output_caps caps = OUTPUT_CAPS_DEFAULT;
	struct output_log *other = NULL, *log = open_log(t, 10, 10);
	put(log, 1, OUTPUT_STDOUT, "a");
	assert_int_equal(output_log_open(&other, t->dir.fd, &caps, false, &e), -1);
	assert_int_equal(e.errnum, EEXIST);
	assert_int_equal(output_log_open(&other, t->dir.fd, &caps, true, &e), -1);
	assert_int_equal(e.errnum, EBUSY);
	output_log_close(log);
	assert_int_equal(output_log_open(&other, t->dir.fd, &caps, false, &e), -1);
	assert_int_equal(output_log_open(&other, t->dir.fd, &caps, true, &e), 0);
	put(other, 2, OUTPUT_STDOUT, "b");
	output_log_close(other);
	expect_file(t, "output.jsonl", "{\"t_us\":2,\"stream\":\"stdout\",\"text\":\"b\"}\n");
	assert_int_equal(file_size(t->dir.fd, "output.1.jsonl"), -1);
}

static void no_link_is_followed(void **state)
{
	struct test_state *t = *state;
	struct error e = ERROR_INIT;
	struct output_caps caps = OUTPUT_CAPS_DEFAULT;
	struct output_log *log = NULL;
	write_file(t->dir.fd, "precious", "x", 1);
	assert_int_equal(symlinkat("precious", t->dir.fd, "output.jsonl"), 0);
	assert_int_equal(output_log_open(&log, t->dir.fd, &caps, true, &e), -1);
	assert_int_equal(file_size(t->dir.fd, "precious"), 1);
}

#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "line %d: not " #condition "\n", __LINE__);                \
			return CHILD_WRONG;                                                        \
		}                                                                                  \
	} while (0)

static int with_a_full_disk(void *data)
{
	struct test_state *t = data;
	struct output_log *log;
	struct output_caps caps = OUTPUT_CAPS_DEFAULT;
	char block[4096];
	memset(block, 'x', sizeof block);
	if (!mount_small(t->path, "64k"))
		return CHILD_CANNOT;
	int dir = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT(output_log_open(&log, dir, &caps, false, NULL) == 0);
	write_file(dir, "ballast", block, sizeof block);
	unsigned kept = 0;
	while (output_log_write(log, 1, OUTPUT_STDOUT, block, sizeof block) == 0)
		kept++;
	EXPECT(errno == ENOSPC && kept > 8);
	off_t whole = file_size(dir, "output.jsonl");
	EXPECT(output_log_write(log, 2, OUTPUT_STDOUT, block, sizeof block) < 0);
	EXPECT(file_size(dir, "output.jsonl") == whole); /* no half lines */
	EXPECT(unlinkat(dir, "ballast", 0) == 0);
	EXPECT(output_log_write(log, 3, OUTPUT_STDERR, "!", 1) == 0);
	struct output_figures f = output_log_figures(log);
	EXPECT(f.kept_bytes == kept * 4096 + 1 && f.dropped_bytes == 2 * 4096);
	output_log_close(log);
	char end[128];
	int fd = openat(dir, "output.jsonl", O_RDONLY | O_CLOEXEC);
	ssize_t n = pread(fd, end, sizeof end - 1, whole);
	EXPECT(n > 0);
	end[n] = '\0';
	EXPECT(strcmp(end,
		       "{\"dropped_bytes\":8192}\n"
		       "{\"t_us\":3,\"stream\":\"stderr\",\"text\":\"!\"}\n") == 0);
	return CHILD_OK;
}

static void what_a_full_disk_took_is_noted(void **state)
{
	expect_child_ok(in_child(with_a_full_disk, *state));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(each_event_is_a_line),
		state_test(a_character_cut_in_two_is_base64_at_the_cut),
		state_test(a_large_event_is_several_lines),
		state_test(disk_use_is_bounded),
		state_test(a_line_larger_than_a_segment_is_kept),
		state_test(one_writer_at_a_time),
		state_test(no_link_is_followed),
		state_test(what_a_full_disk_took_is_noted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
