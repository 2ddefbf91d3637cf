/* SPDX-License-Identifier: MIT */
#include "model/verdict-say.h"

#include <errno.h>
#include <signal.h>

#include "model/sender.h"
#include "model/words.h"

#define NAME_SHOWN 200
#define WHAT_SHOWN 1000

static const char *program(const struct facts *f)
{
	const char *name = f->o->argc > 0 && f->o->argv ? f->o->argv[0] : NULL;
	return words_visible(f->a, name ? name : "the program", NAME_SHOWN);
}

void say_sure(struct verdict *v, bool sure)
{
	v->confidence = sure ? CONFIDENCE_CERTAIN : CONFIDENCE_LIKELY;
}

void say_sure_of_act(struct verdict *v, const struct facts *f)
{
	say_sure(v, !f->oom.order_unclear);
}

const char *say_of_limit(const struct facts *f, enum limit limit)
{
	const char *text = words_limit(f, limit);
	return *text ? arena_printf(f->a, " of %s", text) : "";
}

/* ---- by itself ---- */

void say_ok(struct verdict *v, const struct facts *f)
{
	v->summary = arena_printf(f->a, "exited with 0%s", words_after(f));
}

/* 128+N is a shell's way to say that its child died of signal N; it is no signal by itself. */
static const char *shell_hint(const struct facts *f)
{
	if (f->code <= 128 || f->code > 128 + 64)
		return "";
	return arena_printf(f->a,
		" (its own exit status: a shell says so when its child died of %s)",
		words_signal(f->a, f->code - 128));
}

void say_exit_nonzero(struct verdict *v, const struct facts *f)
{
	const char *oom = "";

	if (f->oom.kills > 0)
		oom = arena_printf(
			f->a, ", after %s was OOM-killed %s", words_victims(f), words_oom_place(f));
	v->summary = arena_printf(
		f->a, "exited with %d%s%s%s", f->code, words_after(f), shell_hint(f), oom);
}

/* Signals that the kernel sends for what the program itself did. */
static bool is_fault(int signal)
{
	static const int faults[] = {
		SIGSEGV, SIGABRT, SIGFPE, SIGBUS, SIGILL, SIGSYS, SIGTRAP, SIGPIPE};
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		if (faults[i] == signal)
			return true;
	}
	return false;
}

static const char *crash_sender(const struct facts *f)
{
	const struct killer *k = &f->o->killer;

	switch (k->known) {
	case KILLER_SELF:
		return ": its own raise";
	case KILLER_INSIDE:
		return arena_printf(f->a, ": sent by %s of the same run", sender_words(f));
	case KILLER_KERNEL:
		return is_fault(f->signal) ? "" : ": sent by the kernel, for no limit of ours";
	default:
		break;
	}
	if (is_fault(f->signal))
		return "";
	if (f->oom.counted)
		return ": no limit of ours, no act of ours and no OOM kill accounts for it, so its "
		       "own "
		       "raise or a signal from outside";
	return ": no limit and no act of ours accounts for it and OOM kills are not counted here, "
	       "so "
	       "its own raise, the OOM killer or a signal from outside";
}

void say_crash(struct verdict *v, const struct facts *f)
{
	enum killer_known known = f->o->killer.known;
	bool named = known == KILLER_SELF || known == KILLER_INSIDE;

	say_sure(v, named || is_fault(f->signal));
	v->summary = arena_printf(f->a, "%s%s%s%s", words_end(f), words_after(f),
		f->o->core_dumped ? ", core dumped" : "", crash_sender(f));
}

/* ---- memory ---- */

static const char *peak_and_victims(const struct facts *f)
{
	const struct usage *u = &f->o->usage;
	const char *victims = f->n_victims > 0 ? words_victims(f) : NULL;

	if (!u->memory_peak_known)
		return victims ? arena_printf(f->a, " (killed %s)", victims) : "";
	const char *peak = words_size(f->a, u->memory_peak_bytes);
	if (!victims)
		return arena_printf(f->a, " (peak %s)", peak);
	return arena_printf(f->a, " (peak %s, killed %s)", peak, victims);
}

/* What to add where the payload was not simply killed with the rest. */
static const char *memory_tail(const struct facts *f)
{
	if (f->wait == WAIT_NEVER_STARTED)
		return ", before the program could start";
	if (f->wait == WAIT_UNKNOWN)
		return "; its status is unknown";
	if (f->signal == SIGKILL)
		return "";
	const char *end = words_end(f);
	if (f->oom.ended_sure)
		return arena_printf(f->a, "; it %s while the rest of it was being ended", end);
	return arena_printf(
		f->a, "; it %s before the rest of it could be ended, most likely for that", end);
}

/* Only the count of kills rose, or more than one limit was hit: which one it was is inferred. */
static const char *place_doubt(const struct facts *f)
{
	if (f->oom.place_sure || !f->oom.ended_sure)
		return "";
	if (f->oom.above)
		return "; the limit of a group above was hit as well, which of the two it was for "
		       "is not known";
	return "; which limit was hit was not counted, its own is inferred from the kill";
}

void say_memory_limit(struct verdict *v, const struct facts *f)
{
	const char *limit = words_limit(f, LIMIT_MEMORY);

	say_sure(v, f->oom.place_sure && f->oom.ended_sure);
	v->summary = arena_printf(f->a, "reached its own %s%s%s%s%s%s",
		*limit ? "limit of " : "memory limit", limit, peak_and_victims(f), words_after(f),
		memory_tail(f), place_doubt(f));
}

/* A run that used little of what its group was full of was the one hit, not the one to blame. */
static const char *whose_memory(const struct facts *f)
{
	const struct usage *u = &f->o->usage;

	if (!u->memory_peak_known || u->memory_peak_bytes >= f->oom.above_limit / 2)
		return "";
	return ", which others in that group had used most of";
}

/* Without the kernel's report, why it is taken for that group's. */
static const char *above_doubt(const struct facts *f)
{
	const struct counter *c = f->oom.above;

	if (f->oom.told || !c)
		return "";
	return arena_printf(f->a, "; the count in %s rose, and that of its own did not",
		words_visible(f->a, c->where, PATH_SHOWN));
}

void say_memory_above(struct verdict *v, const struct facts *f)
{
	const char *group = words_visible(f->a, f->oom.above_group, PATH_SHOWN);
	uint64_t limit = f->oom.above_limit;

	say_sure(v, f->oom.place_sure && f->oom.ended_sure);
	v->summary = arena_printf(f->a,
		"killed for the memory limit%s%s of a group above its own%s%s%s%s%s%s%s",
		limit > 0 ? " of " : "", limit > 0 ? words_size(f->a, limit) : "",
		*group ? ", " : "", group, whose_memory(f), peak_and_victims(f), words_after(f),
		memory_tail(f), above_doubt(f));
}

void say_memory_host(struct verdict *v, const struct facts *f)
{
	say_sure(v, f->oom.place_sure && f->oom.ended_sure);
	if (f->oom.place_sure) {
		v->summary = arena_printf(f->a, "killed because the host ran out of memory%s%s%s",
			peak_and_victims(f), words_after(f), memory_tail(f));
		return;
	}
	v->summary = arena_printf(f->a,
		"killed because the host, or a limit out of sight, ran out of memory%s%s: %s%s",
		peak_and_victims(f), words_after(f),
		f->oom.counted ? "an OOM kill was counted, but its own limit was not hit"
			       : "the OOM killer took it, and it had no memory group of its own",
		memory_tail(f));
}

void say_memory_sampled(struct verdict *v, const struct facts *f)
{
	say_sure_of_act(v, f);
	v->summary = arena_printf(f->a,
		"used %s of memory when sampled, more than its limit%s, after %s; %s",
		words_size(f->a, f->act->measured), say_of_limit(f, LIMIT_MEMORY),
		words_duration(f->a, f->act->at_us), words_end_of_act(f));
}

void say_memory_daemon(struct verdict *v, const struct facts *f)
{
	bool sure = false;

	sender_is_memory_daemon(f, &sure);
	say_sure(v, sure); /* a process may call itself anything */
	v->summary = arena_printf(f->a, "%s from %s%s, by its %s a user-space out-of-memory daemon",
		words_signal(f->a, f->signal), sender_words(f), words_after(f),
		sure ? "unit" : "name");
}

/* ---- by somebody ---- */

static const char *canceller(const struct facts *f)
{
	const struct act *act = f->act;

	if (act->cancel_pid <= 0)
		return "";
	return arena_printf(
		f->a, " (from pid %d, uid %u)", (int)act->cancel_pid, (unsigned)act->cancel_uid);
}

void say_cancelled(struct verdict *v, const struct facts *f)
{
	const struct act *act = f->act;
	int asked = act->cancel_signal > 0 ? act->cancel_signal : act->signal;

	say_sure_of_act(v, f);
	v->summary =
		arena_printf(f->a, "the caller sent %s%s after %s; %s", words_signal(f->a, asked),
			canceller(f), words_duration(f->a, act->at_us), words_end_of_act(f));
}

void say_shutdown(struct verdict *v, const struct facts *f)
{
	say_sure_of_act(v, f);
	v->summary = arena_printf(f->a, "bulkhead was told to stop after %s; %s",
		words_duration(f->a, f->act->at_us), words_end_of_act(f));
}

void say_external_kill(struct verdict *v, const struct facts *f)
{
	v->summary = arena_printf(f->a, "%s from %s outside the run%s",
		words_signal(f->a, f->signal), sender_words(f), words_after(f));
}

void say_unseen_external(struct verdict *v, const struct facts *f)
{
	bool maybe_oom = f->signal == SIGKILL && !f->oom.counted;

	v->confidence = CONFIDENCE_LIKELY;
	v->summary = arena_printf(f->a,
		"%s%s: no limit%s no act of ours%s accounts for it, so most likely %sfrom outside "
		"the run; %s",
		words_end(f), words_after(f), maybe_oom ? " and" : " of ours,",
		maybe_oom ? "" : " and no OOM kill",
		maybe_oom ? "from the OOM killer, whose kills are not counted here, or " : "",
		sender_unseen_words(f));
}

/* ---- never ran ---- */

void say_not_found(struct verdict *v, const struct facts *f)
{
	if (f->o->setup.file_exists)
		v->summary = arena_printf(f->a,
			"'%s' is there, but the interpreter that it names (#! line or ELF loader) "
			"was "
			"not found",
			program(f));
	else
		v->summary = arena_printf(f->a, "'%s' was not found", program(f));
}

void say_not_executable(struct verdict *v, const struct facts *f)
{
	v->summary = arena_printf(
		f->a, "'%s' cannot be executed: %s", program(f), errno_text(f->o->setup.errnum));
}

void say_setup_failed(struct verdict *v, const struct facts *f)
{
	const struct setup_failure *s = &f->o->setup;
	enum blame blame = s->blame > BLAME_NONE && s->blame < BLAME_COUNT_ ? s->blame : BLAME_US;
	const char *what = words_visible(f->a, s->what, WHAT_SHOWN);

	if (!*what && s->errnum > 0)
		what = errno_text(s->errnum);
	v->summary = arena_printf(f->a, "%s (blame: %s)",
		*what ? what : "the program never started, and no step of the set-up says why",
		blame_name(blame));
}

void say_unknown(struct verdict *v, const struct facts *f)
{
	v->confidence = CONFIDENCE_LIKELY;
	v->summary = "how it ended is unknown: its exit status could not be collected";
	(void)f;
}
