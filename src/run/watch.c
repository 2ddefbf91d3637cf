/* SPDX-License-Identifier: MIT */
#include "run/watch.h"

#include <poll.h>
#include <signal.h>

#include "base/time.h"
#include "run/deadline.h"
#include "run/guard.h"
#include "run/virtual-peak.h"

/* Making a box takes a millisecond; an exec from a network file system may take long. */
#define SETUP_BOUND_US (60 * US_PER_SEC)
/* The kernel's teardown of the namespaces. */
#define SETTLE_BOUND_US (20 * US_PER_SEC)
#define SAMPLE_US       50000
#define CPU_LOOK_MIN_US 5000
#define SETTLE_US       100000
#define DENIED_LOOK_US  2000
/* v1 tells of an OOM before it has counted the kill: looked at again, twice as late each time. */
#define OOM_FIRST_LOOK_US 1000
#define OOM_MAX_LOOKS     8

uint64_t watch_now_us(const struct watch *w)
{
	return time_monotonic_us() - w->started_us - w->stopped_us;
}

/* ---- the state ---- */

/* All who wait for the end hear of it when there is no more to be learned. */
static void tell(struct watch *w)
{
	const struct watch_hooks *hooks = &w->at.hooks;
	if (!denied_look(&w->denied, w->at.o, w->at.plan, w->at.a)) {
		watch_arm(w, TIMER_DENIED, DENIED_LOOK_US);
		return;
	}
	if (!w->settled_told) {
		w->settled_told = true;
		if (hooks->settled)
			hooks->settled(hooks->data);
	}
	if (w->state == WATCH_GONE && !w->gone_told) {
		w->gone_told = true;
		if (hooks->gone)
			hooks->gone(hooks->data);
	}
}

void watch_enter(struct watch *w, enum watch_state state)
{
	bool over = w->state < WATCH_SETTLING && state >= WATCH_SETTLING;
	if (over && w->first_kill_us)
		w->at.o->kill_us = time_monotonic_us() - w->first_kill_us;
	w->state = state;
	if (state == WATCH_KILLING && w->at.hooks.killing)
		w->at.hooks.killing(w->at.hooks.data);
	if (state == WATCH_SETTLING)
		watch_arm(w, TIMER_BOUND, SETTLE_BOUND_US);
	if (state >= WATCH_SETTLING)
		tell(w);
}

/* ---- timers ---- */

static void on_timer(uv_timer_t *handle);
static bool means_anything(const struct watch *w, enum watch_timer timer);

void watch_arm(struct watch *w, enum watch_timer timer, uint64_t us)
{
	uv_update_time(w->at.loop);
	/* libuv's clock is rounded down to milliseconds: one more, or it would be early */
	uv_timer_start(&w->timer[timer], on_timer, (us + 999) / 1000 + (us > 0), 0);
}

void watch_disarm(struct watch *w, enum watch_timer timer)
{
	uv_timer_stop(&w->timer[timer]);
}

static const struct limit_value *limit_of(const struct watch *w, enum limit limit)
{
	return &w->limits->v[limit];
}

static bool is_alive(const struct watch *w)
{
	return w->state == WATCH_STARTING || w->state == WATCH_RUNNING;
}

/* How long it runs, if that is too long; else 0, and the timer is set for then: we were stopped for a while. */
static uint64_t overdue(struct watch *w)
{
	uint64_t limit = limit_of(w, LIMIT_TIMEOUT)->value, now = watch_now_us(w);
	if (now >= limit)
		return now;
	watch_arm(w, TIMER_WALL, limit - now);
	return 0;
}

static void on_late(uv_timer_t *timer)
{
	struct watch *w = timer->data;
	uint64_t now = means_anything(w, TIMER_WALL) ? overdue(w) : 0;
	if (now)
		killer_stop(w, ACT_WALL_TIMEOUT, now);
}

static void on_wall(struct watch *w)
{
	if (overdue(w))
		deadline_after_events(&w->timer[TIMER_WALL], on_late);
}

/*
 * How long it has been silent, if that is too long; else 0, and the timer is set for then. Silence that the caller
 * causes, by not reading, is not the payload's.
 */
static uint64_t too_silent(struct watch *w)
{
	struct output *output = w->at.output;
	uint64_t limit = limit_of(w, LIMIT_IDLE_TIMEOUT)->value;
	if (output_is_blocked(output))
		output->last_us = time_monotonic_us();
	uint64_t silent = time_monotonic_us() - output->last_us;
	if (silent >= limit)
		return silent;
	watch_arm(w, TIMER_IDLE, limit - silent);
	return 0;
}

static void on_silent(uv_timer_t *timer)
{
	struct watch *w = timer->data;
	uint64_t silent = means_anything(w, TIMER_IDLE) ? too_silent(w) : 0;
	if (silent)
		killer_stop(w, ACT_IDLE_TIMEOUT, silent);
}

static void on_idle(struct watch *w)
{
	if (too_silent(w))
		deadline_after_events(&w->timer[TIMER_IDLE], on_silent);
}

/* The earliest moment at which the time left can be used up, by all CPUs at once. */
static void on_cpu(struct watch *w)
{
	uint64_t limit = limit_of(w, LIMIT_CPU_TIME)->value, used;
	if (!w->at.group || !group_cpu_us(w->at.group, &used))
		return;
	if (used >= limit) {
		killer_stop(w, ACT_CPU_TIME, used);
		return;
	}
	unsigned n = w->at.host->n_cpus ? w->at.host->n_cpus : 1;
	uint64_t wait = (limit - used) / n;
	watch_arm(w, TIMER_CPU, wait > CPU_LOOK_MIN_US ? wait : CPU_LOOK_MIN_US);
}

static void on_sample(struct watch *w)
{
	const struct limit_value *memory = limit_of(w, LIMIT_MEMORY);
	const struct limit_value *cpu = limit_of(w, LIMIT_CPU_TIME);
	const enum enforced_by *by = w->at.plan->by;
	uint64_t bytes;
	watch_arm(w, TIMER_SAMPLE, SAMPLE_US);
	/* one look for all runs, or with many of them there would be time for nothing else */
	if (sampler_look_lately(&w->sampler, SAMPLE_US / 2, &bytes) < 0)
		return; /* no descriptor or memory for it now: the next look may have */
	if (by[LIMIT_MEMORY] == ENFORCED_SAMPLED && memory->set && bytes > memory->value)
		killer_kill(w, ACT_MEMORY_SAMPLED, bytes);
	else if (by[LIMIT_CPU_TIME] == ENFORCED_SAMPLED && cpu->set &&
		w->sampler.cpu_us >= cpu->value)
		killer_stop(w, ACT_CPU_TIME, w->sampler.cpu_us);
}

static void end_half_killed(struct watch *w)
{
	if (w->at.o->oom != OOM_GROUP || w->state >= WATCH_KILLING)
		return;
	if (group_oom_kills(w->at.group) > 0)
		killer_kill(w, ACT_OOM_GROUP, 0);
	else if (w->oom_looks++ < OOM_MAX_LOOKS)
		watch_arm(w, TIMER_OOM, (uint64_t)OOM_FIRST_LOOK_US << w->oom_looks);
}

/* The last act that was on account of the program and not of what it left behind; NULL: none. */
static const struct act *last_act(const struct observation *o)
{
	for (size_t i = o->n_acts; i > 0; i--)
		if (o->acts[i - 1].reason != ACT_LEFTOVER)
			return &o->acts[i - 1];
	return NULL;
}

/* What stopped the payload is also why its leftovers are killed. */
static void on_grace(struct watch *w)
{
	const struct act *act = last_act(w->at.o);
	bool same = act && (w->state != WATCH_ENDING || act->signal == SIGTERM);
	killer_kill(w, same ? act->reason : ACT_LEFTOVER, act ? act->measured : 0);
}

static void on_bound(struct watch *w)
{
	if (w->state == WATCH_STARTING && !w->setup_overdue) {
		w->setup_overdue = true;
		killer_kill(w, ACT_WALL_TIMEOUT, watch_now_us(w));
		return;
	}
	/* the kernel does not let go of it: what is left is told when the group is closed */
	watch_enter(w, WATCH_GONE);
}

static void on_settle(struct watch *w)
{
	if (is_alive(w) && w->at.hooks.idle)
		w->at.hooks.idle(w->at.hooks.data);
	timeline_begin(w);
}

static void on_witness(struct watch *w)
{
	const struct subject *s = w->at.subject;
	if (!s->payload_reaped)
		witness_open(&w->witness, w->at.witnesses, s->payload, s->init,
			w->at.group ? group_entry(w->at.group)->into_fd : -1);
}

static void on_guard(struct watch *w)
{
	const struct subject *s = w->at.subject;
	if (!guard_memory(s->payload_reaped ? 0 : s->payload))
		watch_arm(w, TIMER_GUARD, GUARD_AFTER_US);
}

static void on_release(struct watch *w)
{
	subject_tell_ended(w->at.subject);
}

static void on_space(struct watch *w)
{
	virtual_peak_sample(w->at.subject->payload, w->at.o);
	watch_arm(w, TIMER_SPACE, VIRTUAL_PEAK_SAMPLE_US);
}

/* What each timer does, and in which states it means anything. */
static const struct {
	void (*act)(struct watch *w);
	unsigned states;
} timers[TIMER_COUNT_] = {
	[TIMER_WALL] = {on_wall, 1 << WATCH_STARTING | 1 << WATCH_RUNNING},
	[TIMER_IDLE] = {on_idle, 1 << WATCH_RUNNING},
	[TIMER_CPU] = {on_cpu, 1 << WATCH_RUNNING},
	[TIMER_SAMPLE] = {on_sample, 1 << WATCH_RUNNING | 1 << WATCH_STOPPING | 1 << WATCH_ENDING},
	[TIMER_OOM] = {end_half_killed,
		1 << WATCH_RUNNING | 1 << WATCH_STOPPING | 1 << WATCH_ENDING},
	[TIMER_GRACE] = {on_grace, 1 << WATCH_STOPPING | 1 << WATCH_ENDING},
	[TIMER_BOUND] = {on_bound, 1 << WATCH_STARTING | 1 << WATCH_KILLING | 1 << WATCH_SETTLING},
	[TIMER_WITNESS] = {on_witness, 1 << WATCH_RUNNING | 1 << WATCH_STOPPING},
	[TIMER_TIMELINE] = {timeline_look,
		1 << WATCH_RUNNING | 1 << WATCH_STOPPING | 1 << WATCH_ENDING},
	[TIMER_GUARD] = {on_guard, 1 << WATCH_RUNNING | 1 << WATCH_STOPPING | 1 << WATCH_ENDING},
	[TIMER_SPACE] = {on_space, 1 << WATCH_RUNNING},
	[TIMER_SETTLE] = {on_settle, 1 << WATCH_RUNNING},
	[TIMER_DENIED] = {tell, 1 << WATCH_SETTLING | 1 << WATCH_GONE},
	[TIMER_RELEASE] = {on_release, 1 << WATCH_SETTLING},
	[TIMER_TRACED] = {watch_look_traced,
		1 << WATCH_RUNNING | 1 << WATCH_STOPPING | 1 << WATCH_ENDING | 1 << WATCH_KILLING |
			1 << WATCH_SETTLING},
	[TIMER_UNWATCHED] = {watch_look_unwatched, 1 << WATCH_KILLING},
	[TIMER_EMPTY] = {watch_look_empty, 1 << WATCH_ENDING | 1 << WATCH_KILLING},
	[TIMER_CLOSE] = {watch_try_close, 1 << WATCH_STARTING | 1 << WATCH_GONE},
};

static bool means_anything(const struct watch *w, enum watch_timer timer)
{
	return timers[timer].states & 1u << w->state;
}

static void on_timer(uv_timer_t *handle)
{
	struct watch *w = handle->data;
	size_t timer = (size_t)(handle - w->timer);
	if (means_anything(w, (enum watch_timer)timer))
		timers[timer].act(w);
}

void watch_sample(struct watch *w)
{
	const struct subject *s = w->at.subject;
	sampler_init(&w->sampler, s->kept ? 0 : s->init, s->payload);
}

static void arm_limits(struct watch *w)
{
	const struct limit_value *cpu = limit_of(w, LIMIT_CPU_TIME);
	if (limit_of(w, LIMIT_IDLE_TIMEOUT)->set && w->at.output) {
		w->at.output->last_us = time_monotonic_us();
		watch_arm(w, TIMER_IDLE, limit_of(w, LIMIT_IDLE_TIMEOUT)->value);
	}
	if (cpu->set && w->at.group)
		on_cpu(w);
	if (w->at.plan->sampled) {
		watch_sample(w);
		watch_arm(w, TIMER_SAMPLE, SAMPLE_US);
	}
	if (w->exits_fd < 0 && virtual_peak_wanted(w->at.o))
		watch_arm(w, TIMER_SPACE, 0);
	watch_arm(w, TIMER_WITNESS, WITNESS_AFTER_US);
	if (!w->at.guarded)
		watch_arm(w, TIMER_GUARD, GUARD_AFTER_US);
	watch_arm(w, TIMER_SETTLE, SETTLE_US);
}

/* ---- out of memory ---- */

static void on_oom(uv_poll_t *handle, int status, int events)
{
	struct watch *w = handle->data;
	(void)status;
	(void)events;
	w->oom_looks = 0;
	end_half_killed(w);
}

static void watch_oom(struct watch *w)
{
	short events = 0;
	int fd = w->at.group ? group_oom_fd(w->at.group, &events) : -1;
	if (fd >= 0) /* if it cannot be: the kernel's count is read at the end all the same */
		watch_poll(w, &w->oom, fd, events & POLLPRI ? UV_PRIORITIZED : UV_READABLE, on_oom);
}

/* ---- from the beginning on ---- */

void watch_init(struct watch *w, const struct watch_spec *spec)
{
	*w = (struct watch){.at = *spec,
		.state = WATCH_STARTING,
		.limits = &spec->plan->policy->limits,
		.witness = WITNESS_INIT,
		.refused = REFUSED_INIT,
		.denied = DENIED_INIT};
	w->started_us = time_monotonic_us();
	for (int i = 0; i < TIMER_COUNT_; i++) {
		uv_timer_init(spec->loop, &w->timer[i]);
		w->timer[i].data = w;
	}
	refused_inherit(spec->o);
	w->exits_fd = virtual_peak_open(spec->o);
	refused_open(&w->refused, spec->o, spec->group ? group_entry(spec->group)->into_fd : -1);
}

void watch_begin(struct watch *w)
{
	const struct limit_value *wall = limit_of(w, LIMIT_TIMEOUT);
	w->started_us = time_monotonic_us();
	watch_arm(w, TIMER_BOUND, SETUP_BOUND_US);
	if (wall->set)
		watch_arm(w, TIMER_WALL, wall->value);
}

static void fail(struct watch *w, const struct setup_failure *failure)
{
	w->failed = true;
	w->at.o->setup = *failure;
	w->at.o->wait = WAIT_NEVER_STARTED;
}

/* A run whose end nobody would be told of goes no further, and says what the host has too little of. */
static void fail_unwatched(struct watch *w, int errnum)
{
	const struct setup_failure failure = {.stage = SETUP_HOST,
		.errnum = errnum,
		.blame = BLAME_HOST,
		.what = arena_printf(w->at.a, "cannot wait for the end of its processes: %s",
			watch_poll_fault(-errnum))};
	fail(w, &failure);
	watch_arm(w, TIMER_BOUND, SETTLE_BOUND_US);
}

void watch_started(struct watch *w)
{
	w->at.o->spawn_us = time_monotonic_us() - w->at.began_us;
	virtual_peak_expect(w->exits_fd, w->at.subject->payload);
	int r = watch_processes(w);
	watch_oom(w); /* what happened before is told now */
	if (r < 0 && !w->first_kill_us)
		fail_unwatched(w, -r);
	if (r < 0 || w->first_kill_us) {
		killer_finish(w);
		return;
	}
	watch_disarm(w, TIMER_BOUND);
	watch_enter(w, WATCH_RUNNING);
	arm_limits(w);
	if (w->at.prompt && w->at.group)
		group_get_ready(w->at.group);
	if (w->early_output)
		killer_kill_for_output(w, w->early_output);
}

void watch_failed(struct watch *w, const struct setup_failure *failure)
{
	const struct subject *s = w->at.subject;
	fail(w, failure);
	if (s->payload_pidfd < 0 && !subject_has_init(s)) {
		watch_enter(w, WATCH_GONE);
		return;
	}
	/* nothing of the program's has run: what there is of the box is no act on it */
	subject_kill(s);
	watch_processes(w);
	watch_enter(w, WATCH_KILLING);
	watch_arm(w, TIMER_BOUND, SETTLE_BOUND_US);
}

void watch_box_gone(struct watch *w, const char *why)
{
	const struct setup_failure failure = {.stage = SETUP_BOX, .blame = BLAME_HOST, .what = why};
	if (w->state == WATCH_STARTING) {
		watch_failed(w, &failure);
	} else if (w->state < WATCH_KILLING) {
		watch_enter(w, WATCH_KILLING);
		watch_arm(w, TIMER_BOUND, SETTLE_BOUND_US);
		watch_arm(w, TIMER_EMPTY, 0);
	}
}
