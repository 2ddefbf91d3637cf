/* SPDX-License-Identifier: MIT */
#include "model/verdict-evidence.h"

#include <signal.h>
#include <string.h>

#include "model/sender.h"
#include "model/words.h"

#define WHAT_SHOWN  1000
#define WHERE_SHOWN 300

static void push(struct verdict *v, struct evidence e)
{
	if (v->n_evidence < VERDICT_MAX_EVIDENCE)
		v->evidence[v->n_evidence++] = e;
}

static bool about_memory(const struct verdict *v)
{
	return v->cause == CAUSE_MEMORY_LIMIT || v->cause == CAUSE_MEMORY_ANCESTOR ||
		v->cause == CAUSE_MEMORY_HOST;
}

/* ---- evidence ---- */

static void add_setup(struct verdict *v, const struct facts *f)
{
	const struct setup_failure *s = &f->o->setup;

	if (f->setup == SETUP_NONE)
		return;
	push(v,
		(struct evidence){.fact = "setup_failed",
			.where = setup_stage_name(f->setup),
			.has_after = s->errnum > 0,
			.after = s->errnum > 0 ? (uint64_t)s->errnum : 0,
			.text = words_visible(f->a, s->what, WHAT_SHOWN)});
}

static void add_status(struct verdict *v, const struct facts *f)
{
	if (f->wait != WAIT_NEVER_STARTED)
		push(v,
			(struct evidence){
				.fact = "wait_status", .where = "waitid", .text = words_end(f)});
}

static const char *sender_evidence(const struct facts *f)
{
	const struct killer *k = &f->o->killer;
	const char *where = k->cgroup ? words_visible(f->a, k->cgroup, WHERE_SHOWN) : NULL;

	if (!sender_is_process(k))
		return k->known == KILLER_KERNEL ? "the kernel" : "bulkhead itself";
	return arena_printf(f->a, "%s, uid %u%s%s%s%s", words_process(f->a, k->comm, k->pid),
		(unsigned)k->uid, where ? ", cgroup " : "", where ? where : "",
		k->at_known ? ", after " : "", k->at_known ? words_duration(f->a, k->at_us) : "");
}

static void add_killer(struct verdict *v, const struct facts *f)
{
	const struct killer *k = &f->o->killer;

	if (f->signal == 0 || k->known == KILLER_UNKNOWN)
		return;
	push(v,
		(struct evidence){.fact = "signal_sender",
			.where = killer_known_name(k->known),
			.text = sender_evidence(f)});
}

static void add_act(struct verdict *v, const struct facts *f, const struct act *act)
{
	push(v,
		(struct evidence){.fact = act_reason_name(act->reason),
			.where = "supervisor",
			.has_after = act->measured > 0,
			.after = act->measured,
			.text = arena_printf(f->a, "%s to %s after %s",
				words_signal(f->a, act->signal),
				act->whole_run ? "the whole run" : "the program",
				words_duration(f->a, act->at_us))});
}

/* The deciding act stands before the counters, which may fill the list; the others behind them. */
static void add_other_acts(struct verdict *v, const struct facts *f)
{
	for (size_t i = 0; i < f->n_acts; i++) {
		if (&f->o->acts[i] != f->act)
			add_act(v, f, &f->o->acts[i]);
	}
}

static bool counts_memory(const struct counter *c)
{
	static const char *const facts[] = {"oom_kill", "oom", "oom_group_kill", "failcnt"};

	for (size_t i = 0; c->fact && i < sizeof facts / sizeof *facts; i++) {
		if (strcmp(c->fact, facts[i]) == 0)
			return true;
	}
	return false;
}

/* What did not rise is evidence too where the question is whether it was the OOM killer. */
static void add_counters(struct verdict *v, const struct facts *f)
{
	bool all = about_memory(v) || f->signal == SIGKILL;

	for (size_t i = 0; i < f->n_counters; i++) {
		const struct counter *c = &f->o->counters[i];
		if (counter_rise(c) == 0 && !(all && counts_memory(c)))
			continue;
		push(v,
			(struct evidence){.fact = c->fact,
				.where = c->where,
				.has_before = true,
				.has_after = true,
				.before = c->before,
				.after = c->after,
				.text = c->limit > 0 ? arena_printf(f->a, "its limit is %s",
							       words_size(f->a, c->limit))
						     : NULL});
	}
}

/* What the kernel's log says of the kill that counts. */
static void add_report(struct verdict *v, const struct facts *f)
{
	const struct victim *told = f->oom.told;
	const char *group;

	if (!told || f->oom.kills == 0)
		return;
	group = told->scope == OOM_SCOPE_OWN    ? "the run's own group"
		: told->scope == OOM_SCOPE_HOST ? "no group: the host had no memory left"
						: words_visible(f->a, told->group, WHERE_SHOWN);
	push(v,
		(struct evidence){.fact = "oom_report",
			.where = "/dev/kmsg",
			.text = arena_printf(f->a, "%s was killed for the limit of %s",
				words_process(f->a, told->comm, told->pid), group)});
}

static void add_usage(struct verdict *v, const struct facts *f)
{
	const struct usage *u = &f->o->usage;

	if (about_memory(v) && u->memory_peak_known)
		push(v,
			(struct evidence){.fact = "memory_peak_bytes",
				.where = words_enforcer(f->o->limits[LIMIT_MEMORY].by),
				.has_after = true,
				.after = u->memory_peak_bytes});
	if (v->cause == CAUSE_CPU_TIME_LIMIT && f->o->leader_cpu_us > 0)
		push(v,
			(struct evidence){.fact = "leader_cpu_us",
				.where = "rusage",
				.has_after = true,
				.after = f->o->leader_cpu_us});
}

void verdict_add_evidence(struct verdict *v, const struct facts *f)
{
	add_setup(v, f);
	add_status(v, f);
	add_killer(v, f);
	if (f->act)
		add_act(v, f, f->act);
	add_report(v, f);
	add_counters(v, f);
	add_usage(v, f);
	add_other_acts(v, f);
}

/* ---- contributing ---- */

static void contribute(struct verdict *v, const char *text)
{
	if (v->n_contributing < VERDICT_MAX_CONTRIBUTING)
		v->contributing[v->n_contributing++] = text;
}

static void contribute_oom(struct verdict *v, const struct facts *f)
{
	if (about_memory(v)) {
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

	for (size_t i = 0; i < f->n_counters; i++) {
		const struct counter *c = &f->o->counters[i];
		uint64_t rise = counter_rise(c);
		if (rise == 0 || !c->fact || strcmp(c->fact, "pids_max") != 0)
			continue;
		contribute(v,
			arena_printf(f->a,
				"new processes or threads were refused %llu time%s at %s%s%s",
				(unsigned long long)rise, rise == 1 ? "" : "s",
				c->own ? "its limit" : "the limit of a group above",
				c->own && *limit ? " of " : "", c->own ? limit : ""));
	}
}

/* True for the first act of its reason that is not the deciding one's. */
static bool act_is_news(const struct verdict *v, const struct facts *f, size_t at)
{
	const struct act *act = &f->o->acts[at];

	if ((unsigned)act->reason >= ACT_COUNT_ || act->reason == ACT_LEFTOVER)
		return false;
	if ((f->act && act->reason == f->act->reason) ||
		(act->reason == ACT_OOM_GROUP && about_memory(v)))
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
		v->cause == CAUSE_NOT_FOUND || v->cause == CAUSE_NOT_EXECUTABLE)
		return;
	contribute(v,
		arena_printf(f->a, "the set-up failed: %s",
			words_visible(f->a, f->o->setup.what, WHAT_SHOWN)));
}

/*
 * What a limit that leaves no trace of its own may have to do with it: an allocation refused for
 * RLIMIT_AS shows as a fault or as a library that cannot be loaded; an inherited ulimit as its signal.
 */
static void contribute_address_space(struct verdict *v, const struct facts *f)
{
	const struct observation *o = f->o;
	uint64_t own = facts_limit(f, LIMIT_ADDRESS_SPACE);
	uint64_t limit = own ? own : o->inherited_address_space_bytes;
	uint64_t peak = o->leader_virtual_peak_known ? o->leader_virtual_peak_bytes : 0;
	bool fault = f->signal == SIGSEGV || f->signal == SIGABRT || f->signal == SIGBUS;
	bool failed = f->wait == WAIT_EXITED && f->code != 0;

	/* an exit of its own is put down to it only if it went near the limit, or could not be loaded */
	if (limit == 0 || !(fault || (failed && (f->code == 127 || peak >= limit / 2))))
		return;
	contribute(v,
		arena_printf(f->a,
			"its address space was limited to %s%s%s%s: an allocation that was refused "
			"may be why",
			words_size(f->a, limit), own ? "" : " by an inherited limit (ulimit -v)",
			peak ? ", of which it used " : "", peak ? words_size(f->a, peak) : ""));
}

static void contribute_rlimits(struct verdict *v, const struct facts *f)
{
	contribute_address_space(v, f);
	if (v->cause != CAUSE_CRASH || !facts_maybe_kernel(f))
		return;
	if (f->signal == SIGXCPU && !f->o->limits[LIMIT_CPU_TIME].asked.set)
		contribute(v,
			"SIGXCPU is sent at RLIMIT_CPU: an inherited one (ulimit -t) may be why");
	if (f->signal == SIGXFSZ)
		contribute(v,
			"SIGXFSZ is sent at RLIMIT_FSIZE: an inherited one (ulimit -f) may be why");
}

/* A signal from outside that is not the cause: in the grace time, or one that it took for itself. */
static void contribute_sender(struct verdict *v, const struct facts *f)
{
	const struct killer *k = &f->o->killer;
	int signal = k->signal > 0 ? k->signal : f->signal;

	if (k->known != KILLER_OUTSIDE || signal == 0 || facts_ended_well(f) ||
		v->cause == CAUSE_EXTERNAL_KILL || v->cause == CAUSE_MEMORY_DAEMON)
		return;
	contribute(v,
		arena_printf(f->a, "%s came from %s outside the run%s%s",
			words_signal(f->a, signal), sender_words(f), k->at_known ? " after " : "",
			k->at_known ? words_duration(f->a, k->at_us) : ""));
}

void verdict_add_contributing(struct verdict *v, const struct facts *f)
{
	contribute_oom(v, f);
	contribute_pids(v, f);
	contribute_acts(v, f);
	contribute_sender(v, f);
	contribute_setup(v, f);
	contribute_rlimits(v, f);
}
