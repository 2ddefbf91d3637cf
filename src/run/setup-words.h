/* SPDX-License-Identifier: MIT */
#ifndef RUN_SETUP_WORDS_H
#define RUN_SETUP_WORDS_H

#include "base/arena.h"
#include "jail/box.h"
#include "model/host.h"
#include "model/observation.h"
#include "model/plan.h"

/* Words for what the makers and payloads of boxes report (struct report): who spawns has the plan. */
struct setup_words {
	const struct plan *plan;
	const struct host *host;
	const char *argv0;
	const struct strv *exec_paths;
	const char *cwd; /* in place of the plan's; NULL: none */
};

/* What @r says went wrong, and whose blame it is; in @a. */
void setup_say(const struct setup_words *w, const struct report *r, struct arena *a,
	struct setup_failure *ret);

/* There was no report: the process called @who ended with wait status @status. */
void setup_say_vanished(const char *who, int status, struct arena *a, struct setup_failure *ret);

/* No user namespace, or no id map for it: why, and what mends it. Returns -1. */
int setup_refuse_userns(struct arena *a, int errnum, struct error *e);

#endif
