/* SPDX-License-Identifier: MIT */
#include "model/codec-json.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static json_t *there(json_t *value)
{
	if (!value)
		out_of_memory();
	return value;
}

void json_put_take(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new_nocheck(object, key, there(value)) != 0)
		out_of_memory();
}

void json_push_take(json_t *array, json_t *value)
{
	if (json_array_append_new(array, there(value)) != 0)
		out_of_memory();
}

json_t *json_u64(uint64_t value)
{
	return there(json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

/* ---- base64, RFC 4648 section 4 ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void base64_put(struct buf *b, const unsigned char *s, size_t size)
{
	for (size_t i = 0; i < size; i += 3) {
		size_t n = size - i < 3 ? size - i : 3;
		uint32_t bits = (uint32_t)s[i] << 16;
		bits |= n > 1 ? (uint32_t)s[i + 1] << 8 : 0;
		bits |= n > 2 ? s[i + 2] : 0;
		buf_putc(b, alphabet[bits >> 18]);
		buf_putc(b, alphabet[bits >> 12 & 63]);
		buf_putc(b, n > 1 ? alphabet[bits >> 6 & 63] : '=');
		buf_putc(b, n > 2 ? alphabet[bits & 63] : '=');
	}
}

static int base64_digit(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;
	return at ? (int)(at - alphabet) : -1;
}

/* How many of the last four characters are padding; 3 and 4 are none. */
static size_t padding_of(const char *s, size_t size)
{
	if (size < 4 || s[size - 1] != '=')
		return 0;
	return s[size - 2] == '=' ? 2 : 1;
}

static int base64_parse(
	const char *s, size_t size, struct arena *a, const char **ret, size_t *ret_size)
{
	if (size % 4 != 0)
		return -1;
	size_t digits = size - padding_of(s, size), n = 0;
	char *out = arena_alloc(a, size / 4 * 3 + 1);
	uint32_t bits = 0;

	for (size_t i = 0; i < digits; i++) {
		int digit = base64_digit(s[i]);
		if (digit < 0)
			return -1;
		bits = bits << 6 | (uint32_t)digit;
		if (i % 4 != 0)
			out[n++] = (char)(bits >> (6 - i % 4 * 2));
	}
	*ret = out;
	*ret_size = n;
	return 0;
}

/* ---- text ---- */

json_t *json_text(const char *s)
{
	if (!s)
		return there(json_null());
	json_t *text = json_string(s);
	if (text)
		return text;
	cleanup_buf struct buf b = BUF_INIT;
	base64_put(&b, (const unsigned char *)s, strlen(s));
	json_t *object = there(json_object());
	json_put_take(object, "base64", json_string(buf_str(&b)));
	return object;
}

json_t *json_visible(const char *s)
{
	if (!s)
		return there(json_null());
	json_t *text = json_string(s);
	if (text)
		return text;
	cleanup_buf struct buf b = BUF_INIT;
	buf_put_visible(&b, s, strlen(s));
	return there(json_string(buf_str(&b)));
}

int json_bytes_parse(const json_t *value, struct arena *a, const char **ret, size_t *ret_size)
{
	const json_t *base64 = json_object_get(value, "base64");
	if (!json_is_string(base64) || json_object_size(value) != 1)
		return -1;
	return base64_parse(
		json_string_value(base64), json_string_length(base64), a, ret, ret_size);
}

int json_text_parse(const json_t *value, struct arena *a, const char **ret)
{
	size_t size = json_string_length(value);
	if (json_is_string(value))
		*ret = arena_strndup(a, json_string_value(value), size);
	else if (json_bytes_parse(value, a, ret, &size) < 0)
		return -1;
	return memchr(*ret, '\0', size) ? -1 : 0; /* it would end there for the kernel */
}

static const char *dump_take(json_t *value, size_t flags, struct arena *a)
{
	char *text = json_dumps(value, flags);
	if (!text)
		out_of_memory();
	const char *line = arena_printf(a, "%s\n", text);
	free(text);
	json_decref(value);
	return line;
}

const char *json_line_take(json_t *value, struct arena *a)
{
	return dump_take(value, JSON_COMPACT, a);
}

const char *json_pretty_take(json_t *value, struct arena *a)
{
	return dump_take(value, JSON_INDENT(2), a);
}
