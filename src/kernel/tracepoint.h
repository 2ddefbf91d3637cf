/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_TRACEPOINT_H
#define KERNEL_TRACEPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * Who sends which signal to the processes that we name: a small BPF program on the tracepoint
 * signal:signal_generate.
 *
 * The program looks the target up in a table and writes there, for each signal, the newest that was
 * delivered. So memory is bounded; a flood of signals displaces nothing but older ones of the
 * same number; nothing has to be read while the run is on; and what is known of a sender is taken
 * down while it sends, since it may be gone before anybody could look.
 *
 * The same program sees whom the OOM killer takes, for it too sends a signal: of the groups that we name,
 * the last TRACE_VICTIMS whose end was brought about by a process of the group that could not
 * get memory. (A victim of another's need is not told of: the kernel's log knows those.)
 *
 * Needs CAP_BPF and CAP_PERFMON in the first user namespace, the first pid namespace (whose numbers
 * the program sees) and type information of the kernel. No file system need be mounted for it, and
 * unlike perf events on the same tracepoint, of which each CPU needs one, it is let go of without a
 * wait for all CPUs (30 to 80 ms) during which nobody else could begin to watch.
 */

#define TRACE_SIGNALS 65 /* 0…64 */

/* How the kernel was told of a signal. */
enum trace_info {
	TRACE_INFO_GIVEN, /* a siginfo, whose code is in code: kill(2) and its kin, faults, timers */
	TRACE_INFO_NONE, /* code in the kernel that says no more: cgroup.kill, SIGPIPE, SIGXFSZ */
	TRACE_INFO_KERNEL, /* the kernel on its own account: OOM, RLIMIT_CPU, a dying pid namespace */
};

/* One signal, as the program in the kernel writes it. All pids are the first pid namespace's. */
struct trace_signal {
	uint64_t time_ns; /* CLOCK_MONOTONIC; 0: there was none */
	uint64_t cgroup; /* the sender's id in the v2 hierarchy */
	uint32_t tid, pid; /* the sender: what ran when the signal was made */
	uint32_t uid, gid; /* as the first user namespace counts */
	int32_t code; /* si_code, if info is TRACE_INFO_GIVEN */
	uint32_t info; /* enum trace_info */
	uint32_t inside_tid, inside_pid; /* in the target's pid namespace; 0 if it is not in it */
	char comm[16]; /* the sender's; may lack its NUL */
};

/* One victim, as the program in the kernel writes it. */
struct trace_victim {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint32_t pid, unused;
	char comm[16]; /* may lack its NUL */
};

#define TRACE_VICTIMS 16

struct trace_victims {
	uint64_t n; /* how many there were: the newest is at (n - 1) % TRACE_VICTIMS */
	struct trace_victim v[TRACE_VICTIMS];
};

struct trace {
	int targets; /* the table, by pid */
	int groups; /* another, by the id of a v2 group */
	int program;
	int link; /* holds the program in place */
};

#define TRACE_INIT ((struct trace){-1, -1, -1, -1})

/*
 * Make all ready to watch at most @targets processes and groups at a time; trace_begin() then begins to.
 * -1 with @e saying what is missing (BLAME_HOST); nothing is open then. Both together take about half
 * a millisecond; no call here waits.
 */
int trace_open(struct trace *ret, unsigned targets, struct error *e);
int trace_begin(struct trace *t, struct error *e);
void trace_close(struct trace *t);

/*
 * Watch the signals to process @pid, whose pid namespace is the file @ns_dev, @ns_ino (0, 0: tell of no
 * sender whether it is inside). 0 or -errno.
 */
int trace_watch(const struct trace *t, pid_t pid, dev_t ns_dev, ino_t ns_ino);
/* By its number, the newest of each signal that was delivered since trace_watch(). */
struct trace_signals {
	struct trace_signal last[TRACE_SIGNALS];
};
/* 0 or -errno: ENOENT for one that is not watched. Whole records of a process that is dead. */
int trace_read(const struct trace *t, pid_t pid, struct trace_signals *ret);
/* Watch the OOM killer in the v2 group with the id (inode number) @group. 0 or -errno. */
int trace_watch_group(const struct trace *t, uint64_t group);
int trace_read_group(const struct trace *t, uint64_t group, struct trace_victims *ret);
void trace_forget_group(const struct trace *t, uint64_t group);
void trace_forget(const struct trace *t, pid_t pid);

#endif
