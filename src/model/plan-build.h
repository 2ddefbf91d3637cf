/* SPDX-License-Identifier: MIT */
#ifndef MODEL_PLAN_BUILD_H
#define MODEL_PLAN_BUILD_H

#include "model/plan.h"

/* What the parts of plan_make() share. Not for others. */
struct plan_build {
	struct plan *plan;
	const struct policy *policy;
	const struct host *host;
	const struct resolved *resolved;
	const struct plan_input *input;
	struct arena *a;
	struct error *e;
};

/* Append @step to @steps, which has room for PLAN_MAX_STEPS. */
void plan_add(struct plan_build *b, struct steps *steps, struct step step);
#define plan_box(b, ...)     plan_add((b), &(b)->plan->box, (struct step){__VA_ARGS__})
#define plan_payload(b, ...) plan_add((b), &(b)->plan->payload, (struct step){__VA_ARGS__})

/* plan-mounts.c: everything of plan->box. -1 with e when there are too many mounts. */
int plan_mounts(struct plan_build *b);

/* Landlock's ABI from which on files can be renamed from one directory to another. */
#define PLAN_CONFINE_ABI 2

/* plan-exec.c: -1 with e where the host cannot hold the policy's exec rules. */
int plan_check_exec(struct plan_build *b);
/* Whether the kernel is to hold what may be executed, too (STEP_ALLOW_LIST), and its text. */
bool plan_lists_programs(struct plan_build *b);
const char *plan_allowed_programs(struct plan_build *b);

#endif
