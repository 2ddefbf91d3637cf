/* SPDX-License-Identifier: MIT */
#ifndef RUN_GROUP_BACKEND_H
#define RUN_GROUP_BACKEND_H

#include "kernel/cgroup.h"
#include "run/group-name.h"
#include "run/group.h"

/*
 * What group.c and the backends (group-v2.c, group-v1.c, group-none.c) share; nobody else includes
 * this. group.c makes, enters, ends and removes directories, which is alike everywhere. A backend
 * knows the names and meanings of the files in them.
 */

/* One directory of a run. Controllers that are mounted together share one. */
struct group_dir {
	const char *base; /* it is in there; NULL: there is no such directory */
	int fd;
	enum controller shared_with; /* the controller that made it; itself if it is the one */
};

/* Limits that a group may have, in the order in which they are lifted. */
#define GROUP_LIMITS 4

/* Groups above that are looked at, and counters of each. */
#define GROUP_MAX_ANCESTORS         8
#define GROUP_MAX_ANCESTOR_COUNTERS 2

/* The counters of the groups above the run's, from the base upwards. */
struct group_above {
	uint64_t value[GROUP_MAX_ANCESTORS][GROUP_MAX_ANCESTOR_COUNTERS];
	uint64_t limit[GROUP_MAX_ANCESTORS]; /* of memory; 0: none */
	unsigned n;
};

/*
 * The counters of the groups above by descriptors that are kept, from the base upwards. That of a box's
 * group ends with itself: what is above that is above all boxes.
 */
struct group_ladder {
	bool open;
	unsigned n;
	int fd[GROUP_MAX_ANCESTORS][GROUP_MAX_ANCESTOR_COUNTERS];
};

struct group_cache {
	struct group *first;
	unsigned n, most;
	struct group_ladder ladder; /* above groups without a parent */
};

#define GROUP_MAX_COUNTERS 8

/* What had been counted by group_reset(). */
struct group_before {
	uint64_t counter[GROUP_MAX_COUNTERS];
	uint64_t oom_kills;
	struct usage usage;
};

/* A file that is kept open, by group_get_ready(). */
struct group_file {
	enum controller controller;
	const char *name;
	int fd;
};

#define GROUP_MAX_FILES 16

struct group {
	const struct group_ops *ops;
	const struct host_cgroup *host;
	struct group *parent; /* NULL: none */
	unsigned users; /* itself, and each child */
	/* By controller: where its directory is (or would be): of the host, or of the parent. */
	const char *base[CONTROLLER_COUNT_];
	char *path
		[CONTROLLER_COUNT_]; /* of the group itself, for its children; made at the first */
	char name[GROUP_NAME_SIZE];
	struct group_dir dir[CONTROLLER_COUNT_];
	struct group_entry entry, slow_entry;
	bool relimited;
	unsigned limited; /* 1 << LIMIT_…: has been written */
	bool oom_group; /* v2: memory.oom.group */
	uint64_t memory_limit; /* v1: what memory.limit_in_bytes was written with; 0: nothing */
	int limit_fd[GROUP_LIMITS]; /* with relimited: kept open; and what was written there last */
	char limit_text[GROUP_LIMITS][24];
	struct group_before before;
	struct group_file file[GROUP_MAX_FILES];
	unsigned n_files;
	struct group_cache *cache; /* NULL: it is not used again */
	struct group *next; /* in there */
	bool spoiled; /* what was done to it cannot be undone */
	bool entered; /* group_reset(): nobody else is on his way into it */
	bool rests; /* group_rest(): no way in is open */
	bool forgets; /* its peak of memory begins anew when that is asked for */
	struct group_ladder ladder; /* above its children */
	int oom_fd;
	int oom_kill_fd; /* kept on the file with the count of kills */
	int events_fd; /* kept, opened at first use, as are those that follow */
	int cpu_fd;
	int memory_fd;
	int pids_fd;
	int pressure_fd[3]; /* cpu, memory, io */
	struct group_above above;
};

/* One number of the kernel's that goes into observation.counters. */
struct group_counter {
	enum controller controller;
	const char *file;
	const char *key; /* NULL: the file is one number */
	const char *fact;
};

struct group_ops {
	enum enforced_by by;
	/* Which directories a run needs, as a set of 1 << CONTROLLER_…. */
	unsigned (*needs)(const struct host_cgroup *host, const struct group_spec *spec);
	/* The file through which a child enters by itself (v1); NULL: none. */
	const char *entry_file;
	/* Have the files of @controller appear, where they do not by themselves; NULL: they do. */
	int (*enable)(struct group *g, enum controller controller);
	/* Have groups below it, where that takes anything; NULL: it does not. */
	void (*hold)(struct group *g);
	/* Take a limit away that was written; by limit, file NULL: not one of a group's. */
	struct group_lift {
		enum controller controller;
		const char *file, *text;
	} lift[LIMIT_COUNT_];
	/* Write the limits. */
	int (*limit)(struct group *g, const struct group_spec *spec,
		enum enforced_by ret_by[LIMIT_COUNT_], struct error *e);
	/* Arm oom_fd and oom_kill_fd; where that fails they stay -1. */
	void (*watch)(struct group *g, const struct group_spec *spec);
	short oom_events;
	const struct group_counter *counters; /* up to one without a fact */
	const struct group_counter *above; /* the same of each group above */
	const char *memory_file, *memory_peak_file, *memory_limit_file;
	const char *throttled_key; /* in cpu.stat of the cpu controller */
	unsigned throttled_per_us;
	const char *io_file; /* NULL: figures of io are not worth their price */
};

extern const struct group_ops group_v2_ops, group_v1_ops, group_none_ops;

/* The directory fd of @controller, or -1. */
int group_fd(const struct group *g, enum controller controller);

/* A directory whose cgroup.procs lists the run's processes: the v2 one if there is one; or -1. */
int group_procs_fd(const struct group *g);

/*
 * Write @text to @file of @controller for @limit. On success ret_by says so. What is only a
 * default may fail; otherwise -1 with e.
 */
struct group_write {
	enum controller controller;
	enum limit limit;
	const char *file;
	const char *text;
};

int group_write_limit(struct group *g, const struct group_spec *spec, const struct group_write *w,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e);

/* pids.max is the same on v1 and v2. */
int group_limit_pids(struct group *g, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e);
/* The share of @period_us that @cpus are, not below or above what the kernel takes. */
uint64_t group_cpu_quota_us(const struct limit_value *cpus, uint64_t period_us);

/* @e and what is worth saying besides it. -1. */
int group_hint(struct error *e, const struct host_cgroup *host);

/* True if no swap device is in use: then there is nothing that a limit of swap could stop. */
bool group_host_has_no_swap(void);

/* ---- group-self.c: the leaf of a supervisor in its own delegated group ---- */

/* Move this process into its leaf, unless it is there. 0, or -1 with errno. */
int group_self_enter(const char *base);
/* Undo that, if no other group of bulkhead's is in @base. */
void group_self_leave(const char *base);

/* ---- group-end.c ---- */

/* Kill what @procs lists, one by one; @pids and @core help where they are (else -1). */
void group_kill_each(int procs, int pids, int core);
/* Wait until no process is in the group of @group (any hierarchy), or the deadline is over. */
void group_wait_empty(int group, uint64_t deadline_us);

/* ---- group-nest.c ---- */

/* Say by controller where the directories go. */
void group_nest(struct group *g, struct group *parent);
/* The directory that @c's is made in; to be closed with fd_close() if *ret_own. -1 with errno. */
int group_base_open(const struct group *g, enum controller c, bool *ret_own);
/* Enter those directories of the parent, too, in whose hierarchies there is none of the group's own. */
int group_nest_entry(struct group *g);

/* ---- group-read.c ---- */

/* The directories gone, or -1 with errno; the memory given back where they are. */
bool group_discard(struct group *g);
/* The peak of memory so far is no more of interest. */
void group_forget_peak(struct group *g);
void group_ladder_close(struct group_ladder *l);
/* Kills since the group was made. */
uint64_t group_count_oom_kills(struct group *g);

/* ---- group-cache.c ---- */

/* One that is there, with other limits; NULL: none. */
struct group *group_cache_take(
	const struct group_spec *spec, enum enforced_by ret_by[LIMIT_COUNT_]);
/* True: it is kept. */
bool group_cache_put(struct group *g);

/* The text of @name, in @controller's directory; its length or -1. */
ssize_t group_text(const struct group *g, enum controller controller, const char *name, char *text,
	size_t size);
/* The ancestors' counters, first time. */
void group_snapshot(struct group *g);

#endif
