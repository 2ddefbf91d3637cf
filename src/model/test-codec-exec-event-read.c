/* SPDX-License-Identifier: MIT */
#include "model/exec-event.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "model/test-exec-event.h"

/* Lines that nobody of us has written. What reads behind the end of one is seen by a sanitizer. */

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

/* It may be damaged anywhere: what is not there whole is not believed. */
static void test_cut_off(void **state)
{
	cleanup_buf struct buf b = BUF_INIT;

	(void)state;
	format(&whole, &b);
	for (size_t size = 0; size < b.size - 1; size++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct error e = ERROR_INIT;
		struct exec_event back = {.pid = 77};
		/* of that size: whoever reads behind it is seen by a sanitizer */
		char *line = malloc(size ? size : 1);
		memcpy(line, b.data, size);
		int r = exec_event_parse(&back, line, size, &a, &e);
		free(line);
		assert_int_equal(r, -1);
		assert_true(back.pid == 77 && *e.text);
	}
}

/* Each member as each type that it is not. */
static void test_wrong_types(void **state)
{
	static const char *const values[] = {"true", "-1", "1", "1.5", "\"x\"", "[]", "[1]", "{}",
		"[[\"x\"]]", "[null]", "{\"base64\":\"eA==\"}"};
	enum { N = sizeof values / sizeof *values };
	static const struct {
		const char *key;
		const char *right; /* one character for each of @values */
	} members[] = {
		{"enforced", "y.........."},
		{"pid", "..y........"},
		{"parent", "..y........"},
		{"inside_pid", "..y........"},
		{"argc", "..y........"},
		{"argv", ".....y....."},
		{"real_argv", ".....y....."},
		{"argv_cut", "..........."},
		{"called", "....y.....y"},
		{"executable", "....y.....y"},
		{"interpreter", "....y.....y"},
		{"cwd", "....y.....y"},
		{"rule", "....y.....y"},
		{"why", "....y.....y"},
		{"real_executable", "....y.....y"},
		{"nobody's", "yyyyyyyyyyy"},
	};

	(void)state;
	for (size_t m = 0; m < sizeof members / sizeof *members; m++) {
		for (size_t v = 0; v < N; v++) {
			cleanup_arena struct arena a = ARENA_INIT;
			struct error e = ERROR_INIT;
			struct exec_event back;
			const char *line =
				arena_printf(&a, "{" GOOD ",\"%s\":%s}", members[m].key, values[v]);
			int r = exec_event_parse(&back, line, strlen(line), &a, &e);
			if ((r == 0) != (members[m].right[v] == 'y'))
				fail_msg("%d: %s", r, line);
			if (r < 0)
				assert_non_null(strstr(e.text, members[m].key));
		}
	}
}

/* A zero byte ends nothing. */
static void test_zeros(void **state)
{
	static const struct {
		const char *line;
		size_t size;
	} bad[] = {
#define LINE(text) {text, sizeof text - 1}
		LINE("\0"),
		LINE("{" GOOD "}\0"),
		LINE("{" GOOD "}\0{" GOOD "}"),
		LINE("{" GOOD "\0}"),
		LINE("{" GOOD ",\"cwd\":\"/\0x\"}"),
		LINE("{" GOOD ",\"c\0wd\":\"/\"}"),
		LINE("{" GOOD ",\"x\\u0000\":1}"),
		LINE("{\"t_us\":1,\"outcome\":\"started\\u0000\"}"),
#undef LINE
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct error e = ERROR_INIT;
		struct exec_event back;
		if (exec_event_parse(&back, bad[i].line, bad[i].size, &a, &e) == 0)
			fail_msg("read: row %zu", i);
	}
}

/* As deep as a line is long, at each place where something may be. */
static void test_deep(void **state)
{
	static const char *const places[] = {"x", "argv", "cwd", "pid", "enforced"};
	static const char *const brackets[] = {"[]", "{}"};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof places / sizeof *places; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct error e = ERROR_INIT;
		struct exec_event back;
		bool object = i % 2;
		const char *open = filled(&a, object ? 200000 : 40000, object ? "{\"a\":" : "[");
		const char *line = arena_printf(
			&a, "{" GOOD ",\"%s\":%s%s}", places[i / 2], open, brackets[object]);
		assert_int_equal(exec_event_parse(&back, line, strlen(line), &a, &e), -1);
		/* also where it is closed again */
		line = arena_printf(&a, "{" GOOD ",\"%s\":%s%s%s}", places[i / 2], open,
			object ? "1" : "", filled(&a, 40000, object ? "}" : "]"));
		assert_int_equal(exec_event_parse(&back, line, strlen(line), &a, &e), -1);
	}
}

/* ---- mutations ---- */

/* The same ones each time. */
static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

#define MUTANT_MAX 2048

/* One of: a byte changed, a bit, some left out, some twice, a token of the format put in. */
static size_t mutate(char *line, size_t size, uint64_t *seed)
{
	static const char *const tokens[] = {"\"", "{", "}", "[", "]", ",", ":", "null", "-",
		"1e999", "\\ud83d", "\\u0000", "\xff", "\xed\xa0\x80", "{\"base64\":\"", "=",
		"99999999999999999999", "\"argv\":", "\"t_us\":"};
	size_t at = next_random(seed) % size;
	size_t n = 1 + next_random(seed) % 20, rest = size - at;
	const char *token = tokens[next_random(seed) % (sizeof tokens / sizeof *tokens)];

	n = n < rest ? n : rest;
	switch (next_random(seed) % 5) {
	case 0:
		line[at] = (char)next_random(seed);
		return size;
	case 1:
		line[at] ^= (char)(1u << next_random(seed) % 8);
		return size;
	case 2:
		memmove(line + at, line + at + n, rest - n);
		return size > n ? size - n : size;
	case 3:
		memmove(line + at + n, line + at, rest);
		return size + n;
	default:
		memmove(line + at + strlen(token), line + at, rest);
		memcpy(line + at, token, strlen(token));
		return size + strlen(token);
	}
}

/* What is read of a line is within its bounds, and comes back when it is written and read again. */
static void check_believed(const struct exec_event *event, struct arena *a)
{
	cleanup_buf struct buf b = BUF_INIT, again = BUF_INIT;
	struct exec_event back;

	assert_true(event->pid >= 0 && event->parent >= 0 && event->inside_pid >= 0);
	assert_in_range(event->outcome, 0, EXEC_OUTCOME_COUNT_ - 1);
	assert_true(event->t_us <= INT64_MAX && event->argc >= event->argv.n);
	assert_true(kept_bytes(&event->argv) <= EXEC_EVENT_MAX_ARGV);
	format(event, &b);
	read_back(&b, &back, a);
	format(&back, &again);
	assert_string_equal(buf_str(&b), buf_str(&again));
}

static void test_mutations(void **state)
{
	static const char *const words[] = {"a\xff", "caf\xc3\xa9", "\x1b", ""};
	const struct exec_event hostile = {.t_us = 7,
		.outcome = EXEC_REFUSED,
		.argv = {.v = (const char **)words, .n = 4},
		.argc = 9,
		.argv_cut = true,
		.cwd = words[0],
		.rule = words[2]};
	cleanup_buf struct buf b = BUF_INIT;
	unsigned good = 0, bad = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 20000; seed++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct error e = ERROR_INIT;
		struct exec_event back;
		char line[MUTANT_MAX];
		uint64_t random = seed;
		format(seed % 2 ? &whole : &hostile, &b);
		size_t size = b.size;
		memcpy(line, b.data, size);
		for (uint32_t n = 1 + next_random(&random) % 4; n > 0; n--)
			size = mutate(line, size, &random);
		char *exact = malloc(size);
		memcpy(exact, line, size);
		if (exec_event_parse(&back, exact, size, &a, &e) == 0) {
			good++;
			check_believed(&back, &a);
		} else {
			bad++;
			assert_true(e.blame == BLAME_REQUEST && *e.text);
		}
		free(exact);
	}
	/* neither is rare: both halves are tried */
	assert_true(good > 1000 && bad > 1000);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_lines),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_wrong_types),
		cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_later_members),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
