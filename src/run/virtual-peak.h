/* SPDX-License-Identifier: MIT */
#ifndef RUN_VIRTUAL_PEAK_H
#define RUN_VIRTUAL_PEAK_H

#include <sys/types.h>

#include "model/observation.h"

/*
 * How much virtual memory the payload had at most: what an RLIMIT_AS that it failed at is held against.
 * Asked of the kernel only where there is such a limit, bulkhead's or an inherited one, and only root
 * is told. It costs a tenth of a millisecond then.
 */

/* Before the payload starts. A descriptor; or -1: there is no limit, or we are not told. */
int virtual_peak_open(const struct observation *o);
/* When its pid is known: so that the exits of others do not fill the queue. */
void virtual_peak_expect(int fd, pid_t pid);
/* When it is a zombie: into o->leader_virtual_peak_bytes. @fd may be -1. */
void virtual_peak_read(int fd, pid_t pid, struct observation *o);

/* Whether there is such a limit at all. */
bool virtual_peak_wanted(const struct observation *o);
/* For those who are not told: a look at the payload that runs, now and then. */
#define VIRTUAL_PEAK_SAMPLE_US 20000
void virtual_peak_sample(pid_t pid, struct observation *o);

#endif
