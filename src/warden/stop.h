/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_STOP_H
#define WARDEN_STOP_H

#include "warden/judge.h"

/*
 * A call from its judgement to its end (warden/call.h has the states). An allowed one is seized, the kernel told to go on,
 * and the task interrupted: so it stops at its exec, or, when that fails, before it does anything else.
 * Whatever comes first ends the call. Nothing here waits for a task.
 */
struct docket {
	struct judge *judge;
	struct calls *calls;
	bool interrupt_first; /* notify_waits_killably() */
	struct buf line; /* scratch */
	struct call *first, **last; /* received, in their order */
};

void docket_init(struct docket *d, struct judge *judge, struct calls *calls);
void docket_fini(struct docket *d);

/* A call was received by @slot's listener. */
void docket_receive(struct docket *d, struct slot *slot, const struct notify_call *notify);
bool docket_has_one(const struct docket *d);
/* Deal with the first of those received; false: there is none. */
bool docket_next(struct docket *d);
/* wait4(-1, __WALL) said so of @tid. */
void docket_report(struct docket *d, pid_t tid, int status);
/* Forget all that was received and not begun; of @slot, or of all if NULL. Their callers are answered by the kernel. */
void docket_drop(struct docket *d, struct slot *slot);

#endif
