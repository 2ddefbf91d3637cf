/* SPDX-License-Identifier: MIT */
#include "kernel/scheduler.h"

#include <errno.h>
#include <linux/sched.h>
#include <linux/sched/types.h>

#include "kernel/sys.h"

/* The first size of struct sched_attr: later ones only add what we leave alone. */
static long read_attr(struct sched_attr *ret)
{
	*ret = (struct sched_attr){0};
	return sys_sched_getattr(0, ret, SCHED_ATTR_SIZE_VER0);
}

bool scheduler_is_usual(void)
{
	struct sched_attr attr;
	return read_attr(&attr) == 0 && attr.sched_policy == SCHED_NORMAL && attr.sched_nice == 0;
}

long scheduler_set_slice(uint64_t us)
{
	struct sched_attr attr;
	long r = read_attr(&attr);
	if (r < 0 || (attr.sched_policy != SCHED_NORMAL && attr.sched_policy != SCHED_BATCH))
		return r;
	attr.size = SCHED_ATTR_SIZE_VER0;
	attr.sched_runtime = us * 1000;
	return sys_sched_setattr(0, &attr);
}
