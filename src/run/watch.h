/* SPDX-License-Identifier: MIT */
#ifndef RUN_WATCH_H
#define RUN_WATCH_H

#include <uv.h>

#include "base/arena.h"
#include "model/host.h"
#include "model/observation.h"
#include "model/plan.h"
#include "model/timeline.h"
#include "run/denied.h"
#include "run/group.h"
#include "run/output.h"
#include "run/refused.h"
#include "run/sampler.h"
#include "run/subject.h"
#include "run/terminal.h"
#include "run/witness.h"

/*
 * The life of one run, as its supervisor sees it; any number of them on one loop. One writer
 * (watch_enter), one table of what each state does with each event:
 *
 *   STARTING  the box is being made, or waits for its command. Nothing but KILL is legal.
 *   RUNNING   the payload has exec'd.
 *   STOPPING  TERM (or what the caller sent) has gone to the payload; the grace time runs.
 *   ENDING    the payload is gone and its status known; what it left behind has TERM. Ends by the
 *             end of the last or, after the grace time, by KILL.
 *   KILLING   KILL has gone to everything. Only the kernel's work is waited for.
 *   SETTLING  nobody is left but init, which the kernel is taking down with its namespaces.
 *   GONE      nobody is left at all.
 *
 * What it left behind is ended by its init, and init's end is that of all. A run in a kept box
 * has no init of its own (subject.kept): there the watch sends TERM to each process of the run's group,
 * and an empty group is the end of all; SETTLING does not happen. Without groups (an ordinary
 * user of a host that delegates none) those are ended that can be told by their descent or their
 * session (run/kin.h); what hides from that lives until its box ends.
 *
 * Each signal of ours is recorded (observation.acts) before it is sent. Nothing here blocks.
 */
enum watch_state {
	WATCH_STARTING,
	WATCH_RUNNING,
	WATCH_STOPPING,
	WATCH_ENDING,
	WATCH_KILLING,
	WATCH_SETTLING,
	WATCH_GONE,
	WATCH_STATE_COUNT_,
};

enum watch_timer {
	TIMER_WALL, /* the wall deadline */
	TIMER_IDLE, /* the next look at when there last was output */
	TIMER_CPU, /* the next look at the CPU time */
	TIMER_SAMPLE, /* the next look at memory without a cgroup */
	TIMER_OOM, /* the kernel has said out of memory, and counts the kill a little later */
	TIMER_GRACE, /* from TERM to KILL */
	TIMER_BOUND, /* what is waited for beyond all limits: setup, the kernel's killing */
	TIMER_WITNESS, /* the run has gone on long enough to watch who sends it signals */
	TIMER_TIMELINE, /* the next point of the timeline */
	TIMER_GUARD, /* the run has gone on long enough to be protected */
	TIMER_SPACE, /* the next look at virtual memory, where nobody tells its peak at the end */
	TIMER_SETTLE, /* the run has gone on long enough for housekeeping */
	TIMER_DENIED, /* the next look for the kernel's word on a denied system call */
	TIMER_RELEASE, /* the verdict is out: the time to have init end, and the namespaces taken down */
	TIMER_TRACED, /* the next look whether a tracer has let go of the payload's end, or init's */
	TIMER_UNWATCHED, /* the next look for the ends of processes that cannot be waited for */
	TIMER_EMPTY, /* the next look whether a kept box's run has left anybody */
	TIMER_CLOSE, /* the next try to remove the group */
	TIMER_COUNT_,
};

/* All from the loop, but from within watch_failed() and watch_box_gone(). */
struct watch_hooks {
	void *data;
	/*
	 * Nobody is left but perhaps init: drain the output, then watch_conclude(), and there is all
	 * for a verdict. Once.
	 */
	void (*settled)(void *data);
	/* Nobody is left. Once, after that: the time for watch_close(). */
	void (*gone)(void *data);
	/* The run has gone on for a while and the supervisor has nothing to do; may be NULL. */
	void (*idle)(void *data);
	/* The timeline so far (run/run.h says when); may be NULL. */
	void (*timeline)(void *data, const struct timeline *t);
	/*
	 * It is to be killed while it is STARTING, from within the killer's call: whoever makes the box makes
	 * it no further, and says watch_failed() or watch_started() later; may be NULL.
	 */
	void (*kill)(void *data);
	/* It is KILLING: who serves the program with anything need not any longer; may be NULL. */
	void (*killing)(void *data);
	/*
	 * The payload has ended, and for a second now whoever traces it has kept its status from us: nobody
	 * is waited for who is stopped, or wants to hold the run up; may be NULL. Once.
	 */
	void (*traced)(void *data);
};

/* All of it is borrowed until the memory of the watch is given back. */
struct watch_spec {
	uv_loop_t *loop;
	const struct plan *plan; /* policy->limits are the run's */
	const struct host *host;
	struct observation *o; /* identity filled in (observation_begin()) */
	struct arena *a; /* the observation's strings */
	struct subject *subject; /* what is known of it: watch_started() needs all */
	struct group *group; /* NULL without cgroups; removed by watch_close() */
	struct output *output; /* NULL: not captured */
	const struct terminal *terminal; /* the caller's, which the payload shares; NULL: none */
	struct witness_post *witnesses; /* one for many watches; NULL: one of its own */
	/*
	 * Somebody waits for the verdict and does not end with it: what is read for it is opened while the
	 * program runs, and the box is taken down a moment after it.
	 */
	bool prompt;
	bool guarded; /* the supervisor is protected already (run/guard.h) */
	uint64_t began_us; /* monotonic: from when the time to spawn counts */
	struct watch_hooks hooks;
};

struct watch {
	struct watch_spec at;
	enum watch_state state;
	const struct limits *limits;
	struct sampler sampler;
	struct witness witness;
	struct refused refused;
	struct denied denied;
	int exits_fd; /* what tells the peak of virtual memory; -1: nothing */
	uv_timer_t timer[TIMER_COUNT_];
	uv_poll_t payload, init, oom, empty;
	uint64_t started_us; /* monotonic, of the spawn */
	uint64_t stopped_us; /* how long we were stopped as a job: no limit counts that */
	uint64_t first_kill_us; /* monotonic, of the first KILL; 0: none */
	uint64_t
		early_output; /* more than may be written was, before we knew of the start; 0: no */
	unsigned oom_looks, empty_looks, traced_looks, init_looks;
	struct timeline *timeline; /* NULL in the first 100 ms, and where nothing can be counted */
	uint64_t timeline_cpu_us; /* CPU time of our own after the last point */
	uint64_t timeline_told_us; /* when the hook had it last */
	bool setup_overdue, failed;
	bool settled_told, gone_told;
	/* The last signal that somebody had passed on and that need not end the program. */
	struct asked_signal {
		int sig; /* 0: none */
		pid_t pid;
		uid_t uid;
		uint64_t at_us;
	} asked;
	/* Of watch_close(). */
	void (*closed)(void *data, const struct error *left);
	struct error left;
	unsigned open_handles;
	uint64_t close_until_us;
};

/*
 * Before the payload may exec: what has to be in place then is opened (what watches refusals and
 * peaks, if such limits are in force). State STARTING; no event comes yet.
 */
void watch_init(struct watch *w, const struct watch_spec *spec);
/* The time counts from now: the wall deadline and the bound for setting up run. */
void watch_begin(struct watch *w);
/*
 * The exec has happened, or the payload was killed before: the subject is complete. To be called
 * in STARTING, once; also after a KILL, when the box turns out to have been made. If its end cannot be
 * waited for it is killed, and failed as by watch_failed().
 */
void watch_started(struct watch *w);
/*
 * It will not: @failure (copied; its words are in the arena of the observation) is why. What there is of
 * the subject is killed and waited for.
 */
void watch_failed(struct watch *w, const struct setup_failure *failure);
/*
 * The init of its kept box has ended, so that the kernel kills all that is in it. @why (in words,
 * in the arena) is told if the run was STARTING.
 */
void watch_box_gone(struct watch *w, const char *why);

/* In hooks.settled, or later: put into the observation what the kernel has counted. */
void watch_conclude(struct watch *w);

/*
 * In GONE, or never begun: remove the group (looking for 2 s at most whether it is empty), then close
 * the handles, also those of the output, which output_close() has closed before; then @closed is called,
 * from the loop, with hooks.data and what could not be removed (BLAME_NONE: nothing), and the memory
 * of both may be given back. The subject is closed by its owner, after that.
 */
void watch_close(struct watch *w, void (*closed)(void *data, const struct error *left));

/* ---- killer.c: the ways to end a run ---- */

/* Write down what is about to be done and why. */
void killer_record(
	struct watch *w, enum act_reason reason, int signal, bool whole, uint64_t measured);
/* TERM to the payload, KILL to all after the grace time. In STARTING KILL at once. */
void killer_stop(struct watch *w, enum act_reason reason, uint64_t measured);
/* KILL to all now. Legal in each state; without effect from KILLING on. */
void killer_kill(struct watch *w, enum act_reason reason, uint64_t measured);
/*
 * It has written @seen bytes, more than it may: KILL to all. Who writes has started, so that in STARTING
 * only the news of that is missing, and waited for.
 */
void killer_kill_for_output(struct watch *w, uint64_t seen);
/* The box is complete only now, after KILL was sent to what there was of it: send it to the rest. */
void killer_finish(struct watch *w);
/* The caller's INT, TERM or HUP: the first is passed on, the second kills. */
void killer_cancel(struct watch *w, int sig, pid_t pid, uid_t uid, bool from_terminal);
/* killer_stop() (or, with @now, killer_kill()) for somebody who asked for the end. */
void killer_stop_for(struct watch *w, bool now, pid_t pid, uid_t uid);
/*
 * A signal that somebody wants the payload to have, and no more: no grace time begins. It is a
 * cancel if the payload dies of it. Nothing in STARTING, and when the payload has ended.
 */
void killer_signal(struct watch *w, int sig, pid_t pid, uid_t uid);
/* The payload has ended: have the rest ended. */
void killer_end_leftovers(struct watch *w);

/* ---- timeline.c: what the run uses over time ---- */

/* The run has gone on for as long as the first interval: take the first point, and arm the next. */
void timeline_begin(struct watch *w);
/* Take another point. */
void timeline_look(struct watch *w);
/* The run has ended, its usage is known: put the growth into the observation, tell the hook. */
void timeline_end(struct watch *w);

/* For all of them: the one writer of the state, and timers in µs from now. */
void watch_enter(struct watch *w, enum watch_state state);
void watch_arm(struct watch *w, enum watch_timer timer, uint64_t us);
void watch_disarm(struct watch *w, enum watch_timer timer);
/* Microseconds since the spawn, without the time in which we were stopped. */
uint64_t watch_now_us(const struct watch *w);
/* Begin to sample its processes, where no group counts. */
void watch_sample(struct watch *w);

/* ---- watch-reap.c: the ends of the processes ---- */

/*
 * Begin to wait for the payload and, if it is the run's own, for init. Less than 0, an error of libuv's: not all of
 * them can be waited for; have them killed, their ends are looked for then.
 */
int watch_processes(struct watch *w);
/* One of them was killed whose end is not told: look for it. */
void watch_look_unwatched(struct watch *w);
/* The payload or init has ended, and its tracer may have let go of it: look again. */
void watch_look_traced(struct watch *w);
/* Nobody of a kept box's run is left, as far as can be seen. */
bool watch_is_empty(const struct watch *w);
/* Nobody may be left: look now, and if somebody is, again when there may be news. */
void watch_look_empty(struct watch *w);
/* Why uv_poll_init() has returned @r, in words. */
const char *watch_poll_fault(int r);
/* 0, or an error of libuv's: @callback will never be called. */
int watch_poll(struct watch *w, uv_poll_t *handle, int fd, int events, uv_poll_cb callback);

/* ---- watch-close.c ---- */

/* Try once more to remove the group. */
void watch_try_close(struct watch *w);

#endif
