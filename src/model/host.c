/* SPDX-License-Identifier: MIT */
#include "model/host.h"

#include <assert.h>

static const char *const rung_names[] = {
	[RUNG_V2] = "cgroup-v2",
	[RUNG_DELEGATED] = "cgroup-v2 (delegated)",
	[RUNG_HYBRID] = "cgroup-v1 (hybrid)",
	[RUNG_NONE] = "none",
};
static_assert(sizeof rung_names / sizeof *rung_names == RUNG_COUNT_, "a name for each rung");

static const char *const controller_names[] = {
	[CONTROLLER_MEMORY] = "memory",
	[CONTROLLER_PIDS] = "pids",
	[CONTROLLER_CPU] = "cpu",
	[CONTROLLER_CPUACCT] = "cpuacct",
	[CONTROLLER_IO] = "io",
	[CONTROLLER_CORE] = "core",
};
static_assert(sizeof controller_names / sizeof *controller_names == CONTROLLER_COUNT_,
	"a name for each controller");

const char *rung_name(enum rung rung)
{
	return rung_names[rung];
}

const char *controller_name(enum controller controller)
{
	return controller_names[controller];
}
