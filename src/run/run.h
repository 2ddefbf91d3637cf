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
#include "model/timeline.h"

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
	/*
	 * The timeline so far: now and then while the run is on, at least each time that it has gone on
	 * for a quarter longer, and when it has ended. Never of a run shorter than 100 ms.
	 */
	void (*timeline)(void *data, const struct timeline *t);
	/*
	 * With an exec policy, before the payload is started: where a line for each exec goes, a file opened
	 * O_APPEND, and how much of it at most. Borrowed; -1: nowhere.
	 */
	int (*exec_log)(void *data, uint64_t *ret_max_bytes);
};

struct run_request {
	const struct plan *plan;
	const struct host *host;
	struct run_hooks hooks;
	uint64_t began_us; /* monotonic: when bulkhead itself began */
};

/*
 * One run, once per process, in this order. The box is being made from run_begin() on, by a
 * process of its own, while the caller still finds out what shall run in it.
 */
void run_begin(void);
/* What the policy says of the network, as soon as it is read. */
void run_network(bool new_network);
/*
 * Do the plan: spawn and watch. Everything that happened, failure included, is in @o, whose
 * identity (id, policy, argv, limits, …) the caller has filled in. When it returns, no process of
 * the run is left but perhaps the box's init, which the kernel is taking down. Not called when
 * there is no plan.
 */
void run_execute(struct observation *o, const struct run_request *request, struct arena *a);
/*
 * Wait for the end of what is left, and clean up. When it returns no process, group or mount of
 * the run is left, unless @ret_left says which. After run_begin() it is always called.
 */
void run_settle(struct error *ret_left);

/*
 * -1 (BLAME_HOST, with the remedy) where the caller's RLIMIT_NOFILE is too low for a run to be set
 * up, watched and recorded. Looked at first of all, with no @trees (of mounts, that the plan holds
 * at once) since they are not known: with too few descriptors even the telling fails.
 */
int run_check_descriptors(unsigned trees, struct error *e);

/* Block the signals that a run handles itself; called once, first of all. */
void run_block_signals(void);
/* The mask that run_block_signals() found: the payload gets it back. */
const sigset_t *run_callers_mask(void);
/* The same for SIGPIPE, which the supervisor ignores. */
bool run_pipe_was_ignored(void);

#endif
