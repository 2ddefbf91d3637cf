/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <string.h>

#include "jail/box.h"
#include "kernel/cred.h"
#include "kernel/mount.h"
#include "kernel/sys.h"

/*
 * The steps of plan->box. Each takes the step and the place where the box is being built, and
 * returns 0 or -errno; nothing is decided here.
 */

static uint64_t mount_attributes(uint32_t flags)
{
	return (flags & MOUNT_READ_ONLY ? MOUNT_ATTR_RDONLY : 0) |
		(flags & MOUNT_NO_SUID ? MOUNT_ATTR_NOSUID : 0) |
		(flags & MOUNT_NO_DEV ? MOUNT_ATTR_NODEV : 0) |
		(flags & MOUNT_NO_EXEC ? MOUNT_ATTR_NOEXEC : 0);
}

static long take(int fd, int *ret)
{
	if (fd < 0)
		return fd;
	*ret = fd;
	return 0;
}

/* Put the new detached tree @fd at @path in the box, and let go of it. */
static long attach_new(struct site *site, int fd, const char *path)
{
	if (fd < 0)
		return fd;
	long r = site_attach(site, fd, path);
	sys_close(fd);
	return r;
}

static long step_grab(struct new_box *box, const struct step *step, struct site *site)
{
	if (box->slots[step->slot] >= 0)
		return 0; /* the supervisor has done it already */
	bool recursive = step->flags & MOUNT_RECURSIVE;
	int fd = site_grab(site, step->path, recursive);
	if (fd == -ENOENT && step->flags & MOUNT_OPTIONAL)
		return 0;
	uint64_t attributes = mount_attributes(step->flags);
	long r = fd < 0 || attributes == 0 ? fd : mount_restrict(fd, attributes, recursive);
	if (r < 0 && fd >= 0)
		sys_close(fd);
	return r < 0 ? r : take(fd, &box->slots[step->slot]);
}

static long step_root_here(struct new_box *box, const struct step *step, struct site *site)
{
	(void)box;
	return mount_restrict(site->root, mount_attributes(step->flags), true);
}

/* @fd becomes the root, put aside on top of the old one until STEP_PIVOT. */
static long put_root_aside(int fd, struct site *site)
{
	if (fd < 0)
		return fd;
	long r = mount_restrict(
		site->root, 0, true); /* private: nothing of ours may reach the host */
	if (r == 0)
		r = mount_attach(fd, site->root);
	if (r == 0)
		site_move(site, fd);
	return r;
}

static long step_root_slot(struct new_box *box, const struct step *step, struct site *site)
{
	int fd = box->slots[step->slot];
	box->slots[step->slot] = -1;
	return put_root_aside(fd, site);
}

static long step_root_empty(struct new_box *box, const struct step *step, struct site *site)
{
	(void)box;
	static const char *const options[] = {"mode", "755", "size", "1048576", NULL};
	return put_root_aside(mount_new("tmpfs", options, mount_attributes(step->flags)), site);
}

static long step_attach(struct new_box *box, const struct step *step, struct site *site)
{
	int fd = box->slots[step->slot];
	box->slots[step->slot] = -1;
	if (fd < 0)
		return step->flags & MOUNT_OPTIONAL ? 0 : -EBADF;
	return attach_new(site, fd, step->path);
}

/* @value in @base at the end of @out (24 bytes); returns where it begins. */
static const char *number_text(uint64_t value, unsigned base, char *out)
{
	char *p = out + 23;
	*p = 0;
	do {
		*--p = (char)('0' + value % base);
		value /= base;
	} while (value);
	return p;
}

static long step_tmpfs(struct new_box *box, const struct step *step, struct site *site)
{
	(void)box;
	char size[24], mode[24];
	const char *options[] = {"mode", number_text(step->value, 8, mode), "size",
		number_text(step->number, 10, size), NULL};
	if (step->number == 0)
		options[2] = NULL;
	int fd = mount_new("tmpfs", options, mount_attributes(step->flags));
	return attach_new(site, fd, step->path);
}

static long step_proc(struct new_box *box, const struct step *step, struct site *site)
{
	(void)box;
	/* init, which none inside may trace, is not to be seen: its files belong to the same uid */
	static const char *const options[] = {"hidepid", "ptraceable", NULL};
	return attach_new(
		site, mount_new("proc", options, mount_attributes(step->flags)), step->path);
}

static long step_devpts(struct new_box *box, const struct step *step, struct site *site)
{
	(void)box;
	static const char *const options[] = {"mode", "620", "ptmxmode", "666", NULL};
	return attach_new(
		site, mount_new("devpts", options, mount_attributes(step->flags)), step->path);
}

static long step_protect(struct new_box *box, const struct step *step, struct site *site)
{
	(void)box;
	int fd = site_copy(site, step->path);
	if (fd == -ENOENT)
		return 0;
	long r = fd < 0 ? fd : mount_restrict(fd, mount_attributes(step->flags), true);
	if (r == 0)
		r = site_put(site, fd, step->path);
	if (fd >= 0)
		sys_close(fd);
	return r;
}

static long step_mask(struct new_box *box, const struct step *step, struct site *site)
{
	(void)box;
	long r = site_cover(site, step->text, step->path);
	/* gone since it was looked at, or out of reach: nothing to hide */
	return r == -ENOENT || (r == -EACCES && step->flags & MOUNT_OPTIONAL) ? 0 : r;
}

static bool is_there(const struct site *site, const char *path)
{
	int fd = mount_point(site->root, path);
	if (fd >= 0)
		sys_close(fd);
	return fd >= 0;
}

static long step_mkdir(struct new_box *box, const struct step *step, struct site *site)
{
	(void)box;
	const char *name;
	if (is_there(site, step->path))
		return 0;
	int parent = site_parent(site, step->path, &name);
	if (parent < 0)
		return parent;
	long r = sys_mkdirat(parent, name, (unsigned)step->number);
	if (r == 0)
		r = sys_fchmodat(parent, name, (unsigned)step->number);
	return r;
}

/* What is there already, a link that leads somewhere too, will do. */
static long step_mkfile(struct new_box *box, const struct step *step, struct site *site)
{
	(void)box;
	const char *name;
	int parent = site_parent(site, step->path, &name);
	if (parent < 0)
		return is_there(site, step->path) ? 0 : parent;
	long r = sys_mknodat(parent, name, S_IFREG | (unsigned)step->number, 0);
	if (r == 0)
		site->made = step->path;
	return r < 0 && is_there(site, step->path) ? 0 : r;
}

static long step_symlink(struct new_box *box, const struct step *step, struct site *site)
{
	(void)box;
	const char *name;
	int parent = site_parent(site, step->path, &name);
	return parent < 0 ? parent : sys_symlinkat(step->text, parent, name);
}

static long step_pivot(struct new_box *box, const struct step *step, struct site *site)
{
	(void)box;
	(void)step;
	return mount_pivot(site->root);
}

static long step_seal(struct new_box *box, const struct step *step, struct site *site)
{
	(void)box;
	return mount_restrict(site->root, mount_attributes(step->flags), false);
}

static long step_ids(struct new_box *box, const struct step *step, struct site *site)
{
	(void)box;
	(void)site;
	return cred_set_ids((uid_t)step->number, (gid_t)step->value);
}

long box_step(struct new_box *box, const struct step *step, struct site *site)
{
	static long (*const steps[STEP_COUNT_])(
		struct new_box *, const struct step *, struct site *) = {
		[STEP_GRAB] = step_grab,
		[STEP_ROOT_HERE] = step_root_here,
		[STEP_ROOT_SLOT] = step_root_slot,
		[STEP_ROOT_EMPTY] = step_root_empty,
		[STEP_ATTACH] = step_attach,
		[STEP_TMPFS] = step_tmpfs,
		[STEP_PROC] = step_proc,
		[STEP_DEVPTS] = step_devpts,
		[STEP_PROTECT] = step_protect,
		[STEP_MASK] = step_mask,
		[STEP_MKDIR] = step_mkdir,
		[STEP_MKFILE] = step_mkfile,
		[STEP_SYMLINK] = step_symlink,
		[STEP_PIVOT] = step_pivot,
		[STEP_SEAL] = step_seal,
		[STEP_IDS] = step_ids,
	};
	return steps[step->kind] ? steps[step->kind](box, step, site) : -ENOSYS;
}
