/* SPDX-License-Identifier: MIT */
#include "warden/stop.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/time.h"
#include "kernel/ptrace.h"
#include "kernel/sys.h"
#include "warden/seize.h"

void docket_init(struct docket *d, struct judge *judge, struct calls *calls)
{
	*d = (struct docket){.judge = judge,
		.calls = calls,
		.interrupt_first = notify_waits_killably(),
		.line = BUF_INIT};
	d->last = &d->first;
}

void docket_fini(struct docket *d)
{
	docket_drop(d, NULL);
	buf_fini(&d->line);
}

static void enqueue(struct docket *d, struct call *call)
{
	call->state = CALL_RECEIVED;
	call->next = NULL;
	*d->last = call;
	d->last = &call->next;
}

static struct call *dequeue(struct docket *d)
{
	struct call *call = d->first;
	if (!call)
		return NULL;
	d->first = call->next;
	if (!d->first)
		d->last = &d->first;
	return call;
}

void docket_receive(struct docket *d, struct slot *slot, const struct notify_call *notify)
{
	struct call *call = call_new(d->calls, slot, notify);
	if (call)
		enqueue(d, call);
	else
		notify_fail(slot->listener, notify->id, EAGAIN);
}

bool docket_has_one(const struct docket *d)
{
	return d->first && !d->first->next;
}

/* There is one in flight for which it waits: with none of them nothing is held. */
static void park(struct slot *slot, struct call *call)
{
	call->state = CALL_WAITING;
	call->next = NULL;
	if (slot->parked)
		slot->last_parked->next = call;
	else
		slot->parked = call;
	slot->last_parked = call;
}

/* Those for which there is no room after all are parked again. */
static void unpark(struct docket *d, struct slot *slot)
{
	while (slot->parked) {
		struct call *next = slot->parked;
		slot->parked = next->next;
		enqueue(d, next);
	}
}

void docket_drop(struct docket *d, struct slot *slot)
{
	if (slot)
		unpark(d, slot);
	struct call **at = &d->first;
	while (*at) {
		struct call *call = *at;
		if (slot && call->slot != slot) {
			at = &call->next;
			continue;
		}
		*at = call->next;
		call_free(d->calls, call);
	}
	d->last = at;
}

static void set_in_flight(struct call *call, bool is)
{
	_Atomic uint64_t *n = &call->slot->board->in_flight;
	if (is)
		atomic_fetch_add_explicit(n, 1, memory_order_release);
	else
		atomic_fetch_sub_explicit(n, 1, memory_order_release);
}

/* As long as a task is traced by us there is a call in flight for it; and one only for each process. */
static void set_held(struct docket *d, struct call *call, enum call_state state)
{
	call->state = state;
	call->held = false;
	calls_add(d->calls, call);
}

/* Those that waited for it have their turn, and it is forgotten; but if it is held it is in flight until it has stopped. */
static void finish(struct docket *d, struct call *call)
{
	if (call->held) {
		set_in_flight(call, true);
		set_held(d, call, CALL_RELEASING);
		return;
	}
	while (call->waiting) {
		struct call *next = call->waiting;
		call->waiting = next->next;
		enqueue(d, next);
	}
	call_free(d->calls, call);
}

static void tell(struct docket *d, struct call *call, enum exec_outcome outcome)
{
	struct exec_event *event = &call->event;
	if (call->told)
		return;
	call->told = true;
	judge_detail(d->judge, call);
	event->outcome = outcome;
	event->enforced = d->judge->enforce;
	event->rule = call->judgement.rule_text;
	if (!event->why)
		event->why = call->judgement.why;
	slot_tell(call->slot, event, call->judgement.hint, &d->line);
}

/* ---- before the kernel goes on ---- */

/*
 * What is told is told before the caller hears of it; and not at all of one that is gone, or was interrupted:
 * a restarted call comes again.
 */
static void answer(struct docket *d, struct call *call, enum exec_outcome outcome, int errnum)
{
	int listener = call->slot->listener;
	if (notify_valid(listener, call->notify.id)) {
		tell(d, call, outcome);
		notify_fail(listener, call->notify.id, errnum);
	}
	finish(d, call);
}

/* Mode audit: it goes on whatever was said. */
static void let_go_on(struct docket *d, struct call *call, enum exec_outcome outcome)
{
	int listener = call->slot->listener;
	if (notify_valid(listener, call->notify.id)) {
		tell(d, call, outcome);
		notify_continue(listener, call->notify.id);
	}
	finish(d, call);
}

/* Whatever is not known of a caller that still waits, it must not wait for ever. */
static void cannot(struct docket *d, struct call *call, const char *what, const char *why)
{
	judge_refuse(call, what, why);
	call->event.why = NULL;
	if (d->judge->enforce)
		answer(d, call, EXEC_REFUSED, EPERM);
	else
		let_go_on(d, call, EXEC_STARTED);
}

static void cannot_look(struct docket *d, struct call *call)
{
	cannot(d, call, "a caller that cannot be looked at", "it is beyond the warden's rights");
}

/*
 * Interrupted before it is answered, the task stops behind its call whatever comes of that, and does nothing in between.
 * Linux before 5.19 would take that for the end of the call: there it is interrupted afterwards, and may be in its
 * next call by then (take_over()). One that cannot be interrupted is not ours, and must not be told to go on.
 */
static bool is_seized(struct docket *d, struct call *call)
{
	pid_t tid = call->notify.tid;
	return (call->held || seize_in_time(tid) == 0) &&
		(!d->interrupt_first || ptrace_interrupt(tid) == 0);
}

/* Whose thread it is has to be known before it is held. */
static void cannot_identify(struct docket *d, struct call *call, int errnum)
{
	call->event.why = arena_strdup(&call->arena, errno_text(errnum));
	if (d->judge->enforce)
		answer(d, call, EXEC_FAILED, errnum);
	else
		let_go_on(d, call, EXEC_STARTED);
}

static int let_execute(struct docket *d, struct call *call)
{
	pid_t tid = call->notify.tid;
	int r = notify_continue(call->slot->listener, call->notify.id);
	if (!d->interrupt_first)
		ptrace_interrupt(tid);
	return r;
}

/* What is asked for the record alone is asked while the kernel is at it. */
static void hold(struct docket *d, struct call *call)
{
	if (!is_seized(d, call)) {
		cannot(d, call, "a caller that cannot be held at its exec",
			"it is traced by somebody else, or runs a program that is not readable");
		return;
	}
	call->state = CALL_SEIZED;
	set_in_flight(call, true);
	bool goes_on = let_execute(d, call) == 0;
	if (!goes_on) { /* it may be another task by now: then it is stopped for a moment, and let go */
		call->ids.pid = 0;
		judge_identify(d->judge, call);
	}
	set_held(d, call, goes_on ? CALL_CONTINUED : CALL_RELEASING);
	judge_detail(d->judge, call);
	call->bytes = arena_size(&call->arena);
	call->slot->held_bytes += call->bytes;
}

/* Mode audit holds as well what it would have refused: no other thread of that process is seized meanwhile. */
static void begin(struct docket *d, struct call *call)
{
	int errnum = 0;
	enum judge_result result = judge_call(d->judge, call, &errnum);
	bool enforce = d->judge->enforce;
	call->state = CALL_JUDGED;
	if (result == JUDGE_FAILS)
		call->event.why = arena_strdup(&call->arena, errno_text(errnum));
	if (result == JUDGE_GONE)
		cannot_look(d, call);
	else if (result == JUDGE_REFUSED && enforce)
		answer(d, call, EXEC_REFUSED, EPERM);
	else if (result == JUDGE_FAILS && enforce)
		answer(d, call, EXEC_FAILED, errnum);
	else if (notify_valid(call->slot->listener, call->notify.id)) {
		if (result == JUDGE_REFUSED)
			tell(d, call, EXEC_REFUSED);
		hold(d, call);
	} else {
		finish(d, call);
	}
}

static void wait_for(struct call *other, struct call *call)
{
	call->state = CALL_WAITING;
	call->next = other->waiting;
	other->waiting = call;
}

static void land(struct docket *d, struct call *call)
{
	struct slot *slot = call->slot;
	set_in_flight(call, false);
	calls_remove(d->calls, call);
	slot->held_bytes -= call->bytes;
	if (slot->held_bytes < SLOT_HELD_MAX)
		unpark(d, slot);
	finish(d, call);
}

/* @call comes from a task that @former holds: that one failed, and the task was faster than our interrupt. */
static void take_over(struct docket *d, struct call *former, struct call *call)
{
	if (former->state == CALL_CONTINUED) {
		former->event.why = "the kernel did not do it";
		tell(d, former, EXEC_FAILED);
	}
	land(d, former);
	call->held = ptrace_interrupt(call->notify.tid) == 0;
	begin(d, call);
}

bool docket_next(struct docket *d)
{
	struct call *call = dequeue(d);
	if (!call)
		return false;
	if (call->slot->state != SLOT_SERVING) {
		finish(d, call); /* its caller was answered by the kernel */
		return true;
	}
	/* one whose task has a call in flight is its end (take_over()), and must not wait for that */
	if (call->slot->held_bytes >= SLOT_HELD_MAX && !calls_by_tid(d->calls, call->notify.tid)) {
		park(call->slot, call);
		return true;
	}
	call_reset(call);
	call->event.t_us = time_monotonic_us() - call->slot->started_us;
	if (judge_know_box(d->judge, call) < 0) {
		cannot_look(d, call);
		return true;
	}
	/* before it is held: then notify_valid() vouches for it, and later its number may be another's (find_reported()) */
	int r = judge_identify(d->judge, call);
	if (r < 0) {
		cannot_identify(d, call, -r);
		return true;
	}
	if (!call->slot->payload)
		call->slot->payload = call->ids.pid;
	struct call *other = calls_by_process(d->calls, call->ids.pid);
	if (other && other->notify.tid == call->notify.tid && other->state != CALL_KILLED)
		take_over(d, other, call);
	else if (other)
		wait_for(other, call);
	else
		begin(d, call);
	return true;
}

/* ---- when the task stops, or ends ---- */

/* The call is over and did nothing: said by what it left in the registers, if it is that call still. */
static void say_why_failed(struct call *call, const struct ptrace_regs *regs)
{
	bool same = regs->call == (uint64_t)call->notify.nr &&
		regs->instruction == call->notify.instruction;
	int64_t result = (int64_t)regs->result;
	call->event.why = same && result < 0 && result > -4096
		? arena_strdup(&call->arena, errno_text((int)-result))
		: "the kernel did not do it";
}

/* -ERESTARTSYS, -ERESTARTNOINTR, -ERESTARTNOHAND, -ERESTART_RESTARTBLOCK: seen by tracers only. */
static bool is_restarted(const struct ptrace_regs *regs)
{
	int64_t result = -(int64_t)regs->result;
	return result >= 512 && result <= 516;
}

/* One that cannot be let go was killed by somebody else since: its end is still to come, and nobody else's is it. */
static void let_go(struct docket *d, struct call *call, pid_t tid, int sig)
{
	if (ptrace_detach(tid, sig) == 0)
		land(d, call);
	else
		call->state = CALL_KILLED;
}

static void stopped(struct docket *d, struct call *call, pid_t tid, int sig)
{
	struct ptrace_regs regs;
	if (call->state == CALL_KILLED)
		return; /* it will die of it */
	bool known = ptrace_regs(tid, &regs) == 0;
	if (call->state == CALL_CONTINUED && !(known && is_restarted(&regs))) {
		if (known)
			say_why_failed(call, &regs);
		tell(d, call, EXEC_FAILED);
	}
	let_go(d, call, tid, sig);
}

/* Somebody else's SIGKILL takes it out of its stop, and nothing else does. */
static bool has_left_its_stop(pid_t pid)
{
	pid_t former;
	return ptrace_former_tid(pid, &former) == -ESRCH;
}

static void executed(struct docket *d, struct call *call, pid_t pid)
{
	bool ours = call->state == CALL_CONTINUED;
	bool right = !ours || judge_image(d->judge, call, pid);
	if (!right &&
		has_left_its_stop(pid)) { /* what was seen is not what it became: gone() tells */
		call->event.real_executable = NULL;
		call->event.real_argv = (struct strv){0};
		return;
	}
	if (ours)
		tell(d, call, right ? EXEC_STARTED : EXEC_KILLED);
	if (right || !d->judge->enforce) {
		let_go(d, call, pid, 0);
	} else {
		call->state = CALL_KILLED;
		sys_kill(pid, SIGKILL); /* no other's: it is our tracee until we have reaped it */
	}
}

static void gone(struct docket *d, struct call *call)
{
	if (call->state == CALL_CONTINUED) {
		call->event.why = "the caller ended first";
		tell(d, call, EXEC_FAILED);
	}
	land(d, call);
}

/*
 * A thread that executes and was not the first takes the process's number as soon as the others are gone: what is
 * reported from then on, its end too, is reported of that. Its former number may be another's at once.
 */
static struct call *find_reported(struct docket *d, pid_t tid)
{
	struct call *call = calls_by_tid(d->calls, tid);
	if (call)
		return call;
	call = calls_by_process(d->calls, tid);
	if (!call)
		return NULL;
	pid_t former = call->notify.tid;
	bool moved = calls_by_tid(d->calls, former) != call || ptrace_interrupt(former) == -ESRCH;
	return moved ? call : NULL;
}

/* Whose exec stop it is: there the kernel says which number it had. */
static struct call *find_executed(struct docket *d, pid_t pid)
{
	pid_t former = pid;
	struct call *call = calls_by_tid(d->calls, pid);
	if (call)
		return call;
	call = calls_by_process(d->calls, pid);
	if (!call || ptrace_former_tid(pid, &former) < 0 || former != call->notify.tid)
		return NULL;
	calls_remove(d->calls, call);
	call->notify.tid = call->ids.pid = call->event.pid = pid;
	calls_add(d->calls, call);
	return call;
}

void docket_report(struct docket *d, pid_t tid, int status)
{
	int sig;
	enum ptrace_report report = ptrace_report(status, &sig);
	struct call *call =
		report == PTRACE_REPORT_EXEC ? find_executed(d, tid) : find_reported(d, tid);
	if (report == PTRACE_REPORT_GONE && call)
		gone(d, call);
	else if (report == PTRACE_REPORT_EXEC && call)
		executed(d, call, tid);
	else if ((report == PTRACE_REPORT_SIGNAL || report == PTRACE_REPORT_STOP) && call)
		stopped(d, call, tid, sig);
	else if (report != PTRACE_REPORT_GONE && report != PTRACE_REPORT_OTHER)
		ptrace_detach(tid, sig); /* cloned with CLONE_PTRACE while it was held */
}
