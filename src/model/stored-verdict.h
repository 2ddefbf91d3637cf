/* SPDX-License-Identifier: MIT */
#ifndef MODEL_STORED_VERDICT_H
#define MODEL_STORED_VERDICT_H

#include "base/arena.h"
#include "base/error.h"
#include "model/explain.h"

/*
 * A verdict read back from its JSON, as far as it explains itself: a file of --verdict has no
 * observation. Whoever wrote the file may have written anything.
 */
struct stored_verdict {
	const char *id; /* NULL: none */
	enum cause cause;
	const char *confidence, *retry, *summary; /* as they stand there; "" for none */
	struct evidence evidence[VERDICT_MAX_EVIDENCE];
	size_t n_evidence;
	const char *contributing[VERDICT_MAX_CONTRIBUTING];
	size_t n_contributing;
};

enum document_kind { DOCUMENT_VERDICT, DOCUMENT_OBSERVATION };

/*
 * Is @text a verdict (then it is in *ret, its strings in @a) or an observation (for
 * observation_parse_json())? -1 with @e (BLAME_REQUEST) if it is neither.
 */
int stored_verdict_parse(struct stored_verdict *ret, enum document_kind *ret_kind, const char *text,
	size_t size, struct arena *a, struct error *e);

/* The rules of @x before the first that gives @cause; 0 for a cause that no rule gives. */
size_t stored_verdict_rules(const struct explanation *x, enum cause cause);
/* "0 → 1 (FILE)", visible; in @a. */
const char *stored_evidence_text(const struct evidence *e, struct arena *a);

/* What the verdict itself tells of its reasons, for a person and for a program; in @a. */
const char *stored_verdict_text(const struct stored_verdict *v, struct arena *a);
const char *stored_verdict_json(const struct stored_verdict *v, struct arena *a);

#endif
