/* SPDX-License-Identifier: MIT */
#include "model/why.h"

#include <inttypes.h>
#include <signal.h>

#include "model/sender.h"

#define WHERE_SHOWN 300

const char *why_not_setup(const struct facts *f)
{
	if (f->wait == WAIT_NEVER_STARTED)
		return "the program never started, but no step of the set-up is known to have "
		       "failed";
	return "the set-up went through and its exec succeeded";
}

/* ---- the OOM killer ---- */

static const char *why_nowhere(const struct facts *f)
{
	if (!f->oom.counted)
		return "nothing counts OOM kills here, and none was seen";
	return "the OOM killer killed nothing of the run: its count did not rise";
}

const char *why_not_place(const struct facts *f)
{
	switch (f->oom.place) {
	case OOM_NOWHERE:
		return why_nowhere(f);
	case OOM_OWN:
		return "the OOM killer came for the run's own limit";
	case OOM_ANCESTOR:
		return arena_printf(f->a,
			"the OOM killer came, its own limit was not hit, and that of a group above "
			"was (%s)",
			words_visible(f->a, f->oom.above_group, WHERE_SHOWN));
	default:
		break;
	}
	if (!f->oom.counted)
		return "the OOM killer came, and the run had no memory group whose limit it could "
		       "be";
	return "the OOM killer came, but no counter says that a limit of its own or of a group "
	       "above in sight was hit";
}

static const char *why_act_first(const struct facts *f)
{
	const struct act *act = f->act;

	return arena_printf(f->a, "the OOM killer came, but %s bulkhead's own %s (%s after %s)",
		act->oom_known ? "only after" : "nothing says that it was before",
		words_signal(f->a, act->signal), act_reason_name(act->reason),
		words_duration(f->a, act->at_us));
}

const char *why_oom_spared(const struct facts *f)
{
	switch (f->oom.spared) {
	case OOM_SPARED_BY_ACT:
		return why_act_first(f);
	case OOM_SPARED_ENDED_WELL:
		return arena_printf(f->a, "the OOM killer took %s, but the program exited with 0",
			words_victims(f));
	case OOM_SPARED_EXEC:
		return "the OOM killer came, but the program could not have been executed anyway";
	default:
		return arena_printf(f->a,
			"the OOM killer took %s, which the program outlived (--oom process)",
			words_victims(f));
	}
}

/* ---- senders ---- */

static const char *sender(const struct facts *f)
{
	const struct killer *k = &f->o->killer;

	switch (k->known) {
	case KILLER_SELF:
		return "the program itself";
	case KILLER_INSIDE:
		return arena_printf(f->a, "%s of the same run", sender_words(f));
	case KILLER_OUTSIDE:
		return arena_printf(f->a, "%s outside the run", sender_words(f));
	case KILLER_BULKHEAD:
		return "bulkhead itself";
	default:
		return "the kernel";
	}
}

const char *why_not_outside(const struct facts *f)
{
	if (f->o->killer.known == KILLER_UNKNOWN)
		return arena_printf(
			f->a, "who sent %s was not seen", words_signal(f->a, f->signal));
	return arena_printf(f->a, "%s came from %s", words_signal(f->a, f->signal), sender(f));
}

const char *why_not_unseen(const struct facts *f)
{
	if (f->o->killer.known != KILLER_UNKNOWN)
		return why_not_outside(f);
	return arena_printf(f->a,
		"who sent %s was not seen, and it is one that a program may well send itself, or "
		"came%s, when it was hardly started",
		words_signal(f->a, f->signal), words_after(f));
}

const char *why_not_kernel(const struct facts *f)
{
	return arena_printf(f->a, "%s came from %s, not from the kernel",
		words_signal(f->a, f->signal), sender(f));
}

/* ---- our own acts ---- */

/* One of @reason that was done and is not what ended the run; NULL: none. */
static const struct act *find_idle_act(const struct facts *f, enum act_reason reason)
{
	for (size_t i = 0; i < f->n_acts; i++) {
		if (f->o->acts[i].reason == reason)
			return &f->o->acts[i];
	}
	return NULL;
}

static const char *why_idle(const struct facts *f, const struct act *idle)
{
	const char *sent = words_signal(f->a, idle->signal);
	const char *when = words_duration(f->a, idle->at_us);

	if (facts_act_too_late(f, idle))
		return arena_printf(f->a,
			"bulkhead sent %s for it after %s, when %s from %s had ended it already",
			sent, when, words_signal(f->a, f->signal), sender(f));
	if (f->act && f->act < idle)
		return arena_printf(f->a,
			"bulkhead sent %s for it after %s, but for %s before that", sent, when,
			act_reason_name(f->act->reason));
	return arena_printf(f->a,
		"bulkhead passed on %s after %s, but the program went on and ended later, after %s",
		sent, when, words_duration(f->a, f->o->usage.wall_us));
}

const char *why_not_act(const struct facts *f, enum act_reason reason)
{
	const struct act *idle = find_idle_act(f, reason);

	if (idle)
		return why_idle(f, idle);
	if (f->act)
		return arena_printf(f->a, "bulkhead's first signal was for another reason: %s",
			act_reason_name(f->act->reason));
	return "bulkhead sent it no signal for that";
}

/* ---- limits that refuse ---- */

static const char *why_no_failure(const struct facts *f)
{
	return arena_printf(f->a, "it %s, which is not what a refusal leads to", words_end(f));
}

const char *why_not_refused(const struct facts *f, enum limit limit)
{
	const struct refusal *r = facts_refusal(f, limit, true);
	uint64_t wall = f->o->usage.wall_us;

	if (!f->limits.failed)
		return why_no_failure(f);
	if (r)
		return arena_printf(f->a, "it was refused something, but lived on for %s",
			words_duration(f->a, wall > r->at_us ? wall - r->at_us : 0));
	if (facts_refusal(f, limit, false))
		return "something was refused to others of the run only, and not shortly before "
		       "its end";
	return f->o->refusals_watched
		? "nothing was seen to be refused to it"
		: "what was refused was not watched, and nothing else speaks for it";
}

const char *why_not_pids(const struct facts *f)
{
	if (!f->limits.failed)
		return why_no_failure(f);
	if (!facts_limit(f, LIMIT_PIDS))
		return "the number of its processes was not limited";
	return facts_pids_own(f) ? "it was refused no process at its own limit"
				 : "it never had as many processes as its own limit allows";
}

const char *why_not_disk(const struct facts *f)
{
	if (!f->limits.failed)
		return why_no_failure(f);
	return f->n_disks > 0 ? "none of its own file systems was full when it ended"
			      : "its own file systems were not looked at";
}
