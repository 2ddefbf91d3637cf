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
enum warden_state { WARDEN_NONE, WARDEN_STARTING, WARDEN_SERVING, WARDEN_DRAINING, WARDEN_GONE };

struct warden;

/* All from the loop. */
struct warden_hooks {
	/* SERVING: payloads may be started; again when there is room, if that was asked for. */
	void (*ready)(struct warden *w);
	/* GONE; @expected: it had been told to end. w->why: what happened, for a person. */
	void (*gone)(struct warden *w, bool expected);
	void *data;
};

struct warden {
	enum warden_state state;
	pid_t pid; /* 0: none, or reaped; GONE with a pid: a tracer holds up its end */
	int pidfd;
	int control;
	bool listening; /* the loop has @answers */
	bool expected; /* it had been told to end */
	bool late; /* it had to be killed after WARDEN_DRAIN_MS, or could not be */
	bool killed; /* by us */
	uint64_t gone_us; /* monotonic; GONE */
	char why[320]; /* "was killed by signal 9"; empty: not known yet */
	struct warden_hooks hooks;
	uv_poll_t process, answers;
	uv_timer_t bound;
	unsigned n_handles;
	unsigned looks; /* of warden_close(), for an end that is held up */
	void (*closed)(struct warden *w);
};

/* What the kernel may take to kill one, and a tracer to let it be reaped. */
#define WARDEN_KILL_MS 10000

#define WARDEN_INIT    ((struct warden){.pidfd = -1, .control = -1})

/* Where the program is, as zygote_find(). */
int warden_find(char ret_path[PATH_MAX], struct error *e);
/*
 * Start it: a vfork and exec; does not wait for READY. The warden is the caller's memory, WARDEN_INIT, and
 * stays put until @closed of warden_close(). -1 with @e (BLAME_HOST; BLAME_REQUEST for a PATH that is too
 * long): nothing was begun.
 */
int warden_start(struct warden *w, uv_loop_t *loop, const struct policy_exec *policy,
	const char *path_of_box, const struct warden_hooks *hooks, struct error *e);
/*
 * It has ended, or the kernel has begun to take from it what it had: who has seen anything of its end finds this,
 * too, before gone() comes.
 */
bool warden_has_left(const struct warden *w);
/* Of warden_add_run(): SERVING, and there is no room to tell it anything. */
void warden_await_room(struct warden *w);
/* SIGCHLD has come: is it stopped? Then it is killed. */
void warden_look(struct warden *w);
/* Begin its end; idempotent; gone() comes within WARDEN_DRAIN_MS and what warden_kill() takes. */
void warden_shut_down(struct warden *w);
/*
 * KILL it if it lives, for the reason @why (empty: what its end says); gone() comes within WARDEN_KILL_MS, also if a
 * tracer keeps it from ending.
 */
void warden_kill(struct warden *w, const char *why);
/*
 * Kill it if it lives, reap it, let go of it. One whose tracer does not let it be reaped is looked for from the
 * loop for WARDEN_KILL_MS, then left to whoever reaps our children after us; with no @closed it is left at once.
 */
void warden_close(struct warden *w, void (*closed)(struct warden *w));

/* One run of its box. */
struct warden_run {
	const struct warden_board *board; /* NULL: none */
	uint64_t started_us; /* monotonic */
	int socket; /* the payload's end; closed by the caller once the payload has it */
};
#define WARDEN_RUN_INIT ((struct warden_run){.socket = -1})

struct warden_run_spec {
	uint64_t started_us; /* monotonic */
	int audit; /* borrowed; -1: none */
	int stderr_fd; /* borrowed; -1: no hints, but for what comes from the payload itself */
	uint64_t audit_max_bytes;
};
/*
 * -1 with @e; EAGAIN in that: the warden has not read what it was told before. ready() comes when it has, or
 * gone().
 */
int warden_add_run(struct warden *w, const struct warden_run_spec *spec, struct warden_run *ret,
	struct error *e);
/*
 * What it did in this run, and what became of it, into @o->exec, whose mode is the policy's; texts in @a. At any
 * time, the last time when all of the run is gone.
 */
void warden_tell(
	const struct warden *w, const struct warden_run *r, struct observation *o, struct arena *a);
void warden_end_run(struct warden_run *r);

#endif
