/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "base/parse.h"
#include "model/verdict.h"
#include "model/request.h"
#include "server/routes.h"

#define LIST_MAX 1000

static const char *flag_fault(const char *value)
{
	return strcmp(value, "0") == 0 || strcmp(value, "1") == 0 ? NULL : "must be 0 or 1";
}

static const char *gone_fault(const char *value)
{
	bool known = strcmp(value, "cancel") == 0 || strcmp(value, "leave") == 0;
	return known ? NULL : "must be cancel or leave";
}

static const char *stream_fault(const char *value)
{
	bool known = strcmp(value, "stdout") == 0 || strcmp(value, "stderr") == 0;
	return known ? NULL : "must be stdout or stderr";
}

static const char *limit_fault(const char *value)
{
	uint64_t n;
	bool good = parse_u64(value, LIST_MAX, &n) == 0 && n > 0;
	return good ? NULL : "must be from 1 to 1000";
}

static const char *from_fault(const char *value)
{
	uint64_t n;
	return parse_u64(value, INT64_MAX, &n) == 0 ? NULL : "must be a number";
}

static const char *cause_fault(const char *value)
{
	return cause_from_name(value) >= 0 ? NULL : "is no cause";
}

static const struct {
	const char *name;
	const char *(*fault)(const char *value);
} parameters[] = {
	[QUERY_WAIT] = {"wait", flag_fault},
	[QUERY_NOW] = {"now", flag_fault},
	[QUERY_FOLLOW] = {"follow", flag_fault},
	[QUERY_CLOSE] = {"close", flag_fault},
	[QUERY_PACE] = {"pace", flag_fault},
	[QUERY_GONE] = {"gone", gone_fault},
	[QUERY_STREAM] = {"stream", stream_fault},
	[QUERY_LIMIT] = {"limit", limit_fault},
	[QUERY_FROM] = {"from", from_fault},
	[QUERY_CAUSE] = {"cause", cause_fault},
	[QUERY_KEY] = {"key", request_key_fault},
};
static_assert(sizeof parameters / sizeof *parameters == QUERY_COUNT_, "a row for each parameter");

int query_from_name(const char *name)
{
	for (int i = 0; i < QUERY_COUNT_; i++)
		if (strcmp(parameters[i].name, name) == 0)
			return i;
	return -1;
}

const char *query_name(enum query query)
{
	return parameters[query].name;
}

const char *query_fault(enum query query, const char *value)
{
	return parameters[query].fault(value);
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
	return at ? (int)(at - digits) : -1;
}

const char *query_decode(const char *text, struct arena *a)
{
	char *out = arena_alloc(a, strlen(text) + 1);
	size_t n = 0;
	for (; *text; text++) {
		int high = *text == '%' ? hex_digit(text[1]) : 0;
		int low = *text == '%' && high >= 0 ? hex_digit(text[2]) : 0;
		if (high < 0 || low < 0 || (*text == '%' && high + low == 0))
			return NULL;
		out[n++] = *text == '%' ? (char)(high << 4 | low) : *text == '+' ? ' ' : *text;
		text += *text == '%' ? 2 : 0;
	}
	return utf8_valid(out, n) ? out : NULL;
}
