/* SPDX-License-Identifier: MIT */
#include "model/exec-event.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "model/test-exec-event.h"

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
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
