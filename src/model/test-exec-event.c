/* SPDX-License-Identifier: MIT */
#include "model/exec-event.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static const struct exec_event whole = {
	.t_us = 1500,
	.pid = 4711,
	.parent = 4710,
	.inside_pid = 3,
	.outcome = EXEC_KILLED,
	.enforced = true,
	.cwd = "/home/ann",
	.called = "./build.sh",
	.executable = "/home/ann/build.sh",
	.interpreter = "/usr/bin/dash",
	.argv = {.v = (const char *[]){"./build.sh", "all"}, .n = 2},
	.argc = 2,
	.rule = "allow: ./build.sh",
	.why = "the first word",
	.real_executable = "/usr/bin/git",
	.real_argv = {.v = (const char *[]){"git", "push"}, .n = 2},
};

static void format(const struct exec_event *event, struct buf *b)
{
	buf_clear(b);
	exec_event_format(event, b);
}

static void read_back(const struct buf *b, struct exec_event *ret, struct arena *a)
{
	struct error e = ERROR_INIT;

	assert_true(b->size <= EXEC_EVENT_MAX_LINE);
	assert_ptr_equal(memchr(b->data, '\n', b->size), b->data + b->size - 1);
	if (exec_event_parse(ret, b->data, b->size, a, &e) < 0)
		fail_msg("%s", e.text);
}

static void test_line(void **state)
{
	cleanup_buf struct buf b = BUF_INIT;

	(void)state;
	format(&whole, &b);
	assert_string_equal(buf_str(&b),
		"{\"t_us\":1500,\"outcome\":\"killed\",\"enforced\":true,\"pid\":4711,"
		"\"parent\":4710,\"inside_pid\":3,\"argc\":2,\"argv\":[\"./build.sh\",\"all\"],"
		"\"called\":\"./build.sh\",\"executable\":\"/home/ann/build.sh\","
		"\"interpreter\":\"/usr/bin/dash\",\"cwd\":\"/home/ann\","
		"\"rule\":\"allow: ./build.sh\",\"why\":\"the first word\","
		"\"real_executable\":\"/usr/bin/git\",\"real_argv\":[\"git\",\"push\"]}\n");
	format(&(struct exec_event){.outcome = EXEC_FAILED}, &b);
	assert_string_equal(buf_str(&b),
		"{\"t_us\":0,\"outcome\":\"failed\",\"enforced\":false,\"argc\":0,\"argv\":[]}\n");
}

static void test_round_trip(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_buf struct buf b = BUF_INIT, again = BUF_INIT;
	struct exec_event back;

	(void)state;
	format(&whole, &b);
	read_back(&b, &back, &a);
	format(&back, &again);
	assert_string_equal(buf_str(&b), buf_str(&again));
	assert_int_equal(back.pid, whole.pid);
	assert_string_equal(back.real_argv.v[1], "push");
	assert_false(back.argv_cut);

	format(&(struct exec_event){.t_us = INT64_MAX}, &b);
	read_back(&b, &back, &a);
	assert_true(back.t_us == INT64_MAX && !back.cwd && back.pid == 0 && back.argc == 0);
}

/* Nobody's bytes reach a terminal or end a line; all of them come back. */
static void test_hostile_bytes(void **state)
{
	static const char *const words[] = {"\xff\xfe", "\x1b[2J\r\n",
		"\xc2\x9b"
		"2J",
		"\"},{\"", "\\", "", "\xed\xa0\x80", "caf\xc3\xa9", "\x7f"};
	enum { N = sizeof words / sizeof *words };
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_buf struct buf b = BUF_INIT;
	struct exec_event event = {.cwd = words[1],
		.executable = words[0],
		.argv = {.v = (const char **)words, .n = N},
		.argc = N};
	struct exec_event back;

	(void)state;
	format(&event, &b);
	assert_true(utf8_valid(b.data, b.size));
	for (size_t i = 0; i + 1 < b.size; i++)
		assert_true((unsigned char)b.data[i] >= 0x20 && b.data[i] != 0x7f);
	assert_null(strstr(b.data, "\xc2\x9b"));
	assert_non_null(strstr(b.data, "{\"base64\":\"//4=\"}"));
	read_back(&b, &back, &a);
	assert_int_equal(back.argv.n, N);
	for (size_t i = 0; i < N; i++)
		assert_string_equal(back.argv.v[i], words[i]);
	assert_string_equal(back.cwd, words[1]);
	assert_string_equal(back.executable, words[0]);
}

static char *filled(struct arena *a, size_t size, const char *with)
{
	char *s = arena_alloc(a, size + 1);

	for (size_t i = 0; i < size; i++)
		s[i] = with[i % strlen(with)];
	return s;
}

static size_t kept_bytes(const struct strv *argv)
{
	size_t n = 0;

	for (size_t i = 0; i < argv->n; i++)
		n += strlen(argv->v[i]) + 1;
	return n;
}

/* 2 MiB of arguments, as one word, as many, as words that have to be escaped. */
static void test_large_argv(void **state)
{
	static const struct {
		const char *with;
		size_t word, words, kept_words;
		bool cut;
	} rows[] = {
		{"x", 2 << 20, 1, 1, true},
		{"x", 1, 1 << 20, EXEC_EVENT_MAX_ARGV / 2, false},
		{"x", 0, 5000, EXEC_EVENT_MAX_ARGV, false},
		{"\x01", 128 << 10, 16, 1, true},
		{"\xff", 4000, 500, 2, true},
		{"x", EXEC_EVENT_MAX_ARGV - 1, 1, 1, false},
		{"x", EXEC_EVENT_MAX_ARGV, 1, 1, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		cleanup_buf struct buf b = BUF_INIT;
		struct exec_event event = {.argc = rows[i].words}, back;
		const char *word = filled(&a, rows[i].word, rows[i].with);
		for (size_t k = 0; k < rows[i].words; k++)
			strv_push(&a, &event.argv, word);
		format(&event, &b);
		read_back(&b, &back, &a);
		assert_int_equal(back.argc, rows[i].words);
		assert_int_equal(back.argv.n, rows[i].kept_words);
		assert_true(back.argv_cut == rows[i].cut);
		assert_true(kept_bytes(&back.argv) <= EXEC_EVENT_MAX_ARGV);
		assert_memory_equal(word, back.argv.v[0], strlen(back.argv.v[0]));
	}
}

/* A character is not cut in two: what was UTF-8 stays text. */
static void test_cut_between_characters(void **state)
{
	static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (size_t lead = 0; lead < 4; lead++) {
			cleanup_arena struct arena a = ARENA_INIT;
			cleanup_buf struct buf b = BUF_INIT;
			struct exec_event back, event = {.argc = 1};
			const char *x = filled(&a, lead, "x");
			size_t length = strlen(characters[i]);
			const char *tail = filled(&a, 9000 / length * length, characters[i]);
			const char *word = arena_printf(&a, "%s%s", x, tail);
			strv_push(&a, &event.argv, word);
			event.cwd = word;
			format(&event, &b);
			read_back(&b, &back, &a);
			assert_null(strstr(b.data, "base64"));
			assert_true(strlen(back.argv.v[0]) > EXEC_EVENT_MAX_ARGV - 5);
			assert_true(strlen(back.cwd) > EXEC_EVENT_MAX_TEXT - 4);
			assert_true(back.argv_cut);
		}
	}
}

/* As large as a line can become. */
static void test_size(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_buf struct buf b = BUF_INIT;
	const char *s = filled(&a, 10000, "\x01");
	struct strv argv = {.v = NULL};
	struct exec_event back;

	(void)state;
	strv_push(&a, &argv, s);
	format(&(struct exec_event){INT64_MAX, INT32_MAX, INT32_MAX, INT32_MAX, EXEC_STARTED, true,
		       s, s, s, s, argv, INT32_MAX, true, s, s, s, argv},
		&b);
	assert_true(b.size > 200000);
	read_back(&b, &back, &a);
	assert_int_equal(strlen(back.why), EXEC_EVENT_MAX_TEXT);
}

#define GOOD "\"t_us\":1,\"outcome\":\"started\""

static void test_hostile_lines(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"null",
		"[]",
		"7",
		"{}",
		"{" GOOD,
		"{" GOOD "}{" GOOD "}",
		"{" GOOD "}x",
		"{\"outcome\":\"started\"}",
		"{\"t_us\":1}",
		"{\"t_us\":-1,\"outcome\":\"started\"}",
		"{\"t_us\":1.5,\"outcome\":\"started\"}",
		"{\"t_us\":\"1\",\"outcome\":\"started\"}",
		"{\"t_us\":99999999999999999999,\"outcome\":\"started\"}",
		"{\"t_us\":1,\"outcome\":\"invalid\"}",
		"{\"t_us\":1,\"outcome\":0}",
		"{\"t_us\":1,\"t_us\":2,\"outcome\":\"started\"}",
		"{" GOOD ",\"pid\":-1}",
		"{" GOOD ",\"pid\":2147483648}",
		"{" GOOD ",\"pid\":{}}",
		"{" GOOD ",\"enforced\":1}",
		"{" GOOD ",\"argv\":{}}",
		"{" GOOD ",\"argv\":[1],\"argc\":1}",
		"{" GOOD ",\"argv\":[\"a\"],\"argc\":0}",
		"{" GOOD ",\"argv\":[\"a\"]}",
		"{" GOOD ",\"argv\":[[\"a\"]],\"argc\":1}",
		"{" GOOD ",\"argv\":[\"a\\u0000b\"],\"argc\":1}",
		"{" GOOD ",\"argv\":[{\"base64\":\"AA==\"}],\"argc\":1}",
		"{" GOOD ",\"argv\":[{\"base64\":\"?\"}],\"argc\":1}",
		"{" GOOD ",\"argv\":[{\"base64\":\"eA==\",\"x\":1}],\"argc\":1}",
		"{" GOOD ",\"argv\":[],\"argc\":0,\"argv_cut\":true}",
		"{" GOOD ",\"cwd\":[]}",
		"{" GOOD ",\"cwd\":\"\xff\"}",
		"{" GOOD ",\"why\":\"\\ud800\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct error e = ERROR_INIT;
		struct exec_event back = {.pid = 77};
		if (exec_event_parse(&back, bad[i], strlen(bad[i]), &a, &e) == 0)
			fail_msg("read: %s", bad[i]);
		assert_int_equal(e.blame, BLAME_REQUEST);
		assert_int_equal(back.pid, 77);
	}
}

static void check_too_large(const char *key, size_t size, const char *before, const char *after)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	struct exec_event back;
	const char *line = arena_printf(&a, "{" GOOD ",\"argc\":9,\"%s\":%s%s%s}", key, before,
		filled(&a, size, "x"), after);
	const char *fits = arena_printf(&a, "{" GOOD ",\"argc\":9,\"%s\":%s%s%s}", key, before,
		filled(&a, size - 1, "x"), after);

	assert_int_equal(exec_event_parse(&back, line, strlen(line), &a, &e), -1);
	assert_int_equal(exec_event_parse(&back, fits, strlen(fits), &a, &e), 0);
}

/* What nobody of us has written may be of any size. */
static void test_bounds(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	struct exec_event back;
	char *line = filled(&a, EXEC_EVENT_MAX_LINE + 1, " ");

	(void)state;
	check_too_large("cwd", EXEC_EVENT_MAX_TEXT + 1, "\"", "\"");
	check_too_large("argv", EXEC_EVENT_MAX_ARGV, "[\"", "\"]");
	check_too_large("argv", EXEC_EVENT_MAX_ARGV - 1, "[\"\",\"", "\"]");
	memcpy(line, "{" GOOD "}", strlen("{" GOOD "}"));
	assert_int_equal(exec_event_parse(&back, line, EXEC_EVENT_MAX_LINE + 1, &a, &e), -1);
	assert_int_equal(exec_event_parse(&back, line, EXEC_EVENT_MAX_LINE, &a, &e), 0);
	line = filled(&a, 100000, "[");
	assert_int_equal(exec_event_parse(&back, line, 100000, &a, &e), -1);
}

static void test_later_members(void **state)
{
	static const char line[] = "{" GOOD ",\"colour\":{\"a\":[1]},\"cwd\":null,\"pid\":null}\n";
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	struct exec_event back;

	(void)state;
	assert_int_equal(exec_event_parse(&back, line, sizeof line - 1, &a, &e), 0);
	assert_int_equal(back.t_us, 1);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < EXEC_OUTCOME_COUNT_; i++)
		assert_int_equal(exec_outcome_from_name(exec_outcome_name(i)), i);
	assert_int_equal(exec_outcome_from_name(""), -1);
	assert_string_equal(exec_outcome_name(EXEC_OUTCOME_COUNT_), "invalid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_hostile_bytes),
		cmocka_unit_test(test_large_argv),
		cmocka_unit_test(test_cut_between_characters),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_hostile_lines),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_later_members),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
