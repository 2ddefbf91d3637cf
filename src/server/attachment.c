/* SPDX-License-Identifier: MIT */
#include "server/attachment.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "model/attach-frame.h"
#include "server/stream.h"

#define OUT_BLOCK ((size_t)32 << 10) /* no more is read from the files when there is this much */
#define OUT_MAX                                                                                    \
	((size_t)64 << 10) /* no frame of the client's is looked at when there is this much */

struct attachment {
	struct server *server;
	struct attachment *next, **at;
	struct MHD_UpgradeResponseHandle *handle;
	struct live *live; /* held */
	struct stream *stream;
	struct engine_client client;
	bool cancels; /* when the client goes before the run has ended */
	bool paces, holds; /* the program waits for this client; it does now */
	int fd;
	uv_poll_t poll;
	struct live_follower follower;

	unsigned char in[ATTACH_HEAD_SIZE + ATTACH_BODY_MAX];
	size_t in_size, fed; /* fed: of the body of the STDIN frame that is first in it */
	bool in_ended; /* the client sends no more, or nothing that makes sense */
	bool stdin_waits; /* for the program to read */
	unsigned cancelled;

	struct buf out;
	size_t sent;
	bool more; /* the files have, which is to be read when this is sent */
	bool concluded; /* the last frame is in out */
	bool ended;
};

static void serve(struct attachment *a);

/* ---- frames to the client ---- */

static void put_event(struct attachment *a, const struct output_event *event)
{
	unsigned char number[8];
	if (event->kind == OUTPUT_DATA) {
		enum attach_kind kind =
			event->stream == OUTPUT_STDERR ? ATTACH_STDERR : ATTACH_STDOUT;
		attach_bytes_put(&a->out, kind, event->data, event->size);
		return;
	}
	attach_number_encode(event->count, number, sizeof number);
	attach_frame_put(&a->out, ATTACH_GAP, number, sizeof number);
}

static void put_problem(struct attachment *a, enum problem problem, const struct error *e)
{
	cleanup_buf struct buf json = BUF_INIT;
	problem_format(&json, problem, e, -1);
	attach_frame_put(&a->out, ATTACH_PROBLEM, json.data, json.size);
}

static void put_verdict(struct attachment *a)
{
	const char *json = live_verdict_json(a->live);
	size_t size = strlen(json);
	struct error e = ERROR_INIT;
	a->concluded = true;
	if (size <= ATTACH_JSON_MAX) {
		attach_frame_put(&a->out, ATTACH_VERDICT, json, size);
		return;
	}
	error_set(&e, BLAME_US, 0, "the verdict is too long for a frame");
	put_problem(a, problem_of(&e), &e);
}

/* Fill the buffer; what there is now, or as much as goes into a block. */
static void fill(struct attachment *a)
{
	struct output_event event;
	enum stream_found found = STREAM_EVENT;
	while (!a->concluded && a->out.size < OUT_BLOCK && found == STREAM_EVENT) {
		found = stream_next(a->stream, &event);
		if (found == STREAM_EVENT)
			put_event(a, &event);
	}
	a->more = !a->concluded && (found == STREAM_EVENT || found == STREAM_AGAIN);
	if (found == STREAM_FAILED) {
		struct error e = ERROR_INIT;
		error_set(&e, BLAME_HOST, errno, "cannot read the output");
		put_problem(a, PROBLEM_UNAVAILABLE, &e);
		a->concluded = true;
	}
	if (found == STREAM_END)
		put_verdict(a);
}

/* False when the client is gone. */
static bool send_out(struct attachment *a)
{
	while (a->sent < a->out.size) {
		ssize_t n = send(a->fd, a->out.data + a->sent, a->out.size - a->sent,
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		a->sent += (size_t)n;
	}
	a->sent = 0;
	if (a->out.room > 2 * OUT_MAX) /* a verdict can be large */
		buf_fini(&a->out);
	else
		buf_clear(&a->out);
	return true;
}

/* ---- frames of the client ---- */

static void end_in(struct attachment *a)
{
	a->in_ended = true;
	a->in_size = 0;
	live_stdin_close(a->live, NULL); /* there may be none, or no longer */
}

/* Returns whether the frame is done with: stdin may have to wait for the program. */
static int feed(struct attachment *a, const unsigned char *body, size_t size, struct error *e)
{
	while (a->fed < size) {
		ssize_t n = live_stdin(a->live, (const char *)body + a->fed, size - a->fed, e);
		if (n < 0)
			return -1;
		if (n == 0)
			return 0;
		a->fed += (size_t)n;
	}
	return 1;
}

static int do_stdin(struct attachment *a, const unsigned char *body, size_t size, struct error *e)
{
	int done = feed(a, body, size, e);
	a->stdin_waits = done == 0;
	if (done != 0)
		a->fed = 0;
	return done;
}

static int do_stdin_end(
	struct attachment *a, const unsigned char *body, size_t size, struct error *e)
{
	(void)body;
	(void)size;
	return live_stdin_close(a->live, e) < 0 ? -1 : 1;
}

static int do_resize(struct attachment *a, const unsigned char *body, size_t size, struct error *e)
{
	unsigned short rows = (unsigned short)attach_number_decode(body, 2);
	unsigned short cols = (unsigned short)attach_number_decode(body + 2, 2);
	(void)size;
	return live_resize(a->live, rows, cols, e) < 0 ? -1 : 1;
}

static int do_signal(struct attachment *a, const unsigned char *body, size_t size, struct error *e)
{
	uint64_t sig = attach_number_decode(body, 4);
	(void)size;
	if (sig == 0 || sig > 64) {
		error_set(e, BLAME_REQUEST, 0, "there is no signal %u", (unsigned)sig);
		return -1;
	}
	return live_signal(a->live, (int)sig, &a->client, e) < 0 ? -1 : 1;
}

static int do_cancel(struct attachment *a, const unsigned char *body, size_t size, struct error *e)
{
	(void)body;
	(void)size;
	return live_cancel(a->live, a->cancelled++ > 0, &a->client, e) < 0 ? -1 : 1;
}

/* 1: done; 0: not yet; -1 with @e: refused. */
static int (*const actions[])(
	struct attachment *a, const unsigned char *body, size_t size, struct error *e) = {
	[ATTACH_STDIN] = do_stdin,
	[ATTACH_STDIN_END] = do_stdin_end,
	[ATTACH_RESIZE] = do_resize,
	[ATTACH_SIGNAL] = do_signal,
	[ATTACH_CANCEL] = do_cancel,
};

static void refuse_all(struct attachment *a)
{
	struct error e = ERROR_INIT;
	error_set(&e, BLAME_REQUEST, 0, "what came is no frame");
	put_problem(a, PROBLEM_INVALID, &e);
	a->concluded = true; /* and nothing behind it */
	a->in_ended = true;
	a->in_size = 0;
}

/* The first frame in the buffer. False: there is no whole one, or it has to wait. */
static bool do_frame(struct attachment *a)
{
	struct attach_head head;
	struct error e = ERROR_INIT;
	if (a->in_size < ATTACH_HEAD_SIZE)
		return false;
	if (!attach_head_decode(&head, ATTACH_CLIENT, a->in)) {
		refuse_all(a);
		return false;
	}
	size_t whole = ATTACH_HEAD_SIZE + head.size;
	if (a->in_size < whole)
		return false;
	int done = actions[head.kind](a, a->in + ATTACH_HEAD_SIZE, head.size, &e);
	if (done == 0)
		return false;
	if (done < 0)
		put_problem(a, problem_of(&e), &e);
	a->in_size -= whole;
	memmove(a->in, a->in + whole, a->in_size);
	return true;
}

static void do_frames(struct attachment *a)
{
	while (!a->in_ended && a->out.size < OUT_MAX && do_frame(a))
		;
}

/* A whole frame is there that could not be done yet: then nothing is read behind it. */
static bool is_behind(const struct attachment *a)
{
	struct attach_head head;
	return !a->in_ended && a->in_size >= ATTACH_HEAD_SIZE &&
		(!attach_head_decode(&head, ATTACH_CLIENT, a->in) ||
			a->in_size >= ATTACH_HEAD_SIZE + head.size);
}

/*
 * A Unix socket tells a client that is gone from one that only sends no more (unix(7)); with TCP both
 * are the same at first. Who only looked on must not end somebody else's stdin by going.
 */
static bool is_gone(const struct attachment *a)
{
	int seen = fd_poll_now(a->fd, 0);
	return seen > 0 && (seen & POLLHUP);
}

/* Not so many at a time that others have to wait. False when the client is gone. */
static bool take_in(struct attachment *a)
{
	do_frames(a);
	if (a->in_ended || is_behind(a))
		return true;
	ssize_t n = recv(a->fd, a->in + a->in_size, sizeof a->in - a->in_size, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
	if (n == 0 && is_gone(a))
		return false;
	if (n == 0) {
		end_in(a); /* the rest of a frame is nothing */
		return true;
	}
	a->in_size += (size_t)n;
	do_frames(a);
	return true;
}

/* ---- life ---- */

static void on_closed(uv_handle_t *handle)
{
	struct attachment *a = handle->data;
	buf_fini(&a->out);
	free(a);
}

/* While something is on its way to the client, nothing more is read of what the program writes. */
static void hold(struct attachment *a, bool wanted)
{
	if (!a->paces || a->holds == wanted)
		return;
	a->holds = wanted;
	live_hold_output(a->live, wanted);
}

static void end(struct attachment *a)
{
	if (a->ended)
		return;
	a->ended = true;
	hold(a, false);
	live_follow_no_more(&a->follower);
	uv_close((uv_handle_t *)&a->poll, on_closed); /* before its descriptor is */
	stream_free(a->stream);
	live_let_go(a->live);
	*a->at = a->next;
	if (a->next)
		a->next->at = a->at;
	a->server->n_attachments--;
	server_less(a->server);
	shutdown(a->fd, SHUT_RDWR);
	MHD_upgrade_action(a->handle, MHD_UPGRADE_ACTION_CLOSE);
	http_kick(&a->server->http);
}

static void cancel(const struct attachment *a)
{
	if (a->cancels && live_state(a->live) != LIVE_ENDED)
		live_cancel(a->live, false, &a->client, NULL);
}

static void leave(struct attachment *a)
{
	cancel(a);
	end(a);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct attachment *a = poll->data;
	/*
	 * A hang-up of both halves, or an error: see peer_watch(). One half alone is STDIN_END, over TCP too; who has gone
	 * altogether is found there by what is sent to him, or by keepalive.
	 */
	if (status < 0 || (events & UV_PRIORITIZED))
		leave(a);
	else
		serve(a);
}

static void on_told(struct live_follower *f, struct live *live)
{
	(void)live;
	serve((struct attachment *)((char *)f - offsetof(struct attachment, follower)));
}

static void wait_for_more(struct attachment *a)
{
	hold(a, a->out.size > 0 || a->more);
	bool behind = is_behind(a);
	int events = UV_PRIORITIZED;
	if (!a->in_ended && !behind)
		events |= UV_READABLE;
	if (a->out.size > 0 || a->more || (behind && !a->stdin_waits))
		events |= UV_WRITABLE;
	uv_poll_start(&a->poll, events, on_ready);
	live_follow_no_more(&a->follower);
	if (!a->concluded && ((a->out.size == 0 && !a->more) || a->stdin_waits)) {
		a->follower.told = on_told;
		live_follow(a->live, &a->follower);
	}
}

/* As far as it goes now, one block each way. */
static void serve(struct attachment *a)
{
	bool there = take_in(a);
	if (there && a->out.size < OUT_BLOCK)
		fill(a);
	else
		a->more = !a->concluded; /* nobody has looked */
	there = there && send_out(a);
	if (!there)
		leave(a);
	else if (a->concluded && a->out.size == 0)
		end(a);
	else
		wait_for_more(a);
}

void attachments_end(struct server *s)
{
	while (s->attachments)
		end(s->attachments);
}

/* ---- the upgrade ---- */

/* The loop cannot watch its connection: the client is as good as gone. The stream stays the exchange's. */
static void turn_away(struct attachment *a)
{
	cancel(a);
	shutdown(a->fd, SHUT_RDWR);
	MHD_upgrade_action(a->handle, MHD_UPGRADE_ACTION_CLOSE);
	http_kick(&a->server->http);
	free(a);
}

static void on_upgrade(void *server, struct MHD_Connection *connection, void *context,
	const char *extra, size_t extra_size, MHD_socket fd,
	struct MHD_UpgradeResponseHandle *handle)
{
	struct exchange *x = context;
	struct server *s = server;
	struct attachment *a = calloc(1, sizeof *a);
	const char *gone = x->query[QUERY_GONE];
	(void)connection;
	if (!a)
		out_of_memory();
	*a = (struct attachment){.server = s,
		.handle = handle,
		.live = x->live,
		.fd = fd,
		.stream = x->stream,
		.client = exchange_client(x)};
	a->paces = exchange_flag(x, QUERY_PACE);
	a->cancels = gone && strcmp(gone, "cancel") == 0;
	if (uv_poll_init(s->loop, &a->poll, fd) < 0) {
		turn_away(a);
		return;
	}
	x->stream = NULL;
	live_hold(a->live);
	a->in_size = extra_size < sizeof a->in ? extra_size : sizeof a->in;
	memcpy(a->in, extra, a->in_size);
	a->poll.data = a;
	a->next = s->attachments;
	a->at = &s->attachments;
	if (a->next)
		a->next->at = &a->next;
	s->attachments = a;
	s->n_attachments++;
	s->figures.attached_total++;
	serve(a);
}

void attachment_answer(struct exchange *x, struct live *run, struct stream *stream_take)
{
	exchange_hold_run(x, run);
	x->stream = stream_take;
	exchange_answer_response(x, 101, MHD_create_response_for_upgrade(on_upgrade, x->server));
	exchange_set_header(x, "Upgrade", ATTACH_PROTOCOL);
}
