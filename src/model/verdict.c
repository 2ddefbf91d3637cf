/* SPDX-License-Identifier: MIT */
#include "model/verdict.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "model/explain.h"
#include "model/sender.h"
#include "model/verdict-advice.h"
#include "model/verdict-evidence.h"
#include "model/verdict-exec.h"
#include "model/verdict-say.h"
#include "model/why.h"

/*
 * The cause is decided by an ordered table: the first rule whose question is answered with yes
 * wins, and the last one always is. The order is that of certainty and time: what kept the program
 * from starting, what the kernel counted or we did before it ended, what its signal says, who sent
 * it, and only then how it ended by itself.
 *
 * A rule that does not apply says why in the same breath (NO): the explanation and the verdict are
 * one and the same walk through the table.
 */

typedef const char *why_text;

/* False; and the reason, for whoever asked for it (@why is NULL for a plain verdict). */
#define NO(f, why, ...) ((why) ? (*(why) = arena_printf((f)->a, __VA_ARGS__), false) : false)

static bool is_one_of(int value, const int *set, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (set[i] == value)
			return true;
	}
	return false;
}

/* ---- questions: never started ---- */

static bool is_exec_error(const struct facts *f, const int *set, size_t n, why_text *why)
{
	if (f->setup == SETUP_NONE)
		return NO(f, why, "%s", why_not_setup(f));
	if (f->setup != SETUP_EXEC)
		return NO(f, why, "the set-up failed before its exec: stage %s",
			setup_stage_name(f->setup));
	if (!is_one_of(f->o->setup.errnum, set, n))
		return NO(f, why, "its exec failed for another reason: %s",
			errno_text(f->o->setup.errnum));
	return true;
}

static bool is_not_found(const struct facts *f, why_text *why)
{
	static const int set[] = {ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP};
	return is_exec_error(f, set, sizeof set / sizeof *set, why);
}

static bool is_not_executable(const struct facts *f, why_text *why)
{
	static const int set[] = {EACCES, EPERM, ENOEXEC, EISDIR, ELIBBAD, ETXTBSY, EINVAL, EIO};
	return is_exec_error(f, set, sizeof set / sizeof *set, why);
}

static bool never_started(const struct facts *f, why_text *why)
{
	return f->wait == WAIT_NEVER_STARTED || NO(f, why, "%s", why_not_setup(f));
}

/* ---- questions: the OOM killer ---- */

static bool is_oom_at(const struct facts *f, enum oom_place place, why_text *why)
{
	if (f->oom.place != place)
		return NO(f, why, "%s", why_not_place(f));
	return f->oom.ended || NO(f, why, "%s", why_oom_spared(f));
}

static bool is_oom_own(const struct facts *f, why_text *why)
{
	return is_oom_at(f, OOM_OWN, why);
}

static bool is_oom_above(const struct facts *f, why_text *why)
{
	return is_oom_at(f, OOM_ANCESTOR, why);
}

static bool is_oom_host(const struct facts *f, why_text *why)
{
	return is_oom_at(f, OOM_HOST, why);
}

/* ---- questions: our own acts ---- */

static bool acted_for(const struct facts *f, enum act_reason reason, why_text *why)
{
	return (f->act && f->act->reason == reason) || NO(f, why, "%s", why_not_act(f, reason));
}

static bool is_sampled(const struct facts *f, why_text *why)
{
	return acted_for(f, ACT_MEMORY_SAMPLED, why);
}

static bool is_wall_timeout(const struct facts *f, why_text *why)
{
	return acted_for(f, ACT_WALL_TIMEOUT, why);
}

static bool is_idle_timeout(const struct facts *f, why_text *why)
{
	return acted_for(f, ACT_IDLE_TIMEOUT, why);
}

static bool is_cpu_act(const struct facts *f, why_text *why)
{
	return acted_for(f, ACT_CPU_TIME, why);
}

static bool is_output_limit(const struct facts *f, why_text *why)
{
	return acted_for(f, ACT_OUTPUT_LIMIT, why);
}

static bool is_cancelled(const struct facts *f, why_text *why)
{
	return acted_for(f, ACT_CANCELLED, why);
}

static bool is_shutdown(const struct facts *f, why_text *why)
{
	return acted_for(f, ACT_SHUTDOWN, why);
}

/* ---- questions: the signal, and who sent it ---- */

static bool is_external(const struct facts *f, why_text *why)
{
	if (f->signal == 0)
		return NO(f, why, "no signal ended it: it %s", words_end(f));
	return (sender_ended_it(f) && f->o->killer.known == KILLER_OUTSIDE) ||
		NO(f, why, "%s", why_not_outside(f));
}

static bool is_memory_daemon(const struct facts *f, why_text *why)
{
	bool sure;

	if (!is_external(f, why))
		return false;
	return sender_is_memory_daemon(f, &sure) ||
		NO(f, why, "the sender, %s, has neither name nor unit of an out-of-memory daemon",
			sender_words(f));
}

/* It died of @signal, and the kernel may have sent it. */
static bool is_kernels(const struct facts *f, int signal, why_text *why)
{
	if (f->signal != signal)
		return NO(f, why, "it did not die of %s: it %s", words_signal(f->a, signal),
			words_end(f));
	return facts_maybe_kernel(f) || NO(f, why, "%s", why_not_kernel(f));
}

static bool is_file_size(const struct facts *f, why_text *why)
{
	if (!facts_bound(f, LIMIT_FILE_SIZE).set)
		return NO(f, why, "the size of its files was not limited");
	if (f->signal == SIGXFSZ && f->o->refusals_watched &&
		!facts_refusal(f, LIMIT_FILE_SIZE, true))
		return NO(f, why, "it died of SIGXFSZ, but no write of its was refused");
	if (f->signal == SIGXFSZ)
		return is_kernels(f, SIGXFSZ, why);
	return f->limits.file.refusal || NO(f, why, "%s", why_not_refused(f, LIMIT_FILE_SIZE));
}

/*
 * RLIMIT_CPU: SIGXCPU at the soft limit, SIGKILL at the hard one. The kernel counts by ticks for it: on a busy
 * machine up to a quarter more than was used in truth, which is what rusage says.
 */
static bool is_cpu_signal(const struct facts *f, why_text *why)
{
	struct bound limit = facts_bound(f, LIMIT_CPU_TIME);

	if (!limit.set)
		return NO(f, why, "its CPU time was not limited by an rlimit");
	if (f->signal == SIGKILL && f->kill)
		return NO(f, why, "the SIGKILL was bulkhead's own");
	if (!is_kernels(f, f->signal == SIGKILL ? SIGKILL : SIGXCPU, why))
		return false;
	bool sent_for_it = f->signal == SIGXCPU || f->o->killer.known == KILLER_KERNEL;
	return f->o->leader_cpu_us >= limit.value / 8 * (sent_for_it ? 4 : 5) ||
		NO(f, why, "it had used %s of CPU time, well below the limit of %s",
			words_duration(f->a, f->o->leader_cpu_us), words_bound(f, LIMIT_CPU_TIME));
}

/* ---- questions: limits that refuse ---- */

static bool is_address_space(const struct facts *f, why_text *why)
{
	if (!facts_bound(f, LIMIT_ADDRESS_SPACE).set)
		return NO(f, why, "its address space was not limited");
	return f->limits.space_sign != SPACE_NO_SIGN ||
		NO(f, why, "%s", why_not_refused(f, LIMIT_ADDRESS_SPACE));
}

static bool is_pids(const struct facts *f, why_text *why)
{
	return f->limits.forks_refused > 0 || f->limits.all_processes ||
		NO(f, why, "%s", why_not_pids(f));
}

static bool is_disk(const struct facts *f, why_text *why)
{
	return f->limits.full || NO(f, why, "%s", why_not_disk(f));
}

/* ---- questions: the filter, and signals of strangers ---- */

static bool is_syscall_denied(const struct facts *f, why_text *why)
{
	const struct denied_call *call = &f->o->denied;

	if (!is_kernels(f, SIGSYS, why))
		return false;
	if (call->known && !call->by_filter)
		return NO(f, why,
			"it died of SIGSYS at %s, for which bulkhead's filter does not kill",
			words_call(f));
	return f->o->seccomp || NO(f, why, "it died of SIGSYS, but without a filter of bulkhead's");
}

/* Nobody was seen to send it; what speaks for a sender outside is the signal and its time. */
static bool is_unseen_external(const struct facts *f, why_text *why)
{
	if (f->signal == 0)
		return NO(f, why, "no signal ended it: it %s", words_end(f));
	return sender_unseen_outside(f) || NO(f, why, "%s", why_not_unseen(f));
}

/* ---- questions: by itself ---- */

static bool is_ok(const struct facts *f, why_text *why)
{
	return facts_ended_well(f) || NO(f, why, "it %s", words_end(f));
}

static bool is_exit_nonzero(const struct facts *f, why_text *why)
{
	return f->wait == WAIT_EXITED || NO(f, why, "it did not exit: it %s", words_end(f));
}

static bool is_signaled(const struct facts *f, why_text *why)
{
	return f->wait == WAIT_SIGNALED ||
		NO(f, why, "no signal is known to have ended it: it %s", words_end(f));
}

static bool always(const struct facts *f, why_text *why)
{
	(void)f;
	(void)why;
	return true;
}

/* ---- the table ---- */

static const struct rule {
	enum cause cause;
	bool (*when)(const struct facts *f, why_text *why);
	void (*say)(struct verdict *v, const struct facts *f);
	const char *asks;
} rules[] = {
	{CAUSE_EXEC_DENIED, exec_ended_it, say_exec_denied,
		"did the exec policy refuse the program itself, or kill it at an exec?"},
	{CAUSE_NOT_FOUND, is_not_found, say_not_found,
		"was the program, or the interpreter it names, missing?"},
	{CAUSE_NOT_EXECUTABLE, is_not_executable, say_not_executable,
		"was it there, but refused by exec?"},
	{CAUSE_MEMORY_LIMIT, is_oom_own, say_memory_limit,
		"did the OOM killer end it at its own limit?"},
	{CAUSE_MEMORY_ANCESTOR, is_oom_above, say_memory_above,
		"did the OOM killer end it at the limit of a group above?"},
	{CAUSE_MEMORY_HOST, is_oom_host, say_memory_host,
		"did the OOM killer end it because the host was out of memory?"},
	{CAUSE_MEMORY_LIMIT, is_sampled, say_memory_sampled,
		"did bulkhead end it because its sampled memory was above the limit?"},
	{CAUSE_WALL_TIMEOUT, is_wall_timeout, say_wall_timeout,
		"did bulkhead end it at its time-out?"},
	{CAUSE_IDLE_TIMEOUT, is_idle_timeout, say_idle_timeout,
		"did bulkhead end it for its silence?"},
	{CAUSE_CPU_TIME_LIMIT, is_cpu_act, say_cpu_act, "did bulkhead end it for its CPU time?"},
	{CAUSE_OUTPUT_LIMIT, is_output_limit, say_output_limit,
		"did bulkhead end it for the size of its output?"},
	{CAUSE_CANCELLED, is_cancelled, say_cancelled, "did the caller ask for its end?"},
	{CAUSE_SHUTDOWN, is_shutdown, say_shutdown, "was bulkhead told to stop?"},
	{CAUSE_SETUP_FAILED, never_started, say_setup_failed,
		"did it never start, for whatever reason?"},
	{CAUSE_MEMORY_DAEMON, is_memory_daemon, say_memory_daemon,
		"did a user-space out-of-memory daemon send the signal?"},
	{CAUSE_EXTERNAL_KILL, is_external, say_external_kill,
		"did somebody else outside the run send the signal?"},
	{CAUSE_FILE_SIZE_LIMIT, is_file_size, say_file_size_limit,
		"did it end for a file beyond the limit of file size?"},
	{CAUSE_CPU_TIME_LIMIT, is_cpu_signal, say_cpu_signal,
		"did the kernel end it at the rlimit of CPU time?"},
	{CAUSE_SYSCALL_DENIED, is_syscall_denied, say_syscall_denied,
		"did the filter of system calls end it?"},
	{CAUSE_EXEC_DENIED, exec_may_have_ended_it, say_exec_likely,
		"did it exit as shells do for a command that the exec policy refused?"},
	{CAUSE_ADDRESS_SPACE, is_address_space, say_address_space,
		"did it fail at the limit of its address space?"},
	{CAUSE_PIDS_LIMIT, is_pids, say_pids_limit,
		"did it fail after it was refused another process?"},
	{CAUSE_DISK_LIMIT, is_disk, say_disk_limit,
		"did it fail with a file system of its own full?"},
	{CAUSE_EXTERNAL_KILL, is_unseen_external, say_unseen_external,
		"did a signal end it that others send, from nobody seen, and when it was well "
		"under way?"},
	{CAUSE_OK, is_ok, say_ok, "did it exit with 0?"},
	{CAUSE_EXIT_NONZERO, is_exit_nonzero, say_exit_nonzero, "did it exit by itself?"},
	{CAUSE_CRASH, is_signaled, say_crash, "did a signal end it?"},
	{CAUSE_SUPERVISOR_LOST, always, say_unknown, "is there nothing that says how it ended?"},
};
#define N_RULES (sizeof rules / sizeof *rules)
static_assert(N_RULES <= EXPLAIN_MAX_STEPS, "an explanation has room for each rule");

static void judge(struct verdict *ret, const struct rule *rule, const struct facts *f)
{
	struct verdict v = {.confidence = CONFIDENCE_CERTAIN, .cause = rule->cause};

	rule->say(&v, f);
	verdict_add_advice(&v, f);
	verdict_add_evidence(&v, f);
	verdict_add_contributing(&v, f);
	*ret = v;
}

void verdict_decide(struct verdict *ret, const struct observation *o, struct arena *a)
{
	struct facts f;
	const struct rule *rule = rules;

	facts_derive(&f, o, a);
	while (!rule->when(&f, NULL))
		rule++;
	judge(ret, rule, &f);
}

void explain_questions(struct explanation *ret)
{
	*ret = (struct explanation){.n_rules = N_RULES};
	for (size_t i = 0; i < N_RULES; i++)
		ret->steps[i] =
			(struct explain_step){.cause = rules[i].cause, .asks = rules[i].asks};
}

void verdict_explain(struct explanation *ret, const struct observation *o, struct arena *a)
{
	struct explanation x;
	struct facts f;

	explain_questions(&x);
	facts_derive(&f, o, a);
	while (!rules[x.decided].when(&f, &x.steps[x.decided].why_not))
		x.decided++;
	judge(&x.verdict, &rules[x.decided], &f);
	*ret = x;
}
