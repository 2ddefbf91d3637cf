/* SPDX-License-Identifier: MIT */
#ifndef MODEL_EXPLAIN_H
#define MODEL_EXPLAIN_H

#include <stddef.h>

#include "model/verdict.h"

/* The reasoning behind a verdict: the very walk through the rules that decides it, written down. */

#define EXPLAIN_MAX_STEPS 40

struct explain_step {
	enum cause cause; /* what it would have been */
	const char *asks; /* the rule's question */
	const char *why_not; /* NULL for the one that applies, and for those behind it, not asked */
};

struct explanation {
	struct verdict verdict; /* as verdict_decide() has it */
	struct explain_step steps[EXPLAIN_MAX_STEPS]; /* all rules, in their order */
	size_t n_rules;
	size_t decided; /* which of them applied */
};

/* Decide, and keep why each rule before did not apply. Strings in @a. */
void verdict_explain(struct explanation *ret, const struct observation *o, struct arena *a);

/* The rules and their questions alone: nothing is decided, and nothing else of @ret has a meaning. */
void explain_questions(struct explanation *ret);

/* One thing that was looked at before any rule was asked, and what it said. */
struct look {
	const char *what;
	const char *said;
};

#define EXPLAIN_MAX_LOOKS 64

/* The facts of @o in the order in which the rules rest on them; at most EXPLAIN_MAX_LOOKS, in @a. */
size_t explain_looks(
	struct look ret[EXPLAIN_MAX_LOOKS], const struct observation *o, struct arena *a);

/* What an explanation was made from. */
struct explain_source {
	const char *id; /* of the run; NULL: not known */
	const char *from; /* "the stored observation", … for a person */
	const char *stored_cause; /* what was found then; NULL: nothing was stored */
};

/* Several lines for a person; bytes that are not for a terminal are shown as \xNN; in @a. */
const char *explain_format_text(const struct explanation *x, const struct observation *o,
	const struct explain_source *source, struct arena *a);
/* One JSON object on a line, in @a: docs/verdict.md has its members. */
const char *explain_format_json(const struct explanation *x, const struct observation *o,
	const struct explain_source *source, struct arena *a);

#endif
