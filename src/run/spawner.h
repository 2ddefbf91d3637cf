/* SPDX-License-Identifier: MIT */
#ifndef RUN_SPAWNER_H
#define RUN_SPAWNER_H

#include <signal.h>

#include "base/arena.h"
#include "base/error.h"
#include "jail/box.h"
#include "model/host.h"
#include "model/observation.h"
#include "model/plan.h"
#include "run/group.h"

/*
 * From a plan to a running payload: spawn() starts it and returns while the maker works; when
 * report_fd becomes readable, spawn_finish() says how it went. In between, nothing that the plan
 * points to may be changed (jail/box.h).
 */
struct spawn {
	struct box box; /* shared with the maker: read only while that lives */
	int report_write, life_read; /* our copies of the child's ends, closed after the clone */
	int idmapped[PLAN_MAX_SLOTS]; /* trees grabbed for it */
	unsigned n_idmapped;
	pid_t maker;
	int maker_pidfd;
	int report_fd;
	int life_fd; /* closing it tells init that the payload has ended */
	int init_pidfd; /* from spawn_finish() on */
	int payload_pidfd; /* from spawn_finish() on, when the exec happened */
	bool idmap_refused; /* a writable path is on a file system that cannot be idmapped */
};

struct spawn_request {
	const struct plan *plan;
	const struct host *host;
	const struct group_entry *entry; /* NULL without groups */
	int stdio[3]; /* borrowed; -1: leave the caller's */
	sigset_t signal_mask; /* the payload's */
	bool pipe_was_ignored;
};

/*
 * -1 with e set (BLAME_HOST mostly, with the remedy where user namespaces are forbidden) and
 * nothing left behind. At most one spawn at a time: the stacks are static.
 */
int spawn(struct spawn *ret, const struct spawn_request *request, struct arena *a, struct error *e);

/*
 * Read the report (blocking until the pipe has closed, which the maker's end guarantees) and reap
 * the maker. 0: the payload runs. -1: it does not; @ret says what failed, all processes of the box
 * are dead and reaped.
 */
int spawn_finish(
	struct spawn *s, const struct host *host, struct arena *a, struct setup_failure *ret);

/* Kill what is left, reap it, close all descriptors. */
void spawn_fini(struct spawn *s);

#endif
