/* SPDX-License-Identifier: MIT */
#include "run/virtual-peak.h"

#include <sys/resource.h>

#include "kernel/taskstats.h"

int virtual_peak_open(struct observation *o)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		o->inherited_address_space_bytes = limit.rlim_cur;
	if (!o->limits[LIMIT_ADDRESS_SPACE].asked.set && o->inherited_address_space_bytes == 0)
		return -1;
	int fd = taskstats_open();
	return fd < 0 ? -1 : fd;
}

void virtual_peak_expect(int fd, pid_t pid)
{
	if (fd >= 0)
		taskstats_only(fd, pid); /* else some may be lost, and the peak be unknown */
}

void virtual_peak_read(int fd, pid_t pid, struct observation *o)
{
	struct taskstats_end end;
	if (fd < 0 || !taskstats_end(fd, pid, &end))
		return;
	o->leader_virtual_peak_known = true;
	o->leader_virtual_peak_bytes = end.virtual_peak_bytes;
}
