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
#include "kernel/net.h"
#include "kernel/sys.h"

/*
 * The steps of plan->box. Each takes the step and the descriptor of the box's root so far, and
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
static long attach_new(int fd, int root, const char *path)
{
	if (fd < 0)
		return fd;
	int point = mount_point(root, path);
	long r = point < 0 ? point : mount_attach(fd, point);
	if (point >= 0)
		sys_close(point);
	sys_close(fd);
	return r;
}

static long step_grab(struct box *box, const struct step *step, int *root)
{
	(void)root;
	if (box->slots[step->slot] >= 0)
		return 0; /* the supervisor has done it already */
	bool recursive = step->flags & MOUNT_RECURSIVE;
	int fd = mount_copy(step->path, recursive);
	if (fd == -ENOENT && step->flags & MOUNT_OPTIONAL)
		return 0;
	uint64_t attributes = mount_attributes(step->flags);
	long r = fd < 0 || attributes == 0 ? fd : mount_restrict(fd, attributes, recursive);
	if (r < 0 && fd >= 0)
		sys_close(fd);
	return r < 0 ? r : take(fd, &box->slots[step->slot]);
}

static long step_root_here(struct box *box, const struct step *step, int *root)
{
	(void)box;
	return mount_restrict(*root, mount_attributes(step->flags), true);
}

/* @fd becomes the root, put aside on top of the old one until STEP_PIVOT. */
static long put_root_aside(int fd, int *root)
{
	if (fd < 0)
		return fd;
	long r = mount_restrict(*root, 0, true); /* private: nothing of ours may reach the host */
	if (r == 0)
		r = mount_attach(fd, *root);
	if (r < 0)
		return r;
	sys_close(*root);
	*root = fd;
	return 0;
}

static long step_root_slot(struct box *box, const struct step *step, int *root)
{
	int fd = box->slots[step->slot];
	box->slots[step->slot] = -1;
	return put_root_aside(fd, root);
}

static long step_root_empty(struct box *box, const struct step *step, int *root)
{
	(void)box;
	static const char *const options[] = {"mode", "755", "size", "1048576", NULL};
	return put_root_aside(mount_new("tmpfs", options, mount_attributes(step->flags)), root);
}

static long step_attach(struct box *box, const struct step *step, int *root)
{
	int fd = box->slots[step->slot];
	box->slots[step->slot] = -1;
	if (fd < 0)
		return step->flags & MOUNT_OPTIONAL ? 0 : -EBADF;
	return attach_new(fd, *root, step->path);
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

static long step_tmpfs(struct box *box, const struct step *step, int *root)
{
	(void)box;
	char size[24], mode[24];
	const char *options[] = {"mode", number_text(step->value, 8, mode), "size",
		number_text(step->number, 10, size), NULL};
	if (step->number == 0)
		options[2] = NULL;
	int fd = mount_new("tmpfs", options, mount_attributes(step->flags));
	return attach_new(fd, *root, step->path);
}

static long step_proc(struct box *box, const struct step *step, int *root)
{
	(void)box;
	/* init, which none inside may trace, is not to be seen: its files belong to the same uid */
	static const char *const options[] = {"hidepid", "ptraceable", NULL};
	return attach_new(
		mount_new("proc", options, mount_attributes(step->flags)), *root, step->path);
}

static long step_devpts(struct box *box, const struct step *step, int *root)
{
	(void)box;
	static const char *const options[] = {"mode", "620", "ptmxmode", "666", NULL};
	return attach_new(
		mount_new("devpts", options, mount_attributes(step->flags)), *root, step->path);
}

static long step_protect(struct box *box, const struct step *step, int *root)
{
	(void)box;
	int point = mount_point(*root, step->path);
	if (point == -ENOENT)
		return 0;
	if (point < 0)
		return point;
	int fd = mount_copy_at(point, true);
	long r = fd < 0 ? fd : mount_restrict(fd, mount_attributes(step->flags), true);
	if (r == 0)
		r = mount_attach(fd, point);
	if (fd >= 0)
		sys_close(fd);
	sys_close(point);
	return r;
}

static long step_mask(struct box *box, const struct step *step, int *root)
{
	(void)box;
	int point = mount_point(*root, step->path);
	if (point == -ENOENT || (point == -EACCES && step->flags & MOUNT_OPTIONAL))
		return 0; /* gone since it was looked at, or out of reach: nothing to hide */
	if (point < 0)
		return point;
	int empty = mount_point(*root, step->text);
	int fd = empty < 0 ? empty : mount_copy_at(empty, false);
	long r = fd < 0 ? fd : mount_attach(fd, point);
	if (fd >= 0)
		sys_close(fd);
	if (empty >= 0)
		sys_close(empty);
	sys_close(point);
	return r;
}

/*
 * The directory that shall hold the last word of @path, made where it is missing, and that word in
 * @ret_name. Descriptor or -errno.
 */
static int parent_of(int root, const char *path, const char **ret_name)
{
	int at = mount_point(root, "/");
	while (at >= 0) {
		while (*path == '/')
			path++;
		const char *end = path;
		while (*end && *end != '/')
			end++;
		if (!*end) {
			*ret_name = path;
			return at;
		}
		char name[256];
		size_t size = (size_t)(end - path);
		if (size >= sizeof(name)) {
			sys_close(at);
			return -ENAMETOOLONG;
		}
		memcpy(name, path, size);
		name[size] = 0;
		/* a link in a foreign root stays inside it, but then it is the whole way from there */
		int next = sys_openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
		if (next == -ENOENT) {
			next = sys_mkdirat(at, name, 0755);
			if (next == 0)
				next = sys_openat(
					at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
		}
		sys_close(at);
		at = next;
		path = end;
	}
	return at;
}

static long step_mkdir(struct box *box, const struct step *step, int *root)
{
	(void)box;
	int there = mount_point(*root, step->path);
	if (there >= 0) {
		sys_close(there);
		return 0;
	}
	const char *name;
	int parent = parent_of(*root, step->path, &name);
	if (parent < 0)
		return parent;
	long r = *name ? sys_mkdirat(parent, name, (unsigned)step->number) : 0;
	if (r == 0 && *name)
		r = sys_fchmodat(parent, name, (unsigned)step->number);
	sys_close(parent);
	return r;
}

static long step_mkfile(struct box *box, const struct step *step, int *root)
{
	(void)box;
	int there = mount_point(*root, step->path);
	if (there >= 0) {
		sys_close(there);
		return 0;
	}
	const char *name;
	int parent = parent_of(*root, step->path, &name);
	if (parent < 0)
		return parent;
	int fd = sys_openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		(unsigned)step->number);
	sys_close(parent);
	if (fd < 0)
		return fd;
	sys_close(fd);
	return 0;
}

static long step_symlink(struct box *box, const struct step *step, int *root)
{
	(void)box;
	const char *name;
	int parent = parent_of(*root, step->path, &name);
	if (parent < 0)
		return parent;
	long r = sys_symlinkat(step->text, parent, name);
	sys_close(parent);
	return r;
}

static long step_pivot(struct box *box, const struct step *step, int *root)
{
	(void)box;
	(void)step;
	return mount_pivot(*root);
}

static long step_seal(struct box *box, const struct step *step, int *root)
{
	(void)box;
	return mount_restrict(*root, mount_attributes(step->flags), false);
}

static long step_loopback(struct box *box, const struct step *step, int *root)
{
	(void)box;
	(void)step;
	(void)root;
	return net_loopback_up();
}

static long step_ids(struct box *box, const struct step *step, int *root)
{
	(void)box;
	(void)root;
	return cred_set_ids((uid_t)step->number, (gid_t)step->value);
}

long box_step(struct box *box, const struct step *step, int *root)
{
	static long (*const steps[STEP_COUNT_])(struct box *, const struct step *, int *) = {
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
		[STEP_LOOPBACK] = step_loopback,
		[STEP_IDS] = step_ids,
	};
	return steps[step->kind] ? steps[step->kind](box, step, root) : -ENOSYS;
}
