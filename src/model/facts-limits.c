/* SPDX-License-Identifier: MIT */
#include <signal.h>

#include "base/time.h"
#include "model/facts.h"

/*
 * Limits that the kernel does not kill for: it refuses, and a program makes of that what it likes, mostly
 * an exit status or a fault. Whether a refusal is what ended it is told by how soon after it that was,
 * and without having seen one by what a refusal would look like.
 */

/* An end so soon after a refusal is its end; one later is it perhaps. */
#define AT_ONCE_US  (US_PER_SEC / 10)
#define SOON_US     US_PER_SEC
#define SLOW_STARTS 20
/* What the libraries of a small program take; a loader that has less than that left may fail. */
#define LIBRARIES_SIZE ((uint64_t)16 << 20)
/* A file system with less than that left is full: whoever writes does not write single bytes. */
#define FULL_BYTES ((uint64_t)64 << 10)

/* ---- limits ---- */

/* RLIMIT_CPU is in whole seconds. */
static uint64_t asked_of(const struct facts *f, enum limit limit)
{
	uint64_t value = f->o->limits[limit].asked.value;

	return limit == LIMIT_CPU_TIME && value < INT64_MAX
		? (value + US_PER_SEC - 1) / US_PER_SEC * US_PER_SEC
		: value;
}

struct bound facts_bound(const struct facts *f, enum limit limit)
{
	const struct inherited_limit *l = &f->o->inherited[limit];

	if (!f->o->limits[limit].asked.set)
		return (struct bound){l->soft_set, l->soft_set, l->soft_set ? l->soft : 0};
	uint64_t asked = asked_of(f, limit);
	/* one above the hard limit is lowered to that */
	if (l->hard_set && l->hard < asked)
		return (struct bound){true, true, l->hard};
	return (struct bound){true, false, asked};
}

/* ---- how it failed ---- */

/* What a program does that does not get what it asked for; what others sent is not meant. */
static bool is_failure(const struct facts *f)
{
	enum killer_known known = f->o->killer.known;

	switch (f->signal) {
	case SIGABRT:
		return known != KILLER_OUTSIDE && known != KILLER_INSIDE;
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGTRAP:
		return facts_maybe_kernel(f);
	default:
		return f->wait == WAIT_EXITED && f->code != 0;
	}
}

/* ---- refusals ---- */

const struct refusal *facts_refusal(const struct facts *f, enum limit limit, bool leader)
{
	for (size_t i = 0; i < f->n_refusals; i++) {
		const struct refusal *r = &f->o->refusals[i];
		if (r->limit == limit && r->leader == leader && r->count > 0)
			return r;
	}
	return NULL;
}

static uint64_t lived_on_us(const struct facts *f, const struct refusal *r)
{
	uint64_t wall = f->o->usage.wall_us;
	return wall > r->at_us ? wall - r->at_us : 0;
}

static bool is_at_once(const struct facts *f, const struct refusal *r)
{
	uint64_t us = lived_on_us(f, r);
	/* a machine that is slow to start a program is slow to end it too */
	return us <= AT_ONCE_US || (us <= SOON_US && us / SLOW_STARTS <= f->o->spawn_us);
}

static struct refused find_refused(const struct facts *f, enum limit limit)
{
	const struct refusal *own = facts_refusal(f, limit, true);
	const struct refusal *other = facts_refusal(f, limit, false);

	if (own && lived_on_us(f, own) <= SOON_US)
		return (struct refused){own, is_at_once(f, own)};
	/* what a child was refused its parent may only report: by an exit */
	if (other && f->signal == 0 && lived_on_us(f, other) <= SOON_US)
		return (struct refused){other, false};
	return (struct refused){NULL, false};
}

/* ---- address space ---- */

static enum space_sign sign_of_space(const struct facts *f, uint64_t limit)
{
	const struct observation *o = f->o;
	uint64_t mapped = o->image.known ? o->image.mapped_bytes : 0;

	if (f->limits.space.refusal)
		return SPACE_REFUSED;
	if (f->signal == SIGSEGV && mapped > limit)
		return SPACE_IMAGE;
	if (o->leader_virtual_peak_known && o->leader_virtual_peak_bytes >= limit - limit / 8)
		return SPACE_PEAK;
	if (f->code == 127 && o->image.known && o->image.has_loader && !o->refusals_watched &&
		o->usage.wall_us < SOON_US && limit < LIBRARIES_SIZE + mapped)
		return SPACE_LOADER;
	return SPACE_NO_SIGN;
}

/* ---- processes and disks ---- */

bool facts_pids_own(const struct facts *f)
{
	const struct usage *u = &f->o->usage;
	uint64_t limit = facts_limit(f, LIMIT_PIDS);

	/* before Linux 6.11 the count of the own group rises for the limits of those above it, too */
	return limit > 0 && !(u->pids_peak_known && u->pids_peak < limit);
}

static uint64_t own_forks_refused(const struct facts *f)
{
	for (size_t i = 0; i < f->n_counters; i++) {
		const struct counter *c = &f->o->counters[i];
		if (counter_is(c, true, "pids_max") && facts_pids_own(f))
			return counter_rise(c);
	}
	return 0;
}

/* RLIMIT_NPROC counts nothing: what was seen to run at once has to do. */
static bool has_all_processes(const struct facts *f)
{
	const struct usage *u = &f->o->usage;

	return f->o->limits[LIMIT_PIDS].by == ENFORCED_RLIMIT && u->pids_peak_known &&
		facts_pids_own(f);
}

bool facts_disk_full(const struct disk *d)
{
	uint64_t little = d->size_bytes / 256;

	return d->files_full ||
		(d->size_bytes > 0 && d->free_bytes <= (little > FULL_BYTES ? little : FULL_BYTES));
}

static const struct disk *find_full(const struct facts *f)
{
	for (size_t i = 0; i < f->n_disks; i++) {
		const struct disk *d = &f->o->disks[i];
		if (d->own && facts_disk_full(d))
			return d;
	}
	return NULL;
}

void facts_derive_limits(struct facts *f)
{
	struct limit_facts *l = &f->limits;
	struct bound space = facts_bound(f, LIMIT_ADDRESS_SPACE);

	l->failed = is_failure(f);
	if (!l->failed)
		return;
	if (space.set) {
		l->space = find_refused(f, LIMIT_ADDRESS_SPACE);
		l->space_sign = sign_of_space(f, space.value);
	}
	if (facts_bound(f, LIMIT_FILE_SIZE).set)
		l->file = find_refused(f, LIMIT_FILE_SIZE);
	l->forks_refused = own_forks_refused(f);
	l->all_processes = has_all_processes(f);
	l->full = find_full(f);
}
