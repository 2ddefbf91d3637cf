/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

void buf_fini(struct buf *b)
{
	free(b->data);
	*b = BUF_INIT;
}

void buf_clear(struct buf *b)
{
	b->size = 0;
	if (b->data)
		b->data[0] = '\0';
}

/* Make room for @more bytes and the NUL. */
static void reserve(struct buf *b, size_t more)
{
	size_t need;
	if (__builtin_add_overflow(b->size, more, &need) || need >= PTRDIFF_MAX / 2)
		out_of_memory();
	if (need < b->room)
		return;
	size_t room = b->room ? b->room * 2 : 256;
	if (room <= need)
		room = need + 1;
	char *data = realloc(b->data, room);
	if (!data)
		out_of_memory();
	b->data = data;
	b->room = room;
}

void buf_add(struct buf *b, const void *data, size_t size)
{
	reserve(b, size);
	if (size > 0)
		memcpy(b->data + b->size, data, size);
	b->size += size;
	b->data[b->size] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0) /* more than INT_MAX bytes */
		out_of_memory();
	reserve(b, (size_t)n);
	vsnprintf(b->data + b->size, (size_t)n + 1, format, again);
	va_end(again);
	b->size += (size_t)n;
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

/*
 * The leading bytes of UTF-8 characters, RFC 3629 section 4: what may follow first is narrower than
 * 80..BF where a longer form than needed, a surrogate or a value above U+10FFFF would come out.
 */
static const struct utf8_row {
	uint8_t lead_min, lead_max, second_min, second_max, length;
} utf8_rows[] = {
	{0x01, 0x7f, 0x00, 0x00, 1},
	{0xc2, 0xdf, 0x80, 0xbf, 2},
	{0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3},
	{0xed, 0xed, 0x80, 0x9f, 3},
	{0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4},
	{0xf1, 0xf3, 0x80, 0xbf, 4},
	{0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool utf8_tail_fits(const struct utf8_row *row, const unsigned char *s, size_t size)
{
	if (size < row->length)
		return false;
	if (row->length > 1 && (s[1] < row->second_min || s[1] > row->second_max))
		return false;
	for (size_t i = 2; i < row->length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return false;
	}
	return true;
}

/* The length of the character at @s, or 0 if there is no valid one. */
static size_t utf8_length(const unsigned char *s, size_t size)
{
	for (size_t i = 0; i < sizeof utf8_rows / sizeof *utf8_rows; i++) {
		const struct utf8_row *row = &utf8_rows[i];
		if (s[0] >= row->lead_min && s[0] <= row->lead_max)
			return utf8_tail_fits(row, s, size) ? row->length : 0;
	}
	return 0;
}

bool utf8_valid(const char *s, size_t size)
{
	const unsigned char *next = (const unsigned char *)s;
	while (size > 0) {
		size_t n = utf8_length(next, size);
		if (n == 0)
			return false;
		next += n;
		size -= n;
	}
	return true;
}

/*
 * Characters that a terminal obeys instead of showing: C0 and DEL, C1 (U+0080–U+009F, where CSI
 * also is), the line and paragraph separators, and those that turn the direction of text, by which
 * what is read differs from what is there.
 */
static bool is_control(const unsigned char *s, size_t length)
{
	if (length == 1)
		return s[0] < 0x20 || s[0] == 0x7f;
	if (length == 2)
		return s[0] == 0xc2 && s[1] < 0xa0;
	if (length != 3 || s[0] != 0xe2)
		return false;
	return (s[1] == 0x80 && (s[2] == 0x8e || s[2] == 0x8f || (s[2] >= 0xa8 && s[2] <= 0xae))) ||
		(s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9);
}

void buf_put_visible(struct buf *b, const char *s, size_t size)
{
	const unsigned char *next = (const unsigned char *)s;
	while (size > 0) {
		size_t n = utf8_length(next, size);
		if (n > 0 && !is_control(next, n)) {
			buf_add(b, next, n);
		} else {
			n = n > 0 ? n : 1;
			for (size_t i = 0; i < n; i++)
				buf_printf(b, "\\x%02x", next[i]);
		}
		next += n;
		size -= n;
	}
}

/* Words that a shell takes as they are. */
static bool is_plain(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-+=./:,@%^";
	return *word && word[strspn(word, plain)] == '\0';
}

static void put_quoted(struct buf *out, const char *word)
{
	buf_putc(out, '\'');
	for (;;) {
		const char *quote = strchrnul(word, '\'');
		buf_put_visible(out, word, (size_t)(quote - word));
		if (!*quote)
			break;
		buf_puts(out, "'\\''");
		word = quote + 1;
	}
	buf_putc(out, '\'');
}

void buf_put_word(struct buf *b, const char *word)
{
	if (is_plain(word))
		buf_puts(b, word);
	else
		put_quoted(b, word);
}
