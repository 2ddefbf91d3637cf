/* SPDX-License-Identifier: MIT */
#include "model/attach-frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void every_head_is_read_as_it_was_written(void **state)
{
	static const struct {
		struct attach_head head;
		enum attach_sender sender;
		const char *bytes;
	} heads[] = {
		{{ATTACH_STDIN, 1}, ATTACH_CLIENT, "\1\0\0\0\0\0\0\1"},
		{{ATTACH_STDIN, ATTACH_BODY_MAX}, ATTACH_CLIENT, "\1\0\0\0\0\1\0\0"},
		{{ATTACH_STDIN_END, 0}, ATTACH_CLIENT, "\2\0\0\0\0\0\0\0"},
		{{ATTACH_RESIZE, 4}, ATTACH_CLIENT, "\3\0\0\0\0\0\0\4"},
		{{ATTACH_SIGNAL, 4}, ATTACH_CLIENT, "\4\0\0\0\0\0\0\4"},
		{{ATTACH_CANCEL, 0}, ATTACH_CLIENT, "\5\0\0\0\0\0\0\0"},
		{{ATTACH_STDOUT, 258}, ATTACH_DAEMON, "\21\0\0\0\0\0\1\2"},
		{{ATTACH_STDERR, 0}, ATTACH_DAEMON, "\22\0\0\0\0\0\0\0"},
		{{ATTACH_GAP, 8}, ATTACH_DAEMON, "\23\0\0\0\0\0\0\10"},
		{{ATTACH_VERDICT, ATTACH_JSON_MAX}, ATTACH_DAEMON, "\24\0\0\0\1\0\0\0"},
		{{ATTACH_PROBLEM, 70000}, ATTACH_DAEMON, "\25\0\0\0\0\1\21\160"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		unsigned char bytes[ATTACH_HEAD_SIZE];
		struct attach_head head;
		attach_head_encode(&heads[i].head, bytes);
		assert_memory_equal(bytes, heads[i].bytes, sizeof(bytes));
		assert_true(attach_head_decode(&head, heads[i].sender, bytes));
		assert_int_equal(head.kind, heads[i].head.kind);
		assert_int_equal(head.size, heads[i].head.size);
		/* and never from the other side */
		assert_false(attach_head_decode(&head, 1 - heads[i].sender, bytes));
	}
}

static void what_is_no_head_is_refused(void **state)
{
	static const struct {
		enum attach_sender sender;
		const char *bytes;
	} bad[] = {
		{ATTACH_CLIENT, "\0\0\0\0\0\0\0\0"},
		{ATTACH_CLIENT, "\6\0\0\0\0\0\0\0"},
		{ATTACH_CLIENT, "\377\0\0\0\0\0\0\0"},
		{ATTACH_CLIENT, "\1\1\0\0\0\0\0\1"},
		{ATTACH_CLIENT, "\1\0\1\0\0\0\0\1"},
		{ATTACH_CLIENT, "\1\0\0\1\0\0\0\1"},
		{ATTACH_CLIENT, "\1\0\0\0\0\1\0\1"},
		{ATTACH_CLIENT, "\1\0\0\0\377\377\377\377"},
		{ATTACH_CLIENT, "\2\0\0\0\0\0\0\1"},
		{ATTACH_CLIENT, "\3\0\0\0\0\0\0\5"},
		{ATTACH_CLIENT, "\4\0\0\0\0\0\0\3"},
		{ATTACH_DAEMON, "\20\0\0\0\0\0\0\1"},
		{ATTACH_DAEMON, "\21\0\0\0\0\1\0\1"},
		{ATTACH_DAEMON, "\23\0\0\0\0\0\0\4"},
		{ATTACH_DAEMON, "\24\0\0\0\1\0\0\1"},
		{ATTACH_DAEMON, "\26\0\0\0\0\0\0\0"},
		{ATTACH_DAEMON, "HTTP/1.1"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct attach_head head = {ATTACH_STDIN, 4711};
		if (attach_head_decode(&head, bad[i].sender, (const unsigned char *)bad[i].bytes))
			fail_msg("taken: number %zu", i);
		assert_int_equal(head.size, 4711);
	}
}

/* However long: in order, whole, and each frame one that a client takes. */
static void a_long_stream_is_cut_into_frames(void **state)
{
	static const size_t sizes[] = {0, 1, ATTACH_BODY_MAX, ATTACH_BODY_MAX + 1,
		2 * ATTACH_BODY_MAX, 3 * ATTACH_BODY_MAX + 5};
	static char bytes[3 * ATTACH_BODY_MAX + 5];
	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 7 + i / 4099);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		cleanup_buf struct buf out = BUF_INIT;
		struct attach_head head;
		size_t seen = 0, frames = 0;
		attach_bytes_put(&out, ATTACH_STDERR, bytes, sizes[i]);
		for (size_t at = 0; at < out.size; at += ATTACH_HEAD_SIZE + head.size, frames++) {
			assert_true(attach_head_decode(
				&head, ATTACH_DAEMON, (unsigned char *)out.data + at));
			assert_int_equal(head.kind, ATTACH_STDERR);
			assert_memory_equal(
				out.data + at + ATTACH_HEAD_SIZE, bytes + seen, head.size);
			seen += head.size;
		}
		assert_int_equal(seen, sizes[i]);
		assert_true(frames == 1 || seen > (frames - 1) * ATTACH_BODY_MAX);
	}
}

static void numbers_are_big_endian(void **state)
{
	unsigned char bytes[8];
	(void)state;
	attach_number_encode(0x0102030405060708, bytes, 8);
	assert_memory_equal(bytes, "\1\2\3\4\5\6\7\10", 8);
	assert_true(attach_number_decode(bytes, 8) == 0x0102030405060708);
	assert_int_equal(attach_number_decode(bytes + 2, 2), 0x0304);
	attach_number_encode(0x1ffff, bytes, 2);
	assert_memory_equal(bytes, "\377\377\3", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_head_is_read_as_it_was_written),
		cmocka_unit_test(what_is_no_head_is_refused),
		cmocka_unit_test(a_long_stream_is_cut_into_frames),
		cmocka_unit_test(numbers_are_big_endian),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
