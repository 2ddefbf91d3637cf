/* SPDX-License-Identifier: MIT */
#include "model/cause.h"

#include <assert.h>
#include <string.h>

static const struct cause_info causes[] = {
	[CAUSE_OK] = {"ok", RETRY_NO, STATUS_OWN, "it ended by itself with exit status 0"},
	[CAUSE_EXIT_NONZERO] = {"exit_nonzero", RETRY_NO, STATUS_OWN,
		"it ended by itself with another exit status than 0"},
	[CAUSE_CRASH] = {"crash", RETRY_NO, STATUS_OWN,
		"a fatal signal of its own making ended it: a fault, an abort, a raise"},
	[CAUSE_MEMORY_LIMIT] = {"memory_limit", RETRY_LARGER, STATUS_KILLED,
		"it was killed at its own memory limit"},
	[CAUSE_MEMORY_ANCESTOR] = {"memory_ancestor", RETRY_LATER, STATUS_KILLED,
		"it was killed at the memory limit of a cgroup above its own"},
	[CAUSE_MEMORY_HOST] = {"memory_host", RETRY_LATER, STATUS_KILLED,
		"it was killed because the host ran out of memory"},
	[CAUSE_MEMORY_DAEMON] = {"memory_daemon", RETRY_LATER, STATUS_OWN,
		"a user-space out-of-memory daemon killed it"},
	[CAUSE_ADDRESS_SPACE] = {"address_space", RETRY_LARGER, STATUS_OWN,
		"it failed at the limit of its address space"},
	[CAUSE_CPU_TIME_LIMIT] = {"cpu_time_limit", RETRY_NO, STATUS_CUT_OFF,
		"it used up its CPU time"},
	[CAUSE_WALL_TIMEOUT] = {"wall_timeout", RETRY_NO, STATUS_TIMEOUT,
		"it was still running at its time-out"},
	[CAUSE_IDLE_TIMEOUT] = {"idle_timeout", RETRY_NO, STATUS_TIMEOUT,
		"it wrote nothing for as long as its idle time-out"},
	[CAUSE_OUTPUT_LIMIT] = {"output_limit", RETRY_LARGER, STATUS_CUT_OFF,
		"it wrote more to stdout and stderr than its output limit"},
	[CAUSE_FILE_SIZE_LIMIT] = {"file_size_limit", RETRY_LARGER, STATUS_OWN,
		"it wrote a file beyond its file size limit"},
	[CAUSE_DISK_LIMIT] = {"disk_limit", RETRY_LARGER, STATUS_CUT_OFF,
		"it filled the space it was given"},
	[CAUSE_PIDS_LIMIT] = {"pids_limit", RETRY_LARGER, STATUS_CUT_OFF,
		"it ended because it could not make another process"},
	[CAUSE_EXEC_DENIED] = {"exec_denied", RETRY_NO, STATUS_OWN_OR_126,
		"the exec policy ended it"},
	[CAUSE_SYSCALL_DENIED] = {"syscall_denied", RETRY_NO, STATUS_OWN,
		"the seccomp filter ended it at a system call that it does not allow"},
	[CAUSE_CANCELLED] = {"cancelled", RETRY_NO, STATUS_OWN, "the caller asked for its end"},
	[CAUSE_SHUTDOWN] = {"shutdown", RETRY_LATER, STATUS_CUT_OFF,
		"bulkhead itself was told to stop"},
	[CAUSE_EXTERNAL_KILL] = {"external_kill", RETRY_LATER, STATUS_OWN,
		"a signal from outside that bulkhead did not send ended it"},
	[CAUSE_NOT_FOUND] = {"not_found", RETRY_NO, STATUS_NOT_FOUND,
		"the program, or the interpreter it names, was not found"},
	[CAUSE_NOT_EXECUTABLE] = {"not_executable", RETRY_NO, STATUS_NOT_EXECUTABLE,
		"the program was found but cannot be executed"},
	[CAUSE_SETUP_FAILED] = {"setup_failed", RETRY_NO, STATUS_REFUSED,
		"the box could not be made; the program never ran"},
	[CAUSE_SUPERVISOR_LOST] = {"supervisor_lost", RETRY_LATER, STATUS_REFUSED,
		"how it ended is not known: nobody was there to see its status"},
	[CAUSE_COOLDOWN] = {"cooldown", RETRY_LATER, STATUS_NOT_RUN,
		"it was not run: a run of the same key failed a short time ago"},
	[CAUSE_BREAKER_OPEN] = {"breaker_open", RETRY_LATER, STATUS_NOT_RUN,
		"it was not run: too many runs of the same key failed"},
};
static_assert(sizeof causes / sizeof *causes == CAUSE_COUNT_, "each cause has its row");

static const char *const retries[] = {
	[RETRY_NO] = "no",
	[RETRY_SAME] = "same",
	[RETRY_LATER] = "later",
	[RETRY_LARGER] = "larger",
};
static_assert(sizeof retries / sizeof *retries == RETRY_COUNT_, "each advice has its name");

static const char *const confidences[] = {
	[CONFIDENCE_CERTAIN] = "certain",
	[CONFIDENCE_LIKELY] = "likely",
};
static_assert(sizeof confidences / sizeof *confidences == CONFIDENCE_COUNT_,
	"each confidence has its name");

const struct cause_info *cause_info(enum cause cause)
{
	return &causes[(unsigned)cause < CAUSE_COUNT_ ? cause : CAUSE_SUPERVISOR_LOST];
}

const char *cause_name(enum cause cause)
{
	return cause_info(cause)->name;
}

const char *cause_meaning(enum cause cause)
{
	return cause_info(cause)->meaning;
}

int cause_from_name(const char *name)
{
	for (int i = 0; i < CAUSE_COUNT_; i++) {
		if (strcmp(causes[i].name, name) == 0)
			return i;
	}
	return -1;
}

const char *retry_name(enum retry retry)
{
	return (unsigned)retry < RETRY_COUNT_ ? retries[retry] : retries[RETRY_NO];
}

const char *confidence_name(enum confidence confidence)
{
	return (unsigned)confidence < CONFIDENCE_COUNT_ ? confidences[confidence]
							: confidences[CONFIDENCE_LIKELY];
}
