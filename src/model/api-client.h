/* SPDX-License-Identifier: MIT */
#ifndef MODEL_API_CLIENT_H
#define MODEL_API_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/cause.h"
#include "model/policy.h"
#include "model/request.h"

/*
 * What the command line says to the daemon, and what that answers (docs/api.md). Answers are checked
 * like anything else that comes from outside; members that are not known are passed over, since
 * a newer daemon may have more.
 */

/* ---- said ---- */

struct api_terminal {
	unsigned short rows, cols; /* 0: not known */
};

/*
 * The body of POST /v1/boxes/ID/runs, stdin fed by attach; in @a. Here and below the names of
 * variables in @request are UTF-8.
 */
const char *api_format_run(
	const struct request *request, const struct api_terminal *terminal, struct arena *a);
/*
 * The body of POST /v1/boxes, in @a. Paths in @request are absolute. @whole: the policy with all of
 * @request in it, for one that the daemon does not know by name; NULL: it does.
 */
const char *api_format_box(
	const struct request *request, const struct policy *whole, struct arena *a);
/* {"signal": N}; in @a. */
const char *api_format_signal(int number, struct arena *a);

/* ---- answered ---- */

/* Fill in @e from an answer of @status that is none of success, problem JSON or not. Returns -1. */
int api_problem(
	unsigned status, unsigned retry_after_s, const char *text, size_t size, struct error *e);

struct api_run {
	const char *id, *state;
	bool tty;
	int exit_status; /* of `bulkhead run`; -1: there is none yet */
};

struct api_box {
	const char *id, *state, *policy;
	uint64_t runs;
	const char *since; /* RFC 3339 */
	const char *fault; /* NULL: none */
};

struct api_boxes {
	struct api_box *v;
	size_t n;
};

/* How a run has ended, from the verdict. */
struct api_end {
	enum cause cause;
	int exit_status; /* of `bulkhead run` */
	bool status_is_likely; /* the verdict does not tell; struct api_run does */
	const char *line; /* "CAUSE: SUMMARY[; try --memory 96M]" */
};

/* Strings in @a. 0; or -1 with @e (BLAME_HOST): it is no such thing. */
int api_parse_run(
	struct api_run *ret, const char *text, size_t size, struct arena *a, struct error *e);
int api_parse_box(
	struct api_box *ret, const char *text, size_t size, struct arena *a, struct error *e);
int api_parse_boxes(
	struct api_boxes *ret, const char *text, size_t size, struct arena *a, struct error *e);
int api_parse_verdict(
	struct api_end *ret, const char *text, size_t size, struct arena *a, struct error *e);

#endif
