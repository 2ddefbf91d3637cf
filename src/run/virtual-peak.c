/* SPDX-License-Identifier: MIT */
#include "run/virtual-peak.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "kernel/taskstats.h"

bool virtual_peak_wanted(const struct observation *o)
{
	return o->limits[LIMIT_ADDRESS_SPACE].asked.set ||
		o->inherited[LIMIT_ADDRESS_SPACE].soft_set;
}

int virtual_peak_open(const struct observation *o)
{
	if (!virtual_peak_wanted(o))
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

void virtual_peak_sample(pid_t pid, struct observation *o)
{
	char path[64], text[4096];
	uint64_t kib;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (file_read_text(-1, path, text, sizeof(text)) <= 0)
		return;
	/* the name, above it, has its line feeds written as \n */
	const char *line = strstr(text, "\nVmPeak:");
	if (!line || sscanf(line, "\nVmPeak: %" SCNu64 " kB", &kib) != 1 || kib > INT64_MAX / 1024)
		return;
	o->leader_virtual_peak_known = o->leader_virtual_peak_sampled = true;
	o->leader_virtual_peak_bytes = kib * 1024;
}
