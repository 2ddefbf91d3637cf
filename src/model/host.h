/* SPDX-License-Identifier: MIT */
#ifndef MODEL_HOST_H
#define MODEL_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

/*
 * What this machine lets us do, found by run/host.c once per process. Facts only: what
 * follows from them is decided in plan.c (for a run) and by `bulkhead doctor` (for a person).
 */

/* Where limits come from; lower is better. */
enum rung {
	RUNG_V2, /* cgroup v2, as root */
	RUNG_DELEGATED, /* cgroup v2, a subtree that belongs to us */
	RUNG_HYBRID, /* cgroup v1 hierarchies, with or without a v2 mount beside them */
	RUNG_NONE, /* rlimits, deadlines, sampling */
	RUNG_COUNT_,
};

/* Controllers of a run's groups. */
enum controller {
	CONTROLLER_MEMORY,
	CONTROLLER_PIDS,
	CONTROLLER_CPU, /* cpu.max or cfs quota */
	CONTROLLER_CPUACCT, /* v1 only; on v2 cpu.stat is always there */
	CONTROLLER_IO, /* io on v2, blkio on v1: figures only */
	CONTROLLER_CORE, /* the v2 tree itself: kill, freeze, events, pressure */
	CONTROLLER_COUNT_,
};

struct host_cgroup {
	enum rung rung;
	/*
	 * The directory below which a run's group is made, by controller; NULL where there is none.
	 * On v2 all of them are the same directory.
	 */
	const char *base[CONTROLLER_COUNT_];
	bool has_swap; /* memory.swap.max, memory.memsw.limit_in_bytes, or no swap */
	bool has_kill; /* cgroup.kill (5.14) */
	bool has_freeze; /* cgroup.freeze */
	bool has_memory_peak; /* memory.peak (5.19), v1 max_usage always */
	bool has_pids_peak;
	bool has_oom_group; /* memory.oom.group: v2 */
	bool has_pressure;
	/*
	 * Our own group is the base and holds nothing but us: group_open() first moves this process
	 * (never a payload) into a leaf beside the run, because a v2 group with controllers for its
	 * children may hold no process itself.
	 */
	bool self_leaf;
	/* For a person: why no better rung was taken, and the command that mends it; or NULL. */
	const char *why_not_better;
	const char *remedy;
};

struct host_userns {
	bool usable; /* a user namespace with full capabilities inside can be made */
	const char *why; /* if not: what forbids it */
	const char *remedy; /* the command that mends it, or NULL */
};

/* What an exec policy needs. */
struct host_exec {
	bool usable; /* a listener for execs can be had, and the box's processes be stopped at them */
	const char *why; /* if not: what forbids it */
	const char *remedy; /* what mends it, or NULL */
};

struct host {
	uint32_t uid, gid;
	bool privileged; /* euid 0 with CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID in our user namespace */
	const char *home;
	const char *cwd; /* absolute; NULL when it has vanished */
	const char *kernel; /* uname release */
	unsigned kernel_version; /* major << 16 | minor */
	const char *machine; /* uname machine */
	unsigned n_cpus; /* CPUs we may run on */
	uint64_t cpu_mask[16]; /* which of the first 1,024 they are */
	uint64_t memory_bytes;
	struct host_cgroup cgroup;
	struct host_userns userns;
	bool seccomp; /* filter mode available */
	struct host_exec exec; /* looked at only where an exec policy is wanted, and by doctor */
	int landlock_abi; /* 0: none */
	bool mount_setattr; /* 5.12 */
	bool clone_into_cgroup; /* 5.7 */
	bool proc_mountable; /* a fresh procfs may be mounted in our user namespace's child */
	bool idmapped_mounts; /* 5.12, and we may make them */
	bool in_container;
};

/* Why a fresh procfs cannot be mounted, and what mends it in a container: for doctor and run. */
#define HOST_PROC_COVERED "parts of /proc are covered by other mounts"
#define HOST_PROC_REMEDY  "docker run --security-opt systempaths=unconfined …"

const char *rung_name(enum rung rung);
const char *controller_name(enum controller controller);

#endif
