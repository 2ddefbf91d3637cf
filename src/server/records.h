/* SPDX-License-Identifier: MIT */
#ifndef SERVER_RECORDS_H
#define SERVER_RECORDS_H

#include <uv.h>

#include "run/engine.h"
#include "store/record.h"

/*
 * The records of the daemon's runs: the same that `bulkhead run` leaves, in the same place. Lines are
 * written when a run begins and ends; rows are made of them a little later, a bounded piece at a time, and
 * when the daemon has nothing to do, and copies beside the log of a run when it was told of. While it idles
 * nothing is done at all.
 */
struct records {
	struct record_place place;
	uv_timer_t later, beside;
	unsigned open_handles;
	struct kept *ended; /* those that have copies to be written beside their log */
	bool soon; /* it is because of a full segment */
	void (*closed)(void *data);
	void *closed_data;
};

/*
 * Open the state directory, remove what a dead daemon left there undecided: runs of supervisors that are gone
 * get their verdict. 0, or -1 with @e.
 */
int records_open(struct records *r, uv_loop_t *loop, struct error *e);
struct engine_hooks records_hooks(struct records *r);
/* Make rows of the rest. */
void records_close(struct records *r, void (*closed)(void *data), void *data);

#endif
