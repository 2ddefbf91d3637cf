/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_REFUSAL_H
#define KERNEL_REFUSAL_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * What the kernel refuses to the processes of one v2 group for a limit of each process: memory
 * mappings beyond RLIMIT_AS, and writes beyond RLIMIT_FSIZE. It tells a program so with ENOMEM and
 * EFBIG, of which nothing is left when that program has ended; and what it makes of it is its own
 * affair.
 *
 * Two small BPF programs count, on the tracepoints vm_unmapped_area (5.7; where a mapping is to go, just
 * before its size is held against the limit) and signal_generate (SIGXFSZ, made also for those who
 * ignore it). Not seen are mappings that name their address, the stack and the heap of brk(2); but
 * an allocator that is refused one of those asks for another kind next.
 *
 * Needs what kernel/tracepoint.h needs. Opening takes about half a millisecond for each limit; and
 * some milliseconds where the last who watched the same on this host has just stopped, because the kernel
 * waits until nobody is in his program any more.
 */

enum refusal_limit {
	REFUSAL_ADDRESS_SPACE,
	REFUSAL_FILE_SIZE,
	REFUSAL_LIMIT_COUNT_,
};

/* The refusals of one kind, as the program in the kernel writes them. */
struct refusal_record {
	uint64_t count; /* how many there were; what follows is of the last */
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	/* REFUSAL_ADDRESS_SPACE: pages, bytes (one huge page too many for some large ones), bytes */
	uint64_t used, asked, limit;
	uint32_t tid, pid; /* as the first pid namespace counts */
	char comm[16]; /* may lack its NUL */
};

struct refusal_trace {
	int records;
	int links[REFUSAL_LIMIT_COUNT_]; /* hold the programs in place */
};

#define REFUSAL_TRACE_INIT ((struct refusal_trace){-1, {-1, -1}})

/*
 * Begin to count, for the group with the id (inode number) @group. @limits: which, as a set of
 * 1 << REFUSAL_…; @leaders_parent: the process whose children are told apart from all others of the
 * group. -1 with @e saying what is missing (BLAME_HOST); nothing is open then.
 */
int refusal_open(struct refusal_trace *ret, uint64_t group, unsigned limits, pid_t leaders_parent,
	struct error *e);
/* What was refused to the children of @leaders_parent (@leader), or to the others. 0 or -errno. */
int refusal_read(const struct refusal_trace *t, enum refusal_limit limit, int leader,
	struct refusal_record *ret);
void refusal_close(struct refusal_trace *t);

#endif
