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

void scheduler_home_init(struct scheduler_home *ret)
{
	unsigned n = 0;
	*ret = (struct scheduler_home){.size = 0};
	int size = sys_sched_getaffinity(0, sizeof(ret->cpus), ret->cpus);
	for (int i = 0; i < size / (int)sizeof(ret->cpus[0]); i++)
		n += (unsigned)__builtin_popcountll(ret->cpus[i]);
	if (n > 1)
		ret->size = (uint32_t)size;
}

void scheduler_stay(struct scheduler_home *h)
{
	uint64_t one[SCHEDULER_CPUS_MAX / 64] = {0};
	unsigned cpu;
	if (h->stays || h->size == 0 || sys_getcpu(&cpu) < 0 || cpu >= h->size * 8)
		return;
	one[cpu / 64] = 1ull << cpu % 64;
	h->stays = sys_sched_setaffinity(0, h->size, one) == 0;
}

void scheduler_roam(struct scheduler_home *h)
{
	if (h->stays)
		h->stays = sys_sched_setaffinity(0, h->size, h->cpus) != 0;
}
