/* SPDX-License-Identifier: MIT */
#ifndef MODEL_OBSERVATION_H
#define MODEL_OBSERVATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "model/host.h"
#include "model/limits.h"
#include "model/policy.h"

/*
 * The facts watched during one run, and nothing inferred from them. A verdict is a pure function of
 * this and can be derived again from its stored JSON.
 */

/* How the wait status of the payload came out. */
enum wait_kind {
	WAIT_UNKNOWN, /* the status could not be learned */
	WAIT_EXITED,
	WAIT_SIGNALED,
	WAIT_NEVER_STARTED, /* the payload's exec did not happen */
	WAIT_COUNT_,
};

/* Reasons for which the supervisor itself sends a signal; recorded before it is sent. */
enum act_reason {
	ACT_WALL_TIMEOUT,
	ACT_IDLE_TIMEOUT,
	ACT_CPU_TIME,
	ACT_OUTPUT_LIMIT,
	ACT_MEMORY_SAMPLED, /* sampled memory was above the limit (no memory cgroup) */
	ACT_OOM_GROUP, /* the kernel killed one process; we end the rest (no memory.oom.group) */
	ACT_CANCELLED, /* the caller signalled bulkhead */
	ACT_SHUTDOWN, /* the supervisor was told to stop */
	ACT_LEFTOVER, /* the payload had ended; what it left behind is ended */
	ACT_COUNT_,
};

struct act {
	enum act_reason reason;
	int signal; /* what was sent, e.g. SIGTERM, SIGKILL */
	bool whole_run; /* to every process of the run, not only to the payload */
	uint64_t at_us; /* µs after the start */
	uint64_t measured; /* what was compared with the limit: µs, bytes; 0 if nothing was */
	int cancel_signal; /* for ACT_CANCELLED: the signal that the caller sent */
	pid_t cancel_pid; /* and its sender, 0 if not known (a terminal) */
	uid_t cancel_uid;
	/*
	 * OOM kills of the run's own group since its start, read just before the signal was sent: it
	 * decides which of the two came first.
	 */
	bool oom_known;
	uint64_t oom_kills;
};

#define OBSERVATION_MAX_ACTS     16
#define OBSERVATION_MAX_VICTIMS  16
#define OBSERVATION_MAX_COUNTERS 24

/* One kernel counter, before the payload started and after the last process of the run was gone. */
struct counter {
	const char *fact; /* "oom_kill", "oom", "failcnt", "pids_max", … */
	const char *where; /* the file it was read from */
	bool own; /* of the run's own group, not of one above it */
	uint64_t before, after;
	uint64_t limit; /* of memory, of a group above, in bytes; 0: none, or not looked at */
};

/* Whose limit the kernel's own report of an OOM kill names. */
enum oom_scope {
	OOM_SCOPE_UNKNOWN, /* no report, or none that we could read */
	OOM_SCOPE_OWN, /* of the run's group */
	OOM_SCOPE_ABOVE, /* of a group above it */
	OOM_SCOPE_HOST, /* no group's: the host had no memory left */
	OOM_SCOPE_COUNT_,
};

/* A process killed for want of memory. */
struct victim {
	pid_t pid; /* as the host counts; 0 when not known */
	char comm[17];
	bool leader; /* the payload itself */
	bool at_known;
	uint64_t at_us; /* µs after the start */
	enum oom_scope scope;
	const char *group; /* OOM_SCOPE_ABOVE: its path in the hierarchy of memory; else NULL */
};

/*
 * Who sent the signal that ended the payload, as far as the host let us see; where it exited with
 * an error by itself, the last signal to it from outside the run.
 */
enum killer_known {
	KILLER_UNKNOWN,
	KILLER_SELF, /* the payload itself: kill -9 $$, abort(3) */
	KILLER_INSIDE, /* another process of the run */
	KILLER_OUTSIDE, /* a process outside the run that is not bulkhead */
	KILLER_KERNEL, /* a fault, a limit, the OOM killer */
	KILLER_BULKHEAD, /* ourselves, for a reason that is among the acts */
	KILLER_COUNT_,
};

struct killer {
	enum killer_known known;
	pid_t pid; /* as the host counts; 0 when not known */
	pid_t inside_pid; /* as the box counts; 0 when it is not in it, or not known */
	char comm[17];
	uid_t uid;
	int signal; /* which one; 0: not told, the one that ended the payload */
	bool at_known;
	uint64_t at_us; /* µs after the start */
	const char *cgroup; /* where the sender was, below the root of cgroups; NULL: not known */
};

/* Whether the senders of signals were watched. */
struct senders {
	bool watched;
	uint64_t
		from_us; /* from so long after the start: the sender of an earlier one is not known */
	const char *why_not; /* NULL: it had not begun when the run ended */
};

/* What failed before the payload ran. */
enum setup_stage {
	SETUP_NONE, /* nothing failed */
	SETUP_HOST, /* before there was a box: cgroups, pipes, clone */
	SETUP_BOX, /* a step of the plan inside the box */
	SETUP_EXEC, /* execve itself */
	SETUP_COUNT_,
};

struct setup_failure {
	enum setup_stage stage;
	int errnum;
	int blame; /* enum blame */
	bool file_exists; /* SETUP_EXEC, ENOENT: the file is there, so its interpreter is missing */
	const char *what; /* the failing step in words, with subject and cause */
};

struct pressure {
	bool known;
	uint64_t some_us, full_us;
};

/* How memory grew towards the end: for what a larger limit should be. */
struct growth {
	bool known;
	uint64_t half_us; /* how long the second half of the run took */
	uint64_t bytes; /* from the middle of it to the peak */
};

struct usage {
	uint64_t wall_us;
	bool cpu_known;
	uint64_t cpu_user_us, cpu_system_us;
	bool memory_peak_known;
	uint64_t memory_peak_bytes;
	bool pids_peak_known;
	uint64_t pids_peak;
	bool io_known;
	uint64_t io_read_bytes, io_write_bytes;
	bool throttled_known;
	uint64_t throttled_us;
	struct pressure cpu, memory, io;
	struct growth growth;
	bool output_known; /* stdout and stderr were captured */
	uint64_t output_seen_bytes, output_kept_bytes, output_dropped_bytes;
};

/*
 * A limit of each process that bulkhead itself had when it started, so that the run has it too unless a
 * lower one is bulkhead's own: `ulimit`, RLIMIT_AS, RLIMIT_FSIZE and RLIMIT_CPU. In the unit of the
 * limit with that name.
 */
struct inherited_limit {
	bool soft_set, hard_set;
	uint64_t soft, hard;
};

/* What the kernel refused to a process of the run for such a limit (kernel/refusal.h). */
struct refusal {
	enum limit limit; /* LIMIT_ADDRESS_SPACE or LIMIT_FILE_SIZE */
	bool leader; /* to the payload; else to others of the run */
	uint64_t count; /* how often; what follows is of the last */
	uint64_t at_us; /* µs after the start */
	uint64_t used_bytes, asked_bytes, limit_bytes; /* of LIMIT_ADDRESS_SPACE; about */
	pid_t pid; /* as the host counts */
	char comm[17];
};

#define OBSERVATION_MAX_REFUSALS 4

/* A file system of the box when the payload had failed. */
struct disk {
	const char *path; /* in the box */
	bool own; /* a tmpfs of the box, of a size that bulkhead gave it; else the host's */
	uint64_t size_bytes, free_bytes;
	bool files_full; /* no more files can be made, whatever their size */
};

#define OBSERVATION_MAX_DISKS 8

/* The program's file, looked at after it had failed with an RLIMIT_AS in force. */
struct image {
	bool known; /* it is there, and an ELF executable */
	uint64_t mapped_bytes; /* what exec has to map of it, and of the loader that it names */
	bool has_loader;
};

/* The system call for which the payload got SIGSYS, from the kernel's audit record. */
struct denied_call {
	bool known;
	uint32_t arch; /* AUDIT_ARCH_… */
	uint32_t number;
	const char *name; /* "getpid", "getpid (x32)" */
	bool by_filter; /* bulkhead's own filter kills for it */
};

/* An exec that the policy refused, or that was killed at its first instruction. Texts may be NULL. */
struct exec_incident {
	bool known;
	pid_t pid; /* as the host counts */
	pid_t inside_pid;
	uint64_t at_us; /* µs after the start */
	const char *rule, *hint, *why;
	const char *called, *executable;
	struct strv argv; /* as judged, perhaps cut */
	const char *real_executable; /* killed: what came instead */
	struct strv real_argv;
};

/* What the warden said it did (warden/wire.h), and what became of the warden. */
struct observed_exec {
	enum exec_mode mode; /* EXEC_OFF: there was none, and all else is 0 */
	uint64_t started, refused, killed, failed;
	uint64_t audit_dropped; /* lines that did not fit into exec.jsonl */
	bool warden_lost; /* it ended before the run did, or was stopped: execs were refused from then on */
	uint64_t lost_at_us; /* µs after the start */
	const char *lost_why; /* "was killed by signal 9"; NULL: not lost */
	bool drain_late; /* it had to be killed at the end */
	pid_t warden_pid; /* as the host counts; 0: not known */
	struct exec_incident first_refused, last_refused, first_killed;
	struct exec_incident payload; /* of the payload itself */
};

struct observed_limit {
	struct limit_value asked;
	enum enforced_by by;
};

/* Of a command too long for the record; both 0 when all of it is there. */
struct argv_left_out {
	uint64_t words; /* of which nothing is there, behind the last that is */
	uint64_t
		bytes; /* theirs, with a NUL for each, and what the last word that is there was cut by */
};

struct observation {
	const char *id;
	const char *key; /* NULL: none */
	const char *policy;
	const char *const *argv;
	size_t argc;
	struct argv_left_out argv_left_out; /* read from a record */
	unsigned attempt; /* 1 for the first */
	enum rung rung;
	bool privileged; /* bulkhead ran as root */

	enum wait_kind wait;
	int exit_code; /* WAIT_EXITED */
	int term_signal; /* WAIT_SIGNALED */
	bool core_dumped;
	char leader_comm[17]; /* the payload's name as the kernel had it last */
	pid_t leader_pid;
	struct killer killer;
	struct senders senders;
	bool seccomp; /* a seccomp filter of ours was on */
	struct observed_exec exec;

	struct setup_failure setup;

	struct act acts[OBSERVATION_MAX_ACTS]; /* in the order done */
	size_t n_acts;
	struct counter counters[OBSERVATION_MAX_COUNTERS];
	size_t n_counters;
	struct victim victims[OBSERVATION_MAX_VICTIMS];
	size_t n_victims;

	struct usage usage;
	struct observed_limit limits[LIMIT_COUNT_];
	enum oom_mode oom;
	uint64_t grace_us; /* between TERM and KILL */
	uint64_t leader_max_rss_bytes; /* ru_maxrss of the payload */
	bool leader_virtual_peak_known;
	uint64_t leader_virtual_peak_bytes; /* asked for where an RLIMIT_AS is in force */
	bool leader_virtual_peak_sampled; /* by looking now and then: what came after is missed */
	struct inherited_limit inherited[LIMIT_COUNT_];
	struct refusal refusals[OBSERVATION_MAX_REFUSALS];
	size_t n_refusals;
	bool refusals_watched;
	struct disk disks[OBSERVATION_MAX_DISKS];
	size_t n_disks;
	struct image image;
	struct denied_call denied;
	uint64_t leader_cpu_us; /* ru_utime + ru_stime of the payload and what it waited for */

	uint64_t spawn_us; /* from bulkhead's start to the payload's exec */
	uint64_t
		kill_us; /* from the first KILL of ours to the last process gone; 0: none was sent */
	uint64_t started_us, ended_us; /* CLOCK_REALTIME */
	const char *kernel;
	const char *version; /* bulkhead's */
};

/* Names as in the stored observation; "invalid" for what is none of them. */
const char *wait_kind_name(enum wait_kind kind);
const char *act_reason_name(enum act_reason reason);
const char *killer_known_name(enum killer_known known);
const char *setup_stage_name(enum setup_stage stage);
const char *oom_scope_name(enum oom_scope scope);

#endif
