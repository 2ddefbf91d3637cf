/* SPDX-License-Identifier: MIT */
#include "model/observation.h"

#include <assert.h>

/* Each enum with its names: the words of a stored observation, which never change meaning. */

#define NAMES(table, count)                                                                        \
	static_assert(sizeof(table) / sizeof *(table) == (count), #table " is complete")

static const char *const wait_kinds[] = {
	[WAIT_UNKNOWN] = "unknown",
	[WAIT_EXITED] = "exited",
	[WAIT_SIGNALED] = "signaled",
	[WAIT_NEVER_STARTED] = "never_started",
};
NAMES(wait_kinds, WAIT_COUNT_);

static const char *const act_reasons[] = {
	[ACT_WALL_TIMEOUT] = "wall_timeout",
	[ACT_IDLE_TIMEOUT] = "idle_timeout",
	[ACT_CPU_TIME] = "cpu_time",
	[ACT_OUTPUT_LIMIT] = "output_limit",
	[ACT_MEMORY_SAMPLED] = "memory_sampled",
	[ACT_OOM_GROUP] = "oom_group",
	[ACT_CANCELLED] = "cancelled",
	[ACT_SHUTDOWN] = "shutdown",
	[ACT_LEFTOVER] = "leftover",
};
NAMES(act_reasons, ACT_COUNT_);

static const char *const killers[] = {
	[KILLER_UNKNOWN] = "unknown",
	[KILLER_SELF] = "self",
	[KILLER_INSIDE] = "inside",
	[KILLER_OUTSIDE] = "outside",
	[KILLER_KERNEL] = "kernel",
	[KILLER_BULKHEAD] = "bulkhead",
};
NAMES(killers, KILLER_COUNT_);

static const char *const setup_stages[] = {
	[SETUP_NONE] = "none",
	[SETUP_HOST] = "host",
	[SETUP_BOX] = "box",
	[SETUP_EXEC] = "exec",
};
NAMES(setup_stages, SETUP_COUNT_);

static const char *const oom_scopes[] = {
	[OOM_SCOPE_UNKNOWN] = "unknown",
	[OOM_SCOPE_OWN] = "own",
	[OOM_SCOPE_ABOVE] = "above",
	[OOM_SCOPE_HOST] = "host",
};
NAMES(oom_scopes, OOM_SCOPE_COUNT_);

static const char *name_at(const char *const *names, size_t count, size_t at)
{
	return at < count ? names[at] : "invalid";
}

const char *wait_kind_name(enum wait_kind kind)
{
	return name_at(wait_kinds, WAIT_COUNT_, kind);
}

const char *act_reason_name(enum act_reason reason)
{
	return name_at(act_reasons, ACT_COUNT_, reason);
}

const char *killer_known_name(enum killer_known known)
{
	return name_at(killers, KILLER_COUNT_, known);
}

const char *setup_stage_name(enum setup_stage stage)
{
	return name_at(setup_stages, SETUP_COUNT_, stage);
}

const char *oom_scope_name(enum oom_scope scope)
{
	return name_at(oom_scopes, OOM_SCOPE_COUNT_, scope);
}
