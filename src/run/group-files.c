/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <string.h>

#include "run/group-backend.h"

/* The files of a group that are read at its end. */

static int kept(const struct group *g, enum controller c, const char *name)
{
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
	keep(g, CONTROLLER_MEMORY, g->ops->memory_peak_file);
	keep(g, CONTROLLER_PIDS, "pids.peak");
	for (size_t i = 0; i < sizeof(of_core) / sizeof(of_core[0]); i++)
		keep(g, CONTROLLER_CORE, of_core[i]);
	if (group_fd(g, CONTROLLER_CPU) != group_fd(g, CONTROLLER_CORE))
		keep(g, CONTROLLER_CPU, "cpu.stat");
	group_events_fd(g);
}
