/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/tty.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "model/filter-rules.h"
#include "model/policy.h"

/*
 * What is denied, and why. A call belongs here if a program in a box has no honest use for it
 * that cannot be had otherwise, and it either reaches outside the box or is a part of the kernel
 * where holes keep being found. What the kernel refuses a process without capabilities anyway is
 * listed only where much code runs before that check.
 *
 * Not here, on purpose:
 *   ptrace, process_vm_readv, process_vm_writev   the box's pid namespace holds nothing but the
 *           program's own processes (init is not dumpable), and debuggers are honest programs; but
 *           not under an exec policy
 *   seccomp, landlock_*         can only take more away
 *   statmount, listmount        read what /proc/self/mountinfo says
 *   adjtimex, clock_adjtime     reading the clock's state is what unprivileged callers do
 *   memfd_secret, mlock         bounded by RLIMIT_MEMLOCK and the memory limit
 */

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
		CLONE_NEWPID | CLONE_NEWNET)

#define DENY(call)                                                                                 \
	{                                                                                          \
		.name = (call), .action = FILTER_ERRNO(EPERM)                                      \
	}
#define ABSENT(call)                                                                               \
	{                                                                                          \
		.name = (call), .action = FILTER_ERRNO(ENOSYS)                                     \
	}
/* Denied unless the program may make namespaces. */
#define WALL(call)                                                                                 \
	{                                                                                          \
		.name = (call), .action = FILTER_ERRNO(EPERM), .namespaces = true                  \
	}
/* Denied where an exec policy is enforced: it would put another program into a process. */
#define UNJUDGED(call)                                                                             \
	{                                                                                          \
		.name = (call), .action = FILTER_ERRNO(EPERM), .exec = EXEC_ENFORCE                \
	}
#define TOLD(call)                                                                                 \
	{                                                                                          \
		.name = (call), .action = SECCOMP_RET_USER_NOTIF, .exec = EXEC_AUDIT               \
	}
#define VALUES(...) .values = {__VA_ARGS__}, .n_values = sizeof((uint32_t[]){__VA_ARGS__}) / 4

const struct filter_rule filter_rules[] = {
	/* ---- other namespaces, and more kernel reachable through one's own ---- */

	{.name = "clone",
		.action = FILTER_ERRNO(EPERM),
		.test = FILTER_ANY_BIT,
		.arg = 0,
		.namespaces = true,
		VALUES(NAMESPACES)},
	/*
	 * The program's first process is a child of the supervisor. A sibling of it would be one
	 * too, which nobody in the box can reap: the pid namespace could not end.
	 * Who owns a cgroup namespace may mount the run's own groups, whose files belong to its uid.
	 */
	{.name = "clone",
		.action = FILTER_ERRNO(EPERM),
		.test = FILTER_ANY_BIT,
		.arg = 0,
		.no_siblings = true,
		VALUES(CLONE_PARENT | CLONE_NEWCGROUP)},
	{.name = "clone",
		.action = FILTER_ERRNO(EPERM),
		.test = FILTER_ANY_BIT,
		.arg = 0,
		.siblings = true,
		VALUES(CLONE_NEWCGROUP)},
	/* Its flags are in memory, where no filter can look: callers go on with clone. */
	ABSENT("clone3"),
	{.name = "unshare",
		.action = FILTER_ERRNO(EPERM),
		.test = FILTER_ANY_BIT,
		.arg = 0,
		.namespaces = true,
		VALUES(NAMESPACES)},
	{.name = "unshare",
		.action = FILTER_ERRNO(EPERM),
		.test = FILTER_ANY_BIT,
		.arg = 0,
		VALUES(CLONE_NEWCGROUP | CLONE_NEWTIME)},
	WALL("setns"),

	/* ---- mounts: the box's walls ---- */

	WALL("mount"),
	WALL("umount2"),
	WALL("pivot_root"),
	WALL("chroot"),
	WALL("open_tree"),
	WALL("open_tree_attr"),
	WALL("move_mount"),
	WALL("mount_setattr"),
	WALL("fsopen"),
	WALL("fsconfig"),
	WALL("fsmount"),
	WALL("fspick"),
	/* Opens any inode of a file system past its mount point (the "shocker" hole). */
	DENY("open_by_handle_at"),
	DENY("quotactl"),
	DENY("quotactl_fd"),
	DENY("fanotify_init"),
	DENY("swapon"),
	DENY("swapoff"),

	/* ---- large parts of the kernel with many holes ---- */

	/* Keyrings belong to the user, not to the box: what is in them is the host's. */
	ABSENT("add_key"),
	ABSENT("keyctl"),
	ABSENT("request_key"),
	DENY("bpf"),
	DENY("perf_event_open"),
	/* Stops the kernel in the middle of a copy: the tool that makes races winnable. */
	DENY("userfaultfd"),
	/* Does what other calls do without passing this filter. */
	ABSENT("io_uring_setup"),
	ABSENT("io_uring_enter"),
	ABSENT("io_uring_register"),
	/* x86: 16-bit and call-gate segments. Kernels can be built without. */
	ABSENT("modify_ldt"),
	ABSENT("uselib"),
	ABSENT("lookup_dcookie"),
	DENY("kcmp"),
	/* Takes a descriptor out of another process; debuggers use ptrace for it. */
	DENY("pidfd_getfd"),

	/* ---- an exec policy ---- */

	TOLD("execve"),
	TOLD("execveat"),
	/* A descriptor has no name to be judged by, and what it is can have none anywhere: memfd. */
	{.name = "execveat",
		.action = FILTER_ERRNO(EPERM),
		.test = FILTER_ANY_BIT,
		.arg = 4,
		.exec = EXEC_ENFORCE,
		VALUES(AT_EMPTY_PATH)},
	/* /proc is mounted read-only then: its files "mem" do the same. */
	UNJUDGED("ptrace"),
	UNJUDGED("process_vm_writev"),

	/* ---- the machine ---- */

	DENY("kexec_load"),
	DENY("kexec_file_load"),
	DENY("init_module"),
	DENY("finit_module"),
	DENY("delete_module"),
	DENY("reboot"),
	DENY("acct"),
	DENY("syslog"),
	DENY("settimeofday"),
	DENY("clock_settime"),
	DENY("iopl"),
	DENY("ioperm"),
	DENY("vhangup"),
	ABSENT("nfsservctl"),

	/* ---- calls that are honest but for some arguments ---- */

	/*
	 * The box shares the caller's terminal: TIOCSTI and TIOCLINUX (paste) type into it for the
	 * shell to read when the run is over. TIOCSETD loads line disciplines: modules nobody uses.
	 * After TIOCEXCL nobody else can open it, as long as the caller has it.
	 */
	{.name = "ioctl",
		.action = FILTER_ERRNO(EPERM),
		.test = FILTER_ONE_OF,
		.arg = 1,
		VALUES(TIOCSTI, TIOCLINUX, TIOCSETD, TIOCEXCL)},
	/*
	 * A process group reaches out of a pid namespace: with a terminal the program is in the
	 * caller's. Processes of the same user, the supervisor too, would be put behind all others.
	 */
	{.name = "setpriority",
		.action = FILTER_ERRNO(EPERM),
		.test = FILTER_ONE_OF,
		.arg = 0,
		VALUES(PRIO_PGRP)},
	{.name = "ioprio_set",
		.action = FILTER_ERRNO(EPERM),
		.test = FILTER_ONE_OF,
		.arg = 0,
		VALUES(IOPRIO_WHO_PGRP)},
	/* setarch and debuggers use these; 0xffffffff asks. Others undo hardening. */
	{.name = "personality",
		.action = FILTER_ERRNO(EPERM),
		.test = FILTER_NONE_OF,
		.arg = 0,
		VALUES(PER_LINUX, PER_LINUX32, UNAME26, PER_LINUX32 | UNAME26, ADDR_NO_RANDOMIZE,
			0xffffffff)},
	/*
	 * The working directory outlives the run. A set-user-ID program left there would give
	 * any user of the host the rights of the run's. A file can be born with the bit, by
	 * open(2) and mknod(2), but then loses it to the first byte that is put in.
	 */
	{.name = "chmod",
		.action = FILTER_ERRNO(EPERM),
		.test = FILTER_ANY_BIT,
		.arg = 1,
		VALUES(S_ISUID)},
	{.name = "fchmod",
		.action = FILTER_ERRNO(EPERM),
		.test = FILTER_ANY_BIT,
		.arg = 1,
		VALUES(S_ISUID)},
	{.name = "fchmodat",
		.action = FILTER_ERRNO(EPERM),
		.test = FILTER_ANY_BIT,
		.arg = 2,
		VALUES(S_ISUID)},
	{.name = "fchmodat2",
		.action = FILTER_ERRNO(EPERM),
		.test = FILTER_ANY_BIT,
		.arg = 2,
		VALUES(S_ISUID)},
	/* AF_VSOCK reaches the hypervisor from any network namespace; others are rarely audited. */
	{.name = "socket",
		.action = FILTER_ERRNO(EAFNOSUPPORT),
		.test = FILTER_NONE_OF,
		.arg = 0,
		VALUES(AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK)},
	/* getaddrinfo and getifaddrs need routes; ss and udev's library the other two. */
	{.name = "socket",
		.action = FILTER_ERRNO(EPROTONOSUPPORT),
		.test = FILTER_NONE_OF,
		.arg = 2,
		.guarded = true,
		.guard = AF_NETLINK,
		VALUES(NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_KOBJECT_UEVENT)},
	{.name = "socketpair",
		.action = FILTER_ERRNO(EAFNOSUPPORT),
		.test = FILTER_NONE_OF,
		.arg = 0,
		VALUES(AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6)},
};

const size_t filter_n_rules = sizeof(filter_rules) / sizeof(filter_rules[0]);
