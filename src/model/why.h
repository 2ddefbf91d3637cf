/* SPDX-License-Identifier: MIT */
#ifndef MODEL_WHY_H
#define MODEL_WHY_H

#include "base/error.h"
#include "model/facts.h"
#include "model/words.h"

/* Reasons for which a rule of verdict.c does not apply; one sentence without its full stop each. */

/* Nothing of the set-up failed. */
const char *why_not_setup(const struct facts *f);
/* What the counters and victims say of the OOM killer, as far as it is not the place asked for. */
const char *why_not_place(const struct facts *f);
/* The OOM killer came, but did not end the run. */
const char *why_oom_spared(const struct facts *f);
/* No act of ours for @reason ended it. */
const char *why_not_act(const struct facts *f, enum act_reason reason);
/* A signal ended it, but none that is known to be from outside. */
const char *why_not_outside(const struct facts *f);
/* A signal ended it whose sender was not seen, and that is as well the program's own. */
const char *why_not_unseen(const struct facts *f);
/* A signal ended it that the kernel did not send. */
/* Limits that refuse: why it was not that limit. */
const char *why_not_refused(const struct facts *f, enum limit limit);
const char *why_not_pids(const struct facts *f);
const char *why_not_disk(const struct facts *f);
const char *why_not_kernel(const struct facts *f);

#endif
