/* SPDX-License-Identifier: MIT */
#include "model/codec-api-text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/parse.h"

#define SHOWN_MAX 64

/* What a client called something, for a message. */
static void put_shown(struct buf *b, const char *text)
{
	size_t size = strnlen(text, SHOWN_MAX + 1);
	bool cut = size > SHOWN_MAX;

	for (size = cut ? SHOWN_MAX : size; cut && size > 0 && (text[size] & 0xc0) == 0x80;)
		size--;
	buf_put_visible(b, text, size);
	buf_puts(b, cut ? "..." : "");
}

int api_refuse(const struct api_reader *r, const char *name, const char *format, ...)
{
	char why[256];
	cleanup_buf struct buf shown = BUF_INIT;
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	put_shown(&shown, name);
	error_set(r->e, BLAME_REQUEST, 0, "'%s' %s", buf_str(&shown), why);
	r->e->errnum = EINVAL;
	return -1;
}

/* ---- before the tree ---- */

struct measure {
	unsigned depth, deepest;
	size_t values;
	bool in_string, escaped;
};

/*
 * Upper bounds for whatever JSON this is: each value but the first follows a bracket or a comma. What is no JSON
 * is found later.
 */
static void measure_byte(struct measure *m, char c)
{
	if (m->in_string) {
		m->in_string = m->escaped || c != '"';
		m->escaped = !m->escaped && c == '\\';
		return;
	}
	m->in_string = c == '"';
	m->values += c == '[' || c == '{' || c == ',' || c == ':';
	if (c == '[' || c == '{')
		m->depth++;
	if ((c == ']' || c == '}') && m->depth > 0)
		m->depth--;
	if (m->depth > m->deepest)
		m->deepest = m->depth;
}

static int refuse_size(struct error *e, const char *what, unsigned limit)
{
	error_set(e, BLAME_REQUEST, 0, "the body has more than %u %s", limit, what);
	e->errnum = E2BIG;
	return -1;
}

static int check_size(const char *text, size_t size, struct error *e)
{
	struct measure m = {.depth = 0};

	for (size_t i = 0; i < size; i++)
		measure_byte(&m, text[i]);
	if (m.deepest > API_MAX_DEPTH)
		return refuse_size(e, "levels", API_MAX_DEPTH);
	return m.values > API_MAX_VALUES ? refuse_size(e, "values", API_MAX_VALUES) : 0;
}

static json_t *refuse_text(struct error *e, const json_error_t *fault)
{
	cleanup_buf struct buf shown = BUF_INIT;

	buf_put_visible(&shown, fault->text, strlen(fault->text));
	error_set(e, BLAME_REQUEST, 0, "the body is not JSON: line %d column %d: %s", fault->line,
		fault->column, buf_str(&shown));
	e->errnum = EINVAL;
	return NULL;
}

json_t *api_object(const char *text, size_t size, struct error *e)
{
	json_error_t fault;

	if (check_size(text, size, e) < 0)
		return NULL;
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &fault);
	if (!root)
		return refuse_text(e, &fault);
	if (json_is_object(root))
		return root;
	json_decref(root);
	error_set(e, BLAME_REQUEST, 0, "the body is not a JSON object");
	e->errnum = EINVAL;
	return NULL;
}

/* ---- members ---- */

static const struct api_member *find_member(
	const struct api_member *members, unsigned kind, const char *name)
{
	for (; members->name; members++)
		if ((members->kinds & 1u << kind) && strcmp(members->name, name) == 0)
			return members;
	return NULL;
}

static int refuse_unknown(const struct api_reader *r, const struct api_member *members,
	unsigned kind, const char *name)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct strv names = {NULL, 0, 0};
	const char *near;

	for (const struct api_member *m = members; m->name; m++) {
		if (strcmp(m->name, name) == 0)
			return api_refuse(r, name, "has no meaning here");
		if (m->kinds & 1u << kind)
			strv_push(&a, &names, m->name);
	}
	near = names.n ? nearest_name(name, names.v) : NULL;
	api_refuse(r, name, "is not known");
	return near ? error_hint(r->e, "did you mean '%s'?", near) : -1;
}

int api_members(const struct api_reader *r, const struct api_member *members, unsigned kind,
	const json_t *object)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value)
	{
		const struct api_member *m = find_member(members, kind, name);
		if (!m)
			return refuse_unknown(r, members, kind, name);
		if (m->take(r, name, value) < 0)
			return -1;
	}
	return 0;
}

int api_text(const struct api_reader *r, const char *name, const json_t *value, const char **ret)
{
	if (json_text_parse(value, r->a, ret) < 0)
		return api_refuse(
			r, name, "must be a text, or {\"base64\": \"...\"} of one without NUL");
	return 0;
}

int api_integer(const struct api_reader *r, const char *name, const json_t *value, json_int_t min,
	json_int_t max, json_int_t *ret)
{
	if (!json_is_integer(value) || json_integer_value(value) < min ||
		json_integer_value(value) > max)
		return api_refuse(r, name, "must be an integer from %lld to %lld", (long long)min,
			(long long)max);
	*ret = json_integer_value(value);
	return 0;
}
