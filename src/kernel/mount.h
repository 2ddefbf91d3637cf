/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_MOUNT_H
#define KERNEL_MOUNT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Mounts by descriptor (open_tree(2) and its kin, 5.2; mount_setattr(2), 5.12), so that no path is
 * walked twice and none can be swapped between a check and its use. All functions use raw system
 * calls and return a result or -errno; descriptors are close-on-exec and owned by the caller.
 */

/* A detached copy of the tree at @path, symbolic links refused (ELOOP). */
int mount_copy(const char *path, bool recursive);
/* A detached copy of what the O_PATH descriptor @fd is. */
int mount_copy_at(int fd, bool recursive);
/* A detached copy of @name in the directory @dir; a symbolic link is not followed. */
int mount_copy_in(int dir, const char *name, bool recursive);
/* Put MOUNT_ATTR_… bits on the mount (or, recursive, the tree) at @fd, and make it private. */
int mount_restrict(int fd, uint64_t attributes, bool recursive);
/* A new, detached file system. Options are pairs of strings, ended by NULL. */
int mount_new(const char *type, const char *const options[], uint64_t attributes);
/* Put the detached tree @fd onto @destination (an O_PATH descriptor). */
int mount_attach(int fd, int destination);
/* Put the detached tree @fd onto @path, seen from @dir; a symbolic link at its end is not followed. */
int mount_attach_in(int fd, int dir, const char *path);
/* O_PATH descriptor of @path inside @root: links, "..", and magic links cannot leave it. */
int mount_point(int root, const char *path);
/* pivot_root(2) into @root, the old root is gone from this mount namespace. */
int mount_pivot(int root);

#endif
