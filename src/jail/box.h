/* SPDX-License-Identifier: MIT */
#ifndef JAIL_BOX_H
#define JAIL_BOX_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

#include "jail/site.h"
#include "kernel/pty.h"
#include "model/plan.h"

/*
 * How a box comes to be. Three processes, all of them children of the supervisor, so that each
 * one's end is told to it by the kernel and by nobody else:
 *
 *   maker    born in a new user namespace, before there is a plan: it makes the mount, ipc, uts
 *            and network namespaces, the dear part, while the supervisor still reads policies and
 *            makes cgroups on another CPU. Does plan->box when there is one; makes the pid
 *            namespace; clones the other two with CLONE_PARENT; ends as soon as the payload has
 *            exec'd.
 *   init     pid 1 of the box. Holds it open, reaps, and ends what the payload leaves behind.
 *   payload  pid 2 of the box: does plan->payload, the last step of which is the exec.
 *
 * Until their exec or end all of them share the supervisor's memory (a copy of it would cost more
 * than all else together), each on a stack of its own. So nothing in src/jail allocates, locks,
 * touches errno or writes to memory other than its stack and the fields marked "out" below; and
 * the supervisor changes nothing that a struct new_box points to before the maker has ended, but for
 * what it announces through the word `go`. The maker shares the table of descriptors too, so that
 * it finds those that the supervisor opens for it later; init and payload have copies.
 *
 * Failure is one struct report in the box; the supervisor, who has the plan, words it. The maker's
 * end without one means that the exec happened, or that the payload was killed before.
 *
 * The supervisor's death ends the box at any moment: maker and init have SIGKILL as their
 * parent-death signal, and the kernel ends a pid namespace with its init.
 */

enum report_stage { REPORT_NONE, REPORT_MAKER, REPORT_BOX, REPORT_PAYLOAD, REPORT_ENTRY };

/* What the maker itself does, besides the plan's steps; `step` of a REPORT_MAKER. */
enum maker_step {
	MAKER_NAMESPACES,
	MAKER_NETWORK,
	MAKER_STEPS,
	MAKER_PID_NAMESPACE,
	MAKER_INIT,
	MAKER_PAYLOAD,
	MAKER_COUNT_,
};

/* What is done for the daemon only, besides the plan's steps; `step` of a REPORT_ENTRY. */
enum entry_step {
	ENTRY_PLAN, /* unpack it */
	ENTRY_JOIN, /* the namespaces of the box */
	ENTRY_WORDS, /* what came with GO */
	ENTRY_TERMINAL,
	ENTRY_LIMIT, /* the detail is the resource */
	ENTRY_DIRECTORY,
	ENTRY_COUNT_,
};

struct report {
	int32_t stage; /* enum report_stage */
	int32_t step; /* index into plan->box or plan->payload, or one of the enums above */
	int32_t errnum;
	int32_t detail; /* of STEP_EXEC: the index of the path, -1: none of them exists */
};

/* Values of the word that the maker waits for, in their order; what is set by then. */
enum {
	GO_BORN, /* supervisor, life, the stacks */
	GO_NETWORK, /* new_network */
	GO_PLAN, /* plan and slots; the id maps are written */
	GO_READY, /* everything */
	GO_ABORT,
};

/* What init reads from the life pipe when the payload has ended; its end alone is our death. */
#define LIFE_ENDED     'e'

#define BOX_MAX_TASKS  8
#define BOX_STACK_SIZE (32 * 1024)

struct box_stack {
	_Alignas(64) char bytes[BOX_STACK_SIZE];
};

struct new_box;

/*
 * How a box is made for the daemon, where the maker has a memory of its own, and hears of its
 * supervisor through a socket (jail/wire.h).
 */
struct box_way {
	long (*await)(struct new_box *box,
		uint32_t stage); /* in place of the word `go`; SILENT: no box */
	void (*init)(struct new_box *box); /* init's first act */
	int (*payload)(void *box); /* in place of payload_main(); nobody waits for its exec */
};

/* No errno is so large: the step has been reported already, or the supervisor wants no box. */
#define SILENT (-4096L)

struct new_box {
	const struct box_way *way; /* NULL: all the rest of this text */
	const struct plan *plan;
	pid_t supervisor;
	bool new_network;
	bool init_apart; /* init gets a memory of its own, and may be looked at from outside */
	int life; /* read end of the pipe whose other end the supervisor holds while payload runs */
	int stdio[3]; /* what becomes the payload's 0, 1, 2 */
	int into_cgroup;
	int tasks[BOX_MAX_TASKS];
	unsigned n_tasks;
	int terminal; /* the socket on which the supervisor gets the payload's pty */
	struct pty_look look; /* and how that is to be */
	int warden; /* STEP_LISTENER: the socket on which the warden gets the filter's listener */
	int kept; /* what STEP_LISTENER leaves open besides stdio; -1: nothing */
	uint64_t signal_mask; /* the payload's, as the caller had it */
	bool pipe_was_ignored; /* the caller had SIGPIPE ignored */
	int slots[PLAN_MAX_SLOTS]; /* -1, or a tree that the supervisor has grabbed already */
	struct box_stack *init_stack, *payload_stack;
	volatile uint32_t go;
	volatile int root; /* out: the descriptor of the box's root; the supervisor closes it */
	volatile bool root_is_here; /* out: it is the mount namespace's own */
	volatile pid_t init_pid, payload_pid; /* out; as the supervisor counts pids */
	struct report report; /* out: what failed */
};

/* Entry points for clone_call(); @box is a struct new_box. */
int maker_main(void *box);
int init_main(void *box);
int payload_main(void *box);

/* Do one step of plan->box. 0 or -errno. */
long box_step(struct new_box *box, const struct step *step, struct site *site);
/* Do one step of plan->payload; *ret_detail is the report's. 0 or -errno; no exec comes back with 0. */
long payload_step(struct new_box *box, const struct step *step, struct site *site, int *ret_detail);
/* Die with the supervisor, also if it died before we asked for that. 0, or less. */
long bind_to_supervisor(const struct new_box *box);

/* Leave a report; the first one counts. */
void report_failure(
	struct new_box *box, enum report_stage stage, size_t step, long error, int detail);

/* Exit statuses of init. */
enum { INIT_NOTHING_LEFT = 0, INIT_ENDED_LEFTOVERS = 1, INIT_FAILED = 2 };

#endif
