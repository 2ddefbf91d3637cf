/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/fd.h"
#include "kernel/probe.h"
#include "run/host-cgroup.h"
#include "run/host.h"

/*
 * Words for a person: what forbids something on this host, and a command that mends it. A remedy is
 * a line for a shell; one that needs root begins with sudo only where the reader is not root.
 */

/* ---- cgroups ---- */

struct remedy {
	struct arena *a;
	const struct cgroup_finding *f;
};

static const char *sudo(const struct remedy *r)
{
	return r->f->uid == 0 ? "" : "sudo ";
}

/* The whole of v2, or the v1 hierarchy that is missing among others. */
static const char *mount_them(const struct remedy *r)
{
	const char *name = strrchr(r->f->where, '/') + 1;
	if (strcmp(name, "cgroup") == 0)
		return arena_printf(r->a, "%smount -t cgroup2 none '%s'", sudo(r), r->f->where);
	return arena_printf(r->a, "%smkdir -p '%s' && %smount -t cgroup -o %s none '%s'", sudo(r),
		r->f->where, sudo(r), name, r->f->where);
}

static const char *other_mount(const struct remedy *r)
{
	return r->f->container
		? "docker run --cgroupns=private -v /sys/fs/cgroup:/sys/fs/cgroup:rw …"
		: arena_printf(r->a,
			  "%sunshare -m sh -c 'umount -R /sys/fs/cgroup; "
			  "mount -t cgroup2 none /sys/fs/cgroup; bulkhead run …'",
			  sudo(r));
}

static const char *remount(const struct remedy *r)
{
	return r->f->container ? "docker run --privileged … (or podman run --cgroups=split …)"
			       : arena_printf(r->a, "%smount -o remount,bind,rw '%s'", sudo(r),
					 r->f->mount ? r->f->mount : r->f->where);
}

/*
 * A service manager of the user's makes a subtree that belongs to the user. Without one root makes
 * groups that do, and puts the shell into a leaf of them. On v2 they stand below the root group,
 * the one that may pass controllers on although it holds processes.
 */
static const char *delegate_v2(const struct remedy *r)
{
	return arena_printf(r->a,
		"g=/sys/fs/cgroup/bulkhead-%u; "
		"echo +memory +pids +cpu | sudo tee /sys/fs/cgroup/cgroup.subtree_control "
		">/dev/null; sudo mkdir -p $g/shell && sudo chown -R %u $g && "
		"echo $$ | sudo tee $g/shell/cgroup.procs >/dev/null",
		r->f->uid, r->f->uid);
}

static const char *delegate_v1(const struct remedy *r)
{
	cleanup_buf struct buf dirs = BUF_INIT;
	for (size_t i = 0; i < r->f->own.n; i++)
		buf_printf(&dirs, " '%s/bulkhead-%u'", r->f->own.v[i], r->f->uid);
	return arena_printf(r->a,
		"for d in%s; do sudo mkdir -p \"$d\" && sudo chown -R %u \"$d\" && "
		"echo $$ | sudo tee \"$d/cgroup.procs\" >/dev/null; done",
		buf_str(&dirs), r->f->uid);
}

static const char *delegate(const struct remedy *r)
{
	if (r->f->systemd_user)
		return "systemd-run --user --scope -p Delegate=yes -- bulkhead run …";
	if (r->f->uid == 0)
		return r->f->container ? "docker run --privileged …" : NULL;
	return r->f->pure_v2 ? delegate_v2(r) : delegate_v1(r);
}

/* Every process steps aside into a leaf, ours too: then the group can have controllers for children. */
static const char *make_room(const struct remedy *r)
{
	return arena_printf(r->a,
		"mkdir -p '%s/leaf' && xargs -rn1 <'%s/cgroup.procs' >'%s/leaf/cgroup.procs'",
		r->f->where, r->f->where, r->f->where);
}

static const char *add_controllers(const struct remedy *r)
{
	return arena_printf(r->a,
		"%ssh -c 'for d in /sys/fs/cgroup /sys/fs/cgroup/*.slice; do echo +memory +pids "
		"+cpu "
		">$d/cgroup.subtree_control; done'",
		sudo(r));
}

static const struct {
	const char *why; /* %s: where */
	const char *(*remedy)(const struct remedy *);
} cgroup_words[OBSTACLE_COUNT_] = {
	[OBSTACLE_NOT_MOUNTED] = {"there is no cgroup hierarchy at '%s'", mount_them},
	[OBSTACLE_NOT_VISIBLE] = {"our own control group is not below '%s'", other_mount},
	[OBSTACLE_READ_ONLY] = {"'%s' is mounted read-only", remount},
	[OBSTACLE_PERMISSION] = {"no permission to make control groups in '%s'", delegate},
	[OBSTACLE_PROCESSES] = {"'%s' holds processes besides this one, so that it can have no "
				"controllers for its children",
		make_room},
	[OBSTACLE_NO_CONTROLLERS] = {"'%s' has no memory and pids controllers", add_controllers},
	[OBSTACLE_KERNEL] = {"Linux %s is too old for cgroup v2 runs (needs 5.7)", NULL},
	[OBSTACLE_V1] =
		{"memory, pids and cpu are cgroup v1 hierarchies here ('%s'); nothing is lost "
		 "but memory.oom.group and io figures",
			NULL},
};

/* Put @where in place of the %s of @format, which is from the table above. */
static const char *word(struct arena *a, const char *format, const char *where)
{
	const char *hole = strstr(format, "%s");
	return arena_printf(a, "%.*s%s%s", (int)(hole - format), format, where, hole + 2);
}

void host_explain_cgroup(
	struct host_cgroup *c, struct arena *a, const struct cgroup_finding *finding)
{
	struct cgroup_finding f = *finding;
	const struct remedy r = {.a = a, .f = &f};
	c->why_not_better = c->remedy = NULL;
	if (f.obstacle == OBSTACLE_NONE || f.obstacle >= OBSTACLE_COUNT_)
		return;
	if (f.where == NULL)
		f.where = "/sys/fs/cgroup";
	c->why_not_better = word(a, cgroup_words[f.obstacle].why, f.where);
	if (cgroup_words[f.obstacle].remedy != NULL)
		c->remedy = cgroup_words[f.obstacle].remedy(&r);
}

/* ---- user namespaces ---- */

#define CONTAINER_REMEDY                                                                           \
	"docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined "         \
	"--security-opt systempaths=unconfined …"

/* A switch of the kernel's that root may set. */
static const char *set_switch(struct arena *a, const struct userns_switches *s, const char *to)
{
	return arena_printf(a, "%ssysctl -w %s", s->root ? "" : "sudo ", to);
}

static void say(struct host_userns *ret, const char *why, const char *remedy)
{
	ret->usable = false;
	ret->why = why;
	ret->remedy = remedy;
}

static void word_permission(
	struct host_userns *ret, struct arena *a, int errnum, const struct userns_switches *s)
{
	if (s->unprivileged_clone == 0)
		say(ret, "kernel.unprivileged_userns_clone is 0",
			set_switch(a, s, "kernel.unprivileged_userns_clone=1"));
	else if (s->apparmor_restrict > 0)
		say(ret,
			"AppArmor takes the capabilities from user namespaces of unprivileged "
			"users "
			"(kernel.apparmor_restrict_unprivileged_userns is 1)",
			set_switch(a, s, "kernel.apparmor_restrict_unprivileged_userns=0"));
	else if (s->chrooted)
		say(ret, "no user namespace can be made from a chroot",
			"start bulkhead from a root made by pivot_root(8) instead of chroot(8)");
	else if (s->seccomp || s->container)
		say(ret, "a seccomp filter or security module of the container forbids it",
			CONTAINER_REMEDY);
	else
		say(ret, arena_printf(a, "%s; a security module may forbid it", errno_text(errnum)),
			NULL);
}

void host_word_userns(
	struct host_userns *ret, struct arena *a, int errnum, const struct userns_switches *s)
{
	if (errnum == 0) {
		*ret = (struct host_userns){.usable = true};
	} else if (errnum == ENOENT) {
		say(ret, "there is no /proc, through which a user namespace gets its ids",
			arena_printf(a, "%smount -t proc proc /proc", s->root ? "" : "sudo "));
	} else if (s->max_user_namespaces == 0 || errnum == ENOSPC) {
		say(ret,
			arena_printf(a, "user.max_user_namespaces is %ld%s", s->max_user_namespaces,
				s->max_user_namespaces == 0
					? ""
					: ", and as many are in use, here or in a namespace above"),
			set_switch(a, s, "user.max_user_namespaces=16384"));
	} else if (errnum == ENOSYS && s->max_user_namespaces >= 0) {
		/* a filter that cannot look into clone3's arguments has programs fall back to clone */
		say(ret,
			s->seccomp ? "a seccomp filter forbids clone3(2)"
				   : "this kernel has no clone3(2), which is of Linux 5.3",
			s->seccomp ? CONTAINER_REMEDY : NULL);
	} else if (errnum == EINVAL || errnum == ENOSYS || s->max_user_namespaces < 0) {
		say(ret, "this kernel was built without user namespaces (CONFIG_USER_NS)", NULL);
	} else if (errnum == EUSERS) {
		say(ret, "user namespaces are nested too deep (32)", NULL);
	} else {
		word_permission(ret, a, errnum, s);
	}
}

static long read_switch(const char *path)
{
	char text[32], *end;
	if (file_read_text(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return -1;
	long value = strtol(text, &end, 10);
	return end == text ? -1 : value;
}

static bool under_seccomp(void)
{
	char text[8192];
	if (file_read_text(AT_FDCWD, "/proc/self/status", text, sizeof(text)) <= 0)
		return false;
	const char *line = strstr(text, "\nSeccomp:\t");
	return line != NULL && line[strlen("\nSeccomp:\t")] == '2';
}

void host_explain_userns(struct host_userns *ret, struct arena *a, int errnum)
{
	const struct userns_switches s = {
		.max_user_namespaces = read_switch("/proc/sys/user/max_user_namespaces"),
		.unprivileged_clone = read_switch("/proc/sys/kernel/unprivileged_userns_clone"),
		.apparmor_restrict =
			read_switch("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
		.seccomp = under_seccomp(),
		.chrooted = probe_chrooted(),
		.container = host_in_container(),
		.root = geteuid() == 0,
	};
	host_word_userns(ret, a, errnum, &s);
}
