/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_COORDINATOR_H
#define WARDEN_COORDINATOR_H

#include <stdint.h>

#include "warden/slot.h"
#include "warden/stop.h"

/*
 * The warden as a whole: one loop that waits in epoll for its control socket, run sockets, listeners, signals and a timer, and
 * nowhere else.
 *
 *   STARTING ──START──► SERVING ──end of control, SIGTERM──► DRAINING ──none in flight, or late──► ENDED
 *       └──────────── refused, end of control, SIGTERM ──────────────────────────────────────────────┘
 *
 * DRAINING has closed all listeners: what is executed from then on is refused by the kernel (ENOSYS). What was in flight is
 * seen to its end, for at most WARDEN_DRAIN_MS. Beginning the shutdown again does nothing.
 */
enum coordinator_state {
	COORDINATOR_STARTING,
	COORDINATOR_SERVING,
	COORDINATOR_DRAINING,
	COORDINATOR_ENDED,
	COORDINATOR_STATE_COUNT_,
};

enum coordinator_event {
	EVENT_START, /* a START that is as it should be */
	EVENT_BAD, /* a record that is not, before START */
	EVENT_SHUTDOWN, /* end of file of the control socket, SIGTERM */
	EVENT_IDLE, /* no call is in flight */
	EVENT_LATE, /* WARDEN_DRAIN_MS after the shutdown began */
	EVENT_COUNT_,
};

#define SLOTS_MAX 4096u

struct coordinator {
	enum coordinator_state state;
	int proc, control, epoll, signals, timer;
	struct judge judge;
	struct calls calls;
	struct docket docket;
	struct slot **slots; /* by number, SLOTS_MAX of them; NULL: never used */
	unsigned n_slots; /* so many are not NULL */
	unsigned n_ending; /* of them */
	struct slot *free_slots;
	struct warden_record record; /* that is being read */
};

/* @control becomes ours. 0, or -1 with @e. coordinator_fini() in either case. */
int coordinator_init_take(struct coordinator *c, int control, struct error *e);
/* Until it has ended. 0: in good order; 1: it never began; 2: calls were in flight that did not end. */
int coordinator_run(struct coordinator *c);
void coordinator_fini(struct coordinator *c);

#endif
