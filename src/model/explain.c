/* SPDX-License-Identifier: MIT */
#include "model/explain.h"

#include <inttypes.h>

#include "base/parse.h"
#include "model/facts.h"
#include "model/sender.h"
#include "model/words.h"

#define TEXT_SHOWN 1000

/* What was looked at: a table of looks, each of which finds as many things to say as there are. */

struct looker {
	const struct facts *f;
	struct arena *a;
	struct look *v;
	size_t n;
	const char *what; /* of the look that is on */
};

static void say(struct looker *l, const char *said)
{
	if (l->n < EXPLAIN_MAX_LOOKS)
		l->v[l->n++] = (struct look){l->what, said};
}

static void look_at_setup(struct looker *l)
{
	const struct setup_failure *s = &l->f->o->setup;

	if (l->f->setup == SETUP_NONE) {
		say(l,
			l->f->wait == WAIT_NEVER_STARTED ? "nothing is known to have failed"
							 : "nothing failed");
		return;
	}
	say(l,
		arena_printf(l->a, "stage %s failed%s%s: %s", setup_stage_name(l->f->setup),
			s->errnum > 0 ? " with " : "", s->errnum > 0 ? errno_text(s->errnum) : "",
			words_visible(l->a, s->what, TEXT_SHOWN)));
}

static void look_at_status(struct looker *l)
{
	if (l->f->wait == WAIT_NEVER_STARTED)
		return;
	say(l,
		arena_printf(l->a, "it %s after %s%s", words_end(l->f),
			words_duration(l->a, l->f->o->usage.wall_us),
			l->f->o->core_dumped ? ", core dumped" : ""));
}

static void look_at_acts(struct looker *l)
{
	if (l->f->n_acts == 0)
		say(l, "none was sent");
	for (size_t i = 0; i < l->f->n_acts; i++) {
		const struct act *act = &l->f->o->acts[i];
		say(l,
			arena_printf(l->a, "%s to %s after %s, for %s%s",
				words_signal(l->a, act->signal),
				act->whole_run ? "the whole run" : "the program",
				words_duration(l->a, act->at_us), act_reason_name(act->reason),
				act == l->f->act ? ": the first that can have ended it" : ""));
	}
}

static void look_at_sender(struct looker *l)
{
	const struct killer *k = &l->f->o->killer;

	if (l->f->signal == 0)
		return;
	if (k->known == KILLER_UNKNOWN)
		say(l, arena_printf(l->a, "not seen: %s", sender_unseen_words(l->f)));
	else if (!sender_is_process(k))
		say(l, k->known == KILLER_KERNEL ? "the kernel" : "bulkhead itself");
	else
		say(l,
			arena_printf(l->a, "%s: %s, uid %u%s%s", killer_known_name(k->known),
				words_process(l->a, k->comm, k->pid), (unsigned)k->uid,
				k->cgroup ? ", cgroup " : "",
				k->cgroup ? words_visible(l->a, k->cgroup, TEXT_SHOWN) : ""));
}

static void say_counter(struct looker *l, const struct counter *c)
{
	say(l,
		arena_printf(l->a, "%s %" PRIu64 " → %" PRIu64 "%s (%s)",
			words_visible(l->a, c->fact, TEXT_SHOWN), c->before, c->after,
			counter_rise(c) ? "" : ": did not rise",
			words_visible(l->a, c->where, TEXT_SHOWN)));
}

static void look_at_counters(struct looker *l, bool own)
{
	size_t before = l->n;

	for (size_t i = 0; i < l->f->n_counters; i++) {
		if (l->f->o->counters[i].own == own)
			say_counter(l, &l->f->o->counters[i]);
	}
	if (l->n == before)
		say(l, own ? "there are none" : "not asked, or there are none");
}

static void look_at_own_counters(struct looker *l)
{
	look_at_counters(l, true);
}

static void look_at_counters_above(struct looker *l)
{
	look_at_counters(l, false);
}

static const char *scope_words(struct looker *l, const struct victim *v)
{
	switch (v->scope) {
	case OOM_SCOPE_OWN:
		return "; by the kernel's log at the run's own limit";
	case OOM_SCOPE_ABOVE:
		return arena_printf(l->a, "; by the kernel's log at the limit of %s",
			words_visible(l->a, v->group, TEXT_SHOWN));
	case OOM_SCOPE_HOST:
		return "; by the kernel's log because the host had no memory left";
	default:
		return "";
	}
}

static void look_at_victims(struct looker *l)
{
	for (size_t i = 0; i < l->f->n_victims; i++) {
		const struct victim *v = &l->f->o->victims[i];
		say(l,
			arena_printf(l->a, "%s%s%s", words_process(l->a, v->comm, v->pid),
				v->leader ? ", the program itself" : "", scope_words(l, v)));
	}
}

/* What was used of @limit, as far as it is known; "" if not. */
static const char *used_of(struct looker *l, enum limit limit)
{
	const struct usage *u = &l->f->o->usage;

	switch (limit) {
	case LIMIT_MEMORY:
		return u->memory_peak_known ? words_size(l->a, u->memory_peak_bytes) : "";
	case LIMIT_PIDS:
		return u->pids_peak_known ? arena_printf(l->a, "%" PRIu64, u->pids_peak) : "";
	case LIMIT_TIMEOUT:
		return words_duration(l->a, u->wall_us);
	case LIMIT_CPU_TIME:
		return u->cpu_known ? words_duration(l->a, u->cpu_user_us + u->cpu_system_us) : "";
	case LIMIT_OUTPUT:
		return u->output_known ? words_size(l->a, u->output_seen_bytes) : "";
	default:
		return "";
	}
}

static void look_at_limits(struct looker *l)
{
	for (int i = 0; i < LIMIT_COUNT_; i++) {
		enum enforced_by by = l->f->o->limits[i].by;
		const char *value = words_limit(l->f, i), *used = used_of(l, i);
		if (!*value)
			continue;
		say(l,
			arena_printf(l->a, "%s %s, enforced by %s%s%s", limit_name(i), value,
				by == ENFORCED_NONE ? "nothing" : words_enforcer(by),
				*used ? "; used: " : "", used));
	}
}

/* Those of each process that bulkhead had itself, and what it took to be refused for such. */
static void look_at_inherited(struct looker *l)
{
	static const enum limit limits[] = {LIMIT_ADDRESS_SPACE, LIMIT_FILE_SIZE, LIMIT_CPU_TIME};

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		struct bound bound = facts_bound(l->f, limits[i]);
		if (bound.inherited)
			say(l,
				arena_printf(l->a, "%s %s", limit_name(limits[i]),
					words_bound(l->f, limits[i])));
	}
}

static void look_at_refusals(struct looker *l)
{
	for (size_t i = 0; i < l->f->n_refusals; i++) {
		const struct refusal *r = &l->f->o->refusals[i];
		if (r->count == 0 ||
			(r->limit != LIMIT_ADDRESS_SPACE && r->limit != LIMIT_FILE_SIZE))
			continue;
		say(l,
			arena_printf(l->a, "%s, %" PRIu64 " time%s, last to %s%s after %s",
				limit_name(r->limit), r->count, r->count == 1 ? "" : "s",
				words_process(l->a, r->comm, r->pid),
				r->leader ? ", the program itself," : "",
				words_duration(l->a, r->at_us)));
	}
}

static void look_at_space(struct looker *l)
{
	const struct observation *o = l->f->o;

	if (o->leader_virtual_peak_known)
		say(l,
			arena_printf(l->a, "at most %s%s",
				words_size(l->a, o->leader_virtual_peak_bytes),
				o->leader_virtual_peak_sampled ? " when it was looked at" : ""));
	if (o->image.known)
		say(l,
			arena_printf(l->a, "its file takes %s to be mapped%s",
				words_size(l->a, o->image.mapped_bytes),
				o->image.has_loader ? ", with its loader" : ""));
}

static void look_at_disks(struct looker *l)
{
	for (size_t i = 0; i < l->f->n_disks; i++) {
		const struct disk *d = &l->f->o->disks[i];
		say(l,
			arena_printf(l->a, "%s%s: %s of %s left%s", d->own ? "its own " : "",
				words_visible(l->a, d->path, TEXT_SHOWN),
				words_size(l->a, d->free_bytes), words_size(l->a, d->size_bytes),
				facts_disk_full(d) ? ": full" : ""));
	}
}

static void look_at_denied(struct looker *l)
{
	if (l->f->o->denied.known)
		say(l,
			arena_printf(l->a, "%s; bulkhead's filter %s", words_call(l->f),
				l->f->o->denied.by_filter ? "ends a program for it"
							  : "does not end a program for it"));
}

static void look_at_filter(struct looker *l)
{
	say(l, l->f->o->seccomp ? "on" : "off");
}

size_t explain_looks(
	struct look ret[EXPLAIN_MAX_LOOKS], const struct observation *o, struct arena *a)
{
	static const struct {
		const char *what;
		void (*look)(struct looker *l);
	} looks[] = {
		{"set-up", look_at_setup},
		{"wait status", look_at_status},
		{"bulkhead's own signals", look_at_acts},
		{"sender of the signal", look_at_sender},
		{"its group's counters", look_at_own_counters},
		{"counters of groups above", look_at_counters_above},
		{"OOM killer's victims", look_at_victims},
		{"limits", look_at_limits},
		{"inherited limits", look_at_inherited},
		{"what was refused", look_at_refusals},
		{"address space", look_at_space},
		{"file systems", look_at_disks},
		{"filter of system calls", look_at_filter},
		{"denied system call", look_at_denied},
	};
	struct facts f;
	struct looker l = {.f = &f, .a = a, .v = ret};

	facts_derive(&f, o, a);
	for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
		l.what = looks[i].what;
		looks[i].look(&l);
	}
	return l.n;
}
