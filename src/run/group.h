/* SPDX-License-Identifier: MIT */
#ifndef RUN_GROUP_H
#define RUN_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/host.h"
#include "model/limits.h"
#include "model/observation.h"
#include "model/timeline.h"

/*
 * The cgroups of one run, behind one interface for every rung of the ladder:
 *
 *   v2      one directory with all controllers
 *   hybrid  one directory in each v1 hierarchy, and one in the v2 mount if there is one
 *   none    nothing: every operation succeeds and knows nothing
 *
 * Life: open (made, limited, counters read) → the payload joins → it runs → the last process is
 * gone → read → close (removed). Nothing here waits longer than it says.
 *
 * A directory is named "bulkhead-TOKEN-ID", below a directory "bulkhead" where the host's layout
 * wants one. TOKEN says who made it (pid namespace inode, pid and start time of the supervisor, in
 * one word without '-'), so that a janitor can tell the group of a dead bulkhead from a living one's and
 * from anyone else's.
 */
struct group;

struct group_spec {
	const char *id;
	const struct limits *limits; /* memory, swap, cpus, pids are used where they are set */
	bool oom_group;
};

/*
 * Make the groups, write the limits and read the counters for the first time. ret_by[l] is set for
 * those limits that the groups enforce and left alone for the others: what has no controller, and
 * what the kernel refuses although it only comes from the default policy (ORIGIN_DEFAULT). What was
 * asked for and is refused is an error. On failure nothing is left.
 * An error is of BLAME_HOST and names the file and the remedy.
 */
int group_open(struct group **ret, const struct host_cgroup *host, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e);

#define GROUP_MAX_TASKS 8

/*
 * How the payload gets in, before its exec and by itself, so that nothing running is ever moved:
 * into_fd, when not -1, is the directory for clone3's CLONE_INTO_CGROUP; then the child writes "0"
 * into each of the n_tasks files (v1: the single-threaded writer itself is moved, without the RCU
 * grace period which cgroup.procs costs). The fds belong to the group and are close-on-exec.
 */
struct group_entry {
	int into_fd;
	int tasks[GROUP_MAX_TASKS];
	unsigned n_tasks;
};

const struct group_entry *group_entry(const struct group *g);

/*
 * A descriptor that becomes readable (POLLIN) or exceptional (POLLPRI) when the kernel has killed, or is
 * about to kill, for want of memory in the group; -1 where there is none. *ret_events says which
 * of the two to poll for. group_oom_kills() takes the event off and gives the number of kills since
 * group_open(). Note that v1 signals the event before the kill is counted.
 */
int group_oom_fd(const struct group *g, short *ret_events);
uint64_t group_oom_kills(struct group *g);

/* Total CPU time so far, in µs; false where it is not counted. */
bool group_cpu_us(struct group *g, uint64_t *ret_us);
/* Memory now, in bytes; false where it is not counted. */
bool group_memory_bytes(struct group *g, uint64_t *ret_bytes);

/*
 * All that a timeline has of it (but at_us), through fds that are opened once and kept. Returns the
 * series that are counted here, as a set of 1 << series; the others are left alone.
 */
unsigned group_sample(struct group *g, struct timeline_point *ret);

/*
 * SIGKILL every process of the group, those that are being forked too: cgroup.kill, else freeze,
 * kill each, thaw. Returns false where the rung has no such thing (the caller ends the pid
 * namespace instead).
 */
bool group_kill(struct group *g);
/* A signal to each process of the group, through pidfds that are checked to be of it. */
void group_signal(struct group *g, int sig);
/* Stop and continue everything (job control); false where the rung cannot. */
bool group_freeze(struct group *g, bool frozen);
/* True when no process is left; on rung none always. */
bool group_empty(struct group *g);
/*
 * A descriptor that becomes exceptional (POLLPRI) when group_empty() may have changed, up to 10 ms late;
 * opened at the first call, group_empty() takes the event off. -1 where there is none.
 */
int group_events_fd(struct group *g);
/* The ID of its name. */
const char *group_id(const struct group *g);

/*
 * Read counters (against those of group_open()), peaks and times into @o: counters, usage. To be
 * called when the last process is gone, before group_close(). The names of files are put into @a,
 * because an observation outlives its group.
 */
void group_read(struct group *g, struct observation *o, struct arena *a);

/*
 * Wait until the group is empty (events, at most 2 s in all), remove it and free @g. Returns 0; or
 * -1 when something is left, with e naming the directory and the processes in it.
 */
int group_close(struct group *g, struct error *e);

/*
 * The same without a wait: true when @g is removed and freed. False while somebody is in it; come
 * again, or, with @last, give up: then also true, with e as group_close() has it.
 */
bool group_try_close(struct group *g, bool last, struct error *e);

/*
 * End and remove the groups which dead bulkheads left below the bases of @host: those whose TOKEN names a
 * supervisor of this pid namespace that no longer lives. Never touches a group without a valid token,
 * of another pid namespace, or whose supervisor lives. Returns how many directories were removed. Cheap when
 * there is none (one readdir per hierarchy).
 */
unsigned group_janitor(const struct host_cgroup *host);

#endif
