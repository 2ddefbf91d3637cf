/* SPDX-License-Identifier: MIT */
#ifndef CLI_PREPARE_H
#define CLI_PREPARE_H

#include "base/arena.h"
#include "base/error.h"
#include "model/host.h"
#include "model/plan.h"
#include "model/policy.h"
#include "model/request.h"
#include "model/run-id.h"

/* From a request to a plan, for run and plan alike. */
struct prepared {
	char id[RUN_ID_SIZE];
	struct policy policy;
	struct host host;
	struct resolved resolved;
	struct plan_input input;
	struct plan plan;
	int uids_fd; /* holds the uid range of an isolated user; -1: none */
};

/*
 * First the policy, then, with the host probed and the paths found, the plan. -1 with @e; what was
 * found out until then is in @ret (for the verdict).
 */
int prepare_policy(
	struct prepared *ret, const struct request *request, struct arena *a, struct error *e);
int prepare_plan(
	struct prepared *ret, const struct request *request, struct arena *a, struct error *e);

#endif
