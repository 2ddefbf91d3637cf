/* SPDX-License-Identifier: MIT */
/*
 * deny WHAT COMMAND…: run it under a filter that refuses system calls, as a host or a container
 * would that does not have them.
 *
 *   userns    no user namespaces: unshare and clone get EPERM (a container's filter)
 *   clone3    no clone3: ENOSYS (older container filters)
 *   seccomp   no further filters: EINVAL from seccomp, as from a kernel built without them
 *   mount     no mounts of any kind: EPERM (a container's filter)
 *   watches   nothing more is watched by epoll(7): ENOSPC, as when fs.epoll.max_user_watches are in use
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct rule {
	const char *what;
	unsigned nr, flags; /* flags of an argument that are refused; 0: always */
	int errnum;
	unsigned argument; /* which one, from 0 */
};

static const struct rule rules[] = {
	{"userns", SYS_unshare, CLONE_NEWUSER, EPERM},
	{"userns", SYS_clone, CLONE_NEWUSER, EPERM},
	/* its flags are in memory, where no filter looks: container filters refuse it as a whole */
	{"userns", SYS_clone3, 0, ENOSYS},
	{"clone3", SYS_clone3, 0, ENOSYS},
	{"seccomp", SYS_seccomp, 0, EINVAL},
	{"mount", SYS_mount, 0, EPERM},
	{"mount", SYS_fsopen, 0, EPERM},
	{"mount", SYS_open_tree, 0, EPERM},
	{"mount", SYS_move_mount, 0, EPERM},
	{"mount", SYS_mount_setattr, 0, EPERM},
	{"watches", SYS_epoll_ctl, EPOLL_CTL_ADD, ENOSPC, 1},
};

#define ROOM 64

static unsigned short compile(const char *what, struct sock_filter *f)
{
	unsigned short n = 0;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct rule *r = &rules[i];
		if (strcmp(r->what, what) != 0)
			continue;
		unsigned data = r->flags;
		f[n++] = (struct sock_filter)BPF_STMT(
			BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
		f[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, r->nr, 0, data ? 3 : 1);
		if (data) {
			f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
				offsetof(struct seccomp_data, args[r->argument]));
			f[n++] = (struct sock_filter)BPF_JUMP(
				BPF_JMP | BPF_JSET | BPF_K, data, 0, 1);
		}
		f[n++] = (struct sock_filter)BPF_STMT(
			BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)r->errnum);
	}
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return n;
}

int main(int argc, char **argv)
{
	struct sock_filter filter[ROOM];
	if (argc < 3)
		return 2;
	struct sock_fprog program = {compile(argv[1], filter), filter};
	if (program.len == 1 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return 2;
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
