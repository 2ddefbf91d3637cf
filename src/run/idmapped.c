/* SPDX-License-Identifier: MIT */
#include "run/idmapped.h"

#include <errno.h>

#include "base/fd.h"
#include "kernel/idmap.h"

static int take(const struct step *step, int userns, int *slot, const char **ret_not_idmapped,
	struct error *e)
{
	int fd = idmap_copy(
		step->path, userns, step->flags & MOUNT_RECURSIVE, step->flags & MOUNT_READ_ONLY);
	if (fd < 0 && fd != -EINVAL && fd != -EPERM)
		return error_set(e, BLAME_HOST, -fd, "cannot idmap '%s'", step->path);
	if (fd < 0)
		*ret_not_idmapped = step->path;
	else
		*slot = fd;
	return 0;
}

int idmapped_trees(const struct plan *plan, int slots[PLAN_MAX_SLOTS],
	const char **ret_not_idmapped, struct error *e)
{
	cleanup_fd int userns = -1;
	for (size_t i = 0; i < plan->box.n; i++) {
		const struct step *step = &plan->box.v[i];
		if (step->kind != STEP_GRAB || !(step->flags & MOUNT_IDMAP))
			continue;
		if (userns < 0)
			userns = idmap_open(plan->idmap.file_uid, plan->idmap.file_gid,
				plan->idmap.box_uid, plan->idmap.box_gid);
		if (userns < 0)
			return error_set(e, BLAME_HOST, -userns, "cannot make an idmap");
		if (take(step, userns, &slots[step->slot], ret_not_idmapped, e) < 0)
			return -1;
	}
	return 0;
}
