/* SPDX-License-Identifier: MIT */
#ifndef RUN_WATCH_H
#define RUN_WATCH_H

#include <signal.h>
#include <uv.h>

#include "run/group.h"
#include "run/output.h"
#include "run/refused.h"
#include "run/relay.h"
#include "run/run.h"
#include "run/sampler.h"
#include "run/spawner.h"
#include "run/terminal.h"
#include "run/witness.h"

/*
 * The life of one run, as its supervisor sees it. One writer (watch_enter), one table of what each
 * state does with each event:
 *
 *   STARTING  the maker works. Holds: spawn, groups. Nothing but KILL is legal.
 *   RUNNING   the payload has exec'd. Holds its pidfd, init's, the life pipe.
 *   STOPPING  TERM (or what the caller sent) has gone to the payload; the grace time runs.
 *   ENDING    the payload is gone and its status known; init ends what it left behind. The life
 *             pipe is closed. Ends by init's end or, after the grace time, by KILL.
 *   KILLING   KILL has gone to everything. Only the kernel's work is waited for.
 *   SETTLING  nobody is left but init, which the kernel is taking down with its namespaces.
 *   GONE      init is gone, and with it every process of the box.
 *
 * Each signal of ours is recorded (observation.acts) before it is sent.
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
	TIMER_COUNT_,
};

struct watch {
	uv_loop_t loop;
	enum watch_state state;
	const struct run_request *request;
	const struct plan *plan;
	const struct limits *limits;
	struct observation *o;
	struct arena *a;
	struct group *group; /* NULL on a host without cgroups */
	struct spawn spawn;
	int stdio[3]; /* the child's ends of what is captured, until it has them; else -1 */
	struct output output;
	struct relay relay; /* with plan->tty */
	struct terminal terminal;
	struct sampler sampler;
	struct witness witness;
	struct refused refused;
	int exits_fd; /* what tells the peak of virtual memory; -1: nothing */
	uv_timer_t timer[TIMER_COUNT_];
	uv_poll_t maker, payload, init, signals, oom;
	int signal_fd;
	/* What came before the program ran, and is acted on when it does. */
	struct early_signals {
		sigset_t others; /* to be passed on */
		int cancel; /* 0: none; with its sender: */
		pid_t pid;
		uid_t uid;
		bool from_terminal;
	} early;
	uint64_t started_us; /* monotonic, of the spawn */
	uint64_t stopped_us; /* how long we were stopped as a job: no limit counts that */
	uint64_t first_kill_us; /* monotonic, of the first KILL; 0: none */
	unsigned oom_looks;
	struct timeline *timeline; /* NULL in the first 100 ms, and where nothing can be counted */
	uint64_t timeline_cpu_us; /* CPU time of our own after the last point */
	uint64_t timeline_told_us; /* when the hook had it last */
	bool payload_reaped, init_reaped;
	int init_status;
	bool setup_overdue;
};

/* The event loop and the signals: what the payload may not run without. -1 with @e. */
int watch_open(struct watch *w, struct error *e);

/*
 * Watch until SETTLING or GONE. On entry the spawn is started; on return the payload is reaped and
 * nothing of the run is left but init, and @w->o has the wait status, the acts and the times.
 */
void watch_run(struct watch *w);
/* Wait until GONE. */
void watch_settle(struct watch *w);

/* ---- killer.c: the ways to end a run ---- */

/* Write down what is about to be done and why. */
void killer_record(
	struct watch *w, enum act_reason reason, int signal, bool whole, uint64_t measured);
/* TERM to the payload, KILL to all after the grace time. */
void killer_stop(struct watch *w, enum act_reason reason, uint64_t measured);
/* KILL to all now. */
void killer_kill(struct watch *w, enum act_reason reason, uint64_t measured);
/* The box is complete only now, after KILL was sent to what there was of it: send it to the rest. */
void killer_finish(struct watch *w);
/* The caller's INT, TERM or HUP: the first is passed on, the second kills. */
void killer_cancel(struct watch *w, int sig, pid_t pid, uid_t uid, bool from_terminal);
/* The payload has ended: let init end the rest. */
void killer_end_leftovers(struct watch *w);

/* ---- signals.c: what the caller, and others, send to us ---- */

/* A signalfd for all that run_block_signals() has blocked; -1 with errno. */
int signals_open(void);
/* Do what has come, as a callback of libuv's for that descriptor. */
void signals_read(uv_poll_t *handle, int status, int events);
/* The program runs: do what had to wait for that. */
void signals_act_on_early(struct watch *w);

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

#endif
