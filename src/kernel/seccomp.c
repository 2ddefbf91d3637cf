/* SPDX-License-Identifier: MIT */
#include <linux/seccomp.h>

#include "kernel/seccomp.h"
#include "kernel/sys.h"

long seccomp_install(const struct sock_filter *code, unsigned short n)
{
	struct sock_fprog program = {.len = n, .filter = (struct sock_filter *)(uintptr_t)code};

	return sys_seccomp(SECCOMP_SET_MODE_FILTER, 0, &program);
}
