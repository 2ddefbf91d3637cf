/* SPDX-License-Identifier: MIT */
#ifndef RUN_SPAWNER_H
#define RUN_SPAWNER_H

#include <signal.h>

#include "base/arena.h"
#include "base/error.h"
#include "jail/box.h"
#include "kernel/pty.h"
#include "model/host.h"
#include "model/observation.h"
#include "model/plan.h"
#include "run/group.h"
#include "run/subject.h"

/*
 * From nothing to a running payload, in the order of the functions below. The maker works beside
 * us, on another CPU if there is one, and waits when it is ahead; it ends when the payload has
 * exec'd or something has failed: subject.maker_pidfd is readable then, and spawn_finish() says how it
 * went. Until then nothing that was handed over may be changed (jail/box.h), nor the spawn moved.
 * At most one spawn at a time: the stacks are static.
 */
struct spawn {
	struct new_box box; /* shared with the maker: read only while that lives */
	struct subject subject; /* all of it from spawn_finish() on, when the exec happened */
	pid_t maker;
	int begin_error; /* why there is no maker: errno */
	int life_read; /* init's end */
	int terminal_read; /* where the payload's pty comes from, with plan->tty */
	struct pty pty; /* that, from spawn_finish() on: may be taken */
	const char *not_idmapped; /* a path on a file system that cannot be; NULL: none */
};

struct spawn_request {
	const struct group_entry *entry; /* NULL without groups */
	int stdio[3]; /* borrowed until spawn_finish(); -1: leave the caller's */
	sigset_t signal_mask; /* the payload's */
	bool pipe_was_ignored;
	struct pty_look look; /* of the payload's terminal, with plan->tty */
	int warden; /* borrowed until spawn_finish(): where its listener goes, with plan->exec */
};

/* Start the maker, before anything is known. What fails is told by spawn_plan(). */
void spawn_begin(struct spawn *ret);

/* Whether there will be a network namespace: tell it as soon as it is known. */
void spawn_network(struct spawn *s, bool new_network);

/*
 * Hand over the plan; the box is being made from here on. -1 with e set: BLAME_HOST, with the
 * remedy where user namespaces are forbidden.
 */
int spawn_plan(struct spawn *s, const struct plan *plan, struct arena *a, struct error *e);

/* All is there that the payload needs. -1 with e set (BLAME_HOST). */
int spawn_payload(struct spawn *s, const struct spawn_request *request, struct error *e);

/* There will be no payload after all: the maker ends, and spawn_finish() finds it gone without a word. */
void spawn_abort(struct spawn *s);

/*
 * Reap the maker (blocks until its end) and see how it went. 0: the payload runs. -1: it does not;
 * @ret says what failed, all processes of the box are dead and reaped.
 */
int spawn_finish(
	struct spawn *s, const struct host *host, struct arena *a, struct setup_failure *ret);

/* Kill what is left, reap it, close all descriptors. */
void spawn_fini(struct spawn *s);

#endif
