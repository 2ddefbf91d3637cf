/* SPDX-License-Identifier: MIT */
#ifndef CLI_HTTP_ANSWER_H
#define CLI_HTTP_ANSWER_H

#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

/*
 * One answer to an HTTP/1.1 request, read as it comes in. The daemon is a process of ours; what
 * answers at its socket need not be. So all that can be large is bounded, nothing is waited for here, and
 * whatever is no answer is refused with a reason.
 */

#define HTTP_ANSWER_MAX_HEAD 16384
#define HTTP_ANSWER_MAX_BODY ((size_t)16 << 20)

struct http_answer {
	unsigned status; /* 200, 404, …; 0: the head is not complete */
	bool complete;
	bool upgraded; /* 101: what follows the head is another protocol's */
	unsigned retry_after_s; /* of Retry-After; 0: none */
	char type[64]; /* of Content-Type, without parameters; "" if there is none */
	struct buf body;

	/* private */
	http_parser parser;
	const char *fault;
	char field[32], value[64];
	size_t field_size, value_size; /* beyond the arrays: too long to be one that we know */
	bool in_value, begun;
};

#define HTTP_ANSWER_NONE ((struct http_answer){.status = 0}) /* for http_answer_fini() */

void http_answer_init(struct http_answer *a);
void http_answer_fini(struct http_answer *a);
#define cleanup_http_answer __attribute__((cleanup(http_answer_fini)))

/*
 * The next @size bytes; not called any more once it is complete. 0; or -1 with @e (BLAME_HOST).
 * *ret_used is how many of them belong to the answer: all, unless it is complete.
 */
int http_answer_feed(
	struct http_answer *a, const char *bytes, size_t size, size_t *ret_used, struct error *e);
/* The connection has ended: complete now if that is what ends the body; or -1 with @e. */
int http_answer_end(struct http_answer *a, struct error *e);

#endif
