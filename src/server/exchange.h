/* SPDX-License-Identifier: MIT */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include "run/engine.h"
#include "server/peers.h"
#include "server/routes.h"
#include "server/server.h"

/*
 * A request and its answer.
 *
 *   COMING ──all here──► WORKING ──answered──► ANSWERING ──► gone
 *                          │  ▲
 *                          ▼  │ told
 *                        (suspended)
 *
 * COMING: the body is collected, or taken by the route. WORKING: the route has been called; it has answered or
 * waits. While it waits the connection is suspended: nobody reads from it, no time-out runs, and
 * peer_watch() says when the client goes away, which ends the exchange. ANSWERING: libmicrohttpd sends;
 * a stream may suspend it again until there is more.
 */
enum exchange_state { EXCHANGE_COMING, EXCHANGE_WORKING, EXCHANGE_ANSWERING };

struct stream;

struct exchange {
	struct server *server;
	struct MHD_Connection *connection;
	struct peer *peer;
	struct exchange *next, **at; /* in the server's list */
	enum exchange_state state;
	const struct route *route; /* NULL: refused before there was one */
	char id[ROUTE_ID_SIZE];
	const char *query[QUERY_COUNT_];
	struct arena arena; /* ends with it */

	struct buf body;
	size_t body_counted; /* in the server's sum */
	size_t taken_bytes; /* of BODY_STREAM */
	bool body_refused; /* what still comes is dropped; the answer is ready */

	bool suspended, gone;
	struct live *live; /* held */
	struct box *box; /* held */
	struct live_waiter run_waiter;
	struct box_waiter box_waiter;
	struct live_follower follower;
	void (*told)(struct exchange *x); /* what has been waited for has come */
	struct stream *stream;

	struct MHD_Response *response; /* ready to be sent */
	unsigned status;
};

struct engine_client exchange_client(const struct exchange *x);
bool exchange_flag(const struct exchange *x, enum query query);

/* ---- answers: one of these, once ---- */

/* Takes @body, which is emptied. */
void exchange_answer_take(struct exchange *x, unsigned status, struct buf *body, const char *type);
/* 204 */
void exchange_answer_nothing(struct exchange *x);
void exchange_refuse(struct exchange *x, enum problem problem, const struct error *e);
/* The problem that the error stands for. */
void exchange_fail(struct exchange *x, const struct error *e);
/* The same for what a body asks for: a policy or file in it that is not there makes it invalid. */
void exchange_fail_body(struct exchange *x, const struct error *e);
/* "HTTP/1.1 200" and what is read from @response, which is taken. */
void exchange_answer_response(struct exchange *x, unsigned status, struct MHD_Response *response);
/* Into the response, when there is one. */
void exchange_set_header(struct exchange *x, const char *name, const char *value);

/* ---- waiting: then one of the answers from @told ---- */

/* Both hold what is waited for, as long as the exchange lives. */
void exchange_wait_run(struct exchange *x, struct live *live, void (*told)(struct exchange *x));
void exchange_wait_made(struct exchange *x, struct box *box, void (*told)(struct exchange *x));
void exchange_wait_gone(struct exchange *x, struct box *box, void (*told)(struct exchange *x));
/* Until there is more output, or room for stdin. */
void exchange_wait_more(struct exchange *x, struct live *live);

/* Keep the run as long as the exchange. */
void exchange_hold_run(struct exchange *x, struct live *live);
/* Let go on what is suspended; its waiters are taken off. */
void exchange_resume(struct exchange *x);

/* End it without an answer, if it waits. */
void exchange_give_up(struct exchange *x);

/* ---- for libmicrohttpd ---- */

enum MHD_Result exchange_serve(void *server, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **context);
void exchange_completed(void *server, struct MHD_Connection *connection, void **context,
	enum MHD_RequestTerminationCode code);

#endif
