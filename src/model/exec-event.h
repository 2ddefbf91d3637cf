/* SPDX-License-Identifier: MIT */
#ifndef MODEL_EXEC_EVENT_H
#define MODEL_EXEC_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/table.h"

/*
 * One exec of a run under an exec policy, as the warden saw it end; one JSON line of
 * runs/ID/exec.jsonl. A call that the kernel restarted is one event, not two.
 */
enum exec_outcome {
	EXEC_STARTED, /* it happened, and was what had been judged */
	EXEC_REFUSED, /* EPERM; in audit mode: would have been, and @failed or not it went on */
	EXEC_KILLED, /* it happened and was not what had been judged: killed at its first instruction */
	EXEC_FAILED, /* allowed, but the kernel said no (ENOENT, EACCES, …), or the caller died first */
	EXEC_OUTCOME_COUNT_,
};

struct exec_event {
	uint64_t t_us; /* µs after the run's start */
	pid_t pid, parent; /* as the host counts; 0: not known */
	pid_t inside_pid; /* as the box counts; 0: not known */
	enum exec_outcome outcome;
	bool enforced; /* false: mode audit */
	const char *cwd; /* in the box; NULL: not known */
	const char *called; /* the path given to execve */
	const char *
		executable; /* the file that it is, resolved; of a script: the script. NULL: not known */
	const char *interpreter; /* what the kernel loads for a script; NULL: none */
	struct strv argv; /* cut at EXEC_EVENT_MAX_ARGV bytes */
	size_t argc; /* all of them */
	const char *rule; /* exec_judgement.rule_text */
	const char *why;
	const char *real_executable; /* EXEC_KILLED: what it was instead */
	struct strv real_argv;
};

#define EXEC_EVENT_MAX_ARGV 4096

const char *exec_outcome_name(
	enum exec_outcome outcome); /* "started", "refused", "killed", "failed" */

/* One line of JSON with its newline, what is not UTF-8 escaped so that it can be told; appended to @b. */
void exec_event_format(const struct exec_event *event, struct buf *b);
/* Read one line. Trusts nothing. Strings in @a. 0; or -1 with @e. */
int exec_event_parse(
	struct exec_event *ret, const char *line, size_t size, struct arena *a, struct error *e);

#endif
