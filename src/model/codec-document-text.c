/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/buf.h"
#include "model/codec-document.h"

/* What can be seen of a text before it is parsed, and must be: the parser would choke on it. */

#define MAX_MARKS (10 * DOCUMENT_MAX_NODES)

static struct place place_at(const char *text, size_t offset)
{
	struct place place = {1, 1};
	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n')
			place = (struct place){place.line + 1, 1};
		else if (((unsigned char)text[i] & 0xc0) != 0x80)
			place.column++;
	}
	return place;
}

/*
 * "%YAML", "%TAG": there is no use for them here, and the parser's time for many is quadratic. No
 * other line of a map begins with a percent sign in its first column.
 */
static int refuse_directives(
	const struct document *d, const char *text, size_t size, struct error *e)
{
	static const char mark[] = "\xef\xbb\xbf"; /* a byte order mark is no column */
	size_t start = size >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
	for (size_t i = start; i < size; i++) {
		bool first = i == start || text[i - 1] == '\n' || text[i - 1] == '\r';
		if (first && text[i] == '%')
			return document_error(
				d, place_at(text, i), e, "directives ('%%…') are not supported");
	}
	return 0;
}

/*
 * The parser reads to the end of a flow list before it says that one begins, since the whole may be a
 * key: a megabyte of brackets would cost it 150 MiB before any limit here is asked. Comments and
 * strings are counted along; nobody has this many.
 */
static int refuse_crowd(const struct document *d, const char *text, size_t size, struct error *e)
{
	size_t n = 0;
	for (size_t i = 0; i < size; i++) {
		n += text[i] == '[' || text[i] == '{' || text[i] == ',';
		if (n > MAX_MARKS)
			return document_error(d, place_at(text, i), e,
				"more than %d brackets and commas", MAX_MARKS);
	}
	return 0;
}

/* How many bytes of @text are whole characters before the first that is none. */
static size_t valid_prefix(const char *text, size_t size)
{
	size_t i = 0;
	while (i < size) {
		size_t n = 1;
		while (n <= 4 && (i + n > size || !utf8_valid(text + i, n)))
			n++;
		if (n > 4)
			break;
		i += n;
	}
	return i;
}

static int refuse_bytes(const struct document *d, const char *text, size_t size, struct error *e)
{
	const char *nul = memchr(text, '\0', size);
	if (nul)
		return document_error(d, place_at(text, (size_t)(nul - text)), e, "a NUL byte");
	if (!utf8_valid(text, size))
		return document_error(
			d, place_at(text, valid_prefix(text, size)), e, "not valid UTF-8");
	return 0;
}

int document_check_text(
	const struct document *document, const char *text, size_t size, struct error *e)
{
	if (size > DOCUMENT_MAX_SIZE)
		return error_set(e, document->blame, 0, "%s is larger than 1 MiB", document->label);
	if (refuse_bytes(document, text, size, e) < 0 ||
		refuse_directives(document, text, size, e) < 0)
		return -1;
	return refuse_crowd(document, text, size, e);
}
