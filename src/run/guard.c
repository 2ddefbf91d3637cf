/* SPDX-License-Identifier: MIT */
#include "run/guard.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "kernel/oom.h"
#include "kernel/scheduler.h"

/* The kernel's shortest. */
#define SLICE_US 100

/* Not -1000: where nothing else is left, the host matters more than a run. */
#define GUARDED_ADJ (-900)

/* Flags of the kernel's (include/linux/sched.h) in /proc/PID/stat: forked but did not exec. */
#define FORKED_NO_EXEC 0x40
#define FLAGS_AFTER    6 /* fields between the name and them */

/*
 * That the maker is gone does not tell: the kernel lets it go before it has changed the memory of
 * who execs, and takes this flag away after.
 */
static bool read_flags(pid_t pid, unsigned long *ret)
{
	char path[32], text[1024];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read_text(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return false;
	/* the name, in parentheses, is the program's choice: nothing after it is */
	const char *p = strrchr(text, ')');
	for (int i = 0; p && i <= FLAGS_AFTER; i++)
		p = strchr(p + 1, ' ');
	if (p)
		*ret = strtoul(p, NULL, 10);
	return p != NULL;
}

bool guard_memory(pid_t payload)
{
	unsigned long flags = 0;
	if (payload && !read_flags(payload, &flags))
		return true;
	if (flags & FORKED_NO_EXEC)
		return false;
	oom_lower(GUARDED_ADJ);
	return true;
}

void guard_turns(void)
{
	scheduler_set_slice(SLICE_US);
}
