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
	struct strv argv; /* at most EXEC_EVENT_MAX_ARGV bytes of it are kept, zeros counted */
	size_t argc; /* all of them; 0: as many as argv has */
	bool argv_cut; /* the last word of argv is only the beginning of one */
	const char *rule; /* exec_judgement.rule_text */
	const char *why;
	const char *real_executable; /* EXEC_KILLED: what it was instead */
	struct strv real_argv; /* the same; how many there were is not kept */
};

#define EXEC_EVENT_MAX_ARGV 4096
#define EXEC_EVENT_MAX_TEXT 4096 /* more of any other text is cut: no path is longer */
/* No line is: a byte becomes six at most, and there are seven texts and two argvs. */
#define EXEC_EVENT_MAX_LINE ((size_t)256 << 10)

const char *exec_outcome_name(
	enum exec_outcome outcome); /* "started", "refused", "killed", "failed" */
int exec_outcome_from_name(const char *name); /* -1: none */

/*
 * One line of JSON with its newline, appended to @b: what is not UTF-8 as {"base64": "…"}, control characters
 * escaped; texts and argv cut here, between characters. What is not known is left out. No tree is
 * built: it is done for each exec of a run, and takes some 1 µs.
 */
void exec_event_format(const struct exec_event *event, struct buf *b);
/*
 * Read one line, with its newline or without; members that are not known are passed over. Trusts nothing.
 * Strings in @a. 0; or -1 with @e (BLAME_REQUEST).
 */
int exec_event_parse(
	struct exec_event *ret, const char *line, size_t size, struct arena *a, struct error *e);

#endif
