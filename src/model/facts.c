/* SPDX-License-Identifier: MIT */
#include "model/facts.h"

#include <signal.h>
#include <string.h>

#include "base/time.h"

#define SIGNAL_MAX 64

/* Signal and exit take a moment to be noticed: an end this long after the grace is still its end. */
#define CANCEL_SLACK_US US_PER_SEC

uint64_t counter_rise(const struct counter *c)
{
	return c->after > c->before ? c->after - c->before : 0;
}

bool counter_is(const struct counter *c, bool own, const char *fact)
{
	return c->own == own && c->fact && strcmp(c->fact, fact) == 0;
}

uint64_t facts_limit(const struct facts *f, enum limit limit)
{
	const struct limit_value *v = &f->o->limits[limit].asked;
	return v->set ? v->value : 0;
}

bool facts_maybe_kernel(const struct facts *f)
{
	return f->o->killer.known == KILLER_UNKNOWN || f->o->killer.known == KILLER_KERNEL;
}

static size_t at_most(size_t n, size_t max)
{
	return n < max ? n : max;
}

/* ---- how it ended ---- */

static void derive_wait(struct facts *f)
{
	const struct observation *o = f->o;

	f->setup = (unsigned)o->setup.stage < SETUP_COUNT_ ? o->setup.stage : SETUP_HOST;
	if (f->setup != SETUP_NONE || o->wait == WAIT_NEVER_STARTED) {
		/* The status is that of our own child before its exec, not the program's. */
		f->wait = WAIT_NEVER_STARTED;
	} else if (o->wait == WAIT_EXITED && o->exit_code >= 0 && o->exit_code <= 255) {
		f->wait = WAIT_EXITED;
		f->code = o->exit_code;
	} else if (o->wait == WAIT_SIGNALED && o->term_signal > 0 && o->term_signal <= SIGNAL_MAX) {
		f->wait = WAIT_SIGNALED;
		f->signal = o->term_signal;
	}
}

/*
 * A cancel is what ended the run only if the run ended soon after: the first Ctrl-C is merely
 * passed on, and an interactive program lives on for hours and ends as it likes. One that ended
 * well after a Ctrl-C at the terminal had taken it for itself.
 */
static bool cancel_reached(const struct facts *f, const struct act *act)
{
	uint64_t wall = f->o->usage.wall_us, since = wall > act->at_us ? wall - act->at_us : 0;

	if (act->cancel_pid == 0 && act->signal == SIGINT && facts_ended_well(f))
		return false;
	return since < CANCEL_SLACK_US || since - CANCEL_SLACK_US <= f->o->grace_us;
}

bool facts_act_too_late(const struct facts *f, const struct act *act)
{
	const struct killer *k = &f->o->killer;
	bool process =
		k->known == KILLER_SELF || k->known == KILLER_INSIDE || k->known == KILLER_OUTSIDE;

	if (!process || f->signal == 0 || k->signal != f->signal || act->reason == ACT_OOM_GROUP)
		return false;
	if (act->reason == ACT_CANCELLED && act->cancel_pid > 0 && act->cancel_pid == k->pid)
		return false;
	return k->at_known && k->at_us < act->at_us;
}

static bool act_counts(const struct facts *f, const struct act *act)
{
	if ((unsigned)act->reason >= ACT_COUNT_ || act->reason == ACT_LEFTOVER)
		return false;
	if (facts_act_too_late(f, act))
		return false;
	return act->reason != ACT_CANCELLED || cancel_reached(f, act);
}

static void derive_acts(struct facts *f)
{
	for (size_t i = 0; i < f->n_acts; i++) {
		const struct act *act = &f->o->acts[i];
		if (!act_counts(f, act))
			continue;
		if (!f->act)
			f->act = act;
		if (!f->kill && act->signal == SIGKILL)
			f->kill = act;
	}
}

void facts_derive(struct facts *ret, const struct observation *o, struct arena *a)
{
	struct facts f = {.o = o, .a = a, .wait = WAIT_UNKNOWN};

	f.n_acts = at_most(o->n_acts, OBSERVATION_MAX_ACTS);
	f.n_victims = at_most(o->n_victims, OBSERVATION_MAX_VICTIMS);
	f.n_counters = at_most(o->n_counters, OBSERVATION_MAX_COUNTERS);
	f.n_refusals = at_most(o->n_refusals, OBSERVATION_MAX_REFUSALS);
	f.n_disks = at_most(o->n_disks, OBSERVATION_MAX_DISKS);
	derive_wait(&f);
	derive_acts(&f);
	facts_derive_oom(&f);
	facts_derive_limits(&f);
	*ret = f;
}
