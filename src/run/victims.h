/* SPDX-License-Identifier: MIT */
#ifndef RUN_VICTIMS_H
#define RUN_VICTIMS_H

#include "base/arena.h"
#include "model/observation.h"

/*
 * Who was killed for want of memory and whose limit it was: from the kernel's log, where we may
 * read it (the lines that name a cgroup of this run), added to what @o has already; without any, the
 * payload itself when its status leaves no other reading.
 * @group_name is the last word of the run's cgroup paths. To be called with the counters read.
 */
void victims_find(struct observation *o, const char *group_name, struct arena *a);

/* Add @v, or what it has more than one that is there, if there is room; whether it was the leader is seen here. */
void victims_add(struct observation *o, const struct victim *v);
/* How many OOM kills in the run's own group were counted. */
uint64_t victims_counted(const struct observation *o);

/*
 * Add the victims that the records at @fd name: one record a read(2), as /dev/kmsg gives them, until
 * there is none without waiting. @fd may be -1.
 */
void victims_read(int fd, const char *group_name, struct observation *o, struct arena *a);

/*
 * One record, without its newline. True if it names a victim in a cgroup whose name is or ends with
 * "-" and @group_name, or below one; else *ret is as it was. Also whose limit it was, by the same
 * record; ret->group is in @a.
 */
bool victims_parse(const char *record, const char *group_name, struct victim *ret, struct arena *a);

#endif
