/* SPDX-License-Identifier: MIT */
#ifndef RUN_SAMPLER_H
#define RUN_SAMPLER_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Memory and CPU time of all processes of a box, read from /proc, where no cgroup counts them. It
 * costs a look at every process of the host, and what happens between two looks is not seen.
 *
 * Who belongs to the box is told by whose child it is, from /proc/PID/stat, which a process cannot
 * hide: its namespace files it can, by making itself undumpable.
 */
struct sampler {
	pid_t init, payload;
	uint64_t bytes, pids; /* when last looked */
	uint64_t peak_bytes;
	uint64_t cpu_us; /* of the processes seen last, with the children they have waited for */
	uint64_t pids_peak;
};

void sampler_init(struct sampler *s, pid_t init, pid_t payload);
/*
 * Look once. *ret_bytes: the resident memory of all together (pages that they share count once for each).
 * 0, or -1 when /proc cannot be read.
 */
int sampler_look(struct sampler *s, uint64_t *ret_bytes);
/* The same by what was seen for anybody at most so long ago: the look at the host is the dear part. */
int sampler_look_lately(struct sampler *s, uint64_t max_age_us, uint64_t *ret_bytes);

#endif
