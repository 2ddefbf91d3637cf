/* SPDX-License-Identifier: MIT */
#ifndef JAIL_BOX_H
#define JAIL_BOX_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

#include "model/plan.h"

/*
 * How a box comes to be. Three processes, all of them children of the supervisor, so that each
 * one's end is told to it by the kernel and by nobody else:
 *
 *   maker    born in the new user, mount, network, ipc and uts namespaces (not pid); waits until
 *            the supervisor has written the id maps; does plan->box; clones the other two with
 *            CLONE_PARENT; ends as soon as the payload has exec'd.
 *   init     pid 1 of the box. Holds it open, reaps, and ends what the payload leaves behind.
 *   payload  pid 2 of the box: does plan->payload, the last step of which is the exec.
 *
 * Until their exec or end all of them share the supervisor's memory (a copy of it would cost more
 * than all else together), each on a stack of its own. So nothing in src/jail allocates, locks,
 * touches errno or writes to memory other than its stack and the fields marked "out" below; and
 * the supervisor changes nothing that a struct box points to before the report pipe has closed.
 *
 * Failure is one struct report on the report pipe; the supervisor, who has the plan, words it.
 * The pipe closing without one means that the exec happened.
 *
 * The supervisor's death ends the box at any moment: maker and init have SIGKILL as their
 * parent-death signal, and the kernel ends a pid namespace with its init.
 */

enum report_stage { REPORT_MAKER = 1, REPORT_BOX, REPORT_PAYLOAD };

/* What the maker itself does, besides the plan's steps; `step` of a REPORT_MAKER. */
enum maker_step { MAKER_START, MAKER_PID_NAMESPACE, MAKER_INIT, MAKER_PAYLOAD, MAKER_COUNT_ };

struct report {
	int32_t stage; /* enum report_stage */
	int32_t step; /* index into plan->box or plan->payload, or enum maker_step */
	int32_t errnum;
	int32_t detail; /* of STEP_EXEC: the index of the path, -1: none of them exists */
};

/* Values of the word that the maker waits for. */
enum { GO_WAIT, GO_MAPPED, GO_ABORT };

#define BOX_MAX_TASKS  8
#define BOX_STACK_SIZE (32 * 1024)

struct box_stack {
	_Alignas(64) char bytes[BOX_STACK_SIZE];
};

struct box {
	const struct plan *plan;
	pid_t supervisor;
	int report; /* write end of the report pipe */
	int life; /* read end of the pipe whose other end the supervisor holds while payload runs */
	int stdio[3]; /* what becomes the payload's 0, 1, 2 */
	int into_cgroup;
	int tasks[BOX_MAX_TASKS];
	unsigned n_tasks;
	uint64_t signal_mask; /* the payload's, as the caller had it */
	bool pipe_was_ignored; /* the caller had SIGPIPE ignored */
	int slots[PLAN_MAX_SLOTS]; /* -1, or a tree that the supervisor has grabbed already */
	struct box_stack *init_stack, *payload_stack;
	volatile uint32_t go;
	volatile int root; /* out, for the payload: the maker's descriptor of the box's root */
	volatile pid_t init_pid, payload_pid; /* out; as the supervisor counts pids */
};

/* Entry points for clone_call(); @box is a struct box. */
int maker_main(void *box);
int init_main(void *box);
int payload_main(void *box);

/* Do one step of plan->box. 0 or -errno. @root is the box's root so far. */
long box_step(struct box *box, const struct step *step, int *root);

/* Write a report; the pipe has room for it (PIPE_BUF). */
void report_failure(
	const struct box *box, enum report_stage stage, size_t step, long error, int detail);

/* Exit statuses of init. */
enum { INIT_NOTHING_LEFT = 0, INIT_ENDED_LEFTOVERS = 1, INIT_FAILED = 2 };

#endif
