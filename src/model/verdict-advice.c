/* SPDX-License-Identifier: MIT */
#include "model/verdict-advice.h"

#include <errno.h>
#include <signal.h>

#include "model/cause.h"
#include "model/suggest.h"

static bool is_transient(int errnum)
{
	static const int transient[] = {
		EAGAIN, ENOMEM, EMFILE, ENFILE, ENOSPC, EBUSY, EINTR, ETIMEDOUT};

	for (size_t i = 0; i < sizeof transient / sizeof *transient; i++) {
		if (transient[i] == errnum)
			return true;
	}
	return false;
}

/* A host that was short of something may not be so later; anything else would repeat. */
static enum retry advise(const struct verdict *v, const struct facts *f)
{
	if (v->cause == CAUSE_SETUP_FAILED && f->o->setup.blame == BLAME_HOST &&
		is_transient(f->o->setup.errnum))
		return RETRY_LATER;
	return cause_info(v->cause)->retry;
}

/* What is known that it would have used: what was refused, what exec had to map, its peak. */
static uint64_t seen_of_space(const struct facts *f)
{
	const struct observation *o = f->o;
	const struct refusal *r = f->limits.space.refusal;
	uint64_t seen = r ? r->used_bytes + r->asked_bytes : 0;

	if (o->image.known && o->image.mapped_bytes > seen)
		seen = o->image.mapped_bytes;
	return o->leader_virtual_peak_known && o->leader_virtual_peak_bytes > seen
		? o->leader_virtual_peak_bytes
		: seen;
}

/* How much of @limit was used, where the end of the run says so; 0: not known. */
static uint64_t seen_of(enum limit limit, const struct facts *f)
{
	const struct usage *u = &f->o->usage;
	uint64_t peak = u->memory_peak_known ? u->memory_peak_bytes : 0;

	if (limit == LIMIT_ADDRESS_SPACE)
		return seen_of_space(f);
	/* What it would have written in all is not known: it was stopped at the limit. */
	if (limit != LIMIT_MEMORY)
		return 0;
	return f->act && f->act->reason == ACT_MEMORY_SAMPLED && f->act->measured > peak
		? f->act->measured
		: peak;
}

static uint64_t suggest(enum limit limit, const struct facts *f)
{
	uint64_t asked = facts_limit(f, limit), seen = seen_of(limit, f);

	if (limit == LIMIT_MEMORY)
		return suggest_memory(asked, seen, &f->o->usage);
	if (limit == LIMIT_PIDS)
		return suggest_count(asked);
	/* one that bulkhead has itself it cannot give more of */
	if (limit != LIMIT_OUTPUT && limit != LIMIT_TMP_SIZE && facts_bound(f, limit).inherited)
		return 0;
	if (limit == LIMIT_TMP_SIZE && f->limits.full->size_bytes != asked)
		return 0;
	return suggest_size(asked, seen);
}

static void add_suggestion(struct verdict *v, const struct facts *f)
{
	static const struct {
		enum cause cause;
		enum limit limit;
	} larger[] = {
		{CAUSE_MEMORY_LIMIT, LIMIT_MEMORY},
		{CAUSE_OUTPUT_LIMIT, LIMIT_OUTPUT},
		{CAUSE_FILE_SIZE_LIMIT, LIMIT_FILE_SIZE},
		{CAUSE_ADDRESS_SPACE, LIMIT_ADDRESS_SPACE},
		{CAUSE_DISK_LIMIT, LIMIT_TMP_SIZE},
		{CAUSE_PIDS_LIMIT, LIMIT_PIDS},
	};

	for (size_t i = 0; i < sizeof larger / sizeof *larger; i++) {
		if (larger[i].cause != v->cause)
			continue;
		v->suggest_limit = larger[i].limit;
		v->suggest_value = suggest(larger[i].limit, f);
		v->suggest_set = v->suggest_value > 0;
	}
}

/* The status of a program that has none of its own, or none that may be shown. */
static int status_of_act(const struct facts *f)
{
	int signal = f->act ? f->act->signal : 0;

	return signal > 0 && signal <= 64 ? 128 + signal : EXIT_REFUSED;
}

static int own_status(const struct facts *f, bool zero_allowed)
{
	if (f->wait == WAIT_EXITED && (f->code != 0 || zero_allowed))
		return f->code;
	return f->signal ? 128 + f->signal : status_of_act(f);
}

static int exit_status(enum cause cause, const struct facts *f)
{
	switch (cause_info(cause)->status) {
	case STATUS_OWN:
		return own_status(f, true);
	case STATUS_OWN_OR_126:
		return f->wait == WAIT_NEVER_STARTED ? EXIT_NOT_EXECUTABLE : own_status(f, true);
	case STATUS_CUT_OFF:
		return own_status(f, false);
	case STATUS_KILLED:
		return 128 + SIGKILL;
	case STATUS_TIMEOUT:
		return EXIT_TIMEOUT;
	case STATUS_NOT_EXECUTABLE:
		return EXIT_NOT_EXECUTABLE;
	case STATUS_NOT_FOUND:
		return EXIT_NOT_FOUND;
	case STATUS_NOT_RUN:
		return EXIT_NOT_RUN;
	case STATUS_REFUSED:
		break;
	}
	return EXIT_REFUSED;
}

void verdict_add_advice(struct verdict *v, const struct facts *f)
{
	v->retry = advise(v, f);
	add_suggestion(v, f);
	v->exit_status = exit_status(v->cause, f);
}
