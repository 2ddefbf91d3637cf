/* SPDX-License-Identifier: MIT */
#ifndef RUN_SAMPLER_H
#define RUN_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Memory and CPU time of all processes of a box, read from /proc, where no cgroup counts them. It
 * costs a look at every process of the host, and what happens between two looks is not seen.
 */
struct sampler {
	uint64_t pidns_dev, pidns_ino;
	uint64_t peak_bytes;
	uint64_t cpu_us;     /* of the processes seen last, with the children they have waited for */
	uint64_t cpu_max_us;
	uint64_t pids_peak;
};

/* The box is the pid namespace of @init. 0, or -1 with errno. */
int sampler_open(struct sampler *s, pid_t init);
/* Look once. *ret_bytes: anonymous and shared memory of all together (RSS; shared pages count once per process). */
int sampler_look(struct sampler *s, uint64_t *ret_bytes);

#endif
