/* SPDX-License-Identifier: MIT */
#include "base/json-text.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static void check_string(const char *s, size_t size, const char *expected)
{
	cleanup_buf struct buf b = BUF_INIT;
	json_put_bytes(&b, s, size);
	assert_string_equal(buf_str(&b), expected);
}
#define CHECK_STRING(s, expected) check_string(s, sizeof(s) - 1, expected)

static void strings_are_escaped(void **state)
{
	(void)state;
	CHECK_STRING("", "\"\"");
	CHECK_STRING("plain", "\"plain\"");
	CHECK_STRING("a\"b\\c", "\"a\\\"b\\\\c\"");
	CHECK_STRING("\b\t\n\f\r", "\"\\b\\t\\n\\f\\r\"");
	CHECK_STRING("a\0b", "\"a\\u0000b\"");
	CHECK_STRING("\x1b[2J\x7f", "\"\\u001b[2J\\u007f\"");
	CHECK_STRING("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		"\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
	/* CSI as one C1 character; NBSP, which begins with the same byte */
	CHECK_STRING("\xc2\x9b"
		     "2J\xc2\xa0",
		"\"\\u009b2J\xc2\xa0\"");
}

static void what_is_not_utf8_is_base64(void **state)
{
	(void)state;
	CHECK_STRING("\xff", "{\"base64\":\"/w==\"}");
	CHECK_STRING("\xff\xfe", "{\"base64\":\"//4=\"}");
	CHECK_STRING("\xff\xfe\xfd", "{\"base64\":\"//79\"}");
	CHECK_STRING("\xc0\xaf", "{\"base64\":\"wK8=\"}"); /* an overlong '/' */
}

static void utf8_is_that_of_the_standard(void **state)
{
	(void)state;
	static const char *const bad[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf",
		"\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
		"\xe2\x82", "\xe2(\xa1", "\xff"};
	static const char *const good[] = {"\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf",
		"\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
	char text[64];
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(text, sizeof text, "0123456789%s", bad[i]);
		assert_int_equal(utf8_prefix(text, strlen(text)), 10);
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		snprintf(text, sizeof text, "0123456789%s.", good[i]);
		assert_int_equal(utf8_prefix(text, strlen(text)), strlen(text));
	}
}

static void a_cut_character_is_told_from_a_wrong_one(void **state)
{
	(void)state;
	assert_true(utf8_is_cut("\xc3", 1));
	assert_true(utf8_is_cut("\xe2\x82", 2));
	assert_true(utf8_is_cut("\xf0\x9f\x98", 3));
	assert_false(utf8_is_cut("", 0));
	assert_false(utf8_is_cut("a", 1));
	assert_false(utf8_is_cut("\xc3\xa9", 2));
	assert_false(utf8_is_cut("\xe0\x80", 2));
	assert_false(utf8_is_cut("\xe2(", 2));
	assert_false(utf8_is_cut("\xff", 1));
}

static void base64_comes_back(void **state)
{
	(void)state;
	unsigned char bytes[256];
	for (size_t size = 0; size < sizeof bytes; size++) {
		cleanup_buf struct buf text = BUF_INIT, back = BUF_INIT;
		bytes[size] = (unsigned char)(size * 7);
		base64_put(&text, (char *)bytes, size);
		assert_int_equal(base64_get(&back, buf_str(&text), text.size), 0);
		assert_int_equal(back.size, size);
		assert_memory_equal(buf_str(&back), bytes, size);
	}
}

static void wrong_base64_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"A", "AB", "ABC", "A===", "=AAA", "AA=A", "A\nAA",
		"AB==AAAA", "AA-_", "====", "\xff\xff\xff\xff"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cleanup_buf struct buf back = BUF_INIT;
		assert_int_equal(base64_get(&back, bad[i], strlen(bad[i])), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(what_is_not_utf8_is_base64),
		cmocka_unit_test(utf8_is_that_of_the_standard),
		cmocka_unit_test(a_cut_character_is_told_from_a_wrong_one),
		cmocka_unit_test(base64_comes_back),
		cmocka_unit_test(wrong_base64_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
