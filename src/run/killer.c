/* SPDX-License-Identifier: MIT */
#include "kernel/sys.h"
#include "run/watch.h"

#include <string.h>

#include "base/time.h"
#include "run/kin.h"

/* How long the kernel may take to end what got KILL; beyond that the run is given up, and said so. */
#define KILL_BOUND_US (20 * US_PER_SEC)

void killer_record(
	struct watch *w, enum act_reason reason, int signal, bool whole, uint64_t measured)
{
	struct observation *o = w->at.o;
	/* whoever lives by Ctrl-C has many of them: the oldest decides nothing any more */
	if (o->n_acts == OBSERVATION_MAX_ACTS)
		memmove(o->acts, o->acts + 1, --o->n_acts * sizeof(o->acts[0]));
	o->acts[o->n_acts++] = (struct act){
		.reason = reason,
		.signal = signal,
		.whole_run = whole,
		.at_us = watch_now_us(w),
		.measured = measured,
		.oom_known = w->at.group != NULL,
		.oom_kills = w->at.group ? group_oom_kills(w->at.group) : 0,
	};
}

static void signal_payload(struct watch *w, int sig)
{
	subject_signal(w->at.subject, sig);
}

/* Those of the run but its payload, where no init of its own does it. */
static void signal_rest(struct watch *w, int sig)
{
	if (w->at.group)
		group_signal(w->at.group, sig);
	else
		kin_signal(w->at.subject->payload, sig);
}

/*
 * The processes of the group in one step, those being forked too; then init, with which the kernel
 * ends whatever else is in the pid namespace. Init's end is reported when all others are gone.
 */
static void kill_everything(struct watch *w)
{
	const struct subject *s = w->at.subject;
	if (w->first_kill_us == 0)
		w->first_kill_us = time_monotonic_us();
	if (w->at.group)
		group_kill(w->at.group);
	else if (s->kept && s->payload > 0)
		kin_signal(s->payload, SIGKILL);
	subject_kill(s);
	if (!subject_has_init(s))
		watch_arm(w, TIMER_EMPTY, 0);
}

void killer_kill(struct watch *w, enum act_reason reason, uint64_t measured)
{
	if (w->state >= WATCH_KILLING)
		return;
	killer_record(w, reason, SIGKILL, true, measured);
	kill_everything(w);
	if (w->state != WATCH_STARTING) /* then the maker's end tells */
		watch_enter(w, WATCH_KILLING);
	else if (w->at.hooks.kill)
		w->at.hooks.kill(w->at.hooks.data);
	watch_arm(w, TIMER_BOUND, KILL_BOUND_US);
}

void killer_kill_for_output(struct watch *w, uint64_t seen)
{
	if (w->state == WATCH_STARTING)
		w->early_output = seen;
	else
		killer_kill(w, ACT_OUTPUT_LIMIT, seen);
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

/* Init would wake them, too: who is stopped could not obey. */
static void end_without_init(struct watch *w)
{
	killer_record(w, ACT_LEFTOVER, SIGTERM, true, 0);
	signal_rest(w, SIGTERM);
	signal_rest(w, SIGCONT);
}

void killer_end_leftovers(struct watch *w)
{
	bool stopping = w->state == WATCH_STOPPING;
	watch_enter(w, WATCH_ENDING);
	if (subject_has_init(w->at.subject))
		subject_tell_ended(w->at.subject);
	else if (!watch_is_empty(w))
		end_without_init(w);
	if (!stopping) /* else the grace time is running already, for all of it */
		watch_arm(w, TIMER_GRACE, w->limits->grace_us);
}

static bool was_just_cancelled(const struct watch *w)
{
	for (size_t i = 0; i < w->at.o->n_acts; i++)
		if (w->at.o->acts[i].reason == ACT_CANCELLED &&
			watch_now_us(w) - w->at.o->acts[i].at_us <= w->limits->grace_us)
			return true;
	return false;
}

static void pass_on_cancel(struct watch *w, int sig, bool from_terminal)
{
	killer_record(w, ACT_CANCELLED, sig, false, 0);
	if (!from_terminal || !w->at.terminal)
		signal_payload(w, sig);
	else if (!terminal_told_all(w->at.terminal, w->at.subject->payload, sig))
		subject_signal_group(w->at.subject, sig);
	if (from_terminal && sig == SIGINT)
		return;
	signal_payload(w, SIGCONT);
	watch_enter(w, WATCH_STOPPING);
	watch_arm(w, TIMER_GRACE, w->limits->grace_us);
}

static void note_asker(struct watch *w, int sig, pid_t pid, uid_t uid)
{
	struct act *act = &w->at.o->acts[w->at.o->n_acts - 1];
	act->cancel_signal = sig;
	act->cancel_pid = pid;
	act->cancel_uid = uid;
}

/*
 * Ctrl-C in a terminal has reached the payload by itself, and an interactive program may well live
 * on: nothing is killed for it. A second request within the grace time kills. One that somebody
 * sent to bulkhead is passed on and starts the grace time; so does the terminal's hang-up, after which
 * nobody is there to ask again.
 */
void killer_cancel(struct watch *w, int sig, pid_t pid, uid_t uid, bool from_terminal)
{
	if (w->state >= WATCH_KILLING)
		return;
	if (w->state != WATCH_RUNNING || w->limits->grace_us == 0 || was_just_cancelled(w))
		killer_kill(w, ACT_CANCELLED, 0);
	else
		pass_on_cancel(w, sig, from_terminal);
	note_asker(w, sig, pid, uid);
}

void killer_stop_for(struct watch *w, bool now, pid_t pid, uid_t uid)
{
	size_t before = w->at.o->n_acts;
	enum watch_state was = w->state;
	if (now)
		killer_kill(w, ACT_CANCELLED, 0);
	else
		killer_stop(w, ACT_CANCELLED, 0);
	if (w->at.o->n_acts != before || w->state != was)
		note_asker(w, now ? SIGKILL : SIGTERM, pid, uid);
}

/* What is sent to end a program: whatever comes of it came of whoever asked. */
static bool is_meant_as_end(int sig)
{
	return sig == SIGKILL || sig == SIGTERM || sig == SIGINT || sig == SIGHUP || sig == SIGQUIT;
}

void killer_signal(struct watch *w, int sig, pid_t pid, uid_t uid)
{
	if (w->state == WATCH_STARTING || w->state >= WATCH_KILLING ||
		w->at.subject->payload_reaped)
		return;
	if (is_meant_as_end(sig)) {
		killer_record(w, ACT_CANCELLED, sig, false, 0);
		note_asker(w, sig, pid, uid);
	} else {
		w->asked = (struct asked_signal){sig, pid, uid, watch_now_us(w)};
	}
	signal_payload(w, sig);
}
