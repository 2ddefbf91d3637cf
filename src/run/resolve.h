/* SPDX-License-Identifier: MIT */
#ifndef RUN_RESOLVE_H
#define RUN_RESOLVE_H

#include "base/arena.h"
#include "base/error.h"
#include "model/host.h"
#include "model/plan.h"
#include "model/policy.h"

/*
 * Hold the policy's paths against the file system: which exist, what they are, where links lead.
 * What a plan then mounts is resolved again with links refused, so that nobody gains anything by
 * changing a path in between.
 *
 * -1 with e: a path that was asked for does not exist or cannot be used (BLAME_REQUEST), or the
 * working directory has vanished.
 */
int resolve_paths(struct resolved *ret, const struct policy *policy, const struct host *host,
	struct arena *a, struct error *e);

#endif
