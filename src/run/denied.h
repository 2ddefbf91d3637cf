/* SPDX-License-Identifier: MIT */
#ifndef RUN_DENIED_H
#define RUN_DENIED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "model/observation.h"
#include "model/plan.h"

/*
 * For which system call the kernel killed the payload with SIGSYS: from its audit record (type 1326), which
 * is in the kernel's log unless an audit daemon takes them or many were written at once. The record
 * does not say whose filter it was; ours is asked whether it would have.
 *
 * The kernel writes it a moment after the death: looked for again, for DENIED_WAIT_MS at most.
 */
struct denied {
	int fd; /* the log, while it is looked for; else -1 */
	uint64_t until_us;
};

#define DENIED_INIT    ((struct denied){.fd = -1})
#define DENIED_WAIT_MS 50

/* The status is known: with SIGSYS there is something to look for. */
void denied_begin(struct denied *d, const struct observation *o);
/*
 * True: what can be known is in o->denied, and the log is closed (at once where nothing is looked
 * for). False: come again. Does not wait.
 */
bool denied_look(struct denied *d, struct observation *o, const struct plan *plan, struct arena *a);
void denied_close(struct denied *d);

/* One record of the log. True if it is of SIGSYS to @pid; else *ret is as it was. */
bool denied_parse(const char *record, pid_t pid, struct denied_call *ret);

#endif
