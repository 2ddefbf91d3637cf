/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "run/group-backend.h"

/* The files of a group that are read at its end. */

static int kept(const struct group *g, enum controller c, const char *name)
{
	bool kills = c == CONTROLLER_MEMORY && strcmp(name, "memory.oom_control") == 0;
	if (kills && g->oom_kill_fd >= 0)
		return g->oom_kill_fd;
	for (unsigned i = 0; i < g->n_files; i++)
		if (g->file[i].controller == c && strcmp(g->file[i].name, name) == 0)
			return g->file[i].fd;
	return -1;
}

static void keep(struct group *g, enum controller c, const char *name)
{
	int dir = group_fd(g, c);
	if (!name || dir < 0 || g->n_files == GROUP_MAX_FILES || kept(g, c, name) >= 0)
		return;
	int fd = cgroup_open_file(dir, name, O_RDONLY);
	if (fd >= 0)
		g->file[g->n_files++] = (struct group_file){c, name, fd};
}

/* On v2 what is read through a descriptor is the peak since something was written through it. */
static void keep_peak(struct group *g)
{
	const char *name = g->ops->memory_peak_file;
	int dir = group_fd(g, CONTROLLER_MEMORY);
	if (!name || dir < 0 || kept(g, CONTROLLER_MEMORY, name) >= 0)
		return;
	int fd = g->relimited && g->n_files < GROUP_MAX_FILES ? cgroup_open_file(dir, name, O_RDWR)
							      : -1;
	if (fd >= 0)
		g->file[g->n_files++] = (struct group_file){CONTROLLER_MEMORY, name, fd};
	else
		keep(g, CONTROLLER_MEMORY, name);
}

void group_forget_peak(struct group *g)
{
	const char *name = g->ops->memory_peak_file;
	int fd = name ? kept(g, CONTROLLER_MEMORY, name) : -1;
	int dir = group_fd(g, CONTROLLER_MEMORY);
	if (fd >= 0)
		g->forgets = pwrite(fd, "0", 1, 0) == 1;
	else if (g->ops->entry_file && dir >= 0) /* v1: for all readers */
		g->forgets = cgroup_write(dir, name, "0") == 0;
}

ssize_t group_text(
	const struct group *g, enum controller c, const char *name, char *text, size_t size)
{
	int dir = group_fd(g, c), fd = kept(g, c, name);
	if (fd >= 0)
		return cgroup_reread_piece(fd, text, size);
	return dir < 0 ? -1 : cgroup_read(dir, name, text, size);
}

void group_get_ready(struct group *g)
{
	static const char *const of_core[] = {
		"cpu.stat", "cpu.pressure", "memory.pressure", "io.pressure"};
	for (const struct group_counter *c = g->ops->counters; c->fact != NULL; c++)
		keep(g, c->controller, c->file);
	keep_peak(g);
	if (g->cache)
		keep(g, CONTROLLER_MEMORY, g->ops->memory_file);
	keep(g, CONTROLLER_PIDS, "pids.peak");
	for (size_t i = 0; i < sizeof(of_core) / sizeof(of_core[0]); i++)
		keep(g, CONTROLLER_CORE, of_core[i]);
	if (group_fd(g, CONTROLLER_CPU) != group_fd(g, CONTROLLER_CORE))
		keep(g, CONTROLLER_CPU, "cpu.stat");
	group_events_fd(g);
}

/* On v2 the peak is kept: its descriptor knows since when. */
void group_rest(struct group *g)
{
	unsigned left = 0;
	for (unsigned i = 0; i < g->n_files; i++)
		if (!g->ops->entry_file && g->file[i].name == g->ops->memory_peak_file)
			g->file[left++] = g->file[i];
		else
			fd_close(g->file[i].fd);
	g->n_files = left;
	g->events_fd = fd_close(g->events_fd);
	for (int i = 0; i < GROUP_LIMITS; i++)
		g->limit_fd[i] = fd_close(g->limit_fd[i]);
	while (g->entry.n_tasks > 0)
		fd_close(g->entry.tasks[--g->entry.n_tasks]);
	while (g->slow_entry.n_tasks > 0)
		fd_close(g->slow_entry.tasks[--g->slow_entry.n_tasks]);
	g->rests = true;
}

void group_ladder_close(struct group_ladder *l)
{
	for (unsigned i = 0; i < l->n; i++)
		for (int j = 0; j < GROUP_MAX_ANCESTOR_COUNTERS; j++)
			fd_close(l->fd[i][j]);
	l->n = 0;
	l->open = false;
}
