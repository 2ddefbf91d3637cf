/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_H
#define KERNEL_NET_H

/*
 * Set the loopback interface of the caller's network namespace up; 127.0.0.1 and ::1 come with it.
 * Needs CAP_NET_ADMIN over the namespace. 0 or -errno. For the child: no libc.
 */
long net_loopback_up(void);

#endif
