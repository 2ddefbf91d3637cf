/* SPDX-License-Identifier: MIT */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/host.h"
#include "model/observation.h"
#include "model/plan.h"

/* What a run tells while it is on; all of them are optional. */
struct run_hooks {
	void *data;
	/*
	 * The payload is being started, on another CPU if there is one: the time for whatever is slow
	 * and need not be done before.
	 */
	void (*starting)(void *data);
	/* The run has gone on for a while and the supervisor has nothing to do. */
	void (*idle)(void *data);
	/* Captured output. */
	void (*output)(void *data, int stream, const char *bytes, size_t size, uint64_t at_us);
};

struct run_request {
	const struct plan *plan;
	const struct host *host;
	struct run_hooks hooks;
	uint64_t began_us; /* monotonic: when bulkhead itself began */
};

/*
 * Do the plan: spawn, watch, clean up. When it returns no process, group or mount of the run is
 * left, unless @ret_left says which. Everything that happened, failure included, is in @o, whose
 * identity (id, policy, argv, limits, …) the caller has filled in.
 */
void run_execute(struct observation *o, const struct run_request *request, struct arena *a,
	struct error *ret_left);

/* Block the signals that a run handles itself; called once, first of all. */
void run_block_signals(void);
/* The mask that run_block_signals() found: the payload gets it back. */
const sigset_t *run_callers_mask(void);
/* The same for SIGPIPE, which the supervisor ignores. */
bool run_pipe_was_ignored(void);

#endif
