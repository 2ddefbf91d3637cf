/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_OOM_H
#define KERNEL_OOM_H

/*
 * How likely the kernel's OOM killer takes this process (proc(5), /proc/PID/oom_score_adj): -1000,
 * never, to 1000, first. The value belongs to the memory rather than to the process: one that is
 * set is at once that of every process that shares the memory, except for one that has its parent
 * wait for its exec (CLONE_VFORK); and a process with CAP_SYS_RESOURCE lowers by it the bound below
 * which these, and the children that they will have, cannot go without that capability either.
 */

/* Lower it to @adj; 0 also when it is as low already. -errno: EACCES without CAP_SYS_RESOURCE. */
int oom_lower(int adj);

#endif
