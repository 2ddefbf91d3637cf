/* SPDX-License-Identifier: MIT */
#ifndef RUN_ENGINE_H
#define RUN_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "base/error.h"
#include "model/observation.h"
#include "model/request.h"
#include "model/run-id.h"
#include "model/timeline.h"
#include "model/verdict.h"

/*
 * All that the daemon keeps: boxes, the runs in them and those with a box of their own, the pool,
 * the queue. One thread, one event loop, which is the caller's. No function blocks. What takes time
 * is told by events, and no event is told from within a call of the caller's.
 *
 *   client ──engine_run()──► QUEUED ──room──► STARTING ──exec──► RUNNING ──► ENDED (verdict)
 *                               └─────────────── fails ──────────────────────►
 *
 * A run or box is found by its id. It stays as long as somebody holds it (…_hold, …_let_go) and, when it
 * has ended, for a while after that (engine_options.keep_ended): pointers are borrowed unless held.
 *
 * Errors are of BLAME_REQUEST with errnum
 *   EINVAL  the request makes no sense          ENOENT  no such box, run, policy
 *   EBUSY   not in this state (it still runs)   ESHUTDOWN  it is stopped, or the engine is
 *   EAGAIN  the queue is full: come again       EDQUOT  a limit of the engine can never allow it
 * and of BLAME_HOST or BLAME_BULKHEAD for what is nobody's fault who asks.
 */
struct engine;
struct box;
struct live;

struct engine_options {
	unsigned max_runs; /* starting or running, in all boxes */
	unsigned max_boxes; /* kept and pooled, and those of single runs */
	unsigned max_queue; /* runs that wait, for each uid and in all 8 times that */
	uint64_t
		memory_bytes; /* that all limits together may promise; 0: the host's, or our group's */
	unsigned keep_ended; /* ended runs that are remembered here; the store has all of them */
	const char *zygote; /* the program; NULL: where it belongs */
};

/* The verdicts of ended runs that are remembered, all together; the last one is, however long. */
#define ENGINE_ENDED_BYTES_MAX ((size_t)16 << 20)

#define ENGINE_OPTIONS_DEFAULT ((struct engine_options){256, 1024, 256, 0, 1024, NULL})

/* Who asks: what is fair is fair for each of them. */
struct engine_client {
	uid_t uid;
};

struct engine_request {
	struct request request; /* borrowed until the call returns */
	const char *
		policy_text; /* a policy of its own (policy_load_text()) instead of request.policy; or NULL */
	size_t policy_size;
	const char *box; /* the id of a kept box; NULL: one of the run's own */
	const char *
		cwd; /* where the command starts, inside the box; NULL: where the box's policy says */
	const char *stdin_text; /* all of its stdin, or NULL */
	size_t stdin_size;
	bool stdin_open; /* stdin is a pipe that live_stdin() feeds; else it is empty */
	unsigned short rows, cols; /* of the terminal, with request.tty; 0: 24 × 80 */
};

/* What is told of all runs: for the records. In this order, all from the loop. */
struct engine_hooks {
	void *data;
	/* It leaves the queue. What is returned is live_record() from then on. */
	void *(*begun)(void *data, struct live *live, const struct observation *o);
	void (*output)(void *data, struct live *live, int stream, const char *bytes, size_t size,
		uint64_t t_us);
	void (*timeline)(void *data, struct live *live, const struct timeline *t);
	/* Just before the verdict: what only the record knows goes into @o. */
	void (*settled)(void *data, struct live *live, struct observation *o);
	/*
	 * Of a run with an exec policy: a file for its exec.jsonl, which is borrowed, and how long that may
	 * become; -1: none. May be NULL.
	 */
	int (*exec_log)(void *data, struct live *live, uint64_t *ret_max_bytes);
	/* Before anybody who waits is told. Also for one that never left the queue (without begun). */
	void (*ended)(void *data, struct live *live, struct observation *o, const struct verdict *v,
		const char *verdict_json);
	/* Nobody holds it any more: free what begun returned. */
	void (*gone)(void *data, struct live *live);
};

/*
 * @zygote is the socket to a zygote that was started before anything else, or -1: then one is
 * started now. @hooks and @options are copied. -1 with @e.
 */
int engine_open(struct engine **ret, uv_loop_t *loop, int zygote, pid_t zygote_pid,
	const struct engine_options *options, const struct engine_hooks *hooks, struct error *e);

/*
 * Stop everything: nothing new is taken (ESHUTDOWN), queued runs end as `shutdown`, all others get TERM,
 * their grace time, KILL. @stopped is called when no process, group or mount is left, at the
 * latest after the longest grace time and 5 s. Once; then engine_close().
 */
void engine_stop(struct engine *e, void (*stopped)(void *data), void *data);
void engine_close(struct engine *e);

/* Let go of what is kept only because it is dear to make: groups of runs that have ended. */
void engine_tidy(struct engine *e);

/* Keep boxes of this policy (a name or file) ready, as many as its pool says. */
int engine_pool(struct engine *e, const char *policy, struct error *error);

/* ---- runs ---- */

enum live_state { LIVE_QUEUED, LIVE_STARTING, LIVE_RUNNING, LIVE_ENDED, LIVE_STATE_COUNT_ };
const char *live_state_name(enum live_state state); /* "queued", "starting", "running", "ended" */

int engine_run(struct engine *e, const struct engine_request *request,
	const struct engine_client *client, struct live **ret, struct error *error);
/* NULL: there is none of that id here. */
struct live *engine_find_run(struct engine *e, const char *id);
/* All of them, the newest first. */
void engine_each_run(struct engine *e, void (*each)(void *data, struct live *live), void *data);

void live_hold(struct live *l);
void live_let_go(struct live *l);
const char *live_id(const struct live *l);
enum live_state live_state(const struct live *l);
const char *live_box(const struct live *l); /* id of its kept box, or NULL */
const char *live_key(const struct live *l); /* NULL: none */
const char *live_policy(const struct live *l); /* its name */
struct strv live_argv(const struct live *l); /* at least before it has ENDED */
const char *live_verdict_json(const struct live *l); /* NULL before ENDED */
int live_exit_status(const struct live *l); /* of `bulkhead run`; -1 before ENDED */
const struct observation *live_observation(const struct live *l); /* NULL once it has ENDED */
void *live_record(const struct live *l); /* what engine_hooks.begun returned; NULL before */
bool live_has_terminal(const struct live *l);

/*
 * Level-triggered: @told is called from the loop, once, as soon as @l has ended, also when it had
 * before. Any number may wait. Embed it; a waiter that goes away first is taken off.
 */
struct live_waiter {
	void (*told)(struct live_waiter *w, struct live *l);
	struct live *live;
	struct live_waiter *next, **at;
};
void live_wait(struct live *l, struct live_waiter *w);
void live_wait_no_more(struct live_waiter *w);

/*
 * Told each time that there is more output in the record, or the run has ended, and each time that
 * live_stdin() may be called again or stdin was ended; once for many changes. Who begins to follow has
 * just looked: he is told at once of what nobody was told of, and of the end, but not of what he has seen.
 */
struct live_follower {
	void (*told)(struct live_follower *f, struct live *l);
	struct live *live;
	struct live_follower *next, **at;
};
void live_follow(struct live *l, struct live_follower *f);
void live_follow_no_more(struct live_follower *f);

/*
 * Bytes for its stdin: how many were taken, 0 when the program has to read first. -1 with EBUSY (it
 * has no open stdin), EPIPE (the program does not read any more), ESHUTDOWN (it has ended).
 */
ssize_t live_stdin(struct live *l, const char *bytes, size_t size, struct error *e);
/* After what was taken comes the end of the file; a terminal gets its end-of-file character. */
int live_stdin_close(struct live *l, struct error *e);
/*
 * As long as somebody holds it, nothing is read of what the program writes: it waits, as for a pipe
 * that is full. Each hold is undone once.
 */
void live_hold_output(struct live *l, bool hold);
int live_resize(struct live *l, unsigned short rows, unsigned short cols, struct error *e);
/* To the payload. A run that waits in the queue ends as cancelled. */
int live_signal(struct live *l, int sig, const struct engine_client *by, struct error *e);
/* TERM, grace, KILL: of this run and all its descendants. With @now KILL at once. May be repeated. */
int live_cancel(struct live *l, bool now, const struct engine_client *by, struct error *e);

/* ---- boxes ---- */

enum box_state { BOX_MAKING, BOX_READY, BOX_STOPPING, BOX_GONE, BOX_STATE_COUNT_ };
const char *box_state_name(enum box_state state); /* "making", "ready", "stopping", "gone" */

/* Of @request argv is empty; limits are those of the box as a whole. */
int engine_box(struct engine *e, const struct engine_request *request,
	const struct engine_client *client, struct box **ret, struct error *error);
struct box *engine_find_box(struct engine *e, const char *id);
void engine_each_box(struct engine *e, void (*each)(void *data, struct box *box), void *data);

void box_hold(struct box *b);
void box_let_go(struct box *b);
const char *box_id(const struct box *b);
enum box_state box_state(const struct box *b);
const char *box_policy(const struct box *b);
unsigned box_n_runs(const struct box *b); /* that have not ended */
uint64_t box_since_us(const struct box *b); /* realtime */
const char *box_fault(const struct box *b); /* why it is gone although nobody asked; NULL */

struct box_waiter {
	void (*told)(struct box_waiter *w, struct box *b);
	struct box *box;
	struct box_waiter *next, **at;
};
/* Told when it leaves MAKING, or has left it. */
void box_wait_made(struct box *b, struct box_waiter *w);
/* Told when it is GONE: no process, group or mount of it is left. */
void box_wait_gone(struct box *b, struct box_waiter *w);
void box_wait_no_more(struct box_waiter *w);
/* TERM to all runs, grace, KILL, then the box itself. May be repeated; with @now KILL at once. */
int box_remove(struct box *b, bool now, struct error *e);

/* ---- figures ---- */

struct engine_stats {
	unsigned boxes, parked, queued, starting, running;
	uint64_t runs_total, runs_by_cause[CAUSE_COUNT_];
	uint64_t pool_hits, pool_misses, refused_total, zygote_restarts;
	uint64_t forks; /* runs that were forked from a warmed program */
	uint64_t preload_restarts; /* programs that served forks and have ended unasked */
	uint64_t memory_promised_bytes, memory_bytes;
	unsigned wardens;
	uint64_t wardens_lost, execs_started, execs_refused, execs_killed;
};
void engine_stats(const struct engine *e, struct engine_stats *ret);

#endif
