/* SPDX-License-Identifier: MIT */
#ifndef SERVER_STREAM_H
#define SERVER_STREAM_H

#include "run/engine.h"
#include "store/output-read.h"

struct server;

/*
 * The output of a run, from the files that it is kept in: event by event, and, if it is followed, as they come.
 * The file is the buffer: who reads slowly holds a few KiB here and holds up nobody.
 */
struct stream {
	struct server *server;
	struct live *live; /* held; NULL: only in the record */
	char id[RUN_ID_SIZE];
	struct output_reader *reader; /* NULL: nothing is there yet */
	bool follow;
	int only; /* an enum output_stream; -1: both */
};

enum stream_found {
	STREAM_FAILED = -1, /* errno */
	STREAM_END,
	STREAM_EVENT,
	STREAM_LATER, /* live_follow() says when */
	STREAM_AGAIN, /* a good deal was passed over: ask again when others have had their turn */
};

/* 0; or -1 with @e when there is no such run. */
int stream_open(struct stream **ret, struct server *s, const char *id, bool follow, int only,
	struct error *e);
/* The next event into @ret, which is good until the next call. */
enum stream_found stream_next(struct stream *st, struct output_event *ret);
void stream_free(struct stream *st); /* NULL is fine */

/* Append an event as the line that docs/api.md has. */
void stream_put_line(struct buf *out, const struct output_event *event);

#endif
