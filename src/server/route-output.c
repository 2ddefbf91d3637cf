/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "model/attach-frame.h"
#include "server/attachment.h"
#include "server/exchange.h"
#include "server/handlers.h"
#include "server/stream.h"

#define BLOCK_SIZE (32 << 10)

/* The answer of /output while it is sent. The exchange frees the stream. */
struct sending {
	struct exchange *x;
	struct buf
		lines; /* formatted, not yet taken: at most what one event makes, beyond a block */
	size_t taken;
};

static ssize_t hand_over(struct sending *s, char *out, size_t max)
{
	size_t n = s->lines.size - s->taken;
	if (n > max)
		n = max;
	memcpy(out, s->lines.data + s->taken, n);
	s->taken += n;
	if (s->taken == s->lines.size) {
		buf_clear(&s->lines);
		s->taken = 0;
	}
	return (ssize_t)n;
}

/* libmicrohttpd wants more to send. With nothing there the connection sleeps until there is. */
static ssize_t read_lines(void *data, uint64_t position, char *out, size_t max)
{
	struct sending *s = data;
	struct exchange *x = s->x;
	struct output_event event;
	enum stream_found found = STREAM_EVENT;
	(void)position;
	if (x->gone)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	while (s->lines.size - s->taken < max &&
		(found = stream_next(x->stream, &event)) == STREAM_EVENT)
		stream_put_line(&s->lines, &event);
	if (s->lines.size > s->taken)
		return hand_over(s, out, max);
	if (found == STREAM_END)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (found == STREAM_FAILED) {
		log_line("warning: cannot read the output of run '%s': %s", x->id,
			errno_text(errno));
		return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	if (found != STREAM_AGAIN) /* else we are asked again in the next turn */
		exchange_wait_more(x, x->stream->live);
	return 0;
}

static void free_sending(void *data)
{
	struct sending *s = data;
	buf_fini(&s->lines);
	free(s);
}

void handle_run_output(struct exchange *x)
{
	struct error e = ERROR_INIT;
	const char *only = x->query[QUERY_STREAM];
	int stream = only ? output_stream_from_name(only) : -1;
	if (stream_open(&x->stream, x->server, x->id, exchange_flag(x, QUERY_FOLLOW), stream, &e) <
		0) {
		exchange_fail(x, &e);
		return;
	}
	struct sending *s = calloc(1, sizeof *s);
	if (!s)
		out_of_memory();
	s->x = x;
	exchange_answer_response(x, 200,
		MHD_create_response_from_callback(
			MHD_SIZE_UNKNOWN, BLOCK_SIZE, read_lines, s, free_sending));
	exchange_set_header(x, "Content-Type", "application/x-ndjson");
}

/* ---- attach ---- */

static bool wants_upgrade(const struct exchange *x)
{
	const char *to = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Upgrade");
	return to && strcasecmp(to, ATTACH_PROTOCOL) == 0;
}

static void refuse_upgrade(struct exchange *x)
{
	struct error e = ERROR_INIT;
	error_set(&e, BLAME_REQUEST, 0, "this needs 'Upgrade: " ATTACH_PROTOCOL "'");
	exchange_refuse(x, PROBLEM_UPGRADE, &e);
	exchange_set_header(x, "Upgrade", ATTACH_PROTOCOL);
}

void handle_run_attach(struct exchange *x)
{
	struct error e = ERROR_INIT;
	struct stream *stream;
	struct live *live = exchange_our_run(x, "its output can be read, not attached to");
	if (!live)
		return;
	if (!wants_upgrade(x))
		refuse_upgrade(x);
	else if (stream_open(&stream, x->server, x->id, true, -1, &e) < 0)
		exchange_fail(x, &e);
	else
		attachment_answer(x, live, stream);
}
