/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_IDMAP_H
#define KERNEL_IDMAP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Idmapped mounts (mount_setattr(2), 5.12): files that belong to one user on disk belong to another
 * one through the mount, and what that one makes there belongs to the first. Needs CAP_SYS_ADMIN
 * in the user namespace of the file system.
 */

/*
 * A user namespace that stands for the mapping: on disk file_uid:file_gid, seen and used by the
 * kernel's box_uid:box_gid; nobody else. Descriptor or -errno.
 */
int idmap_open(uint32_t file_uid, uint32_t file_gid, uint32_t box_uid, uint32_t box_gid);
/*
 * A detached copy of the tree at @path with the mapping @userns. Descriptor or -errno; EINVAL where
 * the file system, or one mounted below it, cannot be idmapped.
 */
int idmap_copy(const char *path, int userns, bool recursive, bool read_only);

/* Write the maps of the new user namespace of @pid. 0 or -errno. */
int idmap_write(int pid, const char *uid_map, const char *gid_map, bool deny_setgroups);

#endif
