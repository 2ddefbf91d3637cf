/* SPDX-License-Identifier: MIT */
#ifndef RUN_KIN_H
#define RUN_KIN_H

#include <sys/types.h>

/*
 * Those who came of a process, told without a cgroup: its descendants as /proc has them, and who
 * is still in the session that it leads, which outlives it. What has made a session of its own and lost its
 * parent belongs to nobody any more and is not found.
 *
 * A look reads /proc/PID/stat of every process of the host. The kernel keeps the number of a
 * session for as long as somebody is in it.
 */

/*
 * Send @sig (0: none) to each of them but @leader itself; through a pidfd that is checked to be
 * the process that was found. How many there were; -1 when /proc cannot be read.
 */
int kin_signal(pid_t leader, int sig);

#endif
