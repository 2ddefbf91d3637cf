/* SPDX-License-Identifier: MIT */
#ifndef RUN_VICTIMS_H
#define RUN_VICTIMS_H

#include "model/observation.h"

/*
 * Who was killed for want of memory: from the kernel's log, where we may read it (the lines that
 * name a cgroup of this run), else the payload itself when its status leaves no other reading.
 * @group_name is the last word of the run's cgroup paths. To be called with the counters read.
 */
void victims_find(struct observation *o, const char *group_name);

/* One record of /dev/kmsg. True if it names a victim in a cgroup of @group_name. For tests. */
bool victims_parse(const char *record, const char *group_name, struct victim *ret);

#endif
