/* SPDX-License-Identifier: MIT */
#ifndef JAIL_ENTRY_H
#define JAIL_ENTRY_H

#include "jail/plan-image.h"
#include "jail/wire.h"

/*
 * What the zygote clones: the maker of a box, or of an entry into one. It is a copy of the zygote,
 * memory and all, alone in it until it clones init and the payload, who share it (CLONE_VM).
 *
 *   maker    tells that it is born; unpacks the plan; makes the box, or joins it; clones; ends
 *   init     of a box: as in jail/box.h
 *   payload  does those steps of plan->payload that are the same for any run, and is parked: in one
 *            recvmsg(2), with no descriptor but its socket and /dev/null, until GO says what to run.
 *            Then the rest of the steps and the exec. A socket that ends is the end of it.
 *
 * The kernel lets a daemon that is not root write the id maps, and enter a box, only of processes that
 * are dumpable. The maker is until it has its maps; init, with the box's capabilities, may be, for
 * nothing inside can trace it then. A payload, which lives among strangers, never is: so init does not
 * share its memory there (new_box.init_apart). The same under an exec policy, where the payload makes
 * its memory dumpable just before its exec, as its warden has to trace it.
 *
 * Steps of plan->payload by when they are done:
 *
 *   parked   all that are not named here; in a box that exists, no mounts: they are there
 *   never    the terminal, group or session of the plan: each run has a session of its own, and
 *            a terminal if GO says so
 *   after GO stdio; the terminal; a working directory in place of the plan's; the limits on descriptors
 *            and address space, which we need ourselves before; GO's limits; closing; exec; and the
 *            filter, unless it is known to let all of these pass (PLAN_IMAGE_FILTER_EARLY)
 */
#define ENTRY_STRINGS 2048 /* argv and env of more have memory of their own */

struct entry {
	struct new_box box; /* first: they are cast into each other */
	bool joins; /* a box that exists */
	bool has_maps; /* the id maps are written */
	int talk; /* as it came */
	int plan_fd;
	size_t plan_size;
	int init_pidfd; /* of the box to be joined */
	uint32_t image_flags;
	struct plan plan;
	struct plan_room room;
	struct {
		struct talk_down head;
		char words[WIRE_MAX_WORDS];
	} go; /* the packet, as it comes */
	const char *cwd; /* with GO; "": the plan's */
	const char *strings[ENTRY_STRINGS];
};

/*
 * Beside three of /dev/null: the zygote's socket, and in what it has cloned the talk socket in its place.
 */
#define ZYGOTE_SOCKET 3
#define TALK_SOCKET   3

/* Entry point for clone_call(); @entry is a struct entry. */
int entry_main(void *entry);

/* The payload's; @box is the one of a struct entry. */
int parked_main(void *box);

/* Tell the daemon; 0 or -errno. */
long entry_tell(const struct entry *e, enum talk_kind kind, const int *fds, unsigned n);
/* Leave word of a failure, the first one, and tell it to the daemon. */
void entry_failed(struct entry *e, enum report_stage stage, size_t step, long error, int detail);

#endif
