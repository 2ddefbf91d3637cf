/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

/*
 * With the capabilities of a user namespace of one's own: where a policy lets programs make those,
 * these are all that is left of the box's walls. Elsewhere they end at the first step.
 */

enum { DETACH = 2 }; /* <sys/mount.h> does not go together with <linux/mount.h> */

static void write_once(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!write(fd, text, strlen(text));
		close(fd);
	}
}

/* Root of a namespace of our own if the kernel maps ids for us, without any id if not. */
static void map_ids(unsigned uid, unsigned gid)
{
	char line[64];

	write_once("/proc/self/setgroups", "deny");
	snprintf(line, sizeof(line), "0 %u 1\n", uid);
	write_once("/proc/self/uid_map", line);
	snprintf(line, sizeof(line), "0 %u 1\n", gid);
	write_once("/proc/self/gid_map", line);
}

static enum outcome report(int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) <= NOT_APPLICABLE)
		return (enum outcome)WEXITSTATUS(status);
	return stopped("ended with wait status 0x%x", status);
}

/* Do @body in a child with new namespaces, as pid 1 if one of them is for pids. */
static enum outcome nested(unsigned long flags, enum outcome (*body)(void))
{
	int status = -1;
	unsigned uid = geteuid(), gid = getegid();
	pid_t pid = fork();

	if (pid == 0) {
		if (syscall(SYS_unshare, CLONE_NEWUSER | flags) != 0)
			_exit((int)stopped("no user namespace: %s", strerror(errno)));
		map_ids(uid, gid);
		pid_t inner = flags & CLONE_NEWPID ? fork() : 0;
		if (inner == 0)
			_exit((int)body());
		if (inner < 0 || waitpid(inner, &status, 0) != inner)
			_exit((int)not_applicable("no process in there: %s", strerror(errno)));
		_exit((int)report(status));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return not_applicable("no process: %s", strerror(errno));
	return report(status);
}

static int next_mount(FILE *f, char point[4096])
{
	char line[8192];

	return fgets(line, sizeof(line), f) != NULL &&
		sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1;
}

/* ---- what hides something, and what is read-only ---- */

static enum outcome uncover_by_umount(void)
{
	char point[4096];
	FILE *f = fopen("/proc/self/mountinfo", "re");

	while (f != NULL && next_mount(f, point)) {
		if (strcmp(point, "/") != 0 && syscall(SYS_umount2, point, DETACH) == 0)
			return worked("%s is unmounted", point);
	}
	return stopped("no mount comes off: %s", strerror(errno));
}

static enum outcome make_writable(void)
{
	struct mount_attr attr = {.attr_clr = MOUNT_ATTR_RDONLY};
	char point[4096];
	FILE *f = fopen("/proc/self/mountinfo", "re");

	while (f != NULL && next_mount(f, point)) {
		int fd = open(point, O_PATH | O_CLOEXEC);
		if (faccessat(fd, "", W_OK, AT_EMPTY_PATH) == 0 || errno != EROFS) {
			close(fd);
			continue; /* may be written as it is */
		}
		close(fd);
		if (syscall(SYS_mount_setattr, AT_FDCWD, point, 0, &attr, sizeof(attr)) == 0)
			return worked("%s is writable", point);
		if (syscall(SYS_mount, NULL, point, NULL, MS_REMOUNT | MS_BIND, NULL) == 0)
			return worked("%s is remounted writable", point);
	}
	return stopped("all stay read-only: %s", strerror(errno));
}

/* A bind without what is mounted in it shows what is beneath. */
static enum outcome uncover_by_bind(void)
{
	char point[4096], *slash;
	FILE *f = fopen("/proc/self/mountinfo", "re");

	while (f != NULL && next_mount(f, point)) {
		slash = strrchr(point, '/');
		if (slash == NULL || slash[1] == '\0')
			continue;
		slash[slash == point] = '\0'; /* the directory that the mount is in */
		if (syscall(SYS_mount, point, "/mnt", NULL, MS_BIND, NULL) == 0)
			return worked("%s without its mounts", point);
		if (syscall(SYS_open_tree, AT_FDCWD, point, OPEN_TREE_CLONE) >= 0)
			return worked("a detached copy of %s without its mounts", point);
	}
	return stopped("no part comes without its mounts: %s", strerror(errno));
}

static enum outcome through_new_root(void)
{
	static const char *const paths[] = {"/etc/passwd", "/usr/bin/env", NULL};

	if (syscall(SYS_chroot, "/") != 0)
		return stopped("chroot: %s", strerror(errno));
	return judge_any_open(paths, O_WRONLY | O_APPEND);
}

/* ---- file systems of the kernel ---- */

static enum outcome mount_and_open(
	const char *type, const char *options, const char *const *files, int flags)
{
	const char *last = "it has none of the files";

	if (syscall(SYS_mount, "none", "/mnt", type, 0, options) != 0)
		return stopped("%s %s: %s", type, options ? options : "", strerror(errno));
	for (; *files != NULL; files++) {
		int dir = open("/mnt", O_PATH | O_DIRECTORY | O_CLOEXEC);
		int fd = openat(dir, *files, flags | O_CLOEXEC);
		if (fd >= 0)
			return worked("%s is mounted and %s opened", type, *files);
		last = strerror(errno);
	}
	return stopped("%s is mounted: %s", type, last);
}

static enum outcome proc(void)
{
	static const char *const files[] = {
		"sys/kernel/core_pattern", "sysrq-trigger", "irq/default_smp_affinity", NULL};

	return mount_and_open("proc", NULL, files, O_WRONLY);
}

static enum outcome sysfs(void)
{
	static const char *const files[] = {"kernel/uevent_helper", "power/state",
		"kernel/profiling", "module/printk/parameters/time", NULL};

	return mount_and_open("sysfs", NULL, files, O_WRONLY);
}

/* The release agent, and the limits of the run itself. */
static enum outcome control_groups(void)
{
	static const char *const files[] = {"release_agent", "memory.limit_in_bytes", "pids.max",
		"memory.max", "cgroup.procs", "cgroup.kill", NULL};
	static const char *const v1[] = {
		"memory", "pids", "cpu", "rdma", "freezer", "devices", "none,name=attack", NULL};

	for (const char *const *name = v1; *name != NULL; name++) {
		if (mount_and_open("cgroup", *name, files, O_WRONLY) == WORKED)
			return WORKED;
	}
	return mount_and_open("cgroup2", NULL, files, O_WRONLY);
}

static enum outcome devices(void)
{
	if (syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL) != 0)
		return stopped("no tmpfs: %s", strerror(errno));
	return judge(mknod("/mnt/memory", S_IFCHR | 0600, makedev(1, 1)), "a device");
}

static enum outcome disks(void)
{
	static const char *const types[] = {"ext4", "btrfs", "xfs", "vfat", "debugfs", "tracefs",
		"securityfs", "efivarfs", NULL};

	for (const char *const *type = types; *type != NULL; type++) {
		if (syscall(SYS_mount, "/dev/vda", "/mnt", *type, MS_RDONLY, NULL) == 0)
			return worked("%s is mounted", *type);
	}
	return stopped("none is mounted: %s", strerror(errno));
}

#define NESTED(name, flags, body)                                                                  \
	static enum outcome name(const char *arg)                                                  \
	{                                                                                          \
		(void)arg;                                                                         \
		return nested((flags), (body));                                                    \
	}

NESTED(nested_umount, CLONE_NEWNS, uncover_by_umount)
NESTED(nested_writable, CLONE_NEWNS, make_writable)
NESTED(nested_bind, CLONE_NEWNS, uncover_by_bind)
NESTED(nested_chroot, CLONE_NEWNS, through_new_root)
NESTED(nested_proc, CLONE_NEWNS | CLONE_NEWPID, proc)
NESTED(nested_sysfs, CLONE_NEWNS | CLONE_NEWNET, sysfs)
NESTED(nested_groups, CLONE_NEWNS, control_groups)
NESTED(nested_own_groups, CLONE_NEWNS | CLONE_NEWCGROUP, control_groups)
NESTED(nested_device, CLONE_NEWNS, devices)
NESTED(nested_disk, CLONE_NEWNS, disks)

const struct attack nested_attacks[] = {
	{"nested-umount", nested_umount, false},
	{"nested-writable", nested_writable, false},
	{"nested-bind", nested_bind, false},
	{"nested-chroot", nested_chroot, false},
	{"nested-proc", nested_proc, false},
	{"nested-sysfs", nested_sysfs, false},
	{"nested-cgroup", nested_groups, false},
	{"nested-own-cgroup", nested_own_groups, false},
	{"nested-device", nested_device, false},
	{"nested-disk", nested_disk, false},
	{NULL, NULL, false},
};
