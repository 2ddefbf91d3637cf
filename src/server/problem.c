/* SPDX-License-Identifier: MIT */
#include "server/problem.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/json-text.h"

static const struct row {
	unsigned status;
	const char *title, *name;
	bool passing;
} rows[] = {
	[PROBLEM_INVALID] = {400, "Bad Request", "invalid"},
	[PROBLEM_UNAUTHORIZED] = {401, "Unauthorized", "unauthorized"},
	[PROBLEM_FORBIDDEN] = {403, "Forbidden", "forbidden"},
	[PROBLEM_NOT_FOUND] = {404, "Not Found", "not_found"},
	[PROBLEM_METHOD] = {405, "Method Not Allowed", "method"},
	[PROBLEM_BUSY] = {409, "Conflict", "busy"},
	[PROBLEM_STOPPED] = {410, "Gone", "stopped"},
	[PROBLEM_TOO_LARGE] = {413, "Content Too Large", "too_large"},
	[PROBLEM_MEDIA_TYPE] = {415, "Unsupported Media Type", "media_type"},
	[PROBLEM_NEVER] = {422, "Unprocessable Content", "never"},
	[PROBLEM_UPGRADE] = {426, "Upgrade Required", "upgrade"},
	[PROBLEM_QUEUE_FULL] = {429, "Too Many Requests", "queue_full", true},
	[PROBLEM_INTERNAL] = {500, "Internal Server Error", "internal"},
	[PROBLEM_UNAVAILABLE] = {503, "Service Unavailable", "unavailable", true},
};
static_assert(sizeof rows / sizeof *rows == PROBLEM_COUNT_, "a row for each problem");

unsigned problem_status(enum problem problem)
{
	return rows[problem].status;
}

bool problem_is_passing(enum problem problem)
{
	return rows[problem].passing;
}

/* What the errno of an error that is the client's to mend stands for; run/engine.h. */
static const struct {
	int errnum;
	enum problem problem;
} meanings[] = {
	{ENOENT, PROBLEM_NOT_FOUND},
	{EBUSY, PROBLEM_BUSY},
	{EPIPE, PROBLEM_BUSY},
	{ESHUTDOWN, PROBLEM_STOPPED},
	{EAGAIN, PROBLEM_QUEUE_FULL},
	{EDQUOT, PROBLEM_NEVER},
	{E2BIG, PROBLEM_TOO_LARGE},
};

enum problem problem_of(const struct error *e)
{
	if (e->blame == BLAME_HOST)
		return PROBLEM_UNAVAILABLE;
	if (e->blame == BLAME_US)
		return PROBLEM_INTERNAL;
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (meanings[i].errnum == e->errnum)
			return meanings[i].problem;
	return PROBLEM_INVALID;
}

void problem_format(
	struct buf *out, enum problem problem, const struct error *e, long long taken_bytes)
{
	cleanup_buf struct buf detail = BUF_INIT;
	const struct row *row = &rows[problem];
	/* what is shown of names and paths is anybody's bytes */
	buf_put_visible(&detail, e->text, strlen(e->text));
	buf_printf(out,
		"{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"error\":\"%s\","
		"\"blame\":\"%s\",\"detail\":",
		row->title, row->status, row->name, blame_name(e->blame));
	json_put_string(out, buf_str(&detail), detail.size);
	if (taken_bytes >= 0)
		buf_printf(out, ",\"taken_bytes\":%lld", taken_bytes);
	buf_puts(out, "}\n");
}
