/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_CALL_H
#define WARDEN_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "kernel/notify.h"
#include "kernel/task.h"
#include "model/exec-event.h"
#include "model/exec-rules.h"
#include "warden/shebang.h"
#include "warden/slot.h"

/*
 * One call of execve(2) from its notification to its end.
 *
 *   CALL_RECEIVED ─► CALL_JUDGED ─► refused, failed or gone: over
 *        ▲                └─► CALL_SEIZED ─► CALL_CONTINUED ─► started, failed, or gone: over
 *        │                         │               └─► CALL_KILLED ─► gone: over
 *   CALL_WAITING                   └─► CALL_RELEASING ─► let go: over
 *
 * WAITING: another thread of the same process is in flight, or too much of the same run is; it becomes RECEIVED again when
 * one of these is over. SEIZED and what follows are in flight: the task is traced by us, and has to be let go or reaped by
 * us. KILLED is also what was killed by somebody else as it was to be let go.
 */
enum call_state {
	CALL_RECEIVED,
	CALL_WAITING,
	CALL_JUDGED,
	CALL_SEIZED,
	CALL_CONTINUED,
	CALL_RELEASING,
	CALL_KILLED,
	CALL_STATE_COUNT_,
};

/* A file that the kernel reads to execute it, as it was when it was judged. */
struct call_file {
	int fd; /* O_PATH: as long as it is held its inode number is nobody else's */
	struct stat st;
	struct exec_file file;
};
#define CALL_MAX_FILES (1 + SHEBANG_DEPTH)

struct call {
	struct call *next; /* in the queue, among those that wait, or among the unused */
	struct call *next_by_tid, *next_by_process;
	struct arena arena; /* of all texts below */
	struct slot *slot;
	enum call_state state;
	struct notify_call notify;
	struct task_ids ids;
	struct call *waiting; /* threads of the same process whose calls came since */

	struct call_file files
		[CALL_MAX_FILES]; /* what was called, and the interpreters of scripts; the last one runs */
	unsigned n_files;
	struct strv expected; /* argv of the new image */
	bool predicted; /* the two above are known */
	struct exec_judgement judgement;
	struct exec_event event;
	bool told; /* once is enough */
	size_t bytes; /* of the arena, since it is in flight */
	bool held; /* not in flight, but its task is seized: by a former call of its that is over */
};

/* All calls there are: unused ones are used again. */
#define CALLS_MAX    65536u
#define CALLS_CHAINS 1024u
struct calls {
	size_t n, n_in_flight;
	struct call *unused;
	size_t n_unused;
	struct call *by_tid[CALLS_CHAINS], *by_process[CALLS_CHAINS]; /* those in flight */
};

/* A RECEIVED one; NULL: there are CALLS_MAX. */
struct call *call_new(struct calls *calls, struct slot *slot, const struct notify_call *notify);
/* Forget it; it is not in flight. */
void call_free(struct calls *calls, struct call *call);
/* Begin anew: whatever had been found out is forgotten. */
void call_reset(struct call *call);

void calls_fini(struct calls *calls); /* of the unused ones */
/* In flight from now on: by its tid and its process. */
void calls_add(struct calls *calls, struct call *call);
void calls_remove(struct calls *calls, struct call *call);
struct call *calls_by_tid(const struct calls *calls, pid_t tid);
struct call *calls_by_process(const struct calls *calls, pid_t pid);

#endif
