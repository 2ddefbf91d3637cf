/* SPDX-License-Identifier: MIT */
#include "model/codec-writer.h"

#include <string.h>

#include "base/json-text.h"

static void begin(struct json_writer *w, const char *key)
{
	if (w->follows)
		buf_putc(&w->out, ',');
	w->follows = true;
	if (!key)
		return;
	buf_putc(&w->out, '"');
	buf_puts(&w->out, key);
	buf_add(&w->out, "\":", 2);
}

static void open(struct json_writer *w, const char *key, char bracket)
{
	begin(w, key);
	buf_putc(&w->out, bracket);
	w->follows = false;
}

static void close(struct json_writer *w, char bracket)
{
	buf_putc(&w->out, bracket);
	w->follows = true;
}

void write_object(struct json_writer *w, const char *key)
{
	open(w, key, '{');
}

void write_object_end(struct json_writer *w)
{
	close(w, '}');
}

void write_array(struct json_writer *w, const char *key)
{
	open(w, key, '[');
}

void write_array_end(struct json_writer *w)
{
	close(w, ']');
}

void write_null(struct json_writer *w, const char *key)
{
	begin(w, key);
	buf_puts(&w->out, "null");
}

void write_bool(struct json_writer *w, const char *key, bool value)
{
	begin(w, key);
	buf_puts(&w->out, value ? "true" : "false");
}

void write_u64(struct json_writer *w, const char *key, uint64_t value)
{
	char text[20], *end = text + sizeof text, *p = end;
	if (value > INT64_MAX)
		value = INT64_MAX;
	do {
		*--p = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	begin(w, key);
	buf_add(&w->out, p, (size_t)(end - p));
}

void write_u64_or_null(struct json_writer *w, const char *key, bool known, uint64_t value)
{
	if (known)
		write_u64(w, key, value);
	else
		write_null(w, key);
}

void write_text(struct json_writer *w, const char *key, const char *s)
{
	if (!s) {
		write_null(w, key);
		return;
	}
	write_bytes(w, key, s, strlen(s));
}

void write_bytes(struct json_writer *w, const char *key, const char *s, size_t size)
{
	begin(w, key);
	json_put_bytes(&w->out, s, size);
}

void write_visible(struct json_writer *w, const char *key, const char *s)
{
	cleanup_buf struct buf visible = BUF_INIT;
	size_t size = s ? strlen(s) : 0;
	if (utf8_prefix(s ? s : "", size) < size) {
		buf_put_visible(&visible, s, size);
		s = buf_str(&visible);
	}
	write_text(w, key, s);
}

const char *write_line_take(struct json_writer *w, struct arena *a)
{
	buf_putc(&w->out, '\n');
	const char *line = arena_strndup(a, w->out.data, w->out.size);
	buf_fini(&w->out);
	return line;
}
