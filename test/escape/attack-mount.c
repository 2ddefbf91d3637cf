/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

/* The box's walls: mounts and namespaces. Raw calls, as an attacker has no use for libc. */

/* From <sys/mount.h>, which does not go together with <linux/mount.h>. */
enum { DETACH = 2 };

static long mount_at(const char *source, const char *target, const char *type, unsigned long flags)
{
	return syscall(SYS_mount, source, target, type, flags, NULL);
}

static enum outcome mount_type(const char *type)
{
	char dir[] = "attack-mount-XXXXXX";
	long r;
	int saved;

	if (mkdtemp(dir) == NULL)
		return not_applicable("no directory to mount on: %s", strerror(errno));
	r = mount_at("none", dir, type, 0);
	saved = errno;
	if (r == 0)
		syscall(SYS_umount2, dir, DETACH);
	rmdir(dir);
	errno = saved;
	return judge(r, type);
}

static enum outcome mount_tmpfs(const char *arg)
{
	(void)arg;
	return mount_type("tmpfs");
}

static enum outcome mount_proc(const char *arg)
{
	(void)arg;
	return mount_type("proc");
}

static enum outcome mount_sysfs(const char *arg)
{
	(void)arg;
	return mount_type("sysfs");
}

static enum outcome mount_cgroup(const char *arg)
{
	(void)arg;
	return mount_type("cgroup2");
}

static enum outcome bind_mount(const char *arg)
{
	(void)arg;
	return judge(mount_at("/", "/mnt", NULL, MS_BIND), "bind / on /mnt");
}

static enum outcome remount_root(const char *arg)
{
	(void)arg;
	return judge(mount_at(NULL, "/", NULL, MS_REMOUNT | MS_BIND), "remount / writable");
}

static enum outcome setattr_root(const char *arg)
{
	struct mount_attr attr = {.attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};

	(void)arg;
	return judge(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &attr, sizeof(attr)),
		"mount_setattr of /");
}

static enum outcome propagation(const char *arg)
{
	(void)arg;
	return judge(mount_at(NULL, "/", NULL, MS_SHARED | MS_REC), "make / shared");
}

/* What hides something is a mount: take one off, whichever goes. */
static enum outcome umount_any(const char *arg)
{
	char line[4096], point[4096];
	FILE *f = fopen("/proc/self/mountinfo", "re");
	int n = 0;

	(void)arg;
	if (f == NULL)
		return not_applicable("no mountinfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1 || strcmp(point, "/") == 0)
			continue;
		n++;
		if (syscall(SYS_umount2, point, DETACH) == 0) {
			fclose(f);
			return worked("%s is unmounted", point);
		}
	}
	fclose(f);
	return n > 0 ? stopped("none of %d: %s", n, strerror(errno)) : not_applicable("no mounts");
}

static enum outcome change_root(const char *arg)
{
	(void)arg;
	return judge(syscall(SYS_chroot, "."), "chroot");
}

static enum outcome pivot_root(const char *arg)
{
	(void)arg;
	return judge(syscall(SYS_pivot_root, ".", "."), "pivot_root");
}

static enum outcome new_filesystem(const char *arg)
{
	(void)arg;
	return judge(syscall(SYS_fsopen, "tmpfs", 0), "fsopen");
}

static enum outcome clone_tree(const char *arg)
{
	(void)arg;
	return judge(
		syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE), "a detached copy of /");
}

/* Any inode of the file system by its number, past every mount that hides it. */
static enum outcome by_handle(const char *arg)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} h = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
	int id, dir = open("/usr", O_RDONLY | O_DIRECTORY);

	(void)arg;
	if (name_to_handle_at(AT_FDCWD, "/usr", &h.handle, &id, 0) != 0)
		return not_applicable("no file handles: %s", strerror(errno));
	return judge(open_by_handle_at(dir, &h.handle, O_RDONLY), "open_by_handle_at");
}

static enum outcome join_own(const char *arg)
{
	int fd = open("/proc/self/ns/uts", O_RDONLY);

	(void)arg;
	return judge(syscall(SYS_setns, fd, 0), "setns");
}

static enum outcome join_init(const char *arg)
{
	static const char *const names[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"};
	char path[64];

	(void)arg;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "/proc/1/ns/%s", names[i]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && syscall(SYS_setns, fd, 0) == 0)
			return worked("joined %s", path);
	}
	return stopped("setns into those of pid 1: %s", strerror(errno));
}

static enum outcome unshare_user(const char *arg)
{
	(void)arg;
	return judge(syscall(SYS_unshare, CLONE_NEWUSER), "unshare a user namespace");
}

static enum outcome unshare_any(const char *arg)
{
	static const struct {
		unsigned long flag;
		const char *name;
	} kinds[] = {{CLONE_NEWNS, "mount"}, {CLONE_NEWNET, "net"}, {CLONE_NEWIPC, "ipc"},
		{CLONE_NEWUTS, "uts"}, {CLONE_NEWPID, "pid"}, {CLONE_NEWCGROUP, "cgroup"},
		{0x80, "time"}};

	(void)arg;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (syscall(SYS_unshare, kinds[i].flag) == 0)
			return worked("a %s namespace", kinds[i].name);
	}
	return stopped("none: %s", strerror(errno));
}

static enum outcome unshare_mount(const char *arg)
{
	(void)arg;
	return judge(syscall(SYS_unshare, CLONE_NEWNS), "unshare a mount namespace");
}

/* The child of a successful clone ends here; its parent waits for it. */
static enum outcome judge_clone(long pid, const char *what)
{
	if (pid == 0)
		_exit(0);
	int saved = errno;
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	errno = saved;
	return judge(pid, what);
}

static enum outcome clone_user(const char *arg)
{
	(void)arg;
	return judge_clone(
		syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), "clone a user namespace");
}

static enum outcome clone3_user(const char *arg)
{
	/* struct clone_args: flags, three pointers, exit_signal, … */
	uint64_t args[11] = {[0] = CLONE_NEWUSER, [4] = SIGCHLD};

	(void)arg;
	return judge_clone(syscall(SYS_clone3, args, sizeof(args)), "clone3 a user namespace");
}

/* A sibling that nobody in the box can reap. */
static enum outcome clone_parent(const char *arg)
{
	long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);

	(void)arg;
	if (pid == 0)
		_exit(0);
	return judge(pid, "clone a sibling");
}

const struct attack mount_attacks[] = {
	{"mount-tmpfs", mount_tmpfs, true},
	{"mount-proc", mount_proc, true},
	{"mount-sysfs", mount_sysfs, true},
	{"mount-cgroup", mount_cgroup, true},
	{"mount-bind", bind_mount, true},
	{"mount-remount-rw", remount_root, true},
	{"mount-setattr", setattr_root, true},
	{"mount-propagation", propagation, true},
	{"mount-umount", umount_any, true},
	{"mount-fsopen", new_filesystem, true},
	{"mount-open-tree", clone_tree, true},
	{"mount-open-by-handle", by_handle, false},
	{"root-chroot", change_root, true},
	{"root-pivot", pivot_root, false},
	{"ns-setns-own", join_own, true},
	{"ns-setns-init", join_init, false},
	{"ns-unshare-user", unshare_user, true},
	{"ns-unshare-mount", unshare_mount, true},
	{"ns-unshare-any", unshare_any, true},
	{"ns-clone-user", clone_user, true},
	{"ns-clone3-user", clone3_user, true},
	{"ns-clone-parent", clone_parent, true},
	{NULL, NULL, false},
};
