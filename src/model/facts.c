/* SPDX-License-Identifier: MIT */
#include "model/facts.h"

#include <errno.h>
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

/* ---- the OOM killer ---- */

/* How far the counters of that name rose (the most, if there are several); *ret_known if any is. */
static uint64_t rise_of(const struct facts *f, bool own, const char *fact, bool *ret_known)
{
	uint64_t most = 0;

	for (size_t i = 0; i < f->n_counters; i++) {
		const struct counter *c = &f->o->counters[i];
		if (!counter_is(c, own, fact))
			continue;
		*ret_known = true;
		if (counter_rise(c) > most)
			most = counter_rise(c);
	}
	return most;
}

static const struct counter *find_above(const struct facts *f)
{
	for (size_t i = 0; i < f->n_counters; i++) {
		const struct counter *c = &f->o->counters[i];
		if (counter_rise(c) > 0 &&
			(counter_is(c, false, "oom") || counter_is(c, false, "failcnt")))
			return c;
	}
	return NULL;
}

/* A peak well below the limit: what was hit was not this limit. */
static bool peak_is_far(const struct facts *f)
{
	uint64_t limit = facts_limit(f, LIMIT_MEMORY);
	const struct usage *u = &f->o->usage;
	return u->memory_peak_known && u->memory_peak_bytes < limit - limit / 8;
}

/*
 * Was it the run's own limit? v2 counts that by itself: "oom" of memory.events.local rises in the
 * group whose limit was hit, while "oom_kill" rises wherever the victim was. v1 has only failcnt,
 * of which there are two (memory and memory+swap), so that one at rest proves nothing alone.
 */
static bool own_limit_hit(const struct facts *f, bool *ret_sure)
{
	bool oom_known = false, failcnt_known = false;
	uint64_t oom = rise_of(f, true, "oom", &oom_known);
	uint64_t failcnt = rise_of(f, true, "failcnt", &failcnt_known);

	*ret_sure = true;
	if (oom_known && (oom > 0 || !failcnt_known))
		return oom > 0;
	if (failcnt_known && failcnt > 0)
		return true;
	if (!f->o->limits[LIMIT_MEMORY].asked.set)
		return false;
	*ret_sure = f->oom.counted && f->o->limits[LIMIT_MEMORY].by == ENFORCED_CGROUP_V1;
	return !(failcnt_known && peak_is_far(f));
}

/* What only the victims tell, where no group counts: the host's memory is the one limit there is. */
static void place_uncounted(struct facts *f)
{
	enum enforced_by by = f->o->limits[LIMIT_MEMORY].by;
	bool grouped = by == ENFORCED_CGROUP_V1 || by == ENFORCED_CGROUP_V2;

	f->oom.kills = f->n_victims;
	if (f->n_victims > 0)
		f->oom.place = grouped ? OOM_OWN : OOM_HOST;
}

static void derive_place(struct facts *f)
{
	bool counted = false, sure = false;
	uint64_t kills = rise_of(f, true, "oom_kill", &counted);
	uint64_t group = rise_of(f, true, "oom_group_kill", &counted);

	f->oom.counted = counted;
	f->oom.above = find_above(f);
	f->oom.kills = kills > group ? kills : group;
	if (!counted) {
		place_uncounted(f);
	} else if (f->oom.kills == 0) {
		f->oom.place = OOM_NOWHERE;
	} else if (own_limit_hit(f, &sure)) {
		f->oom.place = OOM_OWN;
		f->oom.place_sure = sure;
	} else if (f->oom.above) {
		f->oom.place = OOM_ANCESTOR;
		f->oom.place_sure = counter_is(f->oom.above, false, "oom");
	} else {
		/* Never sure: a container's own limit may be out of our sight. */
		f->oom.place = OOM_HOST;
	}
}

/* Was the payload itself a victim? Its name in the list says so, or SIGKILL from nobody else. */
static bool leader_was_victim(const struct facts *f)
{
	if (f->oom.leader_listed)
		return f->signal == SIGKILL || f->wait == WAIT_UNKNOWN;
	if (f->signal != SIGKILL || f->kill || !facts_maybe_kernel(f))
		return false;
	/* A list as long as the count is complete (the count may be too high by one, never too low). */
	return f->n_victims < f->oom.kills;
}

static bool oom_came_first(const struct facts *f)
{
	if (!f->act || f->act->reason == ACT_OOM_GROUP)
		return true;
	return f->act->oom_known && f->act->oom_kills > 0;
}

/* Before the exec there is no victim to name: a box that died then died of it, whatever it reports. */
static bool ended_before_exec(const struct facts *f)
{
	return f->setup != SETUP_EXEC || f->o->setup.errnum == ENOMEM;
}

static bool ended_the_rest(const struct facts *f)
{
	return f->act && f->act->reason == ACT_OOM_GROUP;
}

static enum oom_spared derive_spared(const struct facts *f)
{
	if (!oom_came_first(f))
		return OOM_SPARED_BY_ACT;
	if (facts_ended_well(f))
		return OOM_SPARED_ENDED_WELL;
	if (f->wait == WAIT_NEVER_STARTED)
		return ended_before_exec(f) ? OOM_SPARED_NOT : OOM_SPARED_EXEC;
	/* One victim is the end of the whole run, also if the payload was quicker to exit by itself. */
	if (f->o->oom == OOM_GROUP || ended_the_rest(f) || leader_was_victim(f))
		return OOM_SPARED_NOT;
	return OOM_SPARED_OUTLIVED;
}

static bool derive_ended_sure(const struct facts *f)
{
	if (f->wait == WAIT_NEVER_STARTED || ended_the_rest(f))
		return true;
	return leader_was_victim(f) || (f->o->oom == OOM_GROUP && f->act);
}

static void derive_ended(struct facts *f)
{
	struct oom_facts *oom = &f->oom;

	if (oom->place == OOM_NOWHERE && ended_the_rest(f))
		oom->place = OOM_OWN; /* the kernel told us so, and only the count is missing */
	if (oom->place == OOM_NOWHERE)
		return;
	oom->spared = derive_spared(f);
	oom->ended = oom->spared == OOM_SPARED_NOT;
	oom->ended_sure = oom->ended && derive_ended_sure(f);
}

static void derive_oom(struct facts *f)
{
	for (size_t i = 0; i < f->n_victims; i++)
		f->oom.leader_listed |= f->o->victims[i].leader;
	derive_place(f);
	derive_ended(f);
	f->oom.order_unclear = f->oom.kills > 0 && !f->oom.ended && f->act && !f->act->oom_known &&
		f->signal == SIGKILL && !f->kill;
}

void facts_derive(struct facts *ret, const struct observation *o, struct arena *a)
{
	struct facts f = {.o = o, .a = a, .wait = WAIT_UNKNOWN};

	f.n_acts = at_most(o->n_acts, OBSERVATION_MAX_ACTS);
	f.n_victims = at_most(o->n_victims, OBSERVATION_MAX_VICTIMS);
	f.n_counters = at_most(o->n_counters, OBSERVATION_MAX_COUNTERS);
	derive_wait(&f);
	derive_acts(&f);
	derive_oom(&f);
	*ret = f;
}
