/* SPDX-License-Identifier: MIT */
#include "run/guard.h"

#include "kernel/oom.h"
#include "kernel/proc-stat.h"
#include "kernel/scheduler.h"

/* The kernel's shortest. */
#define SLICE_US 100

/* Not -1000: where nothing else is left, the host matters more than a run. */
#define GUARDED_ADJ (-900)

/*
 * Whether it has exec'd: that its maker is gone does not tell, which the kernel lets go before it has changed
 * the memory of who execs; it takes the flag away after.
 */
bool guard_memory(pid_t payload)
{
	struct proc_stat stat;
	if (payload && !proc_stat_read(-1, payload, &stat))
		return true;
	if (payload && stat.flags & PROC_FORKED_NO_EXEC)
		return false;
	oom_lower(GUARDED_ADJ);
	return true;
}

void guard_turns(void)
{
	scheduler_set_slice(SLICE_US);
}
