/* SPDX-License-Identifier: MIT */
#ifndef RUN_TALK_H
#define RUN_TALK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/arena.h"
#include "base/error.h"
#include "kernel/pty.h"
#include "model/host.h"
#include "model/observation.h"
#include "model/plan.h"
#include "run/group.h"
#include "run/zygote-link.h"

/*
 * From a plan to a running payload, for the daemon: run/spawner.h's sister. A new box with its init
 * and first payload, or an entry into a box that exists.
 *
 *   talk_open() ──► ASKED ──► BORN ──► PARKED ──talk_go()──► GOING ──► RUNNING ──talk_close()──►
 *                     └─────────┴─────────┴── fails ──────────┴──► ENDING ──► FAILED ──┘
 *
 *   ASKED    the zygote has the request, or will get it; a zygote that dies is survived
 *   BORN     the maker exists and works; the id maps of a box are written
 *   PARKED   all is done that needs no GO. May last: no time-out, no event but an end
 *   GOING    GO is sent
 *   RUNNING  the exec has happened (or the payload was killed on the way: its wait status says)
 *   ENDING   KILL has gone to all of it that is ours, and is waited for
 *   FAILED   nothing of it is left
 *
 * In time: PARKED TALK_SETUP_MS after it was opened, RUNNING TALK_GO_MS after GO, or it fails. An entry
 * may be asked for as soon as the first talk of its box has been PARKED: the mounts are done then.
 *
 * The hooks are called from the loop, never from within a call of the caller's.
 */
#define TALK_SETUP_MS 60000
#define TALK_GO_MS    30000
#define TALK_KILL_MS  10000 /* what the kernel may take to kill */

enum talk_state {
	TALKING_ASKED,
	TALKING_BORN,
	TALKING_PARKED,
	TALKING_GOING,
	TALKING_RUNNING,
	TALKING_ENDING,
	TALKING_FAILED,
};

/* A process of ours, with its pidfd. */
struct talk_process {
	pid_t pid; /* 0: none */
	int pidfd; /* -1: none */
};

/* What a box is besides its payloads. */
struct talk_box {
	struct talk_process init;
	int life; /* write end: LIFE_ENDED tells init to end what is left; closing it ends the box */
	int root; /* O_PATH; -1: none */
	bool root_is_here;
};
#define TALK_BOX_NONE ((struct talk_box){{0, -1}, -1, -1, false})

struct talk;

struct talk_hooks {
	/* It is PARKED: talk_take_box(), talk_go(). */
	void (*parked)(struct talk *t);
	/* It is RUNNING: take the payload, its terminal, and the box if it was not taken yet. */
	void (*running)(struct talk *t);
	/*
	 * It is FAILED, at whatever point; @why is valid until talk_close(), its words in talk_spec.a.
	 * All processes of it are dead and reaped, but those of a box that was taken.
	 */
	void (*failed)(struct talk *t, const struct setup_failure *why);
};

struct talk_spec {
	const struct plan *plan; /* all borrowed until talk_close(): */
	int image; /* of plan_memfd() */
	size_t image_bytes;
	const struct host *host;
	const struct group_entry *entry; /* of the payload; NULL without groups. Until PARKED */
	int init_pidfd; /* the box to be entered; -1: a new one */
	sigset_t signal_mask; /* the payload's; all zero: none */
	unsigned setup_ms, go_ms; /* in place of TALK_SETUP_MS and TALK_GO_MS; 0: those */
	struct arena *a; /* for what is said */
	struct talk_hooks hooks;
	void *data; /* the caller's */
};

struct talk {
	struct talk_spec spec;
	struct zygote_link *link;
	enum talk_state state;
	struct zygote_call call;
	bool unread; /* GO has not been read: whoever waited for it had been killed */
	bool lost, retried; /* the zygote that had the request has died; it was asked once more */
	bool made, parked, tty, box_taken;
	bool swept; /* nobody is left of whom we do not know */
	uint64_t kill_until_ms; /* of the loop's clock */
	bool polled; /* poll is a handle */
	bool reading; /* records may come */
	int socket, theirs; /* theirs until it is known to be there */
	int life_read; /* so is this */
	int slots[PLAN_MAX_SLOTS]; /* and trees that only we can take: of idmapped mounts */
	const char *not_idmapped; /* a path that could not be; NULL: none */
	struct talk_box box;
	struct pty pty;
	struct talk_child {
		struct talk *talk;
		void (*changed)(struct talk_child *c); /* reaped, or the loop has let go of it */
		struct talk_process process; /* until it was reaped or taken */
		pid_t was; /* its pid, also after that */
		uv_poll_t poll;
		bool watched;
		unsigned handles;
		int status; /* wait status, once it was reaped here */
	} maker, payload, init;
	bool has_why;
	struct setup_failure why;
	struct strv exec_paths; /* of GO, until it runs */
	const char *argv0, *cwd;
	uv_poll_t poll;
	uv_timer_t bound;
	unsigned n_handles;
	void (*closed)(struct talk *t);
};

/*
 * Ask for it. The talk is the caller's memory, and stays put until @closed of talk_close(). -1 with
 * @e: nothing has begun, and there is nothing to close. (BLAME_HOST: no more descriptors, an idmap
 * that cannot be made; BLAME_REQUEST: too many trees.)
 */
int talk_open(
	struct talk *t, struct zygote_link *link, const struct talk_spec *spec, struct error *e);

/* What to run. Strings are borrowed until RUNNING or FAILED, descriptors until the call returns. */
struct talk_words {
	struct strv exec_paths; /* plan_exec_paths() */
	struct strv argv, envp;
	const char *cwd; /* inside the box; NULL: as the plan says */
	bool tty;
	struct pty_look look; /* with tty */
	int stdio[3]; /* without */
	struct {
		int resource;
		uint64_t soft, hard;
	} rlimits[WIRE_MAX_RLIMITS]; /* on top of the plan's */
	unsigned n_rlimits;
	const int *
		warden; /* the run socket of its warden (run/warden.h); NULL without an exec policy */
};

/*
 * Legal in PARKED. -1 with @e, and it is still parked: BLAME_REQUEST (more than WIRE_MAX_MEMFD bytes
 * of words, or too many of them) or BLAME_HOST. That it has died since shows as failed() later.
 */
int talk_go(struct talk *t, const struct talk_words *words, struct error *e);

/*
 * End it, in any state before RUNNING: failed() comes when all is dead. The box, when it was taken,
 * is not touched.
 */
void talk_abort(struct talk *t);

/* From parked() on: the caller's now, and no failure of the payload touches it any more. */
struct talk_box talk_take_box(struct talk *t);
/* From running() on. Reaping it is the caller's from then on. */
struct talk_process talk_take_payload(struct talk *t);
/* The payload's terminal, with tty; PTY_INIT else. */
struct pty talk_take_pty(struct talk *t);
/* From parked() on: its pid as we count, 0 when it is reaped. Until it was taken not the caller's. */
pid_t talk_payload_pid(const struct talk *t);
/* Is its payload there, and a pidfd held of it, and of its init if that is there? */
bool talk_holds_all(const struct talk *t);

/*
 * From RUNNING or FAILED on, also from within their hooks: close all that was not taken. @closed is
 * called from the loop, last; then the memory is the caller's again.
 */
void talk_close(struct talk *t, void (*closed)(struct talk *t));

#endif
