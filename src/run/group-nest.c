/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "run/group-backend.h"

/*
 * Groups in groups. By hierarchy: a run's directory is made in that of its box, or, where the box has
 * none (v1, when the box's CPUs are not limited and the run's are), in the host's base. Where only
 * the box has one, the run is in that. A process has one group in each hierarchy, so controllers
 * that are mounted together go together.
 */

/* The controller in whose directory of @g that of @c would be made; COUNT_: there is none. */
static enum controller in_hierarchy_of(const struct group *g, enum controller c)
{
	for (int i = 0; i < CONTROLLER_COUNT_; i++)
		if (g->dir[i].fd >= 0 && g->host->base[c] &&
			strcmp(g->host->base[i], g->host->base[c]) == 0)
			return (enum controller)i;
	return CONTROLLER_COUNT_;
}

static const char *path_of(struct group *g, enum controller c)
{
	if (!g->path[c] && asprintf(&g->path[c], "%s/%s", g->dir[c].base, g->name) < 0)
		out_of_memory();
	return g->path[c];
}

void group_nest(struct group *g, struct group *parent)
{
	g->parent = parent;
	for (int c = 0; c < CONTROLLER_COUNT_; c++) {
		enum controller of =
			parent ? in_hierarchy_of(parent, (enum controller)c) : CONTROLLER_COUNT_;
		g->base[c] = of < CONTROLLER_COUNT_ ? path_of(parent, of) : g->host->base[c];
	}
	if (parent)
		parent->users++;
}

int group_base_open(const struct group *g, enum controller c, bool *ret_own)
{
	enum controller of = g->parent ? in_hierarchy_of(g->parent, c) : CONTROLLER_COUNT_;
	*ret_own = of == CONTROLLER_COUNT_;
	return *ret_own ? cgroup_open(g->base[c]) : g->parent->dir[of].fd;
}

/* Through an opening of its own, since the box's parent has none: no process enters a box's group. */
int group_nest_entry(struct group *g)
{
	const struct group *parent = g->parent;
	for (int c = 0; parent && g->ops->entry_file && c < CONTROLLER_COUNT_; c++) {
		if (c == CONTROLLER_CORE || parent->dir[c].fd < 0 ||
			in_hierarchy_of(g, (enum controller)c) != CONTROLLER_COUNT_)
			continue;
		int fd = cgroup_open_file(parent->dir[c].fd, g->ops->entry_file, O_WRONLY);
		if (fd < 0)
			return -1;
		g->entry.tasks[g->entry.n_tasks++] = fd;
	}
	return 0;
}

static int open_slow_entry(struct group *g)
{
	struct group_entry *slow = &g->slow_entry;
	int fd = cgroup_open_file(g->entry.into_fd, "cgroup.procs", O_WRONLY);
	if (fd < 0)
		return -1;
	slow->into_fd = -1;
	slow->tasks[slow->n_tasks++] = fd;
	return 0;
}

const struct group_entry *group_entry_when_full(struct group *g)
{
	if (g->ops->entry_file || g->entry.into_fd < 0)
		return &g->entry;
	if (g->slow_entry.n_tasks == 0 && open_slow_entry(g) < 0)
		return NULL;
	return &g->slow_entry;
}

int group_entry_by_file(struct group *g, int ret_fds[GROUP_MAX_TASKS + 1], unsigned *ret_n)
{
	unsigned n = 0;
	if (group_wake(g, NULL) < 0)
		return -1;
	for (; n < g->entry.n_tasks; n++)
		ret_fds[n] = g->entry.tasks[n];
	if (g->entry.into_fd >= 0) {
		if (g->slow_entry.n_tasks == 0 && open_slow_entry(g) < 0)
			return -1;
		ret_fds[n++] = g->slow_entry.tasks[0];
	}
	*ret_n = n;
	return 0;
}

static bool dir_has(int dir, pid_t pid)
{
	pid_t pids[16];
	ssize_t n = cgroup_procs(dir, pids, 16);
	for (ssize_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

bool group_has(const struct group *g, pid_t pid)
{
	bool any = false;
	for (int c = 0; c < CONTROLLER_COUNT_; c++) {
		if (g->dir[c].fd < 0)
			continue;
		if (!dir_has(g->dir[c].fd, pid))
			return false;
		any = true;
	}
	return any;
}

bool group_is_full(struct group *g)
{
	uint64_t now, most;
	int dir = group_fd(g, CONTROLLER_PIDS);
	if (g->ops->entry_file || dir < 0 || !(g->limited & 1u << LIMIT_PIDS))
		return false;
	return cgroup_read_u64(dir, "pids.current", &now) == 0 &&
		cgroup_read_u64(dir, "pids.max", &most) == 0 && now >= most;
}
