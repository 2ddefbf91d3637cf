/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_TASK_H
#define KERNEL_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What a task of somebody else is and holds. A tid may be another one's by the time it is looked at: that it
 * was the right one is for the caller to know afterwards (notify_valid(), or because it is seized).
 */

/*
 * Read @size bytes at @address of @tid's memory. Returns how many could be read, from the first on, which
 * are fewer where a page is not there; or -errno: EFAULT (none), ESRCH, EPERM.
 */
ssize_t task_read(pid_t tid, uint64_t address, void *ret, size_t size);

/*
 * The same for many pieces with one call: they are put to @ret one behind the other, @size bytes in all. At
 * most TASK_READ_PIECES. The sum of what could be read, up to the first page that is not there; or -errno.
 */
#define TASK_READ_PIECES 64
struct task_piece {
	uint64_t address;
	size_t size;
};
ssize_t task_read_pieces(
	pid_t tid, const struct task_piece *pieces, unsigned n, void *ret, size_t size);

struct task_ids {
	pid_t pid; /* of the process that it is a thread of */
	pid_t parent; /* of that process; 0: it is beyond our pid namespace */
};
/*
 * By two cheap calls from Linux 6.13 on, else from PROC/TID/status (@proc: a descriptor of /proc). 0 or -errno:
 * ESRCH, ENOENT: there is none.
 */
int task_ids(int proc, pid_t tid, struct task_ids *ret);

/*
 * The number that process @pid has in its own pid namespace, @pid_namespace being a descriptor of that (-1: none);
 * by PROC/PID/status before Linux 6.11. 0: not known.
 */
pid_t task_inside_pid(int proc, int pid_namespace, pid_t pid);

#endif
