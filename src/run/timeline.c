/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <time.h>

#include "base/time.h"
#include "run/watch.h"

/*
 * Taking the points of a timeline. A look costs some 30 µs of a group's files, but milliseconds where
 * all of /proc has to be read: whatever it is, the next one comes no sooner than COST_SHARE times
 * that later, so that the supervisor uses less than a thousandth of a CPU for it.
 */
#define COST_SHARE 1200

/* But for the first points: a short run on a slow machine shall have some, at a tenth of a CPU. */
#define FIRST_POINTS     10
#define FIRST_COST_SHARE 10

/* What was seen of the host's processes for another run so long ago is as good. */
#define LATELY_US 25000

/* Waking up and going back to sleep cost about as much again, on a virtual machine twice that. */
#define WAKING_MOST 2

/* So long the run goes on before the hook is told, and told again: that is ten times as dear. */
#define TELL_MIN_US (3 * US_PER_SEC)

static uint64_t own_cpu_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * US_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

#define SAMPLED (1u << SERIES_MEMORY | 1u << SERIES_PIDS | 1u << SERIES_CPU)

/* What no group counts, from the processes themselves. */
static unsigned sample_processes(struct watch *w, unsigned known, struct timeline_point *p)
{
	const struct sampler *s = &w->sampler;
	uint64_t bytes;
	/* with a limit that is sampled, on_sample() has just looked */
	if (!w->at.plan->sampled && sampler_look_lately(&w->sampler, LATELY_US, &bytes) < 0)
		return known;
	if (!(known & 1u << SERIES_MEMORY))
		p->v[SERIES_MEMORY] = s->bytes;
	if (!(known & 1u << SERIES_PIDS))
		p->v[SERIES_PIDS] = s->pids;
	if (!(known & 1u << SERIES_CPU))
		p->v[SERIES_CPU] = s->cpu_us;
	return known | SAMPLED;
}

static void add_point(struct watch *w)
{
	struct timeline *t = w->timeline;
	struct timeline_point p = {.at_us = 0};
	if (t->n > 0)
		p = t->v[t->n - 1]; /* what cannot be read this once stays as it was */
	p.at_us = watch_now_us(w);
	unsigned known = w->at.group ? group_sample(w->at.group, &p) : 0;
	if (w->at.plan->sampled ? (known & SAMPLED) != SAMPLED : !(known & SAMPLED))
		known = sample_processes(w, known, &p);
	t->known |= known;
	if (known)
		timeline_add(t, &p);
}

static void tell(struct watch *w)
{
	uint64_t now = watch_now_us(w), told = w->timeline_told_us;
	uint64_t wait = told / 4 > TELL_MIN_US ? told / 4 : TELL_MIN_US;
	if (!w->at.hooks.timeline || w->timeline->n == 0 || now - told < wait)
		return;
	w->at.hooks.timeline(w->at.hooks.data, w->timeline);
	w->timeline_told_us = now;
}

/* What a look costs that began at @before and ends now, with the waking that led to it. */
static uint64_t cost_us(struct watch *w, uint64_t before)
{
	uint64_t now = own_cpu_us(), look = now - before;
	/* other work, of output for instance, is in there too, and not to be counted */
	uint64_t waking = before - w->timeline_cpu_us;
	return look + (waking < WAKING_MOST * look ? waking : WAKING_MOST * look);
}

void timeline_look(struct watch *w)
{
	uint64_t before = own_cpu_us();
	add_point(w);
	uint64_t share = w->timeline->n < FIRST_POINTS ? FIRST_COST_SHARE : COST_SHARE;
	uint64_t least = cost_us(w, before) * share;
	uint64_t interval = timeline_interval_us(w->timeline, watch_now_us(w));
	tell(w);
	watch_arm(w, TIMER_TIMELINE, interval > least ? interval : least);
	w->timeline_cpu_us = own_cpu_us();
}

void timeline_begin(struct watch *w)
{
	const struct limit_value *memory = &w->limits->v[LIMIT_MEMORY];
	const struct limit_value *pids = &w->limits->v[LIMIT_PIDS];
	struct timeline *t = calloc(1, sizeof(*t));
	if (!t)
		out_of_memory();
	t->memory_limited = memory->set && w->at.o->limits[LIMIT_MEMORY].by != ENFORCED_NONE;
	t->memory_limit_bytes = memory->value;
	t->pids_limited = pids->set && w->at.o->limits[LIMIT_PIDS].by != ENFORCED_NONE;
	t->pids_limit = pids->value;
	if (!w->at.plan->sampled)
		watch_sample(w);
	w->timeline = t;
	w->timeline_cpu_us = own_cpu_us();
	timeline_look(w);
}

void timeline_end(struct watch *w)
{
	struct usage *u = &w->at.o->usage;
	if (!w->timeline)
		return;
	u->growth = timeline_growth(
		w->timeline, u->wall_us, u->memory_peak_known ? u->memory_peak_bytes : 0);
	if (w->at.hooks.timeline && w->timeline->n > 0)
		w->at.hooks.timeline(w->at.hooks.data, w->timeline);
	free(w->timeline);
	w->timeline = NULL;
}
