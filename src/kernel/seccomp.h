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

/*
 * The same for a filter that notifies (kernel/notify.h): returns its listener, a descriptor that is
 * close-on-exec, or -errno besides: EBUSY where a filter above has one already (WSL2, some container
 * runtimes), EINVAL before Linux 5.0. From Linux 5.19 on, a call that was received is interrupted by fatal
 * signals only. Whoever makes calls that notify hangs until the other end of the listener answers:
 * it has to be passed on by calls that do not. For the child: no libc.
 */
long seccomp_install_listener(const struct sock_filter *code, unsigned short n);

#endif
