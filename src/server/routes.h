/* SPDX-License-Identifier: MIT */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "server/problem.h"

struct exchange;

/* Parameters of a query. */
enum query {
	QUERY_WAIT, /* flags, up to QUERY_FLAGS_ */
	QUERY_NOW,
	QUERY_FOLLOW,
	QUERY_CLOSE,
	QUERY_PACE,
	QUERY_FLAGS_,
	QUERY_GONE = QUERY_FLAGS_, /* "cancel" or "leave" */
	QUERY_STREAM, /* "stdout" or "stderr" */
	QUERY_LIMIT,
	QUERY_FROM,
	QUERY_CAUSE,
	QUERY_KEY,
	QUERY_COUNT_,
};

enum body_kind {
	BODY_NONE,
	BODY_JSON, /* collected */
	BODY_STREAM, /* given to the route's take() as it comes */
};

struct route {
	const char *method;
	const char *path; /* a segment "*" is the id */
	enum body_kind body;
	size_t body_max; /* of BODY_JSON */
	unsigned queries; /* 1 << enum query */
	void (*handle)(struct exchange *x); /* all has come */
	/* A piece of the body: how many bytes were taken; fewer than @size after exchange_suspend(). */
	size_t (*take)(struct exchange *x, const char *data, size_t size);
};

#define ROUTE_ID_SIZE 65

/*
 * The route of a request, and the id in its path. NULL with @problem and @e: NOT_FOUND, or METHOD, and
 * then the methods there are in @allow.
 */
const struct route *route_find(const char *method, const char *path, char ret_id[ROUTE_ID_SIZE],
	struct buf *allow, enum problem *problem, struct error *e);

/* -1 when no parameter is called so. */
int query_from_name(const char *name);
const char *query_name(enum query query);
/* Decode %XX and "+". In @a; NULL if that is no text: bad digits, NUL, not UTF-8. */
const char *query_decode(const char *text, struct arena *a);
/* What is wrong with a parameter's value, for after its name; or NULL. */
const char *query_fault(enum query query, const char *value);

#endif
