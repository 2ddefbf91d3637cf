/* SPDX-License-Identifier: MIT */
#ifndef MODEL_FACTS_H
#define MODEL_FACTS_H

#include "base/arena.h"
#include "model/observation.h"

/*
 * What the rules of verdict.c look at: an observation with everything impossible taken out of it
 * (an exit code of 300, a signal 0, a count beyond its array), and the questions answered that more
 * than one rule asks. Derived once, then only read.
 */

/* At whose limit the OOM killer came. */
enum oom_place { OOM_NOWHERE, OOM_OWN, OOM_ANCESTOR, OOM_HOST };

/* Why a kill by the OOM killer did not end the run. */
enum oom_spared {
	OOM_SPARED_NOT, /* it did; or there was none */
	OOM_SPARED_BY_ACT, /* an act of ours came first, or may have */
	OOM_SPARED_ENDED_WELL,
	OOM_SPARED_EXEC, /* the program could not have been executed anyway */
	OOM_SPARED_OUTLIVED, /* it was another process, and only that (--oom process) */
};

struct oom_facts {
	enum oom_place place;
	bool place_sure; /* the counters allow no other reading */
	bool counted; /* there is a counter of kills in the run's own group */
	uint64_t kills; /* what it rose by; without one, the number of victims seen */
	const struct victim *told; /* the one whose report says whose limit it was; or NULL */
	const struct counter *above; /* of a group above: its limit was hit; or NULL */
	const char
		*above_group; /* for OOM_ANCESTOR: which; a path of its hierarchy or a directory */
	uint64_t above_limit; /* its limit in bytes; 0: not known */
	bool leader_listed; /* the payload is among the victims */
	bool ended; /* it is what ended the run, before any act of ours */
	bool ended_sure;
	enum oom_spared spared;
	bool order_unclear; /* it and an act of ours, and nothing says which was first */
};

/* A refusal that is soon followed by the end. */
struct refused {
	const struct refusal *refusal; /* NULL: none was seen */
	bool sure; /* it was the payload's, which ended at once */
};

/* Why it is taken for RLIMIT_AS. */
enum space_sign {
	SPACE_NO_SIGN,
	SPACE_REFUSED, /* a mapping was seen to be refused */
	SPACE_IMAGE, /* exec had to map more than the limit */
	SPACE_PEAK, /* it used nearly all of it */
	SPACE_LOADER, /* a loader's exit status, with little left for libraries */
};

/* Limits at which the kernel refuses and does not kill. All zero if the end is no failure. */
struct limit_facts {
	bool failed; /* by an exit status or a fault, as programs do that are refused something */
	struct refused space, file;
	enum space_sign space_sign;
	uint64_t forks_refused; /* at its own limit */
	bool all_processes; /* as many as RLIMIT_NPROC allows were seen */
	const struct disk *full; /* one of its own, or NULL */
};

struct facts {
	const struct observation *o;
	struct arena *a;
	enum wait_kind wait; /* WAIT_NEVER_STARTED whenever a step of the set-up failed */
	int code; /* of WAIT_EXITED, 0…255 */
	int signal; /* of WAIT_SIGNALED, 1…64; otherwise 0 */
	enum setup_stage setup;
	size_t n_acts, n_victims, n_counters, n_refusals, n_disks;
	const struct act *act; /* the first that can have ended the run; NULL: none */
	const struct act *kill; /* our first SIGKILL to a payload that was alive; NULL: none */
	struct oom_facts oom;
	struct limit_facts limits;
};

/* The part of it in facts-oom.c: ret->oom. */
void facts_derive_oom(struct facts *f);
/* The part of it in facts-limits.c: ret->limits. */
void facts_derive_limits(struct facts *f);
void facts_derive(struct facts *ret, const struct observation *o, struct arena *a);

/*
 * The kernel says that somebody else's signal ended the program before we did @act. Not so for a
 * caller who signalled both the program and us (its process group): that is a cancel.
 */
bool facts_act_too_late(const struct facts *f, const struct act *act);

/* How far a counter rose; 0 for one that went down, which no counter does. */
uint64_t counter_rise(const struct counter *c);
bool counter_is(const struct counter *c, bool own, const char *fact);
/* The value of @limit, or 0 if it was not set. */
uint64_t facts_limit(const struct facts *f, enum limit limit);

/* A limit of each process as the kernel held it: bulkhead's own, or a lower one that it had itself. */
struct bound {
	bool set, inherited;
	uint64_t value; /* in the unit of the limit */
};
/* Of LIMIT_ADDRESS_SPACE, LIMIT_FILE_SIZE and LIMIT_CPU_TIME (that in whole seconds). */
struct bound facts_bound(const struct facts *f, enum limit limit);
/* What was refused at @limit to the payload, or to others of the run; NULL: nothing was seen. */
const struct refusal *facts_refusal(const struct facts *f, enum limit limit, bool leader);
/* Whether a fork that was refused was so by the run's own limit. */
bool facts_pids_own(const struct facts *f);
bool facts_disk_full(const struct disk *d);
/* True if the sender of the fatal signal can have been the kernel. */
bool facts_maybe_kernel(const struct facts *f);
static inline bool facts_ended_well(const struct facts *f)
{
	return f->wait == WAIT_EXITED && f->code == 0;
}

#endif
