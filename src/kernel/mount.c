/* SPDX-License-Identifier: MIT */
#include "kernel/mount.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>

#include "kernel/sys.h"

/* <sys/mount.h> of glibc 2.36 and <linux/mount.h> clash; these are in neither under one name. */
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif
#ifndef MS_PRIVATE
#define MS_PRIVATE (1 << 18)
#endif

int mount_copy_at(int fd, bool recursive)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
	return sys_open_tree(fd, "", flags | (recursive ? AT_RECURSIVE : 0));
}

int mount_copy_in(int dir, const char *name, bool recursive)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW;
	return sys_open_tree(dir, name, flags | (recursive ? AT_RECURSIVE : 0));
}

int mount_copy(const char *path, bool recursive)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	int fd = sys_openat2(AT_FDCWD, path, &how, sizeof(how));
	if (fd < 0)
		return fd;
	int tree = mount_copy_at(fd, recursive);
	sys_close(fd);
	return tree;
}

int mount_restrict(int fd, uint64_t attributes, bool recursive)
{
	struct mount_attr attr = {.attr_set = attributes, .propagation = MS_PRIVATE};
	return sys_mount_setattr(
		fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof(attr));
}

static int configure(int fs, const char *const options[])
{
	for (; options && options[0]; options += 2) {
		int r = sys_fsconfig(fs, FSCONFIG_SET_STRING, options[0], options[1], 0);
		if (r < 0)
			return r;
	}
	return sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

int mount_new(const char *type, const char *const options[], uint64_t attributes)
{
	int fs = sys_fsopen(type, FSOPEN_CLOEXEC);
	if (fs < 0)
		return fs;
	int fd = configure(fs, options);
	if (fd == 0)
		fd = sys_fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attributes);
	sys_close(fs);
	return fd;
}

int mount_attach(int fd, int destination)
{
	return sys_move_mount(
		fd, "", destination, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int mount_attach_in(int fd, int dir, const char *path)
{
	return sys_move_mount(fd, "", dir, path, MOVE_MOUNT_F_EMPTY_PATH);
}

int mount_point(int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	return sys_openat2(root, path, &how, sizeof(how));
}

int mount_pivot(int root)
{
	int r = sys_fchdir(root);
	if (r == 0)
		r = sys_pivot_root(".", ".");
	if (r == 0)
		r = sys_umount2(".", MNT_DETACH); /* the old root was stacked on the new one */
	if (r == 0)
		r = sys_chdir("/");
	return r;
}
