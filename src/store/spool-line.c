/* SPDX-License-Identifier: MIT */
#include "store/spool-line.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "model/run-id.h"

#define MAGIC         "run1 "
#define MAGIC_SIZE    (sizeof MAGIC - 1)
#define CHECKSUM_SIZE 16
#define HEAD_SIZE     (MAGIC_SIZE + CHECKSUM_SIZE + 1)
#define END           "\t."
#define END_SIZE      (sizeof END - 1)

enum field_kind {
	FIELD_TEXT,
	FIELD_TEXT_OR_NONE,
	FIELD_NUMBER,
	FIELD_ARGV,
};

#define FIELD(kind, member, max)                                                                   \
	{                                                                                          \
		kind, offsetof(struct run_record, member), max                                     \
	}
#define TEXT(member)              FIELD(FIELD_TEXT, member, 0)
#define TEXT_OR_NONE(member)      FIELD(FIELD_TEXT_OR_NONE, member, 0)
#define NUMBER_UP_TO(member, max) FIELD(FIELD_NUMBER, member, max)
#define NUMBER(member)            NUMBER_UP_TO(member, INT64_MAX) /* SQLite has no larger ones */

/* In the order of the line. Another order, or another field, is another magic. */
static const struct field {
	enum field_kind kind;
	size_t offset;
	uint64_t max;
} fields[] = {
	TEXT(id),
	TEXT_OR_NONE(key),
	TEXT(policy),
	FIELD(FIELD_ARGV, argv, 0),
	NUMBER(argc),
	NUMBER_UP_TO(pid, INT32_MAX),
	NUMBER(started_us),
	TEXT_OR_NONE(log_dir),
	/* the last one of a begin */
	NUMBER(ended_us),
	TEXT(cause),
	NUMBER_UP_TO(exit_status, 255),
	NUMBER(disk_bytes),
	TEXT(verdict),
	TEXT_OR_NONE(observation),
};
#define N_BEGIN 8
#define N_END   (sizeof fields / sizeof *fields)

static_assert(N_END == 14, "a begin has the first eight of fourteen");

/* Eight bytes at a time: it is against accidents, and is computed while somebody waits. */
static uint64_t checksum(const char *s, size_t size)
{
	uint64_t h = 0xcbf29ce484222325 ^ size;
	for (size_t i = 0; i < size; i += sizeof h) {
		uint64_t word = 0;
		memcpy(&word, s + i, size - i < sizeof word ? size - i : sizeof word);
		h = (h ^ word) * 0x9e3779b97f4a7c15;
		h ^= h >> 29;
	}
	return h;
}

/* ---- encode ---- */

static char escape_of(char c)
{
	switch (c) {
	case '\\':
		return '\\';
	case '\n':
		return 'n';
	case '\t':
		return 't';
	case '\0':
		return '0';
	default:
		return 0;
	}
}

static void put_escaped(struct buf *out, const char *s, size_t size)
{
	size_t done = 0;
	for (size_t i = 0; i < size; i++) {
		char escape = escape_of(s[i]);
		if (!escape)
			continue;
		buf_add(out, s + done, i - done);
		buf_add(out, (char[2]){'\\', escape}, 2);
		done = i + 1;
	}
	buf_add(out, s + done, size - done);
}

static void put_text(struct buf *out, const char *s, size_t size)
{
	if (!s) {
		buf_puts(out, "\t-");
		return;
	}
	buf_puts(out, "\t=");
	put_escaped(out, s, size);
}

static void put_field(struct buf *out, const struct field *f, const struct run_record *r)
{
	const char *at = (const char *)r + f->offset;
	const char *text;
	switch (f->kind) {
	case FIELD_NUMBER:
		buf_printf(out, "\t=%" PRIu64, *(const uint64_t *)(const void *)at);
		break;
	case FIELD_ARGV:
		put_text(out, r->argv, r->argv_size);
		break;
	default:
		memcpy(&text, at, sizeof text);
		put_text(out, text, text ? strlen(text) : 0);
	}
}

void spool_line_encode(struct buf *out, const struct run_record *r)
{
	char sum[CHECKSUM_SIZE + 1];
	size_t n = r->ended ? N_END : N_BEGIN;
	buf_puts(out, "\n" MAGIC "0123456789abcdef ");
	size_t body = out->size;
	buf_putc(out, r->ended ? 'e' : 'b');
	for (size_t i = 0; i < n; i++)
		put_field(out, &fields[i], r);
	buf_puts(out, END);
	snprintf(sum, sizeof sum, "%016" PRIx64, checksum(out->data + body, out->size - body));
	memcpy(out->data + body - CHECKSUM_SIZE - 1, sum, CHECKSUM_SIZE);
	buf_putc(out, '\n');
}

/* ---- decode ---- */

static int unescaped(char c)
{
	switch (c) {
	case '\\':
		return '\\';
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case '0':
		return '\0';
	default:
		return -1;
	}
}

/*
 * In place; what stands for a value is never shorter. *ret_size is without the NUL behind it; or
 * -1.
 */
static int unescape(char *s, size_t size, size_t *ret_size)
{
	char *first = memchr(s, '\\', size);
	size_t n = first ? (size_t)(first - s) : size;
	for (size_t i = n; i < size; i++) {
		int c = (unsigned char)s[i];
		if (c == '\\' && (++i == size || (c = unescaped(s[i])) < 0))
			return -1;
		s[n++] = (char)c;
	}
	s[n] = '\0';
	*ret_size = n;
	return 0;
}

static int read_text(char *s, size_t size, bool may_be_none, const char **ret, size_t *ret_size)
{
	*ret_size = 0;
	if (size == 1 && s[0] == '-' && may_be_none) {
		*ret = NULL;
		return 0;
	}
	if (size == 0 || s[0] != '=' || unescape(s + 1, size - 1, ret_size) < 0)
		return -1;
	*ret = s + 1;
	return 0;
}

static int read_field(const struct field *f, char *s, size_t size, struct run_record *r)
{
	char *at = (char *)r + f->offset;
	const char *text;
	size_t length;
	if (read_text(s, size, f->kind == FIELD_TEXT_OR_NONE, &text, &length) < 0)
		return -1;
	if (f->kind == FIELD_NUMBER)
		return parse_u64(text, f->max, (uint64_t *)(void *)at);
	if (f->kind == FIELD_ARGV)
		r->argv_size = length;
	else if (text && strlen(text) != length)
		return -1; /* a NUL */
	memcpy(at, &text, sizeof text);
	return 0;
}

/* @s is @n fields, each with its HT in front, and nothing else. */
static int read_fields(char *s, size_t size, size_t n, struct run_record *r)
{
	char *end = s + size;
	if (size == 0 || *s++ != '\t')
		return -1;
	for (size_t i = 0; i < n; i++) {
		char *next = memchr(s, '\t', (size_t)(end - s));
		size_t length = (size_t)((next ? next : end) - s);
		if (!next != (i == n - 1) || read_field(&fields[i], s, length, r) < 0)
			return -1;
		s += length + 1;
	}
	return 0;
}

static bool has_end(const char *line, size_t size)
{
	return size >= END_SIZE && memcmp(line + size - END_SIZE, END, END_SIZE) == 0;
}

static bool has_magic(const char *line, size_t size)
{
	return memcmp(line, MAGIC, size < MAGIC_SIZE ? size : MAGIC_SIZE) == 0;
}

static bool checksum_fits(const char *line, size_t size)
{
	char sum[CHECKSUM_SIZE + 1];
	snprintf(sum, sizeof sum, "%016" PRIx64, checksum(line + HEAD_SIZE, size - HEAD_SIZE));
	return has_magic(line, size) && memcmp(line + MAGIC_SIZE, sum, CHECKSUM_SIZE) == 0 &&
		line[HEAD_SIZE - 1] == ' ';
}

enum spool_line spool_line_decode(char *line, size_t size, struct run_record *ret)
{
	struct run_record r = {0};
	if (size == 0)
		return SPOOL_LINE_EMPTY;
	if (!has_end(line, size))
		return has_magic(line, size) ? SPOOL_LINE_CUT : SPOOL_LINE_DAMAGED;
	if (size < HEAD_SIZE + 1 + END_SIZE || !checksum_fits(line, size))
		return SPOOL_LINE_DAMAGED;
	char kind = line[HEAD_SIZE];
	r.ended = kind == 'e';
	if ((!r.ended && kind != 'b') ||
		read_fields(line + HEAD_SIZE + 1, size - HEAD_SIZE - 1 - END_SIZE,
			r.ended ? N_END : N_BEGIN, &r) < 0 ||
		!run_id_valid(r.id))
		return SPOOL_LINE_DAMAGED;
	*ret = r;
	return SPOOL_LINE_RECORD;
}
