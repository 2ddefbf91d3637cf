/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CLONE_H
#define KERNEL_CLONE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * clone3(2), 5.3; CLONE_INTO_CGROUP 5.7. libc's wrappers are of no use here: they know nothing of
 * the newer flags, and a child that shares our memory may not come back through their frames.
 */
struct clone_request {
	uint64_t flags; /* CLONE_…, without exit signal */
	int exit_signal; /* 0 with CLONE_PARENT */
	int into_cgroup; /* a cgroup v2 directory for CLONE_INTO_CGROUP; used if the flag is set */
	void *stack; /* lowest address of the child's own stack; NULL without CLONE_VM: a copy of ours */
	size_t stack_size;
	int *ret_pidfd; /* for CLONE_PIDFD */
	pid_t *ret_parent_tid; /* for CLONE_PARENT_SETTID: written before the child runs */
};

/*
 * Run @fn(@arg) in a new process on its own stack; its result is the exit status. With CLONE_VM
 * (which is the point of it) the child shares all memory until it execs or exits: it uses raw
 * system calls only. Returns the pid, or -errno.
 */
long clone_call(const struct clone_request *request, int (*fn)(void *), void *arg);

#endif
