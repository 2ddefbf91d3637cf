/* SPDX-License-Identifier: MIT */
#include <signal.h>

#include "model/sender.h"
#include "model/verdict-say.h"
#include "model/words.h"

/* What is said of limits other than those of memory. */

/* ---- bulkhead's own counters and deadlines ---- */

void say_wall_timeout(struct verdict *v, const struct facts *f)
{
	say_sure_of_act(v, f);
	v->summary = arena_printf(f->a, "still running at its time-out%s; %s",
		say_of_limit(f, LIMIT_TIMEOUT), words_end_of_act(f));
}

void say_idle_timeout(struct verdict *v, const struct facts *f)
{
	say_sure_of_act(v, f);
	v->summary = arena_printf(f->a, "no output for its idle time-out%s, after %s; %s",
		say_of_limit(f, LIMIT_IDLE_TIMEOUT), words_duration(f->a, f->act->at_us),
		words_end_of_act(f));
}

void say_cpu_act(struct verdict *v, const struct facts *f)
{
	say_sure_of_act(v, f);
	v->summary = arena_printf(f->a, "used up its CPU time%s after %s; %s",
		say_of_limit(f, LIMIT_CPU_TIME), words_duration(f->a, f->act->at_us),
		words_end_of_act(f));
}

void say_output_limit(struct verdict *v, const struct facts *f)
{
	say_sure_of_act(v, f);
	v->summary = arena_printf(f->a, "wrote more than its output limit%s after %s; %s",
		say_of_limit(f, LIMIT_OUTPUT), words_duration(f->a, f->act->at_us),
		words_end_of_act(f));
}

/* ---- limits of each process ---- */

void say_cpu_signal(struct verdict *v, const struct facts *f)
{
	struct bound limit = facts_bound(f, LIMIT_CPU_TIME);
	bool used_up = f->o->leader_cpu_us >= limit.value - limit.value / 16;

	/* SIGXCPU is sent for nothing else; SIGKILL is, unless the kernel is known to have sent it */
	say_sure(v, f->o->killer.known == KILLER_KERNEL || (f->signal == SIGXCPU && used_up));
	v->summary =
		arena_printf(f->a, "used up its CPU time of %s%s: %s of RLIMIT_CPU with %s used",
			words_bound(f, LIMIT_CPU_TIME), words_after(f),
			words_signal(f->a, f->signal), words_duration(f->a, f->o->leader_cpu_us));
}

/* "", or who of the run it was, if not the program itself. */
static const char *whose_refusal(const struct facts *f, const struct refusal *r)
{
	return r->leader
		? ""
		: arena_printf(f->a, " to %s of the run", words_process(f->a, r->comm, r->pid));
}

static const char *lived_on(const struct facts *f, const struct refusal *r)
{
	uint64_t wall = f->o->usage.wall_us;

	return arena_printf(f->a, "%s before it %s%s",
		words_duration(f->a, wall > r->at_us ? wall - r->at_us : 0), words_end(f),
		words_after(f));
}

void say_file_size_limit(struct verdict *v, const struct facts *f)
{
	const struct refusal *r = facts_refusal(f, LIMIT_FILE_SIZE, true);
	const char *limit = words_bound(f, LIMIT_FILE_SIZE);

	if (f->signal == SIGXFSZ) {
		/* it could have been sent to it, and is sent to itself by whoever pretends */
		say_sure(v, r || f->o->killer.known == KILLER_KERNEL);
		v->summary =
			arena_printf(f->a, "wrote a file beyond its size limit of %s (SIGXFSZ)%s",
				limit, words_after(f));
		return;
	}
	r = f->limits.file.refusal;
	say_sure(v, f->limits.file.sure);
	v->summary = arena_printf(f->a,
		"a write beyond the file size limit of %s was refused%s (EFBIG) %s", limit,
		whose_refusal(f, r), lived_on(f, r));
}

static const char *unseen(const struct facts *f)
{
	if (f->o->refusals_watched)
		return "";
	return f->o->privileged ? "; what is refused could not be watched"
				: "; what is refused is not visible to an ordinary user";
}

static const char *say_refused_space(const struct facts *f)
{
	const struct refusal *r = f->limits.space.refusal;

	return arena_printf(f->a,
		"about %s more were refused%s at the address space limit of %s (%s in use) %s",
		words_size(f->a, r->asked_bytes), whose_refusal(f, r),
		words_bound(f, LIMIT_ADDRESS_SPACE), words_size(f->a, r->used_bytes),
		lived_on(f, r));
}

void say_address_space(struct verdict *v, const struct facts *f)
{
	const struct observation *o = f->o;
	const char *limit = words_bound(f, LIMIT_ADDRESS_SPACE);
	const char *end = words_end(f), *after = words_after(f);

	say_sure(v, f->limits.space.sure);
	switch (f->limits.space_sign) {
	case SPACE_REFUSED:
		v->summary = say_refused_space(f);
		break;
	case SPACE_IMAGE:
		v->summary = arena_printf(f->a,
			"%s%s, in its exec: its file takes %s to be mapped, more than its address "
			"space limit of %s",
			end, after, words_size(f->a, o->image.mapped_bytes), limit);
		break;
	case SPACE_LOADER:
		v->summary = arena_printf(f->a,
			"%s%s, as a loader does that cannot map a library: its address space limit "
			"of %s leaves little beyond the %s of its own file%s",
			end, after, limit, words_size(f->a, o->image.mapped_bytes), unseen(f));
		break;
	default:
		v->summary = arena_printf(f->a,
			"%s%s, having used %s%s of its address space limit of %s%s", end, after,
			o->leader_virtual_peak_sampled ? "at least " : "",
			words_size(f->a, o->leader_virtual_peak_bytes), limit, unseen(f));
		break;
	}
}

/* ---- limits of the run ---- */

void say_pids_limit(struct verdict *v, const struct facts *f)
{
	uint64_t n = f->limits.forks_refused;

	v->confidence = CONFIDENCE_LIKELY;
	if (n > 0)
		v->summary = arena_printf(f->a,
			"%s%s, after it was refused new processes or threads %llu time%s at its "
			"limit%s; "
			"most likely for that",
			words_end(f), words_after(f), (unsigned long long)n, n == 1 ? "" : "s",
			say_of_limit(f, LIMIT_PIDS));
	else
		v->summary = arena_printf(f->a,
			"%s%s, with as many processes and threads as its limit%s allows; most "
			"likely "
			"it was refused another",
			words_end(f), words_after(f), say_of_limit(f, LIMIT_PIDS));
}

void say_disk_limit(struct verdict *v, const struct facts *f)
{
	const struct disk *d = f->limits.full;

	v->confidence = CONFIDENCE_LIKELY;
	v->summary = arena_printf(f->a, "%s%s, with its own %s full (%s%s); most likely for that",
		words_end(f), words_after(f), words_visible(f->a, d->path, PATH_SHOWN),
		words_size(f->a, d->size_bytes), d->files_full ? ", no more files" : "");
}

/* ---- the filter ---- */

static const char *call_unseen(const struct facts *f)
{
	return f->o->privileged ? "the kernel's log does not say which"
				: "which one is not visible to an ordinary user";
}

void say_syscall_denied(struct verdict *v, const struct facts *f)
{
	say_sure(v, f->o->denied.known); /* else it may have had a filter of its own */
	if (f->o->denied.known)
		v->summary = arena_printf(f->a,
			"made the system call %s, for which bulkhead's filter ends a program%s",
			words_call(f), words_after(f));
	else
		v->summary = arena_printf(f->a,
			"died of SIGSYS%s with bulkhead's seccomp filter on, so at a system call "
			"that it ends a program for; %s",
			words_after(f), call_unseen(f));
}
