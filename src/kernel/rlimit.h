/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_RLIMIT_H
#define KERNEL_RLIMIT_H

#include <stdint.h>

#define RLIMIT_NONE UINT64_MAX

/*
 * Set both limits of RLIMIT_… @resource for the calling process (RLIMIT_NONE: unlimited). 0 or
 * -errno: EPERM when @hard is above the present hard limit and the caller has no CAP_SYS_RESOURCE,
 * EINVAL when @soft is above @hard. For the child: no libc.
 */
long rlimit_set(int resource, uint64_t soft, uint64_t hard);

#endif
