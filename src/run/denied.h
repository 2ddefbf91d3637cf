/* SPDX-License-Identifier: MIT */
#ifndef RUN_DENIED_H
#define RUN_DENIED_H

#include "base/arena.h"
#include "model/observation.h"
#include "model/plan.h"

/*
 * For which system call the kernel killed the payload with SIGSYS: from its audit record (type 1326), which
 * is in the kernel's log unless an audit daemon takes them or many were written at once. The record
 * does not say whose filter it was; ours is asked whether it would have.
 *
 * Into o->denied, for a payload that died of SIGSYS; nothing is looked at for others. Waits at
 * most DENIED_WAIT_MS for a record, which the kernel writes a moment later.
 */
void denied_find(struct observation *o, const struct plan *plan, struct arena *a);
#define DENIED_WAIT_MS 50

/* One record of the log. True if it is of SIGSYS to @pid; else *ret is as it was. */
bool denied_parse(const char *record, pid_t pid, struct denied_call *ret);

#endif
