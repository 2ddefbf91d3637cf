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
 * A directory is named "bulkhead-TOKEN-ID", below the host's base or below that of another group: a
 * kept box has one with the limits of the box (group_spec.box), in which no process is, and each run
 * in the box has one below it with its own. What the box's limits end shows in the counters of the
 * run's groups above (an ancestor's, named by its path). Init and makers are outside of both.
 *
 * TOKEN says who made it (pid namespace inode, pid and start time of the supervisor, in
 * one word without '-'), so that a janitor can tell the group of a dead bulkhead from a living one's and
 * from anyone else's.
 */
struct group;

struct group_spec {
	const char *id;
	const struct limits *limits; /* memory, swap, cpus, pids are used where they are set */
	bool oom_group;
	struct group *parent; /* the box's; NULL: none. It is kept until its last child is closed */
	bool box; /* it will hold groups, and no process */
	struct group_cache
		*cache; /* with relimited or box: where it goes when it is closed; NULL: nowhere */
	bool relimited; /* group_limit() and group_reset() will be called: all they take is opened now */
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
 * The way in when a group above has as many processes as it may. To be born in a v2 group is refused
 * (EAGAIN) there, to enter one is not: the payload is born elsewhere, and enters before its exec, on v2 too
 * (cgroup.procs, among the tasks). Dearer by up to 11 ms. What is at its memory limit can be
 * entered anyway: then somebody in the box is killed for it, the largest first.
 *
 * NULL where there is no such way; on v1 it is the usual one.
 */
const struct group_entry *group_entry_when_full(struct group *g);

/*
 * The way in for somebody who is there already and may do no more than write: *ret_n files, at most
 * GROUP_MAX_TASKS + 1, to each of which he writes "0"; borrowed from the group. That of v2 (cgroup.procs)
 * costs up to 11 ms. -1 with errno.
 */
int group_entry_by_file(struct group *g, int ret_fds[GROUP_MAX_TASKS + 1], unsigned *ret_n);
/* Whether @pid, of our pid namespace, is in it, in each hierarchy where it has a directory. */
bool group_has(const struct group *g, pid_t pid);

/* True when a birth in the group, or below it, would be refused now: on v2, at its limit of pids. */
bool group_is_full(struct group *g);

/*
 * Other limits from now on, for a group that was opened ahead of its run: memory, swap, cpus, pids
 * as they are set in @limits, none where they are not. ret_by and errors as with group_open(). A
 * limit below what is used already waits for the kernel to reclaim memory; else some microseconds with
 * spec.relimited, and some tens without.
 */
int group_limit(struct group *g, const struct limits *limits, enum enforced_by ret_by[LIMIT_COUNT_],
	struct error *e);
/*
 * Count from now on: what group_read(), group_oom_kills() tell is the difference to this moment, for
 * a group that was made ahead of its run. The peak of memory begins anew where the kernel can do
 * that (v1), that of pids stays.
 */
void group_reset(struct group *g);

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
 * Open now what group_empty() and group_read() will read: for whoever has nothing to do while the
 * program runs, and is waited for when it has ended. Some 30 µs; and a dozen descriptors until the
 * group is closed.
 */
void group_get_ready(struct group *g);

/*
 * Hold few descriptors: nobody will come in for a while, and nothing be read. What is asked of it opens what
 * it needs again; but for the way in, which is group_wake()'s.
 */
void group_rest(struct group *g);
/* Have the way in again. -1 with @e. Nothing to do for one that does not rest. */
int group_wake(struct group *g, struct error *e);

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
 * Groups that are used again. To make one and to remove it costs some 400 µs, most of which are the
 * kernel's; a relimited one that its run has left as it was is kept instead, with all of its files open, and
 * taken by the next of the same parent: its directory has the name of whom it was made for. Nothing of
 * a run shows in the next. One is kept only if
 *
 *   - group_reset() was called, so that who was to come into it had come;
 *   - it was not killed, and nobody in it for want of memory (the kernel's log has its name);
 *   - it holds no memory but what the kernel charges ahead for each CPU;
 *   - its peak of memory can be forgotten (v1, v2 from 6.12) or was that small;
 *   - it never had more than one process, since that peak cannot.
 *
 * A parent's go with the parent.
 */
struct group_cache;

/* At most @most at a time. */
struct group_cache *group_cache_new(unsigned most);
/* Remove those below @parent; NULL: those below none. */
void group_cache_drop(struct group_cache *c, const struct group *parent);
/* Remove all that there are. */
void group_cache_clear(struct group_cache *c);
/* When no group that was opened with it is left. */
void group_cache_free(struct group_cache *c);

/*
 * End and remove the groups which dead bulkheads left below the bases of @host: those whose TOKEN names a
 * supervisor of this pid namespace that no longer lives. Never touches a group without a valid token,
 * of another pid namespace, or whose supervisor lives. With those of boxes go those below them.
 * At most 64 are dealt with in a call, so that a start does not take long: a daemon calls it until it is 0.
 * Returns how many directories were removed. Cheap when
 * there is none (one readdir per hierarchy).
 */
unsigned group_janitor(const struct host_cgroup *host);

#endif
