/* SPDX-License-Identifier: MIT */
#ifndef RUN_FOREGROUND_H
#define RUN_FOREGROUND_H

#include <signal.h>
#include <uv.h>

#include "run/output.h"
#include "run/relay.h"
#include "run/run.h"
#include "run/spawner.h"
#include "run/terminal.h"
#include "run/warden.h"
#include "run/watch.h"

/*
 * The one run of `bulkhead run`: what is watched, and what is between it and its caller: the terminal,
 * job control, the signals that are sent to us.
 */
struct foreground {
	uv_loop_t loop;
	struct watch watch;
	struct spawn spawn;
	const struct run_request *request;
	struct group *group; /* NULL on a host without cgroups */
	int stdio[3]; /* the child's ends of what is captured, until it has them; else -1 */
	struct output output;
	struct relay relay; /* with plan->tty */
	struct terminal terminal;
	/* With an exec policy: the payload is not started before its warden serves. */
	struct warden warden;
	struct warden_run warden_run;
	struct spawn_request spawn_request;
	bool payload_begun;
	struct setup_failure
		refusal; /* why the payload was not started; what NULL: no reason of a warden */
	uv_poll_t maker, signals;
	int signal_fd;
	bool over; /* nobody is left to pass a signal on to */
	/* What came before the program ran, and is acted on when it does. */
	struct early_signals {
		sigset_t others; /* to be passed on */
		int cancel; /* 0: none; with its sender: */
		pid_t pid;
		uid_t uid;
		bool from_terminal;
	} early;
};

/* ---- signals.c: what the caller, and others, send to us ---- */

/* A signalfd for all that run_block_signals() has blocked; -1 with errno. */
int signals_open(void);
/* Do what has come, as a callback of libuv's for that descriptor; its data is the foreground. */
void signals_read(uv_poll_t *handle, int status, int events);
/* The program runs: do what had to wait for that. */
void signals_act_on_early(struct foreground *f);

/* ---- foreground-warden.c: with an exec policy ---- */

/* Beside the maker; when it serves it has its run, and the payload of f->spawn_request is started. */
int foreground_start_warden(struct foreground *f, struct error *e);
/* The payload was not started: if that is the warden's doing, say so in @failure. */
void foreground_blame_warden(const struct foreground *f, struct setup_failure *failure);
/* Hooks of the watch: KILL has gone to everything; the payload's end is held up. */
void foreground_shut_down_warden(void *foreground);
void foreground_free_from_warden(void *foreground);
/*
 * Nobody of the run is left: wait for the warden's end, for WARDEN_DRAIN_MS and, if it then has to be killed,
 * WARDEN_KILL_MS at most; and let go of it.
 */
void foreground_close_warden(struct foreground *f);

#endif
