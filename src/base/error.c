/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char *const blame_names[] = {
	[BLAME_NONE] = "none",
	[BLAME_REQUEST] = "request",
	[BLAME_POLICY] = "policy",
	[BLAME_HOST] = "host",
	[BLAME_US] = "bulkhead",
};
static_assert(sizeof blame_names / sizeof *blame_names == BLAME_COUNT_, "a name for each blame");

const char *blame_name(enum blame blame)
{
	/* A value that is none of them can only be a defect of ours. */
	return (unsigned)blame < BLAME_COUNT_ ? blame_names[blame] : blame_names[BLAME_US];
}

/*
 * @text was filled up to its last byte: the last character may be half of one, and half of one
 * would make the verdict's JSON invalid.
 */
static void drop_cut_character(char *text, size_t size)
{
	size_t start = size;
	while (start > 0 && size - start < 4 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0)
		return;
	unsigned char lead = (unsigned char)text[start - 1];
	size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	if (want > 1 && size - start + 1 < want)
		text[start - 1] = '\0';
}

/* A text under construction. It is put together beside the error, since its parts may lie in it. */
struct draft {
	char text[ERROR_TEXT_SIZE];
	size_t size;
};

static void draft_vadd(struct draft *d, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
static void draft_add(struct draft *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void draft_vadd(struct draft *d, const char *format, va_list args)
{
	size_t room = sizeof d->text - d->size;
	int n = vsnprintf(d->text + d->size, room, format, args);
	if (n < 0) {
		d->text[d->size] = '\0';
	} else if ((size_t)n < room) {
		d->size += (size_t)n;
	} else {
		drop_cut_character(d->text, sizeof d->text - 1);
		d->size = sizeof d->text - 1; /* full: what follows would not belong there */
	}
}

static void draft_add(struct draft *d, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	draft_vadd(d, format, args);
	va_end(args);
}

static void draft_store(const struct draft *d, struct error *e)
{
	memcpy(e->text, d->text, strlen(d->text) + 1);
}

static int vset(struct error *e, enum blame blame, int errnum, bool say_errno, const char *format,
	va_list args)
{
	if (!e)
		return -1;
	int saved = errno;
	struct draft d = {.size = 0};
	draft_vadd(&d, format, args);
	if (say_errno)
		draft_add(&d, ": %s", errno_text(errnum));
	e->blame = blame;
	e->errnum = errnum;
	draft_store(&d, e);
	errno = saved;
	return -1;
}

int error_set(struct error *e, enum blame blame, int errnum, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vset(e, blame, errnum, errnum != 0, format, args);
	va_end(args);
	return -1;
}

int error_say(struct error *e, enum blame blame, int errnum, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vset(e, blame, errnum, false, format, args);
	va_end(args);
	return -1;
}

int error_wrap(struct error *e, const char *format, ...)
{
	if (!e)
		return -1;
	int saved = errno;
	struct draft d = {.size = 0};
	va_list args;
	va_start(args, format);
	draft_vadd(&d, format, args);
	va_end(args);
	draft_add(&d, ": %s", e->text);
	draft_store(&d, e);
	errno = saved;
	return -1;
}

int error_hint(struct error *e, const char *format, ...)
{
	if (!e)
		return -1;
	int saved = errno;
	struct draft d = {.size = 0};
	draft_add(&d, "%s; ", e->text);
	va_list args;
	va_start(args, format);
	draft_vadd(&d, format, args);
	va_end(args);
	draft_store(&d, e);
	errno = saved;
	return -1;
}

const char *errno_text(int errnum)
{
	/* Several, so that two of them may stand in one printf; there are no threads. */
	static char texts[4][64];
	static unsigned next;
	char *out = texts[next++ % 4];
	/* Untranslated and without the locale machinery that strerror(3) would start up. */
	const char *text = strerrordesc_np(errnum);
	if (!text) {
		snprintf(out, sizeof texts[0], "errno %d", errnum);
		return out;
	}
	snprintf(out, sizeof texts[0], "%s", text);
	if (!isupper((unsigned char)out[1])) /* "RFS specific error" stays */
		out[0] = (char)tolower((unsigned char)out[0]);
	return out;
}
