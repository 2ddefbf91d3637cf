/* SPDX-License-Identifier: MIT */
#ifndef RUN_WARDEN_H
#define RUN_WARDEN_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/observation.h"
#include "model/plan.h"
#include "warden/wire.h"

/*
 * The supervisor's end of a warden: one for each box with an exec policy, a child of ours outside the box
 * (docs/warden-protocol.md). It outlives the runs of its box. What it writes is checked: it reads
 * strangers' memory.
 *
 *   warden_start() ──► STARTING ──READY──► SERVING ──warden_shut_down()──► DRAINING ──its end──► GONE
 *                          └──── its end at any point, STOPPED: killed ──────────────────────────┘
 *
 * A warden that has ended or was stopped leaves its runs going; whatever they execute from then on is refused by
 * the kernel (ENOSYS), and the verdict says so.
 */
enum warden_state { WARDEN_STARTING, WARDEN_SERVING, WARDEN_DRAINING, WARDEN_GONE };

struct warden;

struct warden_hooks {
	void (*ready)(struct warden *w); /* SERVING: payloads may be started */
	/* GONE; @expected: it had been told to end. @why: what happened, for a person; in its own memory. */
	void (*gone)(struct warden *w, bool expected, const char *why);
	void *data;
};

struct warden {
	enum warden_state state;
	pid_t pid;
	int pidfd;
	int control;
	uint64_t drain_until_ms;
	bool late; /* it had to be killed after WARDEN_DRAIN_MS */
	char why[256];
	struct warden_hooks hooks;
	uv_poll_t process, answers;
	uv_timer_t bound;
	unsigned n_handles;
	void (*closed)(struct warden *w);
};

/* Where the program is, as zygote_find(). */
int warden_find(char ret_path[PATH_MAX], struct error *e);
/*
 * Start it: a vfork and exec; does not wait for READY. The warden is the caller's memory and stays put until
 * @closed of warden_close(). -1 with @e (BLAME_HOST): nothing was begun.
 */
int warden_start(struct warden *w, uv_loop_t *loop, const struct policy_exec *policy,
	const char *path_of_box, const struct warden_hooks *hooks, struct error *e);
/* SIGCHLD has come: is it stopped? Then it is killed. */
void warden_look(struct warden *w);
/* Begin its end; idempotent; gone() comes within WARDEN_DRAIN_MS and what the kernel takes to kill. */
void warden_shut_down(struct warden *w);
/* Kill it if it lives, reap it, let go of it. */
void warden_close(struct warden *w, void (*closed)(struct warden *w));

/* One run of its box. */
struct warden_run {
	struct warden_board *board; /* NULL: none */
	int socket; /* the payload's end; closed by the caller once the payload has it */
};
struct warden_run_spec {
	uint64_t started_us; /* monotonic */
	int audit; /* borrowed; -1: none */
	int stderr_fd; /* borrowed; -1: no hints */
	uint64_t audit_max_bytes;
};
int warden_add_run(struct warden *w, const struct warden_run_spec *spec, struct warden_run *ret,
	struct error *e);
/* What it did in this run, into @o->exec; texts in @a. At any time, the last time when all of the run is gone. */
void warden_tell(
	const struct warden *w, const struct warden_run *r, struct observation *o, struct arena *a);
void warden_end_run(struct warden_run *r);

#endif
