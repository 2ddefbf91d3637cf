/* SPDX-License-Identifier: MIT */
#include "kernel/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/clone.h"
#include "kernel/mount.h"
#include "kernel/sys.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static int write_proc(int pid, const char *file, const char *text)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return file_write_text(AT_FDCWD, path, text) < 0 ? -errno : 0;
}

int idmap_write(int pid, const char *uid_map, const char *gid_map, bool deny_setgroups)
{
	int r = deny_setgroups ? write_proc(pid, "setgroups", "deny") : 0;
	if (r == 0)
		r = write_proc(pid, "uid_map", uid_map);
	if (r == 0)
		r = write_proc(pid, "gid_map", gid_map);
	return r;
}

/* A namespace needs a process only until a descriptor of it is open. */
static int hold(void *life)
{
	char byte;
	sys_prctl(1 /* PR_SET_PDEATHSIG */, SIGKILL, 0, 0, 0);
	sys_read(*(int *)life, &byte, 1);
	return 0;
}

static int open_mapped(
	int pid, uint32_t file_uid, uint32_t file_gid, uint32_t box_uid, uint32_t box_gid)
{
	char uids[40], gids[40], path[64];
	snprintf(uids, sizeof(uids), "%u %u 1\n", file_uid, box_uid);
	snprintf(gids, sizeof(gids), "%u %u 1\n", file_gid, box_gid);
	int r = idmap_write(pid, uids, gids, false);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int idmap_open(uint32_t file_uid, uint32_t file_gid, uint32_t box_uid, uint32_t box_gid)
{
	static _Alignas(64) char stack[8192];
	int life[2];
	if (pipe2(life, O_CLOEXEC) < 0)
		return -errno;
	/* not CLONE_FILES: the child's copy of the write end would keep it waiting for itself */
	struct clone_request request = {.flags = CLONE_NEWUSER | CLONE_VM,
		.stack = stack,
		.stack_size = sizeof(stack),
		.exit_signal = SIGCHLD};
	long pid = clone_call(&request, hold, &life[0]);
	int fd = pid < 0 ? (int)pid : open_mapped((int)pid, file_uid, file_gid, box_uid, box_gid);
	if (pid > 0) {
		kill((pid_t)pid, SIGKILL); /* our own child, not reaped yet: the number is its */
		while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	fd_close(life[0]);
	fd_close(life[1]);
	return fd;
}

int idmap_copy(const char *path, int userns, bool recursive, bool read_only)
{
	int fd = mount_copy(path, recursive);
	if (fd < 0)
		return fd;
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			(read_only ? MOUNT_ATTR_RDONLY : 0),
		.userns_fd = (uint64_t)userns,
	};
	unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
	int r = sys_mount_setattr(fd, "", flags, &attr, sizeof(attr));
	if (r < 0) {
		fd_close(fd);
		return r;
	}
	return fd;
}
