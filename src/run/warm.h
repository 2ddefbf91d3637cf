/* SPDX-License-Identifier: MIT */
#ifndef RUN_WARM_H
#define RUN_WARM_H

#include <stdbool.h>
#include <uv.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/observation.h"

/*
 * The daemon's end of what docs/preload.md tells: a program of a pool.preload, which gets ready and
 * then becomes one run, or is asked for forks, each of which is ready and then becomes one run. It is a
 * stranger: what it says is believed as far as it has that form and is said at that point, and makes us
 * hold nothing.
 *
 *   HEATING ──ready──► READY ──warm_run()──► GIVEN ──end of file──► BEGUN ──warm_close()──►
 *      └────────────────┴───────── fails ─────┘──────────────────► FAILED ──┘
 *
 *   HEATING  its program may not have been exec'd yet, or it not forked. Not longer than its caller says
 *   READY    waits for a run, or for requests to fork. May last; no event but its end
 *   GIVEN    the run was sent; at most WARM_RUN_MS. What ends the process now is the end of the run,
 *            but for WARM_GONE: it has not received it, and another one can have it
 *   BEGUN    it is the run
 *   FAILED   it is of no use any more; the process may live: it is the caller's to end
 *
 * The hooks are called from the loop, never from within a call of the caller's, and at most once.
 */
#define WARM_VARIABLE   "BULKHEAD_PRELOAD_FD"
#define WARM_READY_MS   60000
#define WARM_FORK_MS    5000
#define WARM_RUN_MS     30000
#define WARM_MAX_PACKET 65536
#define WARM_MAX_FILE   (16u << 20)

enum warm_state { WARM_HEATING, WARM_READY, WARM_GIVEN, WARM_BEGUN, WARM_FAILED };

/* Why it failed; the last four are its own word. */
enum warm_fault {
	WARM_GONE, /* it closed the socket, or ended */
	WARM_LATE,
	WARM_MALFORMED, /* or at a point where it has nothing to say */
	WARM_NO_CWD,
	WARM_NO_EXEC,
	WARM_NO_REQUEST,
	WARM_NO_FORK,
	WARM_FAULT_COUNT_,
};

struct warm;

struct warm_hooks {
	void (*ready)(struct warm *w);
	void (*begun)(struct warm *w);
	/* @errnum is 0 but for the last four faults, and anything from 1 to 4095 for those. */
	void (*failed)(struct warm *w, enum warm_fault fault, int errnum);
};

struct warm {
	struct warm_hooks hooks;
	void *data; /* the caller's */
	enum warm_state state;
	int socket;
	uv_poll_t poll;
	uv_timer_t bound;
	unsigned n_handles;
	bool taken; /* GIVEN: nothing says that it has not received the run */
	pid_t sender; /* from READY on: who has said so, by the kernel's word */
	void (*closed)(struct warm *w);
};

/*
 * It is HEATING, for WARM_READY_MS; or, when it is to be forked, WARM_FORK_MS. *ret_child is the
 * program's end, the caller's, to become its stdin or to be sent with warm_fork(). The memory of @w
 * stays put until @closed of warm_close(). -1 with @e (BLAME_HOST), and there is nothing to close.
 */
struct warm_spec {
	uv_loop_t *loop;
	unsigned ready_ms;
	struct warm_hooks hooks;
	void *data;
};
int warm_open(struct warm *w, const struct warm_spec *spec, int *ret_child, struct error *e);

#define WARM_MAX_ENTRIES 10

/* What a fork is made with; all borrowed until the call returns. */
struct warm_fork {
	int socket; /* its end of warm_open()'s */
	int filter; /* a file with a seccomp program to be put on top of that of the program */
	int entries[WARM_MAX_ENTRIES]; /* files to write "0" to: the way into its groups */
	unsigned n_entries;
};

/*
 * Ask @w for a fork: legal in READY, which it stays in. What becomes of that is told by the fork's own
 * socket. -1 with @e: it cannot be asked (BLAME_HOST; also when it does not read what it is asked).
 */
int warm_fork(struct warm *w, const struct warm_fork *fork, struct error *e);

struct warm_words {
	const char *cwd; /* inside the box; NULL: where it is */
	struct strv argv, envp;
	int stdio[3]; /* borrowed until the call returns */
};

/*
 * Legal in READY. -1 with @e, and it is still READY: BLAME_REQUEST (more than WARM_MAX_FILE bytes of
 * words) or BLAME_HOST. That it has died since shows as failed() later.
 */
int warm_run(struct warm *w, const struct warm_words *words, struct error *e);

/* In any state, also from within a hook; then no hook is called but @closed, from the loop, last. */
void warm_close(struct warm *w, void (*closed)(struct warm *w));

/* What a failure in GIVEN is to a verdict. @words are those of the run; the text is in @a. */
void warm_word_failure(enum warm_fault fault, int errnum, const struct warm_words *words,
	struct arena *a, struct setup_failure *ret);
/* The same in a few words for the log: "it ended before it was ready". */
const char *warm_fault_text(enum warm_fault fault);

#endif
