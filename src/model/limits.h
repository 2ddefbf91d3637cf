/* SPDX-License-Identifier: MIT */
#ifndef MODEL_LIMITS_H
#define MODEL_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

/* Everything of a run that is bounded by a number. The names are those of policy file and verdict. */
enum limit {
	LIMIT_MEMORY, /* bytes, of the whole run */
	LIMIT_SWAP, /* bytes beyond memory; 0 = none */
	LIMIT_CPUS, /* thousandths of a CPU */
	LIMIT_PIDS, /* processes and threads */
	LIMIT_TIMEOUT, /* µs of wall time */
	LIMIT_CPU_TIME, /* µs of CPU time, of the whole run */
	LIMIT_IDLE_TIMEOUT, /* µs without output */
	LIMIT_OUTPUT, /* bytes of stdout and stderr together */
	LIMIT_FILE_SIZE, /* bytes of any one file written */
	LIMIT_TMP_SIZE, /* bytes in the private /tmp */
	LIMIT_NOFILE, /* open files per process */
	LIMIT_ADDRESS_SPACE, /* bytes of virtual memory per process */
	LIMIT_COUNT_,
};

enum limit_unit { UNIT_BYTES, UNIT_US, UNIT_COUNT, UNIT_MILLI_CPUS };

/* Where a limit's value came from: what was asked for is enforced or the run is refused. */
enum limit_origin {
	ORIGIN_DEFAULT, /* the built-in default policy: enforced as well as the host can */
	ORIGIN_ASKED, /* the command line, or a policy that was named */
};

struct limit_value {
	bool set; /* false: unlimited */
	enum limit_origin origin;
	uint64_t value; /* in the limit's unit */
};

enum oom_mode {
	OOM_GROUP, /* at the memory limit the whole run ends */
	OOM_PROCESS, /* only the kernel's victim */
	OOM_COUNT_,
};

struct limits {
	struct limit_value v[LIMIT_COUNT_];
	enum oom_mode oom;
	uint64_t grace_us; /* between TERM and KILL */
};

enum enforced_by {
	ENFORCED_NONE,
	ENFORCED_CGROUP_V2,
	ENFORCED_CGROUP_V1,
	ENFORCED_RLIMIT,
	ENFORCED_SUPERVISOR, /* a deadline or counter of bulkhead's own */
	ENFORCED_SAMPLED, /* looked at now and then; short peaks are missed */
	ENFORCED_TMPFS, /* the size of a private tmpfs */
	ENFORCED_AFFINITY, /* sched_setaffinity(2): whole CPUs only */
	ENFORCED_COUNT_,
};

/* "memory", "cpu_time", … as in policy files and verdicts. */
const char *limit_name(enum limit limit);
/* "--memory", "--cpu-time", …; "--output-limit" for LIMIT_OUTPUT. */
const char *limit_option(enum limit limit);
enum limit_unit limit_unit(enum limit limit);
/* The least with which any program can start, in the limit's unit; less in a policy is a mistake. */
uint64_t limit_least(enum limit limit);
/* "cgroup-v2", "cgroup-v1", "rlimit", "supervisor", "sampled", "tmpfs", "affinity", "none". */
const char *enforced_by_name(enum enforced_by by);
const char *oom_mode_name(enum oom_mode mode);
/* -1 when @name is none of them. */
int limit_from_name(const char *name);
int oom_mode_from_name(const char *name);

#define LIMIT_TEXT_SIZE 48
/* The value for a person: "64 MiB", "30 s", "512", "1.5 CPUs", "unlimited"; returns @out. */
const char *limit_format(enum limit limit, const struct limit_value *value, char *out);
/*
 * Read @text (a size, duration, count or CPUs by the limit's unit; "unlimited" or "none" clears
 * it). What makes no sense is refused (ERANGE): 0 where it is not a limit, more than the kernel can
 * take. The origin is ORIGIN_ASKED. 0, or -1 with errno.
 */
int limit_parse(enum limit limit, const char *text, struct limit_value *ret);

#define LIMIT_WHY_SIZE 256
/*
 * The same for who asks for a limit of one run, on a command line or over the socket: what is hardly meant
 * is refused too. 0; or -1, what is wrong with @text in @why, for after its name.
 */
int limit_ask(
	enum limit limit, const char *text, struct limit_value *ret, char why[LIMIT_WHY_SIZE]);
/* The grace time likewise. */
int grace_ask(const char *text, uint64_t *ret_us, char why[LIMIT_WHY_SIZE]);

#endif
