/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_TASKSTATS_H
#define KERNEL_TASKSTATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What the kernel knows of a process that has ended and forgets with it, from the generic netlink family
 * TASKSTATS (CONFIG_TASKSTATS, CONFIG_TASK_XACCT; Documentation/accounting/taskstats.rst). Needs
 * CAP_NET_ADMIN in the first user namespace; pids are those of the first pid namespace. While it is
 * open every exit on the host costs a message, so it is for those runs that need the answer.
 */
struct taskstats_end {
	uint64_t virtual_peak_bytes; /* of the program that it ended as */
	uint32_t wait_status; /* as waitpid(2) has it */
};

/* Listen to all exits from now on. A descriptor, or -errno. Does not wait. */
int taskstats_open(void);
/* Keep only what is about @pid from now on, so that others cannot fill the queue. 0 or -errno. */
int taskstats_only(int fd, pid_t pid);
/*
 * The end of process @pid: of its first thread, which is the last to be gone. True if it was told; to be
 * asked when it is a zombie. Reads what is queued, at most TASKSTATS_MAX_MESSAGES; does not wait.
 */
#define TASKSTATS_MAX_MESSAGES 4096
bool taskstats_end(int fd, pid_t pid, struct taskstats_end *ret);

/* One message. True if it is about @pid. For tests: whatever is in it, nothing beyond @size is read. */
bool taskstats_parse(const void *message, size_t size, pid_t pid, struct taskstats_end *ret);

#endif
