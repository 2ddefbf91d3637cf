/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "run/group-backend.h"

/*
 * A supervisor that was killed leaves its groups behind, perhaps with processes that escaped the
 * end of their box. The next one that starts below the same bases ends and removes them. A name is
 * all there is to go by, so it must be exact, and its owner certainly dead.
 */

/* At most this many are dealt with at one start, and each is waited for at most this long. */
#define JANITOR_MAX        64
#define JANITOR_TIMEOUT_US (500 * 1000)

static bool is_leaked(const char *name, bool *ret_is_self)
{
	struct group_owner owner;
	const char *id;
	if (!group_name_parse(name, &owner, &id) || !group_owner_is_dead(&owner))
		return false;
	*ret_is_self = strcmp(id, GROUP_SELF_ID) == 0;
	return true;
}

static void end_processes(int group)
{
	if (cgroup_kill(group) < 0)
		group_kill_each(group, group, group);
}

static bool end_leaked(int base, const char *name)
{
	cleanup_fd int group = cgroup_open_at(base, name);
	if (group < 0)
		return false;
	end_processes(group);
	group_wait_empty(group, time_monotonic_us() + JANITOR_TIMEOUT_US);
	return cgroup_remove(base, name) == 0;
}

/* The groups of the runs in a box: they go first, and have nobody below them. */
static unsigned clean_box(int base, const char *name)
{
	unsigned removed = 0, seen = 0;
	bool is_self;
	int box = openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = box < 0 ? NULL : fdopendir(box);
	if (dir == NULL) {
		fd_close(box);
		return 0;
	}
	for (struct dirent *entry; seen < JANITOR_MAX && (entry = readdir(dir));) {
		if (entry->d_type != DT_DIR || !is_leaked(entry->d_name, &is_self))
			continue;
		seen++;
		removed += cgroup_remove(box, entry->d_name) == 0 || end_leaked(box, entry->d_name);
	}
	closedir(dir);
	return removed;
}

static unsigned remove_leaked(int base, const char *name, bool is_self)
{
	if (cgroup_remove(base, name) == 0)
		return 1;
	/* Whoever is in a supervisor's leaf besides the dead came there later, and is a stranger. */
	if (errno != EBUSY || is_self)
		return 0;
	unsigned below = clean_box(base, name);
	return below + (cgroup_remove(base, name) == 0 || end_leaked(base, name));
}

static unsigned clean(const char *path)
{
	unsigned removed = 0, seen = 0;
	DIR *dir = opendir(path);
	struct dirent *entry;
	if (dir == NULL)
		return 0;
	while (seen < JANITOR_MAX && (entry = readdir(dir)) != NULL) {
		bool is_self = false;
		if (entry->d_type != DT_DIR || !is_leaked(entry->d_name, &is_self))
			continue;
		seen++;
		removed += remove_leaked(dirfd(dir), entry->d_name, is_self);
	}
	closedir(dir);
	return removed;
}

/* True if a later controller, which was dealt with already, has the same base. */
static bool is_seen(const struct host_cgroup *host, int controller)
{
	for (int c = controller + 1; c < CONTROLLER_COUNT_; c++) {
		if (host->base[c] != NULL && strcmp(host->base[c], host->base[controller]) == 0)
			return true;
	}
	return false;
}

unsigned group_janitor(const struct host_cgroup *host)
{
	unsigned removed = 0;
	/* The v2 tree, which is the last, first: it ends processes at once. */
	_Static_assert(CONTROLLER_CORE == CONTROLLER_COUNT_ - 1, "CONTROLLER_CORE");
	for (int c = CONTROLLER_COUNT_ - 1; c >= 0; c--) {
		if (host->base[c] != NULL && !is_seen(host, c))
			removed += clean(host->base[c]);
	}
	return removed;
}
