/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <string.h>

#include "model/sender.h"
#include "model/verdict-exec.h"
#include "model/verdict-evidence.h"
#include "model/words.h"

/* What else happened that bears on the end: in sentences, most telling first. */

#define WHAT_SHOWN  1000
#define WHERE_SHOWN 300

static void contribute(struct verdict *v, const char *text)
{
	if (v->n_contributing < VERDICT_MAX_CONTRIBUTING)
		v->contributing[v->n_contributing++] = text;
}

static void contribute_oom(struct verdict *v, const struct facts *f)
{
	if (verdict_is_about_memory(v)) {
		if (f->oom.place == OOM_OWN && f->oom.above)
			contribute(v,
				arena_printf(f->a,
					"the memory limit of a group above was hit too (%s)",
					words_visible(f->a, f->oom.above->where, WHERE_SHOWN)));
		return;
	}
	if (f->oom.kills == 0)
		return;
	contribute(v,
		arena_printf(f->a, "the OOM killer took %s %s%s", words_victims(f),
			words_oom_place(f),
			f->oom.order_unclear ? "; whether before or after is not known" : ""));
}

static void contribute_pids(struct verdict *v, const struct facts *f)
{
	const char *limit = words_limit(f, LIMIT_PIDS);
	bool own = facts_pids_own(f);

	for (size_t i = 0; i < f->n_counters; i++) {
		const struct counter *c = &f->o->counters[i];
		uint64_t rise = counter_rise(c);
		if (rise == 0 || !c->fact || strcmp(c->fact, "pids_max") != 0 ||
			(c->own && v->cause == CAUSE_PIDS_LIMIT))
			continue;
		contribute(v,
			arena_printf(f->a,
				"new processes or threads were refused %llu time%s at %s%s%s",
				(unsigned long long)rise, rise == 1 ? "" : "s",
				c->own && own ? "its limit" : "the limit of a group above",
				c->own && own && *limit ? " of " : "", c->own && own ? limit : ""));
	}
}

/* True for the first act of its reason that is not the deciding one's. */
static bool act_is_news(const struct verdict *v, const struct facts *f, size_t at)
{
	const struct act *act = &f->o->acts[at];

	if ((unsigned)act->reason >= ACT_COUNT_ || act->reason == ACT_LEFTOVER)
		return false;
	if ((f->act && act->reason == f->act->reason) ||
		(act->reason == ACT_OOM_GROUP && verdict_is_about_memory(v)))
		return false;
	for (size_t i = 0; i < at; i++) {
		if (f->o->acts[i].reason == act->reason)
			return false;
	}
	return true;
}

static void contribute_acts(struct verdict *v, const struct facts *f)
{
	for (size_t i = 0; i < f->n_acts; i++) {
		const struct act *act = &f->o->acts[i];
		if (act_is_news(v, f, i))
			contribute(v,
				arena_printf(f->a, "%s: %s sent after %s",
					act_reason_name(act->reason),
					words_signal(f->a, act->signal),
					words_duration(f->a, act->at_us)));
	}
}

static void contribute_setup(struct verdict *v, const struct facts *f)
{
	if (f->setup == SETUP_NONE || v->cause == CAUSE_SETUP_FAILED ||
		v->cause == CAUSE_NOT_FOUND || v->cause == CAUSE_NOT_EXECUTABLE ||
		v->cause == CAUSE_EXEC_DENIED)
		return;
	contribute(v,
		arena_printf(f->a, "the set-up failed: %s",
			words_visible(f->a, f->o->setup.what, WHAT_SHOWN)));
}

/*
 * What a limit that leaves no trace of its own may have to do with it: an allocation refused for
 * RLIMIT_AS shows as a fault or as a library that cannot be loaded.
 */
static void contribute_address_space(struct verdict *v, const struct facts *f)
{
	struct bound limit = facts_bound(f, LIMIT_ADDRESS_SPACE);
	const struct observation *o = f->o;
	uint64_t peak = o->leader_virtual_peak_known ? o->leader_virtual_peak_bytes : 0;

	bool told = o->refusals_watched ||
		(o->leader_virtual_peak_known && !o->leader_virtual_peak_sampled);

	/* an exit of its own is put down to it if it went near the limit, or if nothing else is known */
	bool exit_near = f->code == 127 || peak >= limit.value / 2 || !told;
	if (v->cause == CAUSE_ADDRESS_SPACE || !limit.set || !f->limits.failed ||
		(f->signal == 0 && (!exit_near || o->refusals_watched)))
		return;
	contribute(v,
		arena_printf(f->a,
			"its address space was limited to %s%s%s: an allocation that was refused "
			"may be "
			"why",
			words_bound(f, LIMIT_ADDRESS_SPACE), peak ? ", of which it used " : "",
			peak ? words_size(f->a, peak) : ""));
}

/* A shell passes a child's end on as a number. */
static void contribute_childs_rlimit(struct verdict *v, const struct facts *f)
{
	static const struct {
		int signal;
		enum limit limit;
	} ends[] = {{SIGXFSZ, LIMIT_FILE_SIZE}, {SIGXCPU, LIMIT_CPU_TIME}};

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		if (v->cause == CAUSE_EXIT_NONZERO && f->code == 128 + ends[i].signal &&
			facts_bound(f, ends[i].limit).set)
			contribute(v,
				arena_printf(f->a, "its limit of %s, %s, is what %s is sent for",
					limit_name(ends[i].limit), words_bound(f, ends[i].limit),
					words_signal(f->a, ends[i].signal)));
	}
}

static void contribute_own_rlimits(struct verdict *v, const struct facts *f)
{
	contribute_childs_rlimit(v, f);
	if (v->cause != CAUSE_CRASH || !facts_maybe_kernel(f))
		return;
	if (f->signal == SIGXCPU)
		contribute(v,
			"SIGXCPU is sent at RLIMIT_CPU: one that it gave itself (ulimit -t) may be "
			"why");
	if (f->signal == SIGXFSZ)
		contribute(v,
			"SIGXFSZ is sent at RLIMIT_FSIZE: one that it gave itself (ulimit -f) may "
			"be why");
}

static const char *refused_thing(const struct facts *f, const struct refusal *r)
{
	return r->limit == LIMIT_ADDRESS_SPACE
		? arena_printf(f->a, "about %s of address space", words_size(f->a, r->asked_bytes))
		: "a write";
}

/* One that was not there at the start the program has given itself. */
static const char *refused_at(const struct facts *f, const struct refusal *r)
{
	if (facts_bound(f, r->limit).set)
		return words_bound(f, r->limit);
	return r->limit_bytes > 0
		? arena_printf(f->a, "%s that it gave itself", words_size(f->a, r->limit_bytes))
		: "its own making";
}

/* Those of a program that got over it, or of others. */
static void contribute_refusals(struct verdict *v, const struct facts *f)
{
	for (size_t i = 0; i < f->n_refusals; i++) {
		const struct refusal *r = &f->o->refusals[i];
		bool known = r->limit == LIMIT_ADDRESS_SPACE || r->limit == LIMIT_FILE_SIZE;
		if (!known || r->count == 0 || r == f->limits.space.refusal ||
			r == f->limits.file.refusal ||
			(v->cause == CAUSE_FILE_SIZE_LIMIT && r->limit == LIMIT_FILE_SIZE))
			continue;
		contribute(v,
			arena_printf(f->a, "%s was refused to %s at the limit of %s after %s%s",
				refused_thing(f, r), words_process(f->a, r->comm, r->pid),
				refused_at(f, r), words_duration(f->a, r->at_us),
				r->count > 1 ? ", not for the first time" : ""));
	}
}

static void contribute_disks(struct verdict *v, const struct facts *f)
{
	for (size_t i = 0; i < f->n_disks; i++) {
		const struct disk *d = &f->o->disks[i];
		if (!facts_disk_full(d) || (v->cause == CAUSE_DISK_LIMIT && d == f->limits.full))
			continue;
		contribute(v,
			arena_printf(f->a, "%s%s was full when it ended (%s of %s left%s)",
				d->own ? "its own " : "the file system of ",
				words_visible(f->a, d->path, WHERE_SHOWN),
				words_size(f->a, d->free_bytes), words_size(f->a, d->size_bytes),
				d->files_full ? ", no more files" : ""));
	}
}

/* A signal from outside that is not the cause: in the grace time, or one that it took for itself. */
static void contribute_sender(struct verdict *v, const struct facts *f)
{
	const struct killer *k = &f->o->killer;
	int signal = k->signal > 0 ? k->signal : f->signal;

	if (k->known != KILLER_OUTSIDE || signal == 0 || facts_ended_well(f) ||
		v->cause == CAUSE_EXTERNAL_KILL || v->cause == CAUSE_MEMORY_DAEMON ||
		v->cause == CAUSE_EXEC_DENIED)
		return;
	contribute(v,
		arena_printf(f->a, "%s came from %s outside the run%s%s",
			words_signal(f->a, signal), sender_words(f), k->at_known ? " after " : "",
			k->at_known ? words_duration(f->a, k->at_us) : ""));
}

static void contribute_execs(struct verdict *v, const struct facts *f)
{
	const char *said[VERDICT_EXEC_MAX_SAID];
	size_t n = exec_contributing(said, v, f);

	for (size_t i = 0; i < n; i++)
		contribute(v, said[i]);
}

void verdict_add_contributing(struct verdict *v, const struct facts *f)
{
	contribute_oom(v, f);
	contribute_pids(v, f);
	contribute_acts(v, f);
	contribute_execs(v, f);
	contribute_sender(v, f);
	contribute_setup(v, f);
	contribute_address_space(v, f);
	contribute_own_rlimits(v, f);
	contribute_refusals(v, f);
	contribute_disks(v, f);
}
