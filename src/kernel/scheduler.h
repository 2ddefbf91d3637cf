/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_SCHEDULER_H
#define KERNEL_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How the kernel shares out the CPUs: sched(7), sched_setattr(2). All of it is about the calling
 * process and the children that it will have.
 */

/* True if this process is treated like most: SCHED_OTHER, and neither nicer nor less nice. */
bool scheduler_is_usual(void);

/*
 * Have turns of @us microseconds (100 to 100,000) in place of a few thousand. The share is the same,
 * but who wants short turns waits less for each (Linux 6.12; nothing changes before). Anybody may.
 * For SCHED_OTHER and SCHED_BATCH; others are left alone. 0 or -errno.
 */
long scheduler_set_slice(uint64_t us);

#endif
