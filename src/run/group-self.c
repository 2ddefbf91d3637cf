/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "run/group-backend.h"

/*
 * A supervisor that was started in a delegated group of its own (a service with Delegate=yes, a
 * container) stands in the very group which the runs' groups are to be made in. v2 lets a group
 * either hold processes or pass controllers on. So the supervisor, and only it, moves into a leaf
 *
 *   BASE/bulkhead-TOKEN-self     us
 *   BASE/bulkhead-TOKEN-ID …     the runs
 *
 * for as long as it has runs. After the last one it takes the controllers back, returns and
 * removes the leaf, so that whoever delegated the group finds it as it was. If that does not
 * happen (SIGKILL) the leaf is removed by the next janitor, or by the owner with all of BASE.
 */

static unsigned users; /* groups of this process that need the leaf */

static int move_here(int group)
{
	return cgroup_write(group, "cgroup.procs", "0");
}

int group_self_enter(const char *base)
{
	char name[GROUP_NAME_SIZE];
	if (users > 0) {
		users++;
		return 0;
	}
	cleanup_fd int base_fd = cgroup_open(base);
	if (base_fd < 0 || !group_name_format(name, group_owner_self(), GROUP_SELF_ID) ||
		(cgroup_make(base_fd, name) < 0 && errno != EEXIST))
		return -1;
	cleanup_fd int leaf = cgroup_open_at(base_fd, name);
	if (leaf < 0 || move_here(leaf) < 0) {
		int errnum = errno;
		cgroup_remove(base_fd, name);
		errno = errnum;
		return -1;
	}
	users = 1;
	return 0;
}

/* Taking the controllers from @base would lift the limits of everything in it. */
static bool only_child_is(const char *base, const char *leaf)
{
	bool only = true;
	DIR *dir = opendir(base);
	struct dirent *entry;
	if (dir == NULL)
		return false;
	while (only && (entry = readdir(dir)) != NULL)
		only = entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
			strcmp(entry->d_name, leaf) == 0;
	closedir(dir);
	return only;
}

static bool holds_only_us(int group)
{
	pid_t pids[2];
	return cgroup_procs(group, pids, 2) == 1 && pids[0] == getpid();
}

static void take_controllers_back(int base)
{
	static const char *const requests[] = {"-memory", "-pids", "-cpu"};
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		cgroup_write(base, "cgroup.subtree_control", requests[i]);
}

void group_self_leave(const char *base)
{
	char name[GROUP_NAME_SIZE];
	if (users == 0 || --users > 0 ||
		!group_name_format(name, group_owner_self(), GROUP_SELF_ID))
		return;
	cleanup_fd int base_fd = cgroup_open(base);
	cleanup_fd int leaf = base_fd < 0 ? -1 : cgroup_open_at(base_fd, name);
	if (leaf < 0 || !holds_only_us(leaf) || !only_child_is(base, name))
		return;
	take_controllers_back(base_fd);
	if (move_here(base_fd) == 0)
		cgroup_remove(base_fd, name);
}
