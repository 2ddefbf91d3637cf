/* SPDX-License-Identifier: MIT */
#ifndef RUN_ZYGOTE_LINK_H
#define RUN_ZYGOTE_LINK_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "jail/wire.h"

/*
 * The daemon's end of the zygote: requests that are answered by a callback from the loop, any number
 * of them in flight; and a new zygote when one has died, at once, or a while later where they keep
 * dying. Nothing here blocks but the start of one, which is a vfork and exec. run/talk.h stands on it.
 */

/* ---- a zygote ---- */

struct zygote {
	pid_t pid;
	int pidfd;
	int socket;
};
#define ZYGOTE_NONE ((struct zygote){0, -1, -1})

/*
 * Where the program is: "bulkhead-zygote" beside this one (a build tree), else in
 * ../libexec/bulkhead as seen from there (installed). -1 with @e: neither is there.
 */
int zygote_find(char ret_path[PATH_MAX], struct error *e);

/*
 * Start a sealed copy of @path. It gets nothing of ours but its socket: no environment, no descriptor, and an
 * oom_score_adj of 0 where ours is lower, which would go on to all programs. Our own child, to be reaped
 * by us. Best before anything else, as long as we are small. -1 with @e.
 */
int zygote_start(struct zygote *ret, const char *path, struct error *e);
/* What the kernel may take to kill one, and a tracer to let it be reaped. */
#define ZYGOTE_KILL_MS 10000
/*
 * KILL it if it lives, reap it, close both descriptors. For one that no loop has: waits for the kernel,
 * ZYGOTE_KILL_MS at most, but for no tracer that keeps its status.
 */
void zygote_end(struct zygote *z);
/* It has ended: reap what is left of its process group. Does not wait. */
void zygote_reap_group(struct zygote *z);

/* ---- the link ---- */

/*
 * One request, embedded in what waits for it. @fill is called when it can be sent, and again after
 * a loss; the descriptors it puts into @fds (PACKET_MAX_FDS) are borrowed for the call. It returns their
 * number. magic, version and serial are not its business.
 */
struct zygote_call {
	unsigned (*fill)(struct zygote_call *c, struct zygote_request *ret, int *fds);
	/*
	 * Once, from the loop: the maker's pid; -errno of the clone, or of why there is no zygote; or
	 * ZYGOTE_LOST: it died, and only the talk socket knows whether there is a maker.
	 */
	void (*answered)(struct zygote_call *c, long result);
	uint64_t serial;
	struct zygote_call *next, *previous; /* of the list it is in; NULL: of none */
	long result; /* known, not told yet */
};
#define ZYGOTE_LOST 0L

struct zygote_stats {
	uint64_t requests, answers, refusals; /* refusals: answers that are an error */
	uint64_t lost; /* requests that were in flight when their zygote died */
	uint64_t restarts;
	unsigned in_flight, waiting;
};

struct zygote_link;

/*
 * @first is a zygote that was started already, taken also on failure; or ZYGOTE_NONE, then one is
 * started now. @path as for zygote_find(), copied, for those that come later. -1 with @e.
 */
int zygote_link_open_take(struct zygote_link **ret, uv_loop_t *loop, struct zygote *first,
	const char *path, struct error *e);
/* Ask. The answer comes later, from the loop, also when it is known now. */
void zygote_ask(struct zygote_link *l, struct zygote_call *c);
/* Want no answer any more. (What was cloned meanwhile sees its talk socket end.) Harmless if not asked. */
void zygote_forget(struct zygote_call *c);
/* How long it may owe an answer before it is taken for dead, and ended; ZYGOTE_ANSWER_MS at first. */
#define ZYGOTE_ANSWER_MS 10000
void zygote_link_patience(struct zygote_link *l, uint64_t ms);
void zygote_link_stats(const struct zygote_link *l, struct zygote_stats *ret);
/* The pid of the zygote of now, 0: none. */
pid_t zygote_link_pid(const struct zygote_link *l);
uv_loop_t *zygote_link_loop(const struct zygote_link *l);
/*
 * End it and the zygote. Calls that are still asked are answered with -ESHUTDOWN, from within this one;
 * @closed, which may be NULL, is called from the loop when the zygote is reaped and @l is freed; or ZYGOTE_KILL_MS
 * later, when a tracer holds up its end: it is left to whoever reaps our children after us.
 */
void zygote_link_close(struct zygote_link *l, void (*closed)(void *data), void *data);

#endif
