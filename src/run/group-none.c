/* SPDX-License-Identifier: MIT */
#include "run/group-backend.h"

/*
 * No cgroups: a group without directories. Everything succeeds, nothing is limited, and nothing is
 * known; rlimits, deadlines and sampling are other files' work.
 */

static const struct group_counter counters[] = {{.fact = NULL}};

static unsigned needs(const struct host_cgroup *host, const struct group_spec *spec)
{
	(void)host;
	(void)spec;
	return 0;
}

static int limit(struct group *g, const struct group_spec *spec,
	enum enforced_by ret_by[LIMIT_COUNT_], struct error *e)
{
	(void)g;
	(void)spec;
	(void)ret_by;
	(void)e;
	return 0;
}

static void watch(struct group *g, const struct group_spec *spec)
{
	(void)g;
	(void)spec;
}

const struct group_ops group_none_ops = {
	.by = ENFORCED_NONE,
	.needs = needs,
	.limit = limit,
	.watch = watch,
	.counters = counters,
	.above = counters,
};
