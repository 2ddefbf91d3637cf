/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "run/group-backend.h"

/* Groups between two runs. */

/* What the kernel charges ahead for each CPU, in pages (MEMCG_CHARGE_BATCH). */
#define BATCH_PAGES 64

struct group_cache *group_cache_new(unsigned most)
{
	struct group_cache *c = calloc(1, sizeof(*c));
	if (!c)
		out_of_memory();
	c->most = most;
	return c;
}

/* ---- may it be used again? ---- */

static bool is_small(const struct group *g, const char *file)
{
	char text[CGROUP_TEXT_SIZE];
	static int n_cpus; /* which does not change, and is read from a file */
	uint64_t bytes, page = (uint64_t)sysconf(_SC_PAGESIZE);
	if (n_cpus == 0)
		n_cpus = get_nprocs_conf();
	uint64_t most = BATCH_PAGES * page * (uint64_t)(n_cpus + 1);
	return group_text(g, CONTROLLER_MEMORY, file, text, sizeof(text)) > 0 &&
		cgroup_text_u64(text, &bytes) == 0 && bytes <= most;
}

/* Memory that is still there, files' above all, would be the next one's to pay for. */
static bool has_no_memory(const struct group *g)
{
	if (group_fd(g, CONTROLLER_MEMORY) < 0)
		return true;
	return is_small(g, g->ops->memory_file) &&
		(g->forgets || is_small(g, g->ops->memory_peak_file));
}

/* The kernel does not forget this peak: only one that each run has at least can stay. */
static bool was_single(const struct group *g)
{
	char text[CGROUP_TEXT_SIZE];
	uint64_t peak;
	if (group_text(g, CONTROLLER_PIDS, "pids.peak", text, sizeof(text)) <= 0)
		return true; /* there is no such file */
	return cgroup_text_u64(text, &peak) == 0 && peak <= 1;
}

static bool is_as_new(struct group *g)
{
	return !g->spoiled && group_empty(g) && group_count_oom_kills(g) == 0 && was_single(g) &&
		has_no_memory(g);
}

bool group_cache_put(struct group *g)
{
	struct group_cache *c = g->cache;
	if (!c || !g->relimited || !g->entered || c->n >= c->most)
		return false;
	group_get_ready(g);
	group_forget_peak(g);
	if (!is_as_new(g))
		return false;
	g->next = c->first;
	c->first = g;
	c->n++;
	return true;
}

/* ---- the next run ---- */

static struct group *take_out(struct group **at)
{
	struct group *g = *at;
	*at = g->next;
	g->next = NULL;
	g->cache->n--;
	return g;
}

static struct group *find(struct group_cache *c, const struct group *parent)
{
	for (struct group **at = &c->first; *at; at = &(*at)->next)
		if ((*at)->parent == parent)
			return take_out(at);
	return NULL;
}

struct group *group_cache_take(const struct group_spec *spec, enum enforced_by ret_by[LIMIT_COUNT_])
{
	enum enforced_by by[LIMIT_COUNT_];
	struct group *g = spec->cache && spec->relimited ? find(spec->cache, spec->parent) : NULL;
	memcpy(by, ret_by, sizeof(by));
	if (!g)
		return NULL;
	/* whatever is wrong with it shows again, and is told, with a new one */
	if (group_wake(g, NULL) < 0 || group_limit(g, spec->limits, by, NULL) < 0) {
		group_discard(g);
		return NULL;
	}
	memcpy(ret_by, by, sizeof(by));
	g->entered = false;
	return g;
}

/* ---- the end ---- */

void group_cache_drop(struct group_cache *c, const struct group *parent)
{
	for (struct group *g; (g = find(c, parent));)
		group_discard(g);
}

void group_cache_clear(struct group_cache *c)
{
	while (c->first)
		group_discard(take_out(&c->first));
	group_ladder_close(&c->ladder);
}

void group_cache_free(struct group_cache *c)
{
	group_cache_clear(c);
	free(c);
}
