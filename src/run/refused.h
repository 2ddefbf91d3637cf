/* SPDX-License-Identifier: MIT */
#ifndef RUN_REFUSED_H
#define RUN_REFUSED_H

#include "base/arena.h"
#include "kernel/refusal.h"
#include "model/observation.h"

/*
 * The limits that each process of a run has by itself, and what the kernel refuses for them. A run without such
 * limits pays three system calls for learning that; one with them what refusal_open() takes, as root, and
 * an ordinary user is not told of refusals.
 */
struct refused {
	struct refusal_trace trace;
	bool watched;
};

#define REFUSED_INIT ((struct refused){.trace = REFUSAL_TRACE_INIT})

/* The limits that we have ourselves, which the run inherits: into o->inherited. */
void refused_inherit(struct observation *o);
/* Before the payload starts. @group is the directory of the run's v2 group, or -1. */
void refused_open(struct refused *r, const struct observation *o, int group);
/*
 * When the payload has ended: into o->refusals what was refused until then. @started_us is the
 * monotonic time that o's times are counted from.
 */
void refused_tell(const struct refused *r, struct observation *o, uint64_t started_us);
void refused_close(struct refused *r);

#endif
