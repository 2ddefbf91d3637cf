/* SPDX-License-Identifier: MIT */
#include "model/verdict-evidence.h"

#include <signal.h>
#include <string.h>

#include "model/sender.h"
#include "model/verdict-exec.h"
#include "model/words.h"

#define WHAT_SHOWN  1000
#define WHERE_SHOWN 300

static void push(struct verdict *v, struct evidence e)
{
	if (v->n_evidence < VERDICT_MAX_EVIDENCE)
		v->evidence[v->n_evidence++] = e;
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
	bool all = verdict_is_about_memory(v) || f->signal == SIGKILL;

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

	if (verdict_is_about_memory(v) && u->memory_peak_known)
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

/* ---- limits that refuse ---- */

static bool is_about(const struct verdict *v, enum limit limit)
{
	return (v->cause == CAUSE_ADDRESS_SPACE && limit == LIMIT_ADDRESS_SPACE) ||
		(v->cause == CAUSE_FILE_SIZE_LIMIT && limit == LIMIT_FILE_SIZE) ||
		(v->cause == CAUSE_CPU_TIME_LIMIT && limit == LIMIT_CPU_TIME);
}

/* One of bulkhead's own is among the verdict's limits. */
static void add_inherited(struct verdict *v, const struct facts *f)
{
	static const struct {
		enum limit limit;
		const char *name;
	} rlimits[] = {
		{LIMIT_ADDRESS_SPACE, "RLIMIT_AS"},
		{LIMIT_FILE_SIZE, "RLIMIT_FSIZE"},
		{LIMIT_CPU_TIME, "RLIMIT_CPU"},
	};

	for (size_t i = 0; i < sizeof rlimits / sizeof *rlimits; i++) {
		struct bound limit = facts_bound(f, rlimits[i].limit);
		if (is_about(v, rlimits[i].limit) && limit.inherited)
			push(v,
				(struct evidence){.fact = "inherited_limit",
					.where = rlimits[i].name,
					.has_after = true,
					.after = limit.value,
					.text = words_bound(f, rlimits[i].limit)});
	}
}

static void add_refusals(struct verdict *v, const struct facts *f)
{
	for (size_t i = 0; i < f->n_refusals; i++) {
		const struct refusal *r = &f->o->refusals[i];
		bool space = r->limit == LIMIT_ADDRESS_SPACE;
		const char *who = words_process(f->a, r->comm, r->pid);
		if (!is_about(v, r->limit) || r->count == 0)
			continue;
		push(v,
			(struct evidence){.fact = space ? "refused_mappings" : "refused_writes",
				.where = space ? "tracepoint vm_unmapped_area"
					       : "tracepoint signal_generate",
				.has_after = true,
				.after = r->count,
				.text = space ? arena_printf(f->a, "%s, about %s with %s in use",
							who, words_size(f->a, r->asked_bytes),
							words_size(f->a, r->used_bytes))
					      : who});
	}
}

static void add_space(struct verdict *v, const struct facts *f)
{
	const struct observation *o = f->o;

	if (v->cause != CAUSE_ADDRESS_SPACE)
		return;
	if (o->leader_virtual_peak_known)
		push(v,
			(struct evidence){.fact = "virtual_peak_bytes",
				.where = o->leader_virtual_peak_sampled ? "sampled" : "taskstats",
				.has_after = true,
				.after = o->leader_virtual_peak_bytes});
	if (o->image.known)
		push(v,
			(struct evidence){.fact = "image_bytes",
				.where = "the program's file",
				.has_after = true,
				.after = o->image.mapped_bytes});
}

static void add_denied(struct verdict *v, const struct facts *f)
{
	const struct denied_call *call = &f->o->denied;

	if (f->signal == SIGSYS && call->known)
		push(v,
			(struct evidence){.fact = "denied_system_call",
				.where = "audit record, /dev/kmsg",
				.has_after = true,
				.after = call->number,
				.text = words_call(f)});
}

static void add_full_disk(struct verdict *v, const struct facts *f)
{
	const struct disk *d = f->limits.full;

	if (v->cause == CAUSE_DISK_LIMIT && d)
		push(v,
			(struct evidence){.fact = "disk_free_bytes",
				.where = words_visible(f->a, d->path, WHERE_SHOWN),
				.has_after = true,
				.after = d->free_bytes,
				.text = arena_printf(f->a, "of %s%s",
					words_size(f->a, d->size_bytes),
					d->files_full ? ", no more files" : "")});
}

static void add_execs(struct verdict *v, const struct facts *f)
{
	struct evidence list[VERDICT_EXEC_MAX_EVIDENCE];
	size_t n = exec_evidence(list, v, f);

	for (size_t i = 0; i < n; i++)
		push(v, list[i]);
}

void verdict_add_evidence(struct verdict *v, const struct facts *f)
{
	add_setup(v, f);
	add_status(v, f);
	add_execs(v, f);
	add_killer(v, f);
	if (f->act)
		add_act(v, f, f->act);
	add_report(v, f);
	add_counters(v, f);
	add_usage(v, f);
	add_inherited(v, f);
	add_refusals(v, f);
	add_space(v, f);
	add_full_disk(v, f);
	add_denied(v, f);
	add_other_acts(v, f);
}
