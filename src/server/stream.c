/* SPDX-License-Identifier: MIT */
#include "server/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "server/history.h"
#include "server/server.h"

/* What is read in one call without anything being found, in bytes; and what an event costs besides its own. */
#define PASSED_MAX ((size_t)64 * 1024)
#define EVENT_COST 128

/* 0, also when there is nothing to read (yet); -1 with @e: there is no such run. */
static int open_reader(struct stream *st, struct error *e)
{
	cleanup_fd int dir = -1;
	if (history_output(st->server, st->id, &dir, e) < 0)
		return -1;
	if (dir < 0)
		return 0;
	struct error none = ERROR_INIT;
	int rc = st->follow ? output_reader_open_to_follow(&st->reader, dir, &none)
			    : output_reader_open(&st->reader, dir, &none);
	if (rc < 0 && none.errnum != ENOENT) {
		*e = none;
		return -1;
	}
	return 0;
}

int stream_open(struct stream **ret, struct server *s, const char *id, bool follow, int only,
	struct error *e)
{
	struct stream *st = calloc(1, sizeof *st);
	if (!st)
		out_of_memory();
	st->server = s;
	st->only = only;
	if (strlen(id) < sizeof st->id)
		strcpy(st->id, id);
	st->live = engine_find_run(s->engine, id);
	st->follow = follow && st->live;
	if (st->live)
		live_hold(st->live);
	if (open_reader(st, e) < 0) {
		stream_free(st);
		return -1;
	}
	*ret = st;
	return 0;
}

void stream_free(struct stream *st)
{
	if (!st)
		return;
	output_reader_close(st->reader);
	if (st->live)
		live_let_go(st->live);
	free(st);
}

static bool passes(const struct stream *st, const struct output_event *event)
{
	return event->kind != OUTPUT_DATA || st->only < 0 || (int)event->stream == st->only;
}

enum stream_found stream_next(struct stream *st, struct output_event *ret)
{
	struct error e = ERROR_INIT;
	/* asked first: what came before the end is read behind the answer */
	bool ended = !st->follow || live_state(st->live) == LIVE_ENDED;
	int rc = 0;
	if (!st->reader && open_reader(st, &e) < 0) {
		errno = e.errnum ? e.errnum : EIO;
		return STREAM_FAILED;
	}
	for (size_t passed = 0; st->reader && (rc = output_reader_next(st->reader, ret)) > 0;) {
		if (passes(st, ret))
			return STREAM_EVENT;
		passed += ret->size + EVENT_COST;
		if (passed > PASSED_MAX)
			return STREAM_AGAIN;
	}
	if (rc < 0)
		return STREAM_FAILED;
	return ended ? STREAM_END : STREAM_LATER;
}

void stream_put_line(struct buf *out, const struct output_event *event)
{
	if (event->kind == OUTPUT_DATA)
		output_event_format(out, event->t_us, event->stream, event->data, event->size);
	else if (event->kind == OUTPUT_REPAIRED)
		buf_printf(out, "{\"repaired\":{\"removed_bytes\":%" PRIu64 "}}\n", event->count);
	else if (event->kind == OUTPUT_DROPPED)
		buf_printf(out, "{\"dropped_bytes\":%" PRIu64 "}\n", event->count);
	else
		buf_printf(out, "{\"damaged_bytes\":%" PRIu64 "}\n", event->count);
}
