/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_SECCOMP_H
#define KERNEL_SECCOMP_H

#include <linux/filter.h>

/*
 * Put the filter of @n instructions at @code on the calling thread and all it will make, for good.
 * Needs no_new_privs or CAP_SYS_ADMIN. 0 or -errno: EINVAL for a program that the kernel does not
 * accept (or a kernel without CONFIG_SECCOMP_FILTER), EACCES without the privilege, ENOSYS before
 * Linux 3.17. For the child: no libc.
 */
long seccomp_install(const struct sock_filter *code, unsigned short n);

#endif
