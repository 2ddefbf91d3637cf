/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PROC_STAT_H
#define KERNEL_PROC_STAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Of /proc/PID/stat, by the names of proc_pid_stat(5): what anybody may read of any process. */
struct proc_stat {
	char state; /* R, S, D, T, t, Z, X, I, … */
	pid_t ppid, session; /* 0: in none of ours */
	unsigned flags; /* PROC_… and others */
	uint64_t utime, stime, cutime, cstime; /* clock ticks */
	uint64_t
		starttime; /* clock ticks since boot; with the pid it is a process's name for good */
	uint64_t rss; /* pages */
};

/* Flags of the kernel's include/linux/sched.h. */
#define PROC_EXITING        0x00000004u
#define PROC_FORKED_NO_EXEC 0x00000040u

/*
 * The text of such a file, whose second field, the name, is the program's choice and may hold anything: brackets,
 * blanks, line ends. False, and *ret as it was, if it is no such text.
 */
bool proc_stat_parse(const char *text, struct proc_stat *ret);

/* Of process @pid in @proc, a descriptor of a /proc (-1: of /proc). False with errno: there is none. */
bool proc_stat_read(int proc, pid_t pid, struct proc_stat *ret);

#endif
