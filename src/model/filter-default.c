/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "model/filter.h"

#include "default-filter.h"

const struct sock_filter *filter_default(unsigned short *ret_len)
{
	*ret_len = sizeof(default_filter) / sizeof(default_filter[0]);
	return default_filter;
}

/*
 * Foreign architectures are not looked for: the filter below this one kills whoever calls as one. The flags
 * are the low half of argument 0, which stands first on the machines that there is a filter for.
 */
static const struct sock_filter no_siblings[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_PARENT, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

const struct sock_filter *filter_siblings(unsigned short *ret_len)
{
	*ret_len = sizeof(no_siblings) / sizeof(no_siblings[0]);
	return no_siblings;
}
