/* SPDX-License-Identifier: MIT */
#ifndef CLI_ATTACHMENT_H
#define CLI_ATTACHMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

/*
 * A run of the daemon on one side, the caller's stdin, stdout, stderr, terminal and signals on the
 * other, until the run has ended.
 *
 *                     ┌── uplink:   stdin, window ──┐
 *   caller, terminal ─┼── downlink: output, verdict ┼─ connection ─ daemon
 *                     └── signals: calls of their own ─────────────┘
 *
 * Signals as with `bulkhead run`. For the owner of the run (exec): what a terminal sends goes to the
 * program; TERM from somebody is the daemon's TERM, grace, KILL, and INT or HUP is that if the
 * program has not ended of it after the grace time; a second one kills. For a guest (attach) any of
 * them ends the attaching only.
 */
struct attachment_request {
	const char *run;
	bool owner; /* when this process ends, the run is to end */
	bool with_stdin;
	bool terminal; /* the run has one: ours is raw meanwhile, if stdin is one */
	uint64_t grace_us;
};

/* How it went on. */
struct attachment_end {
	const char *verdict; /* its JSON; NULL: a signal has ended the attaching */
	int signal; /* that signal */
};

/*
 * Signals are blocked (run_block_signals()). 0; or -1 with @e: the daemon was lost, or cannot be
 * understood. The caller's terminal is as it was in any case. Strings in @a.
 */
int attachment_follow(struct attachment_end *ret, const struct attachment_request *request,
	struct arena *a, struct error *e);

#endif
