/* SPDX-License-Identifier: MIT */
#ifndef RUN_AFTERMATH_H
#define RUN_AFTERMATH_H

#include "base/arena.h"
#include "model/observation.h"
#include "model/plan.h"

/*
 * What is looked at in the box of a payload that has failed: file systems that are full, and where
 * RLIMIT_AS may have kept it from starting, its program's file. Into o->disks and o->image. A run that
 * ends well does not pay for it; one that fails, some ten microseconds.
 *
 * @root is the box's root. To be called while init is there, with whom the mounts below it go.
 */
void aftermath_look(const struct plan *plan, int root, struct observation *o, struct arena *a);

#endif
