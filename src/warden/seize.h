/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_SEIZE_H
#define WARDEN_SEIZE_H

#include <sys/types.h>

/*
 * ptrace_seize() for at most SEIZE_MS at a time: it waits while another thread of the same process is in execve, and that
 * one may wait for ever for a thread that a debugger does not let go of. It is tried twice before it is given up, and
 * more often where we did not wait but were kept from the CPU. Takes SIGALRM and ITIMER_REAL for itself, from
 * seize_init() on. 0 or -errno: ETIME.
 */
#define SEIZE_MS 100
void seize_init(void);
int seize_in_time(pid_t tid);

#endif
