/* SPDX-License-Identifier: MIT */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "cli/http-answer.h"

/*
 * Talking to the daemon: HTTP over its Unix socket (docs/api.md). Each call has a connection of its
 * own, and nothing is waited for without end. Errors are worded for whoever typed the command: no
 * daemon, a daemon that does not answer, or, with its own blame, what it refuses.
 */

struct client_call {
	const char *method;
	const char *path; /* from client_path(), or constant; with its query */
	const char *body; /* JSON; NULL: none */
	unsigned timeout_s; /* for the answer; 0: CLIENT_TIMEOUT_S */
};

#define CLIENT_CONNECT_TIMEOUT_S 5
#define CLIENT_TIMEOUT_S         30

/*
 * Call the daemon. 0: it has done it, and @ret (to be given back by http_answer_fini() in any
 * case) has a status of 200 to 299. -1: it has not, and @e says why.
 */
int client_call(const struct client_call *call, struct http_answer *ret, struct error *e);

/* A connection that speaks another protocol now. */
struct client_stream {
	int fd; /* non-blocking */
	struct buf early; /* what came behind the answer's head */
};

/* GET @path and upgrade to @protocol. 0, or -1 with @e and nothing open. */
int client_upgrade(
	struct client_stream *ret, const char *path, const char *protocol, struct error *e);
void client_stream_close(struct client_stream *s);

/*
 * A path in @a: each %s of @format is replaced by a word as one segment of a path, whatever is in
 * it ("../x" becomes "..%2Fx"). There are as many words as %s.
 */
const char *client_path(struct arena *a, const char *format, ...);

#endif
