/* SPDX-License-Identifier: MIT */
#ifndef MODEL_VERDICT_H
#define MODEL_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/observation.h"

enum cause {
	CAUSE_OK,
	CAUSE_EXIT_NONZERO,
	CAUSE_CRASH,
	CAUSE_MEMORY_LIMIT,
	CAUSE_MEMORY_ANCESTOR,
	CAUSE_MEMORY_HOST,
	CAUSE_MEMORY_DAEMON,
	CAUSE_ADDRESS_SPACE,
	CAUSE_CPU_TIME_LIMIT,
	CAUSE_WALL_TIMEOUT,
	CAUSE_IDLE_TIMEOUT,
	CAUSE_OUTPUT_LIMIT,
	CAUSE_FILE_SIZE_LIMIT,
	CAUSE_DISK_LIMIT,
	CAUSE_PIDS_LIMIT,
	CAUSE_EXEC_DENIED,
	CAUSE_SYSCALL_DENIED,
	CAUSE_CANCELLED,
	CAUSE_SHUTDOWN,
	CAUSE_EXTERNAL_KILL,
	CAUSE_NOT_FOUND,
	CAUSE_NOT_EXECUTABLE,
	CAUSE_SETUP_FAILED,
	CAUSE_SUPERVISOR_LOST,
	CAUSE_COOLDOWN,
	CAUSE_BREAKER_OPEN,
	CAUSE_COUNT_,
};

enum retry {
	RETRY_NO,
	RETRY_SAME,
	RETRY_LATER,
	RETRY_LARGER,
	RETRY_COUNT_,
};

enum confidence { CONFIDENCE_CERTAIN, CONFIDENCE_LIKELY, CONFIDENCE_COUNT_ };

/* Exit statuses of `bulkhead run` that are not the program's own. */
enum {
	EXIT_TIMEOUT = 124,
	EXIT_REFUSED = 125,
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
	EXIT_NOT_RUN = 75,
};

/* A fact that the cause rests on. Exactly the known ones of before/after are shown. */
struct evidence {
	const char *fact;
	const char *where; /* a file, a system call, "supervisor" */
	bool has_before, has_after;
	uint64_t before, after;
	const char *text; /* NULL, or what was seen in words */
};

#define VERDICT_MAX_EVIDENCE     16
#define VERDICT_MAX_CONTRIBUTING 8

struct verdict {
	enum cause cause;
	enum confidence confidence;
	enum retry retry;
	const char *summary; /* one line for a person, without the cause's name */
	struct evidence evidence[VERDICT_MAX_EVIDENCE];
	size_t n_evidence;
	const char *contributing[VERDICT_MAX_CONTRIBUTING];
	size_t n_contributing;
	bool suggest_set;
	enum limit suggest_limit;
	uint64_t suggest_value;
	int exit_status; /* of `bulkhead run`, by the rules of bulkhead(1) */
};

const char *cause_name(enum cause cause);
int cause_from_name(const char *name); /* -1: none */
/* What a person should know of the cause in one sentence; as in docs/verdict.md. */
const char *cause_meaning(enum cause cause);
const char *retry_name(enum retry retry);
const char *confidence_name(enum confidence confidence);

/* Decide. Total: every observation, also a contradictory one, has a verdict. Strings in @a. */
void verdict_decide(struct verdict *ret, const struct observation *o, struct arena *a);

/*
 * The verdict's JSON object as docs/verdict.md describes it, in @a, ending in a newline.
 * Arguments that are not UTF-8 become {"base64": "…"}.
 */
const char *verdict_format_json(
	const struct verdict *v, const struct observation *o, struct arena *a);
/* The line for stderr, "CAUSE: SUMMARY[; try --memory 96M]"; in @a. */
const char *verdict_format_line(const struct verdict *v, struct arena *a);
/*
 * Several lines for a person: cause, summary, status, evidence, usage, limits, timing; in @a.
 * Bytes that are not for a terminal are shown as \xNN.
 */
const char *verdict_format_text(
	const struct verdict *v, const struct observation *o, struct arena *a);
/* The observation as JSON (stored beside the verdict so that it can be derived again), and back. */
const char *observation_format_json(const struct observation *o, struct arena *a);
int observation_parse_json(
	struct observation *ret, const char *text, size_t size, struct arena *a, struct error *e);
/* JSON Schema of the verdict; in @a. */
const char *verdict_schema_json(struct arena *a);

#endif
