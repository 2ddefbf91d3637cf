/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_SLOT_H
#define WARDEN_SLOT_H

#include <sys/types.h>

#include "warden/audit.h"
#include "warden/hint.h"
#include "warden/wire.h"

/*
 * One run of the box.
 *
 *   SLOT_FREE ──RUN──► SLOT_EXPECTED ──its listener comes──► SLOT_SERVING ──its last task is gone──► SLOT_ENDING
 *                           └──run socket ends without──────────────────────────────────────────────────┘
 *   SLOT_ENDING ──no call of it is left──► SLOT_FREE
 *
 * EXPECTED holds the run socket, SERVING the listener; both the board, and what came with RUN.
 */
/*
 * Words and paths of calls in flight: how many there are at a time is up to the box, which can have each of its processes
 * execute with megabytes of arguments that they share, and hardly let them run. Measured by what is allocated, so that
 * short words count for what they take. With more than that in flight the run's next calls wait.
 */
#define SLOT_HELD_MAX ((size_t)16 << 20)

enum slot_state { SLOT_FREE, SLOT_EXPECTED, SLOT_SERVING, SLOT_ENDING, SLOT_STATE_COUNT_ };

struct call;
struct slot {
	enum slot_state state;
	unsigned number;
	struct slot *next_free;
	int socket, listener; /* -1: none */
	struct warden_board *board;
	struct audit audit;
	struct hint hint;
	uint64_t started_us;
	pid_t payload; /* who called first; 0: nobody yet */
	bool payload_started; /* it has executed something: what it is refused later is no matter of its own start */
	unsigned n_calls; /* that point here */
	size_t held_bytes; /* by those in flight */
	struct call *parked, *last_parked; /* they wait until that is less than SLOT_HELD_MAX */
};

/* Tell of @event: board, hint, exec.jsonl, in this order. @line is scratch. */
void slot_tell(
	struct slot *slot, const struct exec_event *event, const char *advice, struct buf *line);

/* Let go of all it holds but the board. */
void slot_release(struct slot *slot);

#endif
