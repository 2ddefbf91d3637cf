/* SPDX-License-Identifier: MIT */
#ifndef MODEL_API_H
#define MODEL_API_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/request.h"

/*
 * What clients of the daemon send (docs/api.md), as structs. Decoding is strict: unknown and
 * duplicate members, wrong types and NULs are refused; what a client makes us hold is bounded before
 * it is held. Everything is in the arena given, nothing points into the text.
 */

/* Checked before anything is made of the text: a byte of it may stand for a hundred of a tree. */
#define API_MAX_VALUES 100000
#define API_MAX_DEPTH  32
#define API_MAX_ENV    4096

/* A run, or a box. */
struct api_run {
	struct request request; /* argv is empty in that of a box; policy is a name */
	const char *policy_text; /* an inline policy as JSON; NULL: none */
	size_t policy_size;
	const char *cwd; /* NULL: not given */
	const char *stdin_text; /* NULL: none */
	size_t stdin_size;
	bool stdin_open;
	unsigned short rows, cols; /* 0: not given */
};

enum api_kind {
	API_RUN, /* POST /v1/runs */
	API_RUN_IN_BOX, /* POST /v1/boxes/ID/runs */
	API_BOX, /* POST /v1/boxes */
	API_KIND_COUNT_,
};

/*
 * Decode a body. An empty one is {} for a box. 0; or -1 with @e of BLAME_REQUEST, errnum EINVAL or,
 * where it is beyond a limit, E2BIG.
 */
int api_run_parse(struct api_run *ret, enum api_kind kind, const char *text, size_t size,
	struct arena *a, struct error *e);

/* {"signal": "TERM"} or {"signal": 15}. */
int api_signal_parse(int *ret, const char *text, size_t size, struct error *e);

/* {"rows": 24, "cols": 80}. */
struct api_size {
	unsigned short rows, cols;
};
int api_size_parse(struct api_size *ret, const char *text, size_t size, struct error *e);

#endif
