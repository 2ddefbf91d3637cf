/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "model/facts.h"

/*
 * The OOM killer: whose limit it came for, and whether that is what ended the run.
 */

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

/* The one that the kernel's log tells most of: the payload, else the first. */
static const struct victim *find_told(const struct facts *f)
{
	const struct victim *first = NULL;

	for (size_t i = 0; i < f->n_victims; i++) {
		const struct victim *v = &f->o->victims[i];
		if (v->scope <= OOM_SCOPE_UNKNOWN || v->scope >= OOM_SCOPE_COUNT_)
			continue;
		if (v->leader)
			return v;
		if (!first)
			first = v;
	}
	return first;
}

/* The directory of a counter's file. */
static const char *group_of(const struct counter *c, struct arena *a)
{
	const char *slash = c->where ? strrchr(c->where, '/') : NULL;

	return slash && slash > c->where ? arena_strndup(a, c->where, (size_t)(slash - c->where))
					 : c->where;
}

/* @group, a path of the hierarchy, is the directory of @c, a path of the file system. */
static bool is_counter_of(const struct counter *c, const char *group, struct arena *a)
{
	const char *directory = group_of(c, a);
	size_t n = directory ? strlen(directory) : 0, tail = strlen(group);

	return group[0] == '/' && tail > 1 && tail <= n && strcmp(directory + n - tail, group) == 0;
}

static const struct counter *find_above(const struct facts *f)
{
	const struct victim *told = f->oom.told;
	const char *group = told && told->scope == OOM_SCOPE_ABOVE ? told->group : NULL;

	for (size_t i = 0; i < f->n_counters; i++) {
		const struct counter *c = &f->o->counters[i];
		if (!counter_is(c, false, "oom") && !counter_is(c, false, "failcnt"))
			continue;
		if (group ? is_counter_of(c, group, f->a) : counter_rise(c) > 0)
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
	if (failcnt_known && failcnt > 0) {
		/* Reclaim may have cured it: with one above that was hit as well it is not sure. */
		*ret_sure = !f->oom.above;
		return true;
	}
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

/* The kernel's own report says it in words; counters only say what was hit, too. */
static void place_told(struct facts *f)
{
	static const enum oom_place places[OOM_SCOPE_COUNT_] = {
		[OOM_SCOPE_OWN] = OOM_OWN,
		[OOM_SCOPE_ABOVE] = OOM_ANCESTOR,
		[OOM_SCOPE_HOST] = OOM_HOST,
	};

	f->oom.place = places[f->oom.told->scope];
	f->oom.place_sure = true;
}

static void name_above(struct facts *f)
{
	const struct victim *told = f->oom.told;

	if (f->oom.place != OOM_ANCESTOR)
		return;
	f->oom.above_group = told && told->group ? told->group
		: f->oom.above                   ? group_of(f->oom.above, f->a)
						 : NULL;
	f->oom.above_limit = f->oom.above ? f->oom.above->limit : 0;
}

static void derive_place(struct facts *f)
{
	bool counted = false, sure = false;
	uint64_t kills = rise_of(f, true, "oom_kill", &counted);
	uint64_t group = rise_of(f, true, "oom_group_kill", &counted);

	f->oom.counted = counted;
	f->oom.told = find_told(f);
	f->oom.above = find_above(f);
	f->oom.kills = kills > group ? kills : group;
	if (!counted)
		place_uncounted(f);
	if (f->oom.kills > 0 && f->oom.told) {
		place_told(f);
	} else if (!counted) {
		return;
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

void facts_derive_oom(struct facts *f)
{
	for (size_t i = 0; i < f->n_victims; i++)
		f->oom.leader_listed |= f->o->victims[i].leader;
	derive_place(f);
	name_above(f);
	derive_ended(f);
	f->oom.order_unclear = f->oom.kills > 0 && !f->oom.ended && f->act && !f->act->oom_known &&
		f->signal == SIGKILL && !f->kill;
}
