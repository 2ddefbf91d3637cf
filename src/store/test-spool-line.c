/* SPDX-License-Identifier: MIT */
#include "store/spool-line.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>

#define ID "06gzxeqw9zf5wa3g"

/* The last word is cut: it has no NUL. */
static const char hostile_argv[] = "sh\0-c\0\n\nrun1 0 b\t.\n";

static const struct run_record whole = {.id = ID,
	.key = "a\tb\\n\nc",
	.policy = "",
	.argv = hostile_argv,
	.argv_size = sizeof hostile_argv - 1,
	.argc = 3,
	.pid = 7,
	.started_us = 1700000000000000,
	.log_dir = "/l",
	.ended = true,
	.ended_us = INT64_MAX,
	.cause = "ok",
	.exit_status = 255,
	.disk_bytes = 3,
	.verdict = "{\"x\":\"\\u0000\"}\n",
	.observation = "\xff\x01"};

/* The line of @r without its two LF. */
static void encode(struct buf *line, const struct run_record *r)
{
	buf_clear(line);
	spool_line_encode(line, r);
	assert_int_equal(line->data[0], '\n');
	assert_int_equal(line->data[line->size - 1], '\n');
	line->size -= 2;
	memmove(line->data, line->data + 1, line->size);
	line->data[line->size] = '\0';
	assert_null(memchr(line->data, '\n', line->size));
}

static void expect_text(const char *got, const char *wanted)
{
	if (wanted)
		assert_string_equal(got, wanted);
	else
		assert_null(got);
}

static void expect_begin(const struct run_record *got, const struct run_record *wanted)
{
	expect_text(got->id, wanted->id);
	expect_text(got->key, wanted->key);
	expect_text(got->policy, wanted->policy);
	expect_text(got->log_dir, wanted->log_dir);
	assert_int_equal(got->argv_size, wanted->argv_size);
	assert_memory_equal(got->argv, wanted->argv, wanted->argv_size);
	assert_int_equal(got->argc, wanted->argc);
	assert_int_equal(got->pid, wanted->pid);
	assert_int_equal(got->started_us, wanted->started_us);
	assert_int_equal(got->ended, wanted->ended);
}

static void what_goes_in_comes_out(void **state)
{
	(void)state;
	cleanup_buf struct buf line = BUF_INIT;
	struct run_record r;
	encode(&line, &whole);
	assert_int_equal(spool_line_decode(line.data, line.size, &r), SPOOL_LINE_RECORD);
	expect_begin(&r, &whole);
	assert_int_equal(r.ended_us, whole.ended_us);
	expect_text(r.cause, whole.cause);
	assert_int_equal(r.exit_status, 255);
	assert_int_equal(r.disk_bytes, 3);
	expect_text(r.verdict, whole.verdict);
	expect_text(r.observation, whole.observation);
}

static void a_begin_has_no_end(void **state)
{
	(void)state;
	cleanup_buf struct buf line = BUF_INIT;
	struct run_record r, begin = whole;
	begin.ended = false;
	begin.key = begin.log_dir = NULL;
	begin.argv = "";
	begin.argv_size = 0;
	encode(&line, &begin);
	assert_int_equal(spool_line_decode(line.data, line.size, &r), SPOOL_LINE_RECORD);
	expect_begin(&r, &begin);
	assert_null(r.verdict);
}

/* Of each length that a writer may have come to; with what was read last still behind it. */
static void a_line_cut_anywhere_is_no_record(void **state)
{
	(void)state;
	cleanup_buf struct buf line = BUF_INIT;
	struct run_record r = {.id = "untouched"};
	for (size_t i = 0;; i++) {
		encode(&line, &whole);
		if (i == line.size)
			break;
		assert_int_equal(spool_line_decode(line.data, i, &r),
			i == 0 ? SPOOL_LINE_EMPTY : SPOOL_LINE_CUT);
	}
	assert_string_equal(r.id, "untouched");
}

static void a_changed_byte_is_no_record(void **state)
{
	(void)state;
	cleanup_buf struct buf line = BUF_INIT;
	struct run_record r;
	for (size_t i = 0;; i++) {
		encode(&line, &whole);
		if (i == line.size)
			break;
		line.data[i] ^= 1;
		assert_int_not_equal(
			spool_line_decode(line.data, line.size, &r), SPOOL_LINE_RECORD);
	}
}

/* A line with a checksum that fits, and @from of it replaced by @to. */
static enum spool_line decode_forged(const char *from, const char *to)
{
	cleanup_buf struct buf line = BUF_INIT, forged = BUF_INIT;
	struct run_record r, plain = whole;
	uint64_t checksum = 0xcbf29ce484222325;
	plain.key = "k";
	plain.argv = "a";
	plain.argv_size = 1;
	plain.observation = NULL;
	encode(&line, &plain);
	char *body = line.data + strlen("run1 0123456789abcdef ");
	char *at = strstr(body, from);
	assert_non_null(at);
	buf_add(&forged, body, (size_t)(at - body));
	buf_puts(&forged, to);
	buf_puts(&forged, at + strlen(from));
	/* As spool-line.c has it: nothing keeps somebody who may write here from computing one. */
	checksum ^= forged.size;
	for (size_t i = 0; i < forged.size; i += 8) {
		uint64_t word = 0;
		memcpy(&word, forged.data + i, forged.size - i < 8 ? forged.size - i : 8);
		checksum = (checksum ^ word) * 0x9e3779b97f4a7c15;
		checksum ^= checksum >> 29;
	}
	buf_clear(&line);
	buf_printf(&line, "run1 %016llx %s", (unsigned long long)checksum, forged.data);
	return spool_line_decode(line.data, line.size, &r);
}

static void a_checksum_alone_makes_no_record(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"e\t", "x\t"}, /* another kind */
		{"e\t", "b\t"}, /* with fields behind it */
		{"e\t", "ee\t"}, {"\t=" ID, "\t=../../../../x"}, {"\t=" ID, "\t=" ID "0"},
		{"\t=" ID, "\t-"}, /* none where there must be one */
		{"\t=" ID, "\t"}, {"\t=" ID, "\tx" ID},
		{"\t=k", "\t=\\0"}, /* a NUL where it would end the text */
		{"\t=k", "\t=\\"}, /* half an escape */
		{"\t=k", "\t=\\x41"}, {"\t=7", "\t="}, {"\t=7", "\t=-1"}, {"\t=7", "\t=2147483648"},
		{"\t=255", "\t=256"}, {"\t=9223372036854775807", "\t=9223372036854775808"},
		{"\t=ok", ""}, /* too few */
		{"\t=ok", "\t=ok\t=ok"}, /* too many */
	};
	assert_int_equal(decode_forged("\t=k", "\t=k2"), SPOOL_LINE_RECORD);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (decode_forged(cases[i][0], cases[i][1]) != SPOOL_LINE_DAMAGED)
			fail_msg("'%s' for '%s' passes", cases[i][1], cases[i][0]);
}

static void what_is_none_of_ours_is_damaged(void **state)
{
	(void)state;
	static const char *const lines[] = {"x", "runx", "run2 ", "garbage\t.", "\t.", "run1 \t.",
		"run1 0123456789abcdef b\t.", "run1 0123456789abcdef\t."};
	struct run_record r;
	char line[64];
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		strcpy(line, lines[i]);
		assert_int_equal(spool_line_decode(line, strlen(line), &r), SPOOL_LINE_DAMAGED);
	}
	memset(line, 0, sizeof line); /* what a power failure may leave */
	assert_int_equal(spool_line_decode(line, sizeof line - 1, &r), SPOOL_LINE_DAMAGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(a_begin_has_no_end),
		cmocka_unit_test(a_line_cut_anywhere_is_no_record),
		cmocka_unit_test(a_changed_byte_is_no_record),
		cmocka_unit_test(a_checksum_alone_makes_no_record),
		cmocka_unit_test(what_is_none_of_ours_is_damaged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
