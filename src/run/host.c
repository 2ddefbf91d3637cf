/* SPDX-License-Identifier: MIT */
#include "run/host.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/idmap.h"
#include "kernel/probe.h"
#include "run/host-cgroup.h"
#include "run/host-exec.h"

#define VERSION(major, minor) ((major) << 16 | (minor))
#define PATH_ROOM             4096
#define MASK_CPUS             1024

/* The ids that a trial mapping leads to; any that are not our own. */
#define TRIAL_ID 100000

static void learn_kernel(struct host *h, struct arena *a)
{
	struct utsname name;
	unsigned major = 0, minor = 0;
	if (uname(&name) < 0)
		return;
	h->kernel = arena_strdup(a, name.release);
	h->machine = arena_strdup(a, name.machine);
	if (sscanf(name.release, "%u.%u", &major, &minor) == 2 && major < 0x8000 && minor < 0x10000)
		h->kernel_version = VERSION(major, minor);
	h->clone_into_cgroup = h->kernel_version >= VERSION(5, 7);
	h->idmapped_mounts = h->privileged && h->kernel_version >= VERSION(5, 12);
}

static void learn_caller(struct host *h, struct arena *a)
{
	char path[PATH_ROOM];
	const char *home = getenv("HOME");
	h->uid = geteuid();
	h->gid = getegid();
	h->privileged = probe_privileged();
	/* One that is not absolute would name something else in the box. */
	if (home != NULL && home[0] == '/')
		h->home = arena_strdup(a, home);
	else if (h->uid == 0)
		h->home = "/root";
	/* The kernel says "(unreachable)" of a directory outside of our root. */
	if (getcwd(path, sizeof(path)) != NULL && path[0] == '/')
		h->cwd = arena_strdup(a, path);
}

static void learn_machine(struct host *h)
{
	struct sysinfo info;
	cpu_set_t set;
	_Static_assert(sizeof(set) * 8 == MASK_CPUS && sizeof(h->cpu_mask) == sizeof(set), "mask");
	h->n_cpus = 1;
	if (sched_getaffinity(0, sizeof(set), &set) == 0) {
		memcpy(h->cpu_mask, &set, sizeof(set));
		h->n_cpus = (unsigned)CPU_COUNT(&set);
	}
	if (sysinfo(&info) == 0)
		h->memory_bytes = (uint64_t)info.totalram * info.mem_unit;
}

bool host_in_container(void)
{
	static const char *const marks[] = {
		"/.dockerenv", "/run/.containerenv", "/run/systemd/container"};
	if (getenv("container") != NULL)
		return true;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (access(marks[i], F_OK) == 0)
			return true;
	}
	return false;
}

/* Needs a user namespace for the mapping and one mount that takes it; "/" is what a box shows. */
static bool try_idmapped_mount(const struct host *h)
{
	int userns = idmap_open(h->uid, h->gid, TRIAL_ID, TRIAL_ID);
	int copy = userns < 0 ? -1 : idmap_copy("/", userns, false, true);
	fd_close(copy >= 0 ? copy : -1);
	fd_close(userns >= 0 ? userns : -1);
	return copy >= 0;
}

static void try_everything(struct host *h, struct arena *a)
{
	bool made;
	int errnum = probe_userns(&made);
	if (errnum != 0)
		host_explain_userns(&h->userns, a, errnum);
	h->proc_mountable = errnum == 0 && probe_proc_mount() == 0;
	h->idmapped_mounts = h->idmapped_mounts && try_idmapped_mount(h);
	host_try_cgroup(&h->cgroup, a);
	host_check_exec(h, a, true);
}

void host_probe(struct host *ret, struct arena *a, bool deep)
{
	*ret = (struct host){.userns.usable = true, .exec.usable = true, .proc_mountable = true};
	learn_caller(ret, a);
	learn_kernel(ret, a);
	learn_machine(ret);
	ret->seccomp = probe_seccomp();
	ret->landlock_abi = probe_landlock();
	ret->mount_setattr = probe_mount_setattr();
	ret->in_container = host_in_container();
	host_probe_cgroup(&ret->cgroup, a, ret, deep);
	if (deep)
		try_everything(ret, a);
}
