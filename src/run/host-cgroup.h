/* SPDX-License-Identifier: MIT */
#ifndef RUN_HOST_CGROUP_H
#define RUN_HOST_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/host.h"

/*
 * The ladder: where the groups of a run can be made on this host.
 *
 *   layout      which hierarchies are mounted where: the usual places first (statfs), else
 *               /proc/self/mountinfo
 *   membership  our own group in each: /proc/self/cgroup
 *   base        v1: our own group. v2: the nearest group from ours upwards that may have
 *               controllers for its children (no process in it) and that we may write
 */
struct cgroup_mount {
	const char *path; /* NULL: not mounted */
	const char *root; /* the group that is at path: "/" unless something bound a part of it */
	bool v2;
};

struct cgroup_layout {
	struct cgroup_mount mount[CONTROLLER_COUNT_];
};

/* rung, base, has_…, self_leaf; and, with @words, why_not_better and remedy. Looks, changes nothing. */
void host_probe_cgroup(
	struct host_cgroup *ret, struct arena *a, const struct host *host, bool words);
/*
 * Make a group with small limits, have a child enter it, end and remove it. What fails takes the
 * ladder down to RUNG_NONE, with the reason.
 */
void host_try_cgroup(struct host_cgroup *c, struct arena *a);

/* ---- host-layout.c ---- */

/* As v1 calls them; CORE is not of v1. */
extern const char *const cgroup_v1_name[CONTROLLER_COUNT_];

/* What is mounted in the usual places; false if that is not one of the two usual layouts. */
bool cgroup_layout_standard(struct cgroup_layout *ret, struct arena *a);
/* What is mounted anywhere. */
void cgroup_layout_unusual(struct cgroup_layout *ret, struct arena *a);

/* The rest is pure. */

/*
 * From the text of /proc/PID/cgroup: the path of the group in the v1 hierarchy of @controller, or
 * (NULL) in the v2 one; in @a. NULL when there is none, or when it cannot be named from here
 * (outside of our cgroup namespace, or removed).
 */
char *cgroup_membership(const char *text, const char *controller, struct arena *a);
/* Take the cgroup mounts from the text of /proc/self/mountinfo, the first of each kind. */
void cgroup_layout_parse(struct cgroup_layout *ret, const char *text, struct arena *a);
/* The directory of group @path in @mount; NULL if it is not below what is mounted there. */
char *cgroup_directory(const struct cgroup_mount *mount, const char *path, struct arena *a);

/* ---- host-explain.c ---- */

/* What keeps one off a better rung. */
enum cgroup_obstacle {
	OBSTACLE_NONE,
	OBSTACLE_NOT_MOUNTED,
	OBSTACLE_NOT_VISIBLE, /* our own group is not below what is mounted */
	OBSTACLE_READ_ONLY,
	OBSTACLE_PERMISSION,
	OBSTACLE_PROCESSES, /* every group that we may write holds processes */
	OBSTACLE_NO_CONTROLLERS,
	OBSTACLE_KERNEL, /* too old: no CLONE_INTO_CGROUP */
	OBSTACLE_V1, /* the controllers are on v1: the rung is hybrid */
	OBSTACLE_COUNT_,
};

struct cgroup_finding {
	enum cgroup_obstacle obstacle;
	const char *where; /* the directory that it was found at */
	const char *mount; /* the mount point that it is below; NULL: where itself */
	struct strv own; /* our own group in each hierarchy */
	bool pure_v2;
	bool systemd_user; /* a service manager for this user is running */
	bool container;
	uint32_t uid;
};

/* The words for @finding: why_not_better and remedy of @c. Pure. */
void host_explain_cgroup(
	struct host_cgroup *c, struct arena *a, const struct cgroup_finding *finding);

/* What is known about user namespaces when one could not be made. -1: there is no such switch. */
struct userns_switches {
	long max_user_namespaces;
	long unprivileged_clone;
	long apparmor_restrict;
	bool seccomp; /* a filter is on us already */
	bool chrooted;
	bool container;
	bool root; /* the reader needs no sudo */
};

/* The words for @errnum. Pure. */
void host_word_userns(
	struct host_userns *ret, struct arena *a, int errnum, const struct userns_switches *s);

#endif
