/* SPDX-License-Identifier: MIT */
#include "model/timeline.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

/*
 * timeline.jsonl:
 *
 *   {"timeline":1,"memory_limit_bytes":67108864,"pids_limit":512}     null: unlimited
 *   {"t_us":100213,"memory_bytes":9437184,"pids":3,"cpu_us":81021,…}  only what is counted here
 */

#define LINE_MAX_SIZE 4096

/* ---- writing ---- */

static void put_limit(struct buf *out, const char *key, bool set, uint64_t value)
{
	buf_printf(out, ",\"%s\":", key);
	if (set)
		buf_printf(out, "%" PRIu64, value);
	else
		buf_puts(out, "null");
}

static void put_point(struct buf *out, const struct timeline *t, const struct timeline_point *p)
{
	buf_printf(out, "{\"t_us\":%" PRIu64, p->at_us);
	for (int s = 0; s < SERIES_COUNT_; s++)
		if (timeline_knows(t, s))
			buf_printf(out, ",\"%s\":%" PRIu64, series_name(s), p->v[s]);
	buf_puts(out, "}\n");
}

void timeline_format(const struct timeline *t, struct buf *out)
{
	buf_puts(out, "{\"timeline\":1");
	put_limit(out, "memory_limit_bytes", t->memory_limited, t->memory_limit_bytes);
	put_limit(out, "pids_limit", t->pids_limited, t->pids_limit);
	buf_puts(out, "}\n");
	for (size_t i = 0; i < t->n; i++)
		put_point(out, t, &t->v[i]);
}

/* ---- reading ---- */

static bool get(const json_t *object, const char *key, uint64_t *ret)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

static bool read_head(struct timeline *t, const json_t *line)
{
	uint64_t version;

	if (t->n > 0 || !get(line, "timeline", &version) || version != 1)
		return false;
	t->memory_limited = get(line, "memory_limit_bytes", &t->memory_limit_bytes);
	t->pids_limited = get(line, "pids_limit", &t->pids_limit);
	return true;
}

static bool read_point(struct timeline *t, const json_t *line)
{
	struct timeline_point p = {.at_us = 0};

	if (!get(line, "t_us", &p.at_us) || t->n == TIMELINE_MAX_POINTS ||
		(t->n > 0 && p.at_us <= t->v[t->n - 1].at_us))
		return false;
	for (int s = 0; s < SERIES_COUNT_; s++)
		if (get(line, series_name(s), &p.v[s]))
			t->known |= 1u << s;
	t->v[t->n++] = p;
	return true;
}

static bool read_line(struct timeline *t, const char *line, size_t size)
{
	if (size > LINE_MAX_SIZE)
		return false;
	json_t *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
	bool good = read_head(t, object) || read_point(t, object);
	json_decref(object);
	return good;
}

size_t timeline_parse(struct timeline *ret, const char *text, size_t size)
{
	size_t bad = 0;

	*ret = (struct timeline){.n = 0};
	while (size > 0) {
		const char *newline = memchr(text, '\n', size);
		size_t line = newline ? (size_t)(newline - text) : size;
		bad += !newline || !read_line(ret, text, line);
		line += newline != NULL;
		text += line;
		size -= line;
	}
	return bad;
}
