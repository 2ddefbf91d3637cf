/* SPDX-License-Identifier: MIT */
#ifndef RUN_IDMAPPED_H
#define RUN_IDMAPPED_H

#include "base/error.h"
#include "model/plan.h"

/*
 * Take those trees of @plan that are to be idmapped: the kernel lets only the file system's own root
 * do that, which the maker of a box is no longer. Their detached copies, the caller's, are put into
 * the slots that they have in the plan, also on failure; the others are left alone.
 * *ret_not_idmapped is a path on a file system that cannot be, or as it was. -1 with @e.
 */
int idmapped_trees(const struct plan *plan, int slots[PLAN_MAX_SLOTS],
	const char **ret_not_idmapped, struct error *e);

#endif
