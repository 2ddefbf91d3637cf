/* SPDX-License-Identifier: MIT */
#include "base/json-text.h"

#include <stdint.h>
#include <string.h>

/*
 * Length and least second byte of the characters that begin with each byte: RFC 3629 section 4. Where
 * the second byte has a bound, a longer form than needed, a surrogate or what is above U+10FFFF
 * would come out.
 */
static size_t lead_length(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

static bool second_fits(unsigned char lead, unsigned char second)
{
	unsigned char min = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	unsigned char max = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	return second >= min && second <= max;
}

/* How many bytes at @s may be those of one character, up to its whole @length. */
static size_t fitting_bytes(const unsigned char *s, size_t size, size_t length)
{
	size_t n = 1;
	if (n < size && n < length && second_fits(s[0], s[1]))
		n++;
	while (n >= 2 && n < size && n < length && (s[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* Most output is ASCII: eight bytes at a time. */
static size_t ascii_prefix(const unsigned char *s, size_t size)
{
	size_t n = 0;
	uint64_t word;
	while (size - n >= sizeof word) {
		memcpy(&word, s + n, sizeof word);
		if (word & 0x8080808080808080)
			break;
		n += sizeof word;
	}
	while (n < size && s[n] < 0x80)
		n++;
	return n;
}

size_t utf8_prefix(const char *s, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)s;
	size_t n = 0;
	for (;;) {
		n += ascii_prefix(bytes + n, size - n);
		if (n == size)
			return n;
		size_t length = lead_length(bytes[n]);
		if (length == 0 || fitting_bytes(bytes + n, size - n, length) != length)
			return n;
		n += length;
	}
}

bool utf8_is_cut(const char *s, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)s;
	if (size == 0)
		return false;
	size_t length = lead_length(bytes[0]);
	return length > size && fitting_bytes(bytes, size, length) == size;
}

/* True if @c needs a look: an escape, or 0xc2, which begins the characters of C1. */
static bool is_special(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '\\' || c == 0x7f || c == 0xc2;
}

static void put_escape(struct buf *out, unsigned c)
{
	static const char hex[] = "0123456789abcdef";
	static const char letters[] = {['\b'] = 'b',
		['\t'] = 't',
		['\n'] = 'n',
		['\f'] = 'f',
		['\r'] = 'r',
		['"'] = '"',
		['\\'] = '\\'};
	char text[6] = {'\\', 'u', '0', '0', hex[c >> 4 & 15], hex[c & 15]};
	if (c < sizeof letters && letters[c]) {
		text[1] = letters[c];
		buf_add(out, text, 2);
	} else {
		buf_add(out, text, sizeof text);
	}
}

/* Append the character at @s that is special. Returns its length. */
static size_t put_special(struct buf *out, const unsigned char *s, size_t size)
{
	if (s[0] != 0xc2) {
		put_escape(out, s[0]);
		return 1;
	}
	if (size > 1 && s[1] < 0xa0)
		put_escape(out, s[1]);
	else
		buf_add(out, s, size > 1 ? 2 : 1);
	return 2;
}

void json_put_string(struct buf *out, const char *s, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)s;
	size_t done = 0;
	buf_putc(out, '"');
	for (size_t i = 0; i < size;) {
		if (!is_special(bytes[i])) {
			i++;
			continue;
		}
		buf_add(out, s + done, i - done);
		i += put_special(out, bytes + i, size - i);
		done = i;
	}
	if (done < size)
		buf_add(out, s + done, size - done);
	buf_putc(out, '"');
}

void json_put_bytes(struct buf *out, const char *s, size_t size)
{
	if (utf8_prefix(s, size) == size) {
		json_put_string(out, s, size);
		return;
	}
	buf_puts(out, "{\"base64\":\"");
	base64_put(out, s, size);
	buf_puts(out, "\"}");
}

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_put(struct buf *out, const char *s, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)s;
	for (size_t i = 0; i < size; i += 3) {
		size_t n = size - i < 3 ? size - i : 3;
		uint32_t word = (uint32_t)bytes[i] << 16 |
			(n > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (n > 2 ? bytes[i + 2] : 0);
		char text[4] = {digits[word >> 18], digits[word >> 12 & 63],
			n > 1 ? digits[word >> 6 & 63] : '=', n > 2 ? digits[word & 63] : '='};
		buf_add(out, text, sizeof text);
	}
}

/* The value of a digit, or -1. */
static int digit_value(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

int base64_get(struct buf *out, const char *s, size_t size)
{
	if (size % 4 != 0)
		return -1;
	for (size_t i = 0; i < size; i += 4) {
		size_t pad = i + 4 < size || s[i + 3] != '=' ? 0 : s[i + 2] == '=' ? 2 : 1;
		uint32_t word = 0;
		for (size_t k = 0; k < 4; k++) {
			int value = k >= 4 - pad ? 0 : digit_value(s[i + k]);
			if (value < 0)
				return -1;
			word = word << 6 | (uint32_t)value;
		}
		char bytes[3] = {(char)(word >> 16), (char)(word >> 8), (char)word};
		buf_add(out, bytes, 3 - pad);
	}
	return 0;
}
