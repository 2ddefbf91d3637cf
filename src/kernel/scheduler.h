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

/*
 * Who answers another process again and again does so sooner from the same CPU: no other one has to be woken, nor its
 * caches filled. The kernel sees that of pipes and notifications, not of signals.
 */
#define SCHEDULER_CPUS_MAX 8192
struct scheduler_home {
	uint64_t cpus[SCHEDULER_CPUS_MAX / 64]; /* that this process may use */
	uint32_t size; /* of that, in bytes; 0: there is no choice */
	bool stays;
};

/* Learn the CPUs that this process may use; where there is one only, or too many, the others do nothing. */
void scheduler_home_init(struct scheduler_home *ret);
/* Stay on the CPU where it is, and use all of them again. Called again they do nothing. */
void scheduler_stay(struct scheduler_home *h);
void scheduler_roam(struct scheduler_home *h);

#endif
