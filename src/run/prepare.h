/* SPDX-License-Identifier: MIT */
#ifndef RUN_PREPARE_H
#define RUN_PREPARE_H

#include "base/arena.h"
#include "base/error.h"
#include "model/host.h"
#include "model/observation.h"
#include "model/plan.h"
#include "model/policy.h"
#include "model/request.h"
#include "model/run-id.h"

/* From a request to a plan: for run and plan alike, and for the daemon. */
struct prepared {
	char id[RUN_ID_SIZE];
	struct policy policy;
	struct host host;
	struct resolved resolved;
	struct plan_input input;
	struct plan plan;
	int uids_fd; /* holds the uid range of an isolated user; -1: none. To be closed by its owner */
};

/*
 * On whose behalf. What is not of the process itself is given: a daemon's own environment,
 * directory, terminal and descriptors are nobody's business but its own. All is borrowed for as long
 * as what was prepared.
 */
struct prepare_caller {
	char *const *environ; /* what the policy takes the payload's from; NULL-terminated */
	bool is_us; /* cwd, home, terminal and 0, 1, 2 are this process's own: `bulkhead run` */
	const char *cwd; /* absolute, unless is_us */
	const char *home; /* the same; what "~" means */
	const struct host *host; /* probed before; NULL: to be probed now */
	const struct policy *policy; /* loaded before; NULL: the one that the request names */
	const char *id; /* the run's, which has one already; NULL: a new one */
	bool capture; /* the output is captured, whatever the policy says */
	bool parked; /* the box is made ahead of its command: argv may be empty */
};

/* The caller of `bulkhead run`: this process. */
struct prepare_caller prepare_caller_self(void);

/*
 * First the policy, then, with the host probed and the paths found, the plan. -1 with @e; what was
 * found out until then is in @ret (for the verdict), and uids_fd is -1.
 *
 * Reads files, of policies and of directories, and so may wait for a slow disk.
 */
int prepare_policy(struct prepared *ret, const struct request *request,
	const struct prepare_caller *caller, struct arena *a, struct error *e);
int prepare_plan(struct prepared *ret, const struct request *request,
	const struct prepare_caller *caller, struct arena *a, struct error *e);

/*
 * A run in a box that was made as @box says: the box's policy and paths, with the request's limits,
 * environment and argv; what a box only can have (paths, network, user) is BLAME_REQUEST here. Of
 * the plan only the payload's part is of use: argv, envp, exec_paths, the rlimits, what enforces
 * which limit. @box is borrowed for as long as @ret.
 */
int prepare_entry(struct prepared *ret, const struct prepared *box, const struct request *request,
	const struct prepare_caller *caller, struct arena *a, struct error *e);

/*
 * The same question alone: what a box only can have is refused (BLAME_REQUEST). For a run that is to
 * wait before it is prepared.
 */
int prepare_entry_check(const struct prepared *box, const struct request *request, struct error *e);

/*
 * What is known before anything has happened, also where preparing has failed. Strings are borrowed from @p
 * and @request.
 */
void observation_begin(
	struct observation *o, const struct prepared *p, const struct request *request);

#endif
