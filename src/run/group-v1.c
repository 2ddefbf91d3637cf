/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "run/group-backend.h"

/*
 * cgroup v1: one directory in each hierarchy, and one in the v2 mount, if the host has that beside
 * them, which kills, freezes, tells when it is empty, and counts CPU time and pressure.
 *
 * There is no memory.oom.group: the supervisor is told through oom_fd and ends the rest itself.
 * Figures of io would cost a directory of blkio more (a fifth of all that is made here): left out.
 */

#define CPU_PERIOD_US 100000

static const struct group_counter counters[] = {
	{CONTROLLER_MEMORY, "memory.oom_control", "oom_kill", "oom_kill"},
	/* Reclaim may have cured these; only together with a kill do they say more. */
	{CONTROLLER_MEMORY, "memory.failcnt", NULL, "failcnt"},
	{CONTROLLER_MEMORY, "memory.memsw.failcnt", NULL, "failcnt"},
	{CONTROLLER_PIDS, "pids.events", "max", "pids_max"},
	{.fact = NULL},
};

static const struct group_counter above[] = {
	{CONTROLLER_MEMORY, "memory.failcnt", NULL, "failcnt"},
	{CONTROLLER_MEMORY, "memory.memsw.failcnt", NULL, "failcnt"},
	{.fact = NULL},
};
_Static_assert(sizeof(above) / sizeof(above[0]) <= GROUP_MAX_ANCESTOR_COUNTERS + 1, "above");

static unsigned needs(const struct host_cgroup *host, const struct group_spec *spec)
{
	unsigned set = 1u << CONTROLLER_CORE | 1u << CONTROLLER_MEMORY | 1u << CONTROLLER_PIDS;
	if (spec->limits->v[LIMIT_CPUS].set || spec->relimited)
		set |= 1u << CONTROLLER_CPU;
	if (host->base[CONTROLLER_CORE] == NULL)
		set |= 1u << CONTROLLER_CPUACCT;
	return set;
}

static uint64_t add_or_max(uint64_t a, uint64_t b)
{
	uint64_t sum;
	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/*
 * memory.memsw limits the sum of memory and swap, and may never be the lower one: it comes second.
 *
 * It is one page above memory's even if there shall be no swap. Equal limits would have memsw hit
 * first, always, and its failcnt stands still on Linux 6.15 and later: nothing would tell the run's own
 * limit from one of a group above.
 */
static uint64_t memsw_limit(const struct limit_value *v)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t swap = v[LIMIT_SWAP].value;
	return add_or_max(v[LIMIT_MEMORY].value, swap > page ? swap : page);
}

static int limit_swap(struct group *g, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	char text[24];
	const struct limit_value *v = spec->limits->v;
	bool there = g->limited & 1u << LIMIT_SWAP || /* written before */
		cgroup_has_file(group_fd(g, CONTROLLER_MEMORY), "memory.memsw.limit_in_bytes");
	if (!there && group_host_has_no_swap()) {
		ret_by[LIMIT_SWAP] = ENFORCED_CGROUP_V1;
		return 0;
	}
	snprintf(text, sizeof(text), "%" PRIu64, memsw_limit(v));
	struct group_write w = {CONTROLLER_MEMORY, LIMIT_SWAP, "memory.memsw.limit_in_bytes", text};
	return group_write_limit(g, spec, &w, ret_by, e);
}

static int limit_memory_alone(struct group *g, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	char text[24];
	const struct limit_value *memory = &spec->limits->v[LIMIT_MEMORY];
	snprintf(text, sizeof(text), "%" PRIu64, memory->value);
	struct group_write w = {CONTROLLER_MEMORY, LIMIT_MEMORY, "memory.limit_in_bytes", text};
	if (group_write_limit(g, spec, &w, ret_by, e) < 0)
		return -1;
	g->memory_limit = memory->value;
	return 0;
}

/* Neither may be on the wrong side of the other, not even in between. */
static int limit_memory(struct group *g, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	const struct limit_value *v = spec->limits->v;
	bool swap = v[LIMIT_SWAP].set;
	if (!v[LIMIT_MEMORY].set || group_fd(g, CONTROLLER_MEMORY) < 0)
		return 0;
	bool raised = g->memory_limit && v[LIMIT_MEMORY].value > g->memory_limit;
	if (raised && swap && limit_swap(g, spec, ret_by, e) < 0)
		return -1;
	if (limit_memory_alone(g, spec, ret_by, e) < 0)
		return -1;
	return !raised && swap ? limit_swap(g, spec, ret_by, e) : 0;
}

/* A new group has the period that we use. */
static int limit_cpu(struct group *g, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	char text[24];
	const struct limit_value *cpus = &spec->limits->v[LIMIT_CPUS];
	if (!cpus->set)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64, group_cpu_quota_us(cpus, CPU_PERIOD_US));
	struct group_write w = {CONTROLLER_CPU, LIMIT_CPUS, "cpu.cfs_quota_us", text};
	return group_write_limit(g, spec, &w, ret_by, e);
}

static int limit(struct group *g, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	if (limit_memory(g, spec, ret_by, e) < 0 || group_limit_pids(g, spec, ret_by, e) < 0)
		return -1;
	return limit_cpu(g, spec, ret_by, e);
}

/* Before 5.11 a limit holds for what is below it only where this is on. */
static void hold(struct group *g)
{
	uint64_t on;
	int fd = group_fd(g, CONTROLLER_MEMORY);
	if (fd >= 0 && cgroup_read_u64(fd, "memory.use_hierarchy", &on) == 0 && !on)
		cgroup_write(fd, "memory.use_hierarchy", "1");
}

/* Only a run that is to end as a whole needs to hear of it while it runs. */
static void watch(struct group *g, const struct group_spec *spec)
{
	int fd = group_fd(g, CONTROLLER_MEMORY);
	if (fd < 0 || !(spec->oom_group || spec->relimited))
		return;
	g->oom_fd = cgroup_v1_oom_event(fd);
	g->oom_kill_fd = cgroup_open_file(fd, "memory.oom_control", O_RDONLY);
}

const struct group_ops group_v1_ops = {
	.by = ENFORCED_CGROUP_V1,
	.needs = needs,
	.entry_file = "tasks",
	.enable = NULL,
	.hold = hold,
	.lift = {[LIMIT_SWAP] = {CONTROLLER_MEMORY, "memory.memsw.limit_in_bytes", "-1"},
		[LIMIT_MEMORY] = {CONTROLLER_MEMORY, "memory.limit_in_bytes", "-1"},
		[LIMIT_CPUS] = {CONTROLLER_CPU, "cpu.cfs_quota_us", "-1"},
		[LIMIT_PIDS] = {CONTROLLER_PIDS, "pids.max", "max"}},
	.limit = limit,
	.watch = watch,
	.oom_events = POLLIN,
	.counters = counters,
	.above = above,
	.memory_file = "memory.usage_in_bytes",
	.memory_limit_file = "memory.limit_in_bytes",
	.memory_peak_file = "memory.max_usage_in_bytes",
	.throttled_key = "throttled_time",
	.throttled_per_us = 1000,
	.io_file = NULL,
};
