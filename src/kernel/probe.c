/* SPDX-License-Identifier: MIT */
#include "kernel/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/ptrace.h"
#include "kernel/seccomp.h"

/* ---- asking ---- */

bool probe_seccomp(void)
{
	unsigned action = SECCOMP_RET_KILL_PROCESS;
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int probe_landlock(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	return abi > 0 ? (int)abi : 0;
}

/* A size of 0 is refused by every kernel that has the call. */
bool probe_mount_setattr(void)
{
	return syscall(SYS_mount_setattr, -1, "", 0, NULL, 0) == 0 || errno != ENOSYS;
}

static bool maps_every_id(const char *path)
{
	char text[64];
	unsigned inside, outside, count;
	return file_read_text(AT_FDCWD, path, text, sizeof(text)) > 0 &&
		sscanf(text, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 &&
		count == UINT32_MAX;
}

bool probe_privileged(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	const uint32_t wanted = 1u << CAP_SYS_ADMIN | 1u << CAP_SETUID | 1u << CAP_SETGID;
	if (geteuid() != 0 || syscall(SYS_capget, &header, data) < 0)
		return false;
	return (data[0].effective & wanted) == wanted && maps_every_id("/proc/self/uid_map") &&
		maps_every_id("/proc/self/gid_map");
}

/* A mount namespace's root is a mount point; where we stand, statx tells (5.8). */
bool probe_chrooted(void)
{
	struct statx st;
	if (statx(AT_FDCWD, "/", AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &st) < 0)
		return false;
	return (st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
		(st.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0;
}

/* ---- trying ---- */

/* What a child found out: an errno, and how far it came. */
struct finding {
	int errnum;
	int step;
};

struct trial {
	struct finding (*run)(void *arg);
	void *arg;
	int into_cgroup;
};

static pid_t clone_child(const struct trial *trial, int *ret_pidfd)
{
	struct clone_args args = {.flags = CLONE_PIDFD,
		.exit_signal = SIGCHLD,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd};
	if (trial->into_cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)trial->into_cgroup;
	}
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static _Noreturn void child(const struct trial *trial, int out)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	struct finding f = trial->run(trial->arg);
	ssize_t n = write(out, &f, sizeof(f));
	_exit(n == sizeof(f) ? 0 : 1);
}

static struct finding collect(int pidfd, int in)
{
	struct finding f = {.errnum = EIO};
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	siginfo_t info;
	if (poll(&p, 1, PROBE_TIMEOUT_MS) <= 0) {
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		f.errnum = ETIMEDOUT;
	}
	while (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 && errno == EINTR)
		;
	struct finding said;
	if (read(in, &said, sizeof(said)) == sizeof(said))
		f = said;
	return f;
}

static struct finding try_in_child(const struct trial *trial)
{
	int pipe_fds[2];
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return (struct finding){.errnum = errno};
	cleanup_fd int in = pipe_fds[0];
	cleanup_fd int out = pipe_fds[1];
	cleanup_fd int pidfd = -1;
	pid_t pid = clone_child(trial, &pidfd);
	if (pid < 0)
		return (struct finding){.errnum = errno};
	if (pid == 0)
		child(trial, out);
	return collect(pidfd, in);
}

static struct finding found(int step)
{
	return (struct finding){.errnum = errno, .step = step};
}

/* Both ids before and after are our own: the one mapping that needs no privilege. */
static int write_maps(uid_t uid, gid_t gid)
{
	char text[48];
	if (file_write_text(AT_FDCWD, "/proc/self/setgroups", "deny") < 0 && errno != ENOENT)
		return -1;
	snprintf(text, sizeof(text), "%u %u 1\n", uid, uid);
	if (file_write_text(AT_FDCWD, "/proc/self/uid_map", text) < 0)
		return -1;
	snprintf(text, sizeof(text), "%u %u 1\n", gid, gid);
	return file_write_text(AT_FDCWD, "/proc/self/gid_map", text);
}

enum { STEP_UNSHARE, STEP_WITHIN };

static struct finding try_userns(void *arg)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	(void)arg;
	if (unshare(CLONE_NEWUSER) < 0)
		return found(STEP_UNSHARE);
	if (write_maps(uid, gid) < 0 || unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return found(STEP_WITHIN);
	return (struct finding){.errnum = 0};
}

int probe_userns(bool *ret_made)
{
	struct trial trial = {.run = try_userns, .into_cgroup = -1};
	struct finding f = try_in_child(&trial);
	*ret_made = f.errnum == 0 || f.step == STEP_WITHIN;
	return f.errnum;
}

/* The second child is pid 1 of the new namespace, and what it mounts vanishes with it. */
static struct finding mount_proc(void *arg)
{
	(void)arg;
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return found(STEP_WITHIN);
	return (struct finding){.errnum = 0};
}

static struct finding try_proc_mount(void *arg)
{
	struct finding f = try_userns(arg);
	struct trial trial = {.run = mount_proc, .into_cgroup = -1};
	if (f.errnum != 0)
		return f;
	if (unshare(CLONE_NEWPID) < 0)
		return found(STEP_WITHIN);
	return try_in_child(&trial);
}

int probe_proc_mount(void)
{
	struct trial trial = {.run = try_proc_mount, .into_cgroup = -1};
	return try_in_child(&trial).errnum;
}

/* One that allows all, in a child that ends with it. */
static struct finding try_listener(void)
{
	static const struct sock_filter allow_all[] = {
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	long listener = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
		? -errno
		: seccomp_install_listener(allow_all, 1);
	if (listener < 0)
		return (struct finding){.errnum = (int)-listener, .step = STEP_UNSHARE};
	close((int)listener);
	return (struct finding){.errnum = 0};
}

/* In a user namespace, until it is killed. */
static _Noreturn void be_traced(int ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	struct finding f = try_userns(NULL);
	ssize_t n = write(ready, &f, sizeof(f));
	while (n == sizeof(f) && f.errnum == 0)
		pause();
	_exit(1);
}

static struct finding try_exec(void *arg)
{
	struct finding f = try_listener();
	int ends[2];
	(void)arg;
	if (f.errnum != 0)
		return f;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return found(STEP_WITHIN);
	pid_t pid = fork();
	if (pid < 0)
		return found(STEP_WITHIN);
	if (pid == 0)
		be_traced(ends[1]);
	close(ends[1]);
	if (read(ends[0], &f, sizeof(f)) != sizeof(f))
		f.errnum = EIO;
	if (f.errnum == 0)
		f.errnum = -ptrace_seize(pid);
	f.step = STEP_WITHIN;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
	return f;
}

int probe_exec(bool *ret_listener)
{
	struct trial trial = {.run = try_exec, .into_cgroup = -1};
	struct finding f = try_in_child(&trial);
	*ret_listener = f.errnum == 0 || f.step == STEP_WITHIN;
	return f.errnum;
}

struct tasks {
	const int *fds;
	unsigned n;
};

static struct finding try_tasks(void *arg)
{
	const struct tasks *tasks = arg;
	for (unsigned i = 0; i < tasks->n; i++) {
		if (write(tasks->fds[i], "0", 1) < 0)
			return found(STEP_WITHIN);
	}
	return (struct finding){.errnum = 0};
}

int probe_enter_cgroup(int into_cgroup, const int *tasks, unsigned n_tasks)
{
	struct tasks list = {tasks, n_tasks};
	struct trial trial = {.run = try_tasks, .arg = &list, .into_cgroup = into_cgroup};
	return try_in_child(&trial).errnum;
}
