/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/seccomp.h>

#include "kernel/seccomp.h"
#include "kernel/sys.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static long install(const struct sock_filter *code, unsigned short n, unsigned flags)
{
	struct sock_fprog program = {.len = n, .filter = (struct sock_filter *)(uintptr_t)code};

	return sys_seccomp(SECCOMP_SET_MODE_FILTER, flags, &program);
}

long seccomp_install(const struct sock_filter *code, unsigned short n)
{
	return install(code, n, 0);
}

long seccomp_install_listener(const struct sock_filter *code, unsigned short n)
{
	const unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	long listener = install(code, n, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);

	/* an unknown flag is refused before anything was done */
	return listener == -EINVAL ? install(code, n, flags) : listener;
}
