/* SPDX-License-Identifier: MIT */
#include "model/verdict.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "model/cause.h"
#include "model/suggest.h"
#include "model/verdict-evidence.h"
#include "model/verdict-say.h"

/*
 * The cause is decided by an ordered table: the first rule whose question is answered with yes
 * wins, and the last one always is. The order is that of certainty and time: what kept the program
 * from starting, what the kernel counted or we did before it ended, what its signal says, who sent
 * it, and only then how it ended by itself.
 */

static bool is_one_of(int value, const int *set, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (set[i] == value)
			return true;
	}
	return false;
}

/* ---- questions ---- */

static bool is_not_found(const struct facts *f)
{
	static const int set[] = {ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP};
	return f->setup == SETUP_EXEC &&
		is_one_of(f->o->setup.errnum, set, sizeof set / sizeof *set);
}

static bool is_not_executable(const struct facts *f)
{
	static const int set[] = {EACCES, EPERM, ENOEXEC, EISDIR, ELIBBAD, ETXTBSY, EINVAL, EIO};
	return f->setup == SETUP_EXEC &&
		is_one_of(f->o->setup.errnum, set, sizeof set / sizeof *set);
}

static bool is_oom_own(const struct facts *f)
{
	return f->oom.ended && f->oom.place == OOM_OWN;
}

static bool is_oom_above(const struct facts *f)
{
	return f->oom.ended && f->oom.place == OOM_ANCESTOR;
}

static bool is_oom_host(const struct facts *f)
{
	return f->oom.ended && f->oom.place == OOM_HOST;
}

static bool acted_for(const struct facts *f, enum act_reason reason)
{
	return f->act && f->act->reason == reason;
}

static bool is_sampled(const struct facts *f)
{
	return acted_for(f, ACT_MEMORY_SAMPLED);
}

static bool is_wall_timeout(const struct facts *f)
{
	return acted_for(f, ACT_WALL_TIMEOUT);
}

static bool is_idle_timeout(const struct facts *f)
{
	return acted_for(f, ACT_IDLE_TIMEOUT);
}

static bool is_cpu_act(const struct facts *f)
{
	return acted_for(f, ACT_CPU_TIME);
}

static bool is_output_limit(const struct facts *f)
{
	return acted_for(f, ACT_OUTPUT_LIMIT);
}

static bool is_cancelled(const struct facts *f)
{
	return acted_for(f, ACT_CANCELLED);
}

static bool is_shutdown(const struct facts *f)
{
	return acted_for(f, ACT_SHUTDOWN);
}

static bool never_started(const struct facts *f)
{
	return f->wait == WAIT_NEVER_STARTED;
}

/* Names of user-space out-of-memory daemons, as the kernel shows them (15 bytes). */
static bool is_memory_daemon(const struct facts *f)
{
	static const char *const names[] = {
		"systemd-oomd", "earlyoom", "nohang", "nohang-desktop", "oomd", "bustd"};
	const struct killer *k = &f->o->killer;

	if (f->signal == 0 || k->known != KILLER_OUTSIDE)
		return false;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strncmp(k->comm, names[i], sizeof k->comm) == 0)
			return true;
	}
	return false;
}

static bool is_external(const struct facts *f)
{
	return f->signal != 0 && f->o->killer.known == KILLER_OUTSIDE;
}

static bool is_file_size(const struct facts *f)
{
	return f->signal == SIGXFSZ && facts_maybe_kernel(f) &&
		f->o->limits[LIMIT_FILE_SIZE].asked.set;
}

/* RLIMIT_CPU: SIGXCPU at the soft limit, SIGKILL at the hard one; the clocks differ by a little. */
static bool is_cpu_signal(const struct facts *f)
{
	const struct observed_limit *l = &f->o->limits[LIMIT_CPU_TIME];
	uint64_t near = l->asked.value - l->asked.value / 16;

	if (!l->asked.set || l->by != ENFORCED_RLIMIT || !facts_maybe_kernel(f))
		return false;
	return (f->signal == SIGXCPU || (f->signal == SIGKILL && !f->kill)) &&
		f->o->leader_cpu_us >= near;
}

static bool is_syscall_denied(const struct facts *f)
{
	return f->signal == SIGSYS && f->o->seccomp && facts_maybe_kernel(f);
}

static bool is_exit_nonzero(const struct facts *f)
{
	return f->wait == WAIT_EXITED;
}

static bool is_signaled(const struct facts *f)
{
	return f->wait == WAIT_SIGNALED;
}

static bool always(const struct facts *f)
{
	(void)f;
	return true;
}

/* ---- the table ---- */

static const struct rule {
	enum cause cause;
	bool (*when)(const struct facts *f);
	void (*say)(struct verdict *v, const struct facts *f);
} rules[] = {
	{CAUSE_NOT_FOUND, is_not_found, say_not_found},
	{CAUSE_NOT_EXECUTABLE, is_not_executable, say_not_executable},
	{CAUSE_MEMORY_LIMIT, is_oom_own, say_memory_limit},
	{CAUSE_MEMORY_ANCESTOR, is_oom_above, say_memory_above},
	{CAUSE_MEMORY_HOST, is_oom_host, say_memory_host},
	{CAUSE_MEMORY_LIMIT, is_sampled, say_memory_sampled},
	{CAUSE_WALL_TIMEOUT, is_wall_timeout, say_wall_timeout},
	{CAUSE_IDLE_TIMEOUT, is_idle_timeout, say_idle_timeout},
	{CAUSE_CPU_TIME_LIMIT, is_cpu_act, say_cpu_act},
	{CAUSE_OUTPUT_LIMIT, is_output_limit, say_output_limit},
	{CAUSE_CANCELLED, is_cancelled, say_cancelled},
	{CAUSE_SHUTDOWN, is_shutdown, say_shutdown},
	{CAUSE_SETUP_FAILED, never_started, say_setup_failed},
	{CAUSE_MEMORY_DAEMON, is_memory_daemon, say_memory_daemon},
	{CAUSE_EXTERNAL_KILL, is_external, say_external_kill},
	{CAUSE_FILE_SIZE_LIMIT, is_file_size, say_file_size_limit},
	{CAUSE_CPU_TIME_LIMIT, is_cpu_signal, say_cpu_signal},
	{CAUSE_SYSCALL_DENIED, is_syscall_denied, say_syscall_denied},
	{CAUSE_OK, facts_ended_well, say_ok},
	{CAUSE_EXIT_NONZERO, is_exit_nonzero, say_exit_nonzero},
	{CAUSE_CRASH, is_signaled, say_crash},
	{CAUSE_SUPERVISOR_LOST, always, say_unknown},
};

/* ---- what follows from the cause ---- */

/* A host that was short of something may not be so later; anything else would repeat. */
static enum retry advise(const struct verdict *v, const struct facts *f)
{
	static const int transient[] = {
		EAGAIN, ENOMEM, EMFILE, ENFILE, ENOSPC, EBUSY, EINTR, ETIMEDOUT};

	if (v->cause == CAUSE_SETUP_FAILED && f->o->setup.blame == BLAME_HOST &&
		is_one_of(f->o->setup.errnum, transient, sizeof transient / sizeof *transient))
		return RETRY_LATER;
	return cause_info(v->cause)->retry;
}

/* How much of @limit was used, where the end of the run says so; 0: not known. */
static uint64_t seen_of(enum limit limit, const struct facts *f)
{
	const struct usage *u = &f->o->usage;
	uint64_t peak = u->memory_peak_known ? u->memory_peak_bytes : 0;

	/* What it would have written in all is not known: it was stopped at the limit. */
	if (limit != LIMIT_MEMORY)
		return 0;
	return is_sampled(f) && f->act->measured > peak ? f->act->measured : peak;
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
	};

	for (size_t i = 0; i < sizeof larger / sizeof *larger; i++) {
		if (larger[i].cause != v->cause)
			continue;
		v->suggest_limit = larger[i].limit;
		v->suggest_value =
			suggest_size(facts_limit(f, larger[i].limit), seen_of(larger[i].limit, f));
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

void verdict_decide(struct verdict *ret, const struct observation *o, struct arena *a)
{
	struct verdict v = {.confidence = CONFIDENCE_CERTAIN};
	struct facts f;
	const struct rule *rule = rules;

	facts_derive(&f, o, a);
	while (!rule->when(&f))
		rule++;
	v.cause = rule->cause;
	rule->say(&v, &f);
	v.retry = advise(&v, &f);
	add_suggestion(&v, &f);
	v.exit_status = exit_status(v.cause, &f);
	verdict_add_evidence(&v, &f);
	verdict_add_contributing(&v, &f);
	*ret = v;
}
