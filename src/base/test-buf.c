/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

static void test_empty(void **state)
{
	(void)state;
	cleanup_buf struct buf b = BUF_INIT;
	assert_string_equal(buf_str(&b), "");
	buf_clear(&b);
	assert_null(b.data);
	buf_add(&b, NULL, 0);
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(b.size, 0);
	buf_fini(&b);
	buf_fini(&b);
}

static void test_grows(void **state)
{
	(void)state;
	cleanup_buf struct buf b = BUF_INIT;
	for (size_t i = 0; i < 5000; i++) {
		buf_putc(&b, (char)('a' + i % 26));
		assert_int_equal(b.size, i + 1);
		assert_int_equal(b.data[b.size], '\0');
	}
	buf_printf(&b, "%5000d", 1);
	assert_int_equal(b.size, 10000);
	assert_int_equal(strlen(b.data), 10000);
	buf_clear(&b);
	assert_string_equal(buf_str(&b), "");
	buf_puts(&b, "x");
	buf_add(&b, "a\0b", 3);
	assert_int_equal(b.size, 4);
	assert_memory_equal(b.data, "xa\0b", 5);
}

static void test_exact_room(void **state)
{
	(void)state;
	for (size_t size = 250; size < 260; size++) { /* about the first room */
		cleanup_buf struct buf b = BUF_INIT;
		buf_printf(&b, "%*d", (int)size, 1);
		assert_int_equal(b.size, size);
		buf_puts(&b, "");
		assert_int_equal(b.data[size], '\0');
	}
}

#define VALID(s)   assert_true(utf8_valid(s, sizeof(s) - 1))
#define INVALID(s) assert_false(utf8_valid(s, sizeof(s) - 1))

static void test_utf8_valid(void **state)
{
	(void)state;
	assert_true(utf8_valid("", 0));
	assert_true(utf8_valid(NULL, 0));
	VALID("plain\n\t\x7f");
	VALID("\xc2\x80");
	VALID("\xdf\xbf");
	VALID("\xe0\xa0\x80");
	VALID("\xed\x9f\xbf"); /* U+D7FF, the last before the surrogates */
	VALID("\xee\x80\x80"); /* U+E000, the first after */
	VALID("\xef\xbf\xbf");
	VALID("\xf0\x90\x80\x80");
	VALID("\xf4\x8f\xbf\xbf"); /* U+10FFFF */
}

static void test_utf8_invalid(void **state)
{
	(void)state;
	INVALID("\0");
	INVALID("a\0b");
	INVALID("\x80"); /* a tail alone */
	INVALID("\xbf");
	INVALID("\xc0\x80"); /* overlong NUL */
	INVALID("\xc1\xbf"); /* overlong DEL */
	INVALID("\xe0\x80\xaf"); /* overlong / */
	INVALID("\xe0\x9f\xbf");
	INVALID("\xf0\x80\x80\xaf");
	INVALID("\xf0\x8f\xbf\xbf");
	INVALID("\xed\xa0\x80"); /* surrogates */
	INVALID("\xed\xbf\xbf");
	INVALID("\xf4\x90\x80\x80"); /* above U+10FFFF */
	INVALID("\xf5\x80\x80\x80");
	INVALID("\xfe");
	INVALID("\xff");
	INVALID("\xc2"); /* cut */
	INVALID("\xe2\x82");
	INVALID("\xf0\x9f\x9a");
	INVALID("\xc2\x41"); /* not a tail */
	INVALID("\xe2\x82\x41");
	INVALID("\xf0\x9f\x9a\xc2");
	assert_false(utf8_valid("\xe2\x82\xac", 2)); /* the size counts, not what follows */
}

/* Each value through the definition: encoded, it is valid exactly if it is a Unicode scalar. */
static void test_utf8_all(void **state)
{
	(void)state;
	for (unsigned c = 0x800; c < 0x120000; c++) {
		char s[4];
		size_t n;
		if (c < 0x10000) {
			n = 3;
			s[0] = (char)(0xe0 | c >> 12);
		} else {
			n = 4;
			s[0] = (char)(0xf0 | c >> 18);
			s[1] = (char)(0x80 | (c >> 12 & 63));
		}
		s[n - 2] = (char)(0x80 | (c >> 6 & 63));
		s[n - 1] = (char)(0x80 | (c & 63));
		bool scalar = c < 0x110000 && !(c >= 0xd800 && c < 0xe000);
		if (utf8_valid(s, n) != scalar)
			fail_msg("U+%04X", c);
	}
}

static void assert_visible(const char *s, size_t size, const char *shown)
{
	cleanup_buf struct buf b = BUF_INIT;
	buf_put_visible(&b, s, size);
	assert_string_equal(buf_str(&b), shown);
}
#define VISIBLE(s, shown) assert_visible(s, sizeof(s) - 1, shown)

static void test_visible(void **state)
{
	(void)state;
	VISIBLE("", "");
	VISIBLE("plain 'text' \\ ~", "plain 'text' \\ ~");
	VISIBLE("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x9a\xa2", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x9a\xa2");
	VISIBLE("a\nb\tc\r", "a\\x0ab\\x09c\\x0d");
	VISIBLE("\x1b[2J", "\\x1b[2J");
	VISIBLE("\0", "\\x00");
	VISIBLE("\x7f", "\\x7f");
	VISIBLE("\xff\xc0\x80z", "\\xff\\xc0\\x80z");
	VISIBLE("\xe2\x82", "\\xe2\\x82");
	VISIBLE("\xc2\x9b"
		"2J",
		"\\xc2\\x9b2J"); /* CSI as one character */
	VISIBLE("\xc2\xa0", "\xc2\xa0");
	VISIBLE("\xe2\x80\xae"
		"x",
		"\\xe2\\x80\\xaex"); /* right-to-left override */
	VISIBLE("\xe2\x81\xa6", "\\xe2\\x81\\xa6");
	VISIBLE("\xe2\x80\xa8", "\\xe2\\x80\\xa8"); /* line separator */
	VISIBLE("\xe2\x80\x94", "\xe2\x80\x94");
}

static void test_word(void **state)
{
	static const struct {
		const char *word, *shown;
	} rows[] = {
		{"python3", "python3"},
		{"", "''"},
		{"print(1)", "'print(1)'"},
		{"it's", "'it'\\''s'"},
		{"\x1b]0;x\x07", "'\\x1b]0;x\\x07'"},
		{"a\nb", "'a\\x0ab'"},
		{"\xff", "'\\xff'"},
		{"caf\xc3\xa9", "'caf\xc3\xa9'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		cleanup_buf struct buf b = BUF_INIT;
		buf_put_word(&b, rows[i].word);
		assert_string_equal(buf_str(&b), rows[i].shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_exact_room),
		cmocka_unit_test(test_utf8_valid),
		cmocka_unit_test(test_utf8_invalid),
		cmocka_unit_test(test_utf8_all),
		cmocka_unit_test(test_visible),
		cmocka_unit_test(test_word),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
