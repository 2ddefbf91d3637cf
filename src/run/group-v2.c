/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "run/group-backend.h"

/*
 * cgroup v2: one directory, whose files are there because the base passes the controllers on to
 * its children (cgroup.subtree_control). That is looked at only when a file is missing: on most
 * hosts it was arranged long ago.
 */

#define CPU_PERIOD_US 100000

static const struct group_counter counters[] = {
	{CONTROLLER_MEMORY, "memory.events.local", "oom", "oom"},
	{CONTROLLER_MEMORY, "memory.events.local", "oom_kill", "oom_kill"},
	/* Counts the victims of memory.oom.group once too often: never the number of dead. */
	{CONTROLLER_MEMORY, "memory.events.local", "oom_group_kill", "oom_group_kill"},
	{CONTROLLER_MEMORY, "memory.events", "oom_kill", "oom_kill"},
	{CONTROLLER_PIDS, "pids.events", "max", "pids_max"},
	{.fact = NULL},
};

static const struct group_counter above[] = {
	{CONTROLLER_MEMORY, "memory.events.local", "oom", "oom"},
	{.fact = NULL},
};

static unsigned needs(const struct host_cgroup *host, const struct group_spec *spec)
{
	(void)spec;
	unsigned all = 0;
	for (int c = 0; c < CONTROLLER_COUNT_; c++)
		all |= host->base[c] != NULL ? 1u << c : 0;
	return all;
}

static const char *const request[CONTROLLER_COUNT_] = {
	[CONTROLLER_MEMORY] = "+memory",
	[CONTROLLER_PIDS] = "+pids",
	[CONTROLLER_CPU] = "+cpu",
	[CONTROLLER_IO] = "+io",
};

static int pass_on(int group, enum controller controller)
{
	return cgroup_write(group, "cgroup.subtree_control", request[controller]);
}

/* From the host's base downwards: a group has what the one above it passes on. */
static int enable(struct group *g, enum controller controller)
{
	if (g->host->base[controller] == NULL || request[controller] == NULL) {
		errno = ENOENT;
		return -1;
	}
	if (g->parent) {
		int fd = group_fd(g->parent, CONTROLLER_CORE);
		if (pass_on(fd, controller) == 0)
			return 0;
		return enable(g->parent, controller) < 0 ? -1 : pass_on(fd, controller);
	}
	cleanup_fd int base = cgroup_open(g->host->base[controller]);
	return base < 0 ? -1 : pass_on(base, controller);
}

/*
 * What a run in it may be limited by or counted with; where that fails, the one that asks for it fails.
 * Figures of io are had only where somebody has arranged for them.
 */
static void hold(struct group *g)
{
	static const enum controller all[] = {CONTROLLER_MEMORY, CONTROLLER_PIDS, CONTROLLER_CPU};
	int fd = group_fd(g, CONTROLLER_CORE);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (pass_on(fd, all[i]) < 0 && enable(g, all[i]) == 0)
			pass_on(fd, all[i]);
	pass_on(fd, CONTROLLER_IO);
}

static int limit_memory(struct group *g, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	char text[24];
	const struct limit_value *memory = &spec->limits->v[LIMIT_MEMORY];
	if (!memory->set)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64, memory->value);
	struct group_write w = {CONTROLLER_MEMORY, LIMIT_MEMORY, "memory.max", text};
	if (group_write_limit(g, spec, &w, ret_by, e) < 0)
		return -1;
	int fd = group_fd(g, CONTROLLER_MEMORY);
	if (fd >= 0 && spec->oom_group != g->oom_group &&
		cgroup_write(fd, "memory.oom.group", spec->oom_group ? "1" : "0") == 0)
		g->oom_group = spec->oom_group;
	return 0;
}

static int limit_swap(struct group *g, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	char text[24];
	int fd = group_fd(g, CONTROLLER_MEMORY);
	const struct limit_value *swap = &spec->limits->v[LIMIT_SWAP];
	if (!swap->set || fd < 0)
		return 0;
	if (!cgroup_has_file(fd, "memory.swap.max") && group_host_has_no_swap()) {
		ret_by[LIMIT_SWAP] = ENFORCED_CGROUP_V2;
		return 0;
	}
	snprintf(text, sizeof(text), "%" PRIu64, swap->value);
	struct group_write w = {CONTROLLER_MEMORY, LIMIT_SWAP, "memory.swap.max", text};
	return group_write_limit(g, spec, &w, ret_by, e);
}

static int limit_cpu(struct group *g, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	char text[48];
	const struct limit_value *cpus = &spec->limits->v[LIMIT_CPUS];
	if (!cpus->set)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64 " %d", group_cpu_quota_us(cpus, CPU_PERIOD_US),
		CPU_PERIOD_US);
	struct group_write w = {CONTROLLER_CPU, LIMIT_CPUS, "cpu.max", text};
	return group_write_limit(g, spec, &w, ret_by, e);
}

static int limit(struct group *g, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	if (limit_memory(g, spec, ret_by, e) < 0 || limit_swap(g, spec, ret_by, e) < 0 ||
		group_limit_pids(g, spec, ret_by, e) < 0)
		return -1;
	return limit_cpu(g, spec, ret_by, e);
}

/* memory.events itself can be polled; one that changes after this first reading is reported. */
static void watch(struct group *g, const struct group_spec *spec)
{
	char text[CGROUP_TEXT_SIZE];
	(void)spec;
	int fd = group_fd(g, CONTROLLER_MEMORY);
	if (fd < 0)
		return;
	g->oom_fd = cgroup_open_file(fd, "memory.events", O_RDONLY);
	/* Without a limit nothing has asked for the controller yet; its counters are wanted. */
	if (g->oom_fd < 0 && errno == ENOENT && enable(g, CONTROLLER_MEMORY) == 0)
		g->oom_fd = cgroup_open_file(fd, "memory.events", O_RDONLY);
	if (g->oom_fd >= 0)
		cgroup_reread(g->oom_fd, text, sizeof(text));
}

const struct group_ops group_v2_ops = {
	.by = ENFORCED_CGROUP_V2,
	.needs = needs,
	.entry_file = NULL,
	.enable = enable,
	.hold = hold,
	.lift = {[LIMIT_SWAP] = {CONTROLLER_MEMORY, "memory.swap.max", "max"},
		[LIMIT_MEMORY] = {CONTROLLER_MEMORY, "memory.max", "max"},
		[LIMIT_CPUS] = {CONTROLLER_CPU, "cpu.max", "max"},
		[LIMIT_PIDS] = {CONTROLLER_PIDS, "pids.max", "max"}},
	.limit = limit,
	.watch = watch,
	.oom_events = POLLPRI,
	.counters = counters,
	.above = above,
	.memory_file = "memory.current",
	.memory_limit_file = "memory.max",
	.memory_peak_file = "memory.peak",
	.throttled_key = "throttled_usec",
	.throttled_per_us = 1,
	.io_file = "io.stat",
};
