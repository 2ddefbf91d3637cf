/* SPDX-License-Identifier: MIT */
#include "kernel/sys.h"
#include "run/watch.h"

#include <string.h>

#include "base/time.h"

/* How long the kernel may take to end what got KILL; beyond that the run is given up, and said so. */
#define KILL_BOUND_US (20 * US_PER_SEC)

void killer_record(
	struct watch *w, enum act_reason reason, int signal, bool whole, uint64_t measured)
{
	struct observation *o = w->o;
	/* whoever lives by Ctrl-C has many of them: the oldest decides nothing any more */
	if (o->n_acts == OBSERVATION_MAX_ACTS)
		memmove(o->acts, o->acts + 1, --o->n_acts * sizeof(o->acts[0]));
	o->acts[o->n_acts++] = (struct act){
		.reason = reason,
		.signal = signal,
		.whole_run = whole,
		.at_us = watch_now_us(w),
		.measured = measured,
		.oom_known = w->group != NULL,
		.oom_kills = w->group ? group_oom_kills(w->group) : 0,
	};
}

static void signal_payload(struct watch *w, int sig)
{
	if (!w->payload_reaped && w->spawn.payload_pidfd >= 0)
		sys_pidfd_send_signal(w->spawn.payload_pidfd, sig, NULL, 0);
}

/*
 * The processes of the group in one step, those being forked too; then init, with which the kernel
 * ends whatever else is in the pid namespace. Init's end is reported when all others are gone.
 */
static void kill_everything(struct watch *w)
{
	if (w->first_kill_us == 0)
		w->first_kill_us = time_monotonic_us();
	if (w->group)
		group_kill(w->group);
	if (w->spawn.init_pidfd >= 0)
		sys_pidfd_send_signal(w->spawn.init_pidfd, SIGKILL, NULL, 0);
	if (w->spawn.maker_pidfd >= 0)
		sys_pidfd_send_signal(w->spawn.maker_pidfd, SIGKILL, NULL, 0);
}

void killer_kill(struct watch *w, enum act_reason reason, uint64_t measured)
{
	if (w->state >= WATCH_KILLING)
		return;
	killer_record(w, reason, SIGKILL, true, measured);
	kill_everything(w);
	if (w->state != WATCH_STARTING) /* then the maker's end tells */
		watch_enter(w, WATCH_KILLING);
	watch_arm(w, TIMER_BOUND, KILL_BOUND_US);
}

void killer_finish(struct watch *w)
{
	kill_everything(w);
	watch_enter(w, WATCH_KILLING);
}

void killer_stop(struct watch *w, enum act_reason reason, uint64_t measured)
{
	if (w->state == WATCH_STARTING || w->limits->grace_us == 0) {
		killer_kill(w, reason, measured);
		return;
	}
	if (w->state != WATCH_RUNNING)
		return;
	killer_record(w, reason, SIGTERM, false, measured);
	signal_payload(w, SIGTERM);
	signal_payload(w, SIGCONT);
	watch_enter(w, WATCH_STOPPING);
	watch_arm(w, TIMER_GRACE, w->limits->grace_us);
}

void killer_end_leftovers(struct watch *w)
{
	bool stopping = w->state == WATCH_STOPPING;
	watch_enter(w, WATCH_ENDING);
	spawn_tell_ended(&w->spawn);
	if (!stopping) /* else the grace time is running already, for all of it */
		watch_arm(w, TIMER_GRACE, w->limits->grace_us);
}

static bool was_just_cancelled(const struct watch *w)
{
	for (size_t i = 0; i < w->o->n_acts; i++)
		if (w->o->acts[i].reason == ACT_CANCELLED &&
			watch_now_us(w) - w->o->acts[i].at_us <= w->limits->grace_us)
			return true;
	return false;
}

static void pass_on_cancel(struct watch *w, int sig, bool from_terminal)
{
	killer_record(w, ACT_CANCELLED, sig, false, 0);
	if (!from_terminal || !terminal_told_all(&w->terminal, sig))
		signal_payload(w, sig);
	if (from_terminal)
		return;
	signal_payload(w, SIGCONT);
	watch_enter(w, WATCH_STOPPING);
	watch_arm(w, TIMER_GRACE, w->limits->grace_us);
}

/*
 * Ctrl-C in a terminal has reached the payload by itself, and an interactive program may well live
 * on: nothing is killed for it. A second request within the grace time kills. One that somebody
 * sent to bulkhead is passed on and starts the grace time.
 */
void killer_cancel(struct watch *w, int sig, pid_t pid, uid_t uid, bool from_terminal)
{
	if (w->state >= WATCH_KILLING)
		return;
	if (w->state != WATCH_RUNNING || w->limits->grace_us == 0 || was_just_cancelled(w))
		killer_kill(w, ACT_CANCELLED, 0);
	else
		pass_on_cancel(w, sig, from_terminal);
	struct act *act = &w->o->acts[w->o->n_acts - 1];
	act->cancel_signal = sig;
	act->cancel_pid = pid;
	act->cancel_uid = uid;
}
