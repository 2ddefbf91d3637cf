/* SPDX-License-Identifier: MIT */
#ifndef MODEL_VERDICT_EVIDENCE_H
#define MODEL_VERDICT_EVIDENCE_H

#include "model/facts.h"
#include "model/verdict.h"

/* Fill in v->evidence: the status, our acts, counters, peaks; most telling first, never too many. */
void verdict_add_evidence(struct verdict *v, const struct facts *f);
/* Fill in v->contributing: what else happened that bears on the end, but is not its cause. */
void verdict_add_contributing(struct verdict *v, const struct facts *f);

static inline bool verdict_is_about_memory(const struct verdict *v)
{
	return v->cause == CAUSE_MEMORY_LIMIT || v->cause == CAUSE_MEMORY_ANCESTOR ||
		v->cause == CAUSE_MEMORY_HOST;
}

#endif
