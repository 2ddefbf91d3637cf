/* SPDX-License-Identifier: MIT */
#ifndef MODEL_VERDICT_ADVICE_H
#define MODEL_VERDICT_ADVICE_H

#include "model/facts.h"
#include "model/verdict.h"

/* What follows from the cause, which @v has: retry, a larger limit to try, the exit status. */
void verdict_add_advice(struct verdict *v, const struct facts *f);

#endif
