/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "attack.h"

/* Files: the host's, the kernel's, and what is left behind in the working directory. */

static enum outcome secrets(const char *arg)
{
	static const char *const paths[] = {"/etc/shadow", "/etc/gshadow", "/etc/sudoers",
		"/etc/shadow-", "/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_ed25519_key", NULL};

	(void)arg;
	for (const char *const *path = paths; *path != NULL; path++) {
		char text[16];
		int fd = open(*path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;

		if (fd >= 0)
			close(fd);
		if (n > 0)
			return worked("%s can be read", *path);
	}
	return stopped("none can be read");
}

static enum outcome home_secrets(const char *arg)
{
	static const char *const names[] = {".ssh", ".aws", ".gnupg", ".config/gcloud", ".kube",
		".docker", ".netrc", ".npmrc", ".pypirc", ".bash_history", NULL};
	const char *home = getenv("HOME");
	char path[PATH_MAX];

	(void)arg;
	for (const char *const *name = names; home != NULL && *name != NULL; name++) {
		struct stat st;
		int n = 0;

		snprintf(path, sizeof(path), "%s/%s", home, *name);
		if (stat(path, &st) != 0)
			continue;
		if (S_ISREG(st.st_mode) && st.st_size > 0 && access(path, R_OK) == 0)
			return worked("%s can be read", path);
		DIR *d = opendir(path);
		while (d != NULL && readdir(d) != NULL)
			n++;
		if (d != NULL)
			closedir(d);
		if (n > 2)
			return worked("%s can be listed", path);
	}
	return stopped("nothing is seen below %s", home != NULL ? home : "(no home)");
}

/* A file made in a private tmpfs is nobody's loss. */
static bool is_private(const char *dir)
{
	struct statfs fs;

	return statfs(dir, &fs) == 0 && (unsigned long)fs.f_type == TMPFS_MAGIC;
}

static enum outcome write_outside(const char *arg)
{
	static const char *const dirs[] = {"/", "/etc", "/usr", "/usr/bin", "/usr/local/bin",
		"/var", "/var/tmp", "/var/lib", "/root", "/home", "/opt", "/srv", "/boot", "/lib",
		"..", NULL};
	char path[PATH_MAX];

	(void)arg;
	for (const char *const *dir = dirs; *dir != NULL; dir++) {
		if (is_private(*dir))
			continue;
		snprintf(path, sizeof(path), "%s/bulkhead-attack", *dir);
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			continue;
		close(fd);
		unlink(path);
		return worked("%s was made", path);
	}
	return stopped("in none of them: %s", strerror(errno));
}

static enum outcome append_to_host(const char *arg)
{
	static const char *const paths[] = {"/etc/passwd", "/etc/ld.so.cache", "/etc/crontab",
		"/etc/hosts", "/usr/bin/env", "/root/.bashrc", NULL};

	(void)arg;
	return judge_any_open(paths, O_WRONLY | O_APPEND);
}

/* Not what is in it, but what is known about it. */
static enum outcome metadata(const char *arg)
{
	static const char path[] = "/etc/passwd";
	struct stat st;

	(void)arg;
	if (stat(path, &st) != 0)
		return not_applicable("there is no %s", path);
	/* all of it as it is already */
	if (chmod(path, st.st_mode & 07777) == 0)
		return worked("its mode");
	if (chown(path, st.st_uid, st.st_gid) == 0)
		return worked("its owner");
	if (utimensat(AT_FDCWD, path, (struct timespec[2]){st.st_atim, st.st_mtim}, 0) == 0)
		return worked("its times");
	if (truncate(path, st.st_size) == 0)
		return worked("its size");
	if (rename(path, path) == 0)
		return worked("its name");
	return stopped("%s", strerror(errno));
}

static enum outcome through_symlink(const char *arg)
{
	enum outcome outcome;

	(void)arg;
	unlink("attack-link");
	if (symlink("/etc/passwd", "attack-link") != 0)
		return not_applicable("no link can be made: %s", strerror(errno));
	outcome = judge_open("attack-link", O_WRONLY | O_APPEND);
	unlink("attack-link");
	return outcome;
}

static enum outcome through_hardlink(const char *arg)
{
	long r = link("/etc/passwd", "attack-hardlink");

	(void)arg;
	if (r == 0)
		unlink("attack-hardlink");
	return judge(r, "a link to /etc/passwd in the working directory");
}

static enum outcome dot_dot(const char *arg)
{
	(void)arg;
	return judge_open("../../../../../../../../../etc/passwd", O_WRONLY | O_APPEND);
}

static enum outcome magic_link(const char *arg)
{
	static const char *const paths[] = {"/proc/self/root/etc/passwd", "/proc/1/root/etc/passwd",
		"/proc/1/cwd/etc/passwd", "/proc/self/task/../root/etc/passwd", NULL};

	(void)arg;
	return judge_any_open(paths, O_WRONLY | O_APPEND);
}

/* ---- what is left in the working directory ---- */

/* Is the set-user-ID bit on @path, which has something in it to run? Then take it away. */
static enum outcome judge_setuid(const char *path, const char *how)
{
	struct stat st;
	bool set = stat(path, &st) == 0 && (st.st_mode & S_ISUID) != 0;

	unlink(path);
	if (set && st.st_size > 0)
		return worked("a set-user-ID file of uid %u, by %s", st.st_uid, how);
	return stopped("by %s: %s", how, set ? "empty" : "the bit is not set");
}

static int make_file(const char *path, mode_t mode)
{
	unlink(path);
	return open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
}

static enum outcome setuid_chmod(const char *arg)
{
	static const char path[] = "attack-setuid";
	int fd = make_file(path, 0755);

	(void)arg;
	if (fd < 0 || write(fd, "#!", 2) != 2)
		return not_applicable("no file can be made: %s", strerror(errno));
	/* Every way there is; any of them will do. */
	(void)!fchmod(fd, 04755);
#ifdef SYS_chmod
	syscall(SYS_chmod, path, 04755);
	syscall(SYS_chmod, path, 0xffffffff00000000ul | 04755);
#endif
	syscall(SYS_fchmodat, AT_FDCWD, path, 04755);
	syscall(452, AT_FDCWD, path, 04755, 0); /* fchmodat2 */
	close(fd);
	return judge_setuid(path, "chmod");
}

/* The bit can come with the file's birth; what is written then must take it away. */
static enum outcome setuid_born(const char *arg)
{
	static const char path[] = "attack-setuid";
	struct open_how how = {.flags = O_RDWR | O_CREAT | O_EXCL, .mode = 04755};
	long fd;

	(void)arg;
	unlink(path);
	umask(0);
	fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	if (fd < 0)
		fd = make_file(path, 04755);
	if (fd < 0)
		return not_applicable("no file can be made: %s", strerror(errno));
	(void)!write((int)fd, "#!", 2);
	close((int)fd);
	return judge_setuid(path, "birth and write");
}

/* The same, but the contents arrive by a mapping, which is no write. */
static enum outcome setuid_mapped(const char *arg)
{
	static const char path[] = "attack-setuid";
	int fd;
	char *page;

	(void)arg;
	umask(0);
	fd = make_file(path, 04755);
	if (fd < 0)
		return not_applicable("no file can be made: %s", strerror(errno));
	(void)!ftruncate(fd, 4096);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page != MAP_FAILED) {
		memcpy(page, "#!", 2);
		munmap(page, 4096);
	}
	close(fd);
	return judge_setuid(path, "birth and mapping");
}

static enum outcome setuid_linked(const char *arg)
{
	static const char path[] = "attack-setuid";
	int fd = make_file(path, 0755), made;

	(void)arg;
	if (fd < 0 || write(fd, "#!", 2) != 2)
		return not_applicable("no file can be made: %s", strerror(errno));
	close(fd);
	unlink(path);
	umask(0);
	made = mknod(path, S_IFREG | 04755, 0);
	fd = made == 0 ? open(path, O_WRONLY | O_CLOEXEC) : -1;
	if (fd >= 0)
		(void)!write(fd, "#!", 2);
	return judge_setuid(path, "mknod and write");
}

static enum outcome file_capability(const char *arg)
{
	/* VFS_CAP_REVISION_2, CAP_SYS_ADMIN permitted and effective */
	static const unsigned value[] = {0x02000001, 1u << 21, 0, 0, 0};
	static const char path[] = "attack-capability";
	int fd = make_file(path, 0755);
	long r = fd < 0 ? -1 : fsetxattr(fd, "security.capability", value, sizeof(value), 0);

	(void)arg;
	if (fd >= 0)
		close(fd);
	unlink(path);
	return judge(r, "a file capability");
}

/* ---- devices ---- */

static enum outcome make_device(mode_t type, unsigned major, unsigned minor, const char *what)
{
	static const char path[] = "attack-device";
	long r, fd;

	unlink(path);
	r = mknod(path, type | 0600, makedev(major, minor));
	if (r != 0)
		return judge(r, what);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno != ENXIO) {
		/* Made, but the mount forbids devices: of use to somebody else on the host. */
		unlink(path);
		return worked("%s was made, though not opened", what);
	}
	if (fd >= 0)
		close((int)fd);
	unlink(path);
	return worked("%s", what);
}

static enum outcome device_memory(const char *arg)
{
	(void)arg;
	return make_device(S_IFCHR, 1, 1, "the memory's device");
}

static enum outcome device_disk(const char *arg)
{
	(void)arg;
	return make_device(S_IFBLK, 8, 0, "a disk's device");
}

static enum outcome raw_memory(const char *arg)
{
	static const char *const paths[] = {
		"/dev/mem", "/dev/kmem", "/dev/port", "/proc/kcore", NULL};

	(void)arg;
	return judge_any_open(paths, O_RDONLY);
}

static enum outcome kernel_messages(const char *arg)
{
	static const char *const paths[] = {"/dev/kmsg", "/proc/kmsg", NULL};

	(void)arg;
	return judge_any_open(paths, O_RDONLY);
}

static enum outcome dangerous_device(const char *arg)
{
	static const char *const paths[] = {"/dev/kvm", "/dev/fuse", "/dev/net/tun",
		"/dev/vhost-net", "/dev/vhost-vsock", "/dev/vsock", "/dev/loop-control",
		"/dev/uinput", "/dev/mapper/control", "/dev/userfaultfd", "/dev/tty1", "/dev/vcs",
		NULL};

	(void)arg;
	return judge_any_open(paths, O_RDONLY);
}

static enum outcome block_device(const char *arg)
{
	DIR *d = opendir("/dev");
	struct dirent *entry;

	(void)arg;
	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (entry->d_type != DT_BLK)
			continue;
		int fd = openat(dirfd(d), entry->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0)
			return worked("/dev/%s can be read", entry->d_name);
	}
	if (d != NULL)
		closedir(d);
	return stopped("no disk can be opened");
}

/* ---- the kernel's switches ---- */

static enum outcome core_pattern(const char *arg)
{
	(void)arg;
	return judge_open("/proc/sys/kernel/core_pattern", O_WRONLY);
}

static enum outcome sysctls(const char *arg)
{
	static const char *const paths[] = {"/proc/sys/kernel/modprobe",
		"/proc/sys/kernel/hostname", "/proc/sys/kernel/pid_max",
		"/proc/sys/vm/overcommit_memory", "/proc/sys/fs/file-max",
		"/proc/sys/net/ipv4/ip_forward", "/proc/sys/user/max_user_namespaces",
		"/proc/sys/fs/binfmt_misc/register", "/proc/sys/kernel/shmmax", NULL};

	(void)arg;
	return judge_any_open(paths, O_WRONLY);
}

static enum outcome sysrq(const char *arg)
{
	(void)arg;
	return judge_open("/proc/sysrq-trigger", O_WRONLY);
}

static enum outcome other_proc(const char *arg)
{
	static const char *const paths[] = {"/proc/irq/default_smp_affinity", "/proc/mtrr",
		"/proc/dynamic_debug/control", "/proc/bus/pci/00/00.0", "/proc/acpi/wakeup",
		"/proc/scsi/scsi", "/proc/latency_stats", "/proc/slabinfo", "/proc/timer_stats",
		"/proc/fs/nfsd/threads", "/proc/sched_debug", NULL};

	(void)arg;
	return judge_any_open(paths, O_WRONLY);
}

static enum outcome sysfs(const char *arg)
{
	static const char *const paths[] = {"/sys/kernel/uevent_helper", "/sys/power/state",
		"/sys/kernel/mm/transparent_hugepage/enabled", "/sys/module/printk/parameters/time",
		"/sys/kernel/profiling", "/sys/class/net/lo/mtu", "/sys/bus/pci/rescan", NULL};

	(void)arg;
	return judge_any_open(paths, O_WRONLY);
}

static enum outcome debugfs(const char *arg)
{
	static const char *const paths[] = {"/sys/kernel/debug/sched", "/sys/kernel/tracing/trace",
		"/sys/kernel/debug/tracing/trace", "/sys/kernel/security/lockdown", NULL};

	(void)arg;
	return judge_any_open(paths, O_RDONLY);
}

/* ---- control groups ---- */

static const char *const group_files[] = {"cgroup.procs", "tasks", "release_agent",
	"cgroup.subtree_control", "memory.max", "memory.limit_in_bytes", "memory.high", "pids.max",
	"cpu.max", "cpu.cfs_quota_us", "devices.allow", "notify_on_release", "cgroup.freeze",
	"cgroup.kill"};

static const char *writable_group(const char *dir, char *path, size_t size)
{
	for (size_t i = 0; i < sizeof(group_files) / sizeof(group_files[0]); i++) {
		snprintf(path, size, "%s/%s", dir, group_files[i]);
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		close(fd);
		return path;
	}
	return NULL;
}

static enum outcome cgroup_files(const char *arg)
{
	char path[PATH_MAX], dir[PATH_MAX / 2];
	DIR *d = opendir("/sys/fs/cgroup");
	struct dirent *entry;

	(void)arg;
	if (d == NULL)
		return stopped("/sys/fs/cgroup: %s", strerror(errno));
	while ((entry = readdir(d)) != NULL) {
		snprintf(dir, sizeof(dir), "/sys/fs/cgroup/%s", entry->d_name);
		if (strcmp(entry->d_name, "..") != 0 &&
			writable_group(dir, path, sizeof(path)) != NULL) {
			closedir(d);
			return worked("%s can be written", path);
		}
	}
	closedir(d);
	return stopped("nothing below /sys/fs/cgroup can be written");
}

static enum outcome cgroup_make(const char *arg)
{
	static const char *const dirs[] = {"/sys/fs/cgroup/attack", "/sys/fs/cgroup/memory/attack",
		"/sys/fs/cgroup/unified/attack", NULL};

	(void)arg;
	for (const char *const *dir = dirs; *dir != NULL; dir++) {
		if (mkdir(*dir, 0755) != 0)
			continue;
		rmdir(*dir);
		return worked("%s was made", *dir);
	}
	return stopped("no group can be made: %s", strerror(errno));
}

const struct attack file_attacks[] = {
	{"file-secrets", secrets, true},
	{"file-home-secrets", home_secrets, false},
	{"file-write-outside", write_outside, true},
	{"file-append", append_to_host, true},
	{"file-metadata", metadata, true},
	{"file-symlink", through_symlink, true},
	{"file-hardlink", through_hardlink, false},
	{"file-dot-dot", dot_dot, true},
	{"file-magic-link", magic_link, true},
	{"file-setuid-chmod", setuid_chmod, true},
	{"file-setuid-born", setuid_born, false},
	{"file-setuid-mapped", setuid_mapped, false},
	{"file-setuid-mknod", setuid_linked, false},
	{"file-capability", file_capability, false},
	{"device-memory", device_memory, true},
	{"device-disk", device_disk, true},
	{"device-raw-memory", raw_memory, false},
	{"device-kmsg", kernel_messages, true},
	{"device-others", dangerous_device, false},
	{"device-block", block_device, false},
	{"kernel-core-pattern", core_pattern, true},
	{"kernel-sysctl", sysctls, true},
	{"kernel-sysrq", sysrq, false},
	{"kernel-proc", other_proc, true},
	{"kernel-sysfs", sysfs, true},
	{"kernel-debugfs", debugfs, false},
	{"cgroup-files", cgroup_files, true},
	{"cgroup-mkdir", cgroup_make, false},
	{NULL, NULL, false},
};
