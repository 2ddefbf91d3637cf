/* SPDX-License-Identifier: MIT */
#include "kernel/rlimit.h"
#include "kernel/sys.h"

long rlimit_set(int resource, uint64_t soft, uint64_t hard)
{
	const uint64_t limit[2] = {soft, hard};

	return sys_prlimit64(0, resource, limit, NULL);
}
