/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "run/group-backend.h"

/* What a run's groups have counted: read while it runs, and once for all when it is over. */

#define NS_PER_US 1000
/* io.stat has a line for each device. */
#define IO_TEXT_SIZE 16384
#define NO_LIMIT     ((uint64_t)1 << 62)

/* ---- while it runs ---- */

int group_oom_fd(const struct group *g, short *ret_events)
{
	*ret_events = g->ops->oom_events;
	return g->oom_fd;
}

/*
 * On v2 reading memory.events takes the event off; on v1 the
 * eventfd is read, and the count is elsewhere.
 */
uint64_t group_count_oom_kills(struct group *g)
{
	char text[CGROUP_TEXT_SIZE];
	uint64_t kills = 0, events;
	int fd = g->oom_fd;
	if (g->oom_kill_fd >= 0) {
		if (g->oom_fd >= 0 && read(g->oom_fd, &events, sizeof(events)) < 0)
			events = 0; /* there was none */
		fd = g->oom_kill_fd;
	}
	if (fd >= 0 && cgroup_reread_piece(fd, text, sizeof(text)) > 0)
		cgroup_text_key(text, "oom_kill", &kills);
	return kills;
}

uint64_t group_oom_kills(struct group *g)
{
	uint64_t kills = group_count_oom_kills(g);
	return kills > g->before.oom_kills ? kills - g->before.oom_kills : 0;
}

/* Read @file of @controller through an fd that is opened once. */
static bool read_kept(struct group *g, int *fd, enum controller controller, const char *file,
	char text[CGROUP_TEXT_SIZE])
{
	int dir = group_fd(g, controller);
	if (dir < 0 || file == NULL)
		return false;
	if (*fd < 0)
		*fd = cgroup_open_file(dir, file, O_RDONLY);
	return *fd >= 0 && cgroup_reread_piece(*fd, text, CGROUP_TEXT_SIZE) > 0;
}

bool group_cpu_us(struct group *g, uint64_t *ret_us)
{
	char text[CGROUP_TEXT_SIZE];
	uint64_t ns;
	if (group_fd(g, CONTROLLER_CORE) >= 0)
		return read_kept(g, &g->cpu_fd, CONTROLLER_CORE, "cpu.stat", text) &&
			cgroup_text_key(text, "usage_usec", ret_us) == 0;
	if (!read_kept(g, &g->cpu_fd, CONTROLLER_CPUACCT, "cpuacct.usage", text) ||
		cgroup_text_u64(text, &ns) < 0)
		return false;
	*ret_us = ns / NS_PER_US;
	return true;
}

bool group_memory_bytes(struct group *g, uint64_t *ret_bytes)
{
	char text[CGROUP_TEXT_SIZE];
	return read_kept(g, &g->memory_fd, CONTROLLER_MEMORY, g->ops->memory_file, text) &&
		cgroup_text_u64(text, ret_bytes) == 0;
}

static bool read_pids(struct group *g, uint64_t *ret)
{
	char text[CGROUP_TEXT_SIZE];
	return read_kept(g, &g->pids_fd, CONTROLLER_PIDS, "pids.current", text) &&
		cgroup_text_u64(text, ret) == 0;
}

static bool read_stall(struct group *g, int i, const char *file, uint64_t *ret_us)
{
	char text[CGROUP_TEXT_SIZE];
	return read_kept(g, &g->pressure_fd[i], CONTROLLER_CORE, file, text) &&
		cgroup_text_pressure(text, "some", ret_us) == 0;
}

unsigned group_sample(struct group *g, struct timeline_point *ret)
{
	uint64_t *v = ret->v;
	return (group_memory_bytes(g, &v[SERIES_MEMORY]) ? 1u << SERIES_MEMORY : 0) |
		(read_pids(g, &v[SERIES_PIDS]) ? 1u << SERIES_PIDS : 0) |
		(group_cpu_us(g, &v[SERIES_CPU]) ? 1u << SERIES_CPU : 0) |
		(read_stall(g, 0, "cpu.pressure", &v[SERIES_STALL_CPU]) ? 1u << SERIES_STALL_CPU
									: 0) |
		(read_stall(g, 1, "memory.pressure", &v[SERIES_STALL_MEMORY])
				? 1u << SERIES_STALL_MEMORY
				: 0) |
		(read_stall(g, 2, "io.pressure", &v[SERIES_STALL_IO]) ? 1u << SERIES_STALL_IO : 0);
}

/* ---- counters ---- */

static int read_counter(int dir, const struct group_counter *c, uint64_t *ret)
{
	return c->key == NULL ? cgroup_read_u64(dir, c->file, ret)
			      : cgroup_read_key(dir, c->file, c->key, ret);
}

static int read_own_counter(const struct group *g, const struct group_counter *c, uint64_t *ret)
{
	char text[CGROUP_TEXT_SIZE];
	if (group_text(g, c->controller, c->file, text, sizeof(text)) <= 0)
		return -1;
	return c->key == NULL ? cgroup_text_u64(text, ret) : cgroup_text_key(text, c->key, ret);
}

/* All counters of one group above; false where there are none: above the root of the hierarchy. */
static bool read_ancestor(
	const struct group *g, int dir, uint64_t values[GROUP_MAX_ANCESTOR_COUNTERS])
{
	const struct group_counter *c = g->ops->above;
	/* The root of v1 has the files but no limit. */
	if (dir < 0 || cgroup_has_file(dir, "cgroup.sane_behavior"))
		return false;
	if (read_counter(dir, c, &values[0]) < 0)
		return false;
	for (unsigned i = 1; c[i].fact != NULL; i++) {
		if (read_counter(dir, &c[i], &values[i]) < 0)
			values[i] = 0; /* no such file, before or after */
	}
	return true;
}

/* v1 has a very large number for no limit, v2 a word. */
static uint64_t read_limit(const struct group *g, int dir)
{
	uint64_t limit;
	if (cgroup_read_u64(dir, g->ops->memory_limit_file, &limit) < 0 || limit > NO_LIMIT)
		return 0;
	return limit;
}

static int open_above(const struct group *g, enum controller c)
{
	bool own = false;
	int base = group_base_open(g, c, &own);
	return own || base < 0 ? base : fcntl(base, F_DUPFD_CLOEXEC, 0);
}

/* One step of it; false at the top. @g is the one that looks up. */
static bool add_rung(const struct group *g, struct group_ladder *l, int dir)
{
	const struct group_counter *c = g->ops->above;
	uint64_t values[GROUP_MAX_ANCESTOR_COUNTERS];
	if (l->n == GROUP_MAX_ANCESTORS || !read_ancestor(g, dir, values))
		return false;
	for (int i = 0, more = 1; i < GROUP_MAX_ANCESTOR_COUNTERS; i++) {
		more = more && c[i].fact != NULL;
		l->fd[l->n][i] = more ? cgroup_open_file(dir, c[i].file, O_RDONLY) : -1;
	}
	l->n++;
	return true;
}

static void open_ladder(const struct group *g, struct group_ladder *l, unsigned most)
{
	cleanup_fd int dir = open_above(g, g->ops->above->controller);
	while (l->n < most && add_rung(g, l, dir)) {
		int parent = cgroup_open_parent(dir);
		fd_close(dir);
		dir = parent;
	}
	l->open = true;
}

/* Its directory is in that of its parent. */
static bool is_nested(const struct group *g)
{
	bool own = true;
	int base = g->parent ? group_base_open(g, g->ops->above->controller, &own) : -1;
	if (own)
		fd_close(base);
	return !own;
}

/* What @l has comes behind what *ret has. */
static void read_rungs(const struct group *g, const struct group_ladder *l, struct group_above *ret)
{
	char text[CGROUP_TEXT_SIZE];
	const struct group_counter *c = g->ops->above;
	for (unsigned i = 0; i < l->n && ret->n < GROUP_MAX_ANCESTORS; i++, ret->n++)
		for (int j = 0; j < GROUP_MAX_ANCESTOR_COUNTERS; j++) {
			uint64_t *value = &ret->value[ret->n][j];
			int fd = l->fd[i][j];
			if (fd < 0 || cgroup_reread_piece(fd, text, sizeof(text)) <= 0 ||
				(c[j].key ? cgroup_text_key(text, c[j].key, value)
					  : cgroup_text_u64(text, value)) < 0)
				*value = 0; /* no such file, before or after */
		}
}

/* Many groups have the same ones above: their files are open once for all of them. */
static void read_ladder(const struct group *g, struct group_above *ret)
{
	struct group_ladder *common = &g->cache->ladder;
	ret->n = 0;
	if (is_nested(g)) {
		if (!g->parent->ladder.open)
			open_ladder(g, &g->parent->ladder, 1);
		read_rungs(g, &g->parent->ladder, ret);
		g = g->parent;
	}
	if (!common->open)
		open_ladder(g, common, GROUP_MAX_ANCESTORS);
	read_rungs(g, common, ret);
}

static void read_ancestors(const struct group *g, struct group_above *ret, bool limits)
{
	const struct group_counter *c = g->ops->above;
	ret->n = 0;
	if (c->fact == NULL || group_fd(g, c->controller) < 0)
		return;
	cleanup_fd int dir = open_above(g, c->controller);
	while (ret->n < GROUP_MAX_ANCESTORS && read_ancestor(g, dir, ret->value[ret->n])) {
		ret->limit[ret->n] = limits ? read_limit(g, dir) : 0;
		int parent = cgroup_open_parent(dir);
		fd_close(dir);
		dir = parent;
		ret->n++;
	}
}

void group_snapshot(struct group *g)
{
	bool counted = g->ops->above->fact != NULL && group_fd(g, g->ops->above->controller) >= 0;
	if (g->cache && counted)
		read_ladder(g, &g->above);
	else
		read_ancestors(g, &g->above, false);
}

static void put_counter(struct observation *o, const struct counter *c)
{
	if (o->n_counters < OBSERVATION_MAX_COUNTERS)
		o->counters[o->n_counters++] = *c;
}

/* False if it is certain that nothing was killed. */
static bool read_own(const struct group *g, struct observation *o, struct arena *a)
{
	bool counted = false;
	uint64_t kills = 0;
	for (const struct group_counter *c = g->ops->counters; c->fact != NULL; c++) {
		struct counter counter = {.fact = c->fact,
			.own = true,
			.before = g->before.counter[c - g->ops->counters]};
		if (read_own_counter(g, c, &counter.after) < 0)
			continue;
		counter.where =
			arena_printf(a, "%s/%s/%s", g->base[c->controller], g->name, c->file);
		put_counter(o, &counter);
		if (strcmp(c->fact, "oom_kill") == 0) {
			counted = true;
			kills += counter.after - counter.before;
		}
	}
	return !counted || kills > 0;
}

static void put_above(const struct group *g, const struct group_above *after, unsigned level,
	const char *path, struct observation *o, struct arena *a)
{
	const struct group_counter *c = g->ops->above;
	for (unsigned i = 0; c[i].fact != NULL; i++) {
		struct counter counter = {.fact = c[i].fact,
			.where = arena_printf(a, "%s/%s", path, c[i].file),
			.before = g->above.value[level][i],
			.after = after->value[level][i],
			.limit = after->limit[level]};
		put_counter(o, &counter);
	}
}

static void read_above(const struct group *g, struct observation *o, struct arena *a)
{
	struct group_above after;
	read_ancestors(g, &after, true);
	if (after.n == 0)
		return;
	char *path = arena_strdup(a, g->base[g->ops->above->controller]);
	for (unsigned i = 0; i < after.n && i < g->above.n; i++) {
		put_above(g, &after, i, path, o, a);
		char *slash = strrchr(path, '/');
		if (slash == NULL)
			return;
		*slash = '\0';
	}
}

/* ---- usage ---- */

static void read_memory_and_pids(const struct group *g, struct usage *u)
{
	char text[CGROUP_TEXT_SIZE];
	const char *peak = g->ops->memory_peak_file;
	if (peak && group_text(g, CONTROLLER_MEMORY, peak, text, sizeof(text)) > 0)
		u->memory_peak_known = cgroup_text_u64(text, &u->memory_peak_bytes) == 0;
	if (group_text(g, CONTROLLER_PIDS, "pids.peak", text, sizeof(text)) > 0)
		u->pids_peak_known = cgroup_text_u64(text, &u->pids_peak) == 0;
}

static void read_cpuacct(const struct group *g, struct usage *u)
{
	uint64_t user, system;
	int dir = group_fd(g, CONTROLLER_CPUACCT);
	if (dir < 0 || cgroup_read_u64(dir, "cpuacct.usage_user", &user) < 0 ||
		cgroup_read_u64(dir, "cpuacct.usage_sys", &system) < 0)
		return;
	u->cpu_known = true;
	u->cpu_user_us = user / NS_PER_US;
	u->cpu_system_us = system / NS_PER_US;
}

static void read_cpu(const struct group *g, struct usage *u)
{
	char text[CGROUP_TEXT_SIZE];
	uint64_t throttled;
	int core = group_fd(g, CONTROLLER_CORE);
	int cpu = group_fd(g, CONTROLLER_CPU);
	if (core < 0)
		read_cpuacct(g, u);
	else if (group_text(g, CONTROLLER_CORE, "cpu.stat", text, sizeof(text)) > 0)
		u->cpu_known = cgroup_text_key(text, "user_usec", &u->cpu_user_us) == 0 &&
			cgroup_text_key(text, "system_usec", &u->cpu_system_us) == 0;
	/* where nothing is limited nothing is throttled, and nothing has to be read */
	bool other = cpu != core;
	if (cpu < 0 || (other && !(g->limited & 1u << LIMIT_CPUS)) ||
		(cpu != core &&
			group_text(g, CONTROLLER_CPU, "cpu.stat", text, sizeof(text)) <= 0) ||
		cgroup_text_key(text, g->ops->throttled_key, &throttled) < 0)
		return;
	u->throttled_known = true;
	u->throttled_us = throttled / g->ops->throttled_per_us;
}

static void read_pressure(const struct group *g, const char *file, struct pressure *ret)
{
	char text[CGROUP_TEXT_SIZE];
	if (group_text(g, CONTROLLER_CORE, file, text, sizeof(text)) <= 0)
		return;
	ret->known = cgroup_text_pressure(text, "some", &ret->some_us) == 0;
	/* cpu.pressure has no such line before 5.13. */
	if (cgroup_text_pressure(text, "full", &ret->full_us) < 0)
		ret->full_us = 0;
}

static void read_io(const struct group *g, struct usage *u)
{
	char text[IO_TEXT_SIZE];
	int dir = group_fd(g, CONTROLLER_IO);
	if (g->ops->io_file == NULL || dir < 0 ||
		cgroup_read(dir, g->ops->io_file, text, sizeof(text)) < 0)
		return;
	u->io_known = true;
	u->io_read_bytes = cgroup_text_io(text, "rbytes");
	u->io_write_bytes = cgroup_text_io(text, "wbytes");
}

static void read_usage(const struct group *g, struct usage *u)
{
	read_memory_and_pids(g, u);
	read_cpu(g, u);
	read_pressure(g, "cpu.pressure", &u->cpu);
	read_pressure(g, "memory.pressure", &u->memory);
	read_pressure(g, "io.pressure", &u->io);
	read_io(g, u);
}

static void take_off(uint64_t *value, uint64_t before)
{
	*value = *value > before ? *value - before : 0;
}

/* What is a sum; peaks are none. */
static void take_off_before(struct usage *u, const struct usage *before)
{
	take_off(&u->cpu_user_us, before->cpu_user_us);
	take_off(&u->cpu_system_us, before->cpu_system_us);
	take_off(&u->throttled_us, before->throttled_us);
	take_off(&u->cpu.some_us, before->cpu.some_us);
	take_off(&u->cpu.full_us, before->cpu.full_us);
	take_off(&u->memory.some_us, before->memory.some_us);
	take_off(&u->memory.full_us, before->memory.full_us);
	take_off(&u->io.some_us, before->io.some_us);
	take_off(&u->io.full_us, before->io.full_us);
	take_off(&u->io_read_bytes, before->io_read_bytes);
	take_off(&u->io_write_bytes, before->io_write_bytes);
}

void group_read(struct group *g, struct observation *o, struct arena *a)
{
	/* The groups above are asked for who is to blame for a kill, if there was one. */
	if (read_own(g, o, a))
		read_above(g, o, a);
	read_usage(g, &o->usage);
	take_off_before(&o->usage, &g->before.usage);
}

void group_reset(struct group *g)
{
	const struct group_counter *c = g->ops->counters;
	if (g->cache)
		group_get_ready(g);
	struct group_before before = {.oom_kills = group_count_oom_kills(g)};
	for (int i = 0; i < GROUP_MAX_COUNTERS && c[i].fact != NULL; i++) {
		if (read_own_counter(g, &c[i], &before.counter[i]) < 0)
			before.counter[i] = 0;
	}
	read_usage(g, &before.usage);
	g->before = before;
	group_forget_peak(g);
	group_snapshot(g);
	g->entered = true;
}
