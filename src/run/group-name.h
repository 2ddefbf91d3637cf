/* SPDX-License-Identifier: MIT */
#ifndef RUN_GROUP_NAME_H
#define RUN_GROUP_NAME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Names of groups: "bulkhead-TOKEN-ID". The token is NS.PID.START: the inode number of the
 * supervisor's pid namespace, its pid there, and its start time in clock ticks since boot, all
 * decimal. Together they name one process of one boot; cgroups do not outlive a boot.
 */
struct group_owner {
	uint64_t pid_namespace;
	pid_t pid;
	uint64_t start; /* 0: could not be learned */
};

#define GROUP_ID_MAX    64
#define GROUP_NAME_SIZE 160

/* The ID of the leaf that a supervisor puts itself into; no run may have it. */
#define GROUP_SELF_ID "self"

/* This process; asked of the kernel once per process. */
const struct group_owner *group_owner_self(void);
/* "bulkhead-TOKEN-ID" into @out of GROUP_NAME_SIZE bytes; false when @id is no valid ID. */
bool group_name_format(char *out, const struct group_owner *owner, const char *id);
/* The other way round; false for every name that group_name_format() would not have made. */
bool group_name_parse(const char *name, struct group_owner *ret, const char **ret_id);
/*
 * True only if it is certain that @owner is gone: it is of our pid namespace and no process has its
 * pid, or another one, or only its zombie.
 */
bool group_owner_is_dead(const struct group_owner *owner);

#endif
