/* SPDX-License-Identifier: MIT */
#include "model/codec-json.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json-text.h"

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

/* ---- text ---- */

json_t *json_text(const char *s)
{
	if (!s)
		return there(json_null());
	json_t *text = json_string(s);
	if (text)
		return text;
	cleanup_buf struct buf b = BUF_INIT;
	base64_put(&b, s, strlen(s));
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
	cleanup_buf struct buf b = BUF_INIT;
	if (base64_get(&b, json_string_value(base64), json_string_length(base64)) < 0)
		return -1;
	char *bytes = arena_alloc(a, b.size + 1);
	memcpy(bytes, buf_str(&b), b.size);
	*ret = bytes;
	*ret_size = b.size;
	return 0;
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
