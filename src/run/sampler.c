/* SPDX-License-Identifier: MIT */
#include "run/sampler.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

int sampler_open(struct sampler *s, pid_t init)
{
	char path[64];
	struct stat st;
	*s = (struct sampler){0};
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)init);
	if (stat(path, &st) < 0)
		return -1;
	s->pidns_dev = st.st_dev;
	s->pidns_ino = st.st_ino;
	return 0;
}

static bool is_of_box(const struct sampler *s, int proc, const char *pid)
{
	char path[64];
	struct stat st;
	snprintf(path, sizeof(path), "%.20s/ns/pid", pid);
	return fstatat(proc, path, &st, 0) == 0 && st.st_ino == s->pidns_ino &&
		st.st_dev == s->pidns_dev;
}

/* The number in place @index (from 1, as proc(5) counts) of a stat line, whose name may hold anything. */
static uint64_t stat_field(const char *line, int index)
{
	const char *p = strrchr(line, ')');
	for (int at = 2; p && at < index; at++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p + 1, NULL, 10) : 0;
}

enum { STAT_UTIME = 14, STAT_STIME = 15, STAT_CUTIME = 16, STAT_CSTIME = 17, STAT_RSS = 24 };

static void add_process(struct sampler *s, const char *line, uint64_t *bytes)
{
	uint64_t tick_us = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	*bytes += stat_field(line, STAT_RSS) * (uint64_t)sysconf(_SC_PAGESIZE);
	for (int field = STAT_UTIME; field <= STAT_CSTIME; field++)
		s->cpu_us += stat_field(line, field) * tick_us;
}

int sampler_look(struct sampler *s, uint64_t *ret_bytes)
{
	uint64_t bytes = 0, n = 0;
	DIR *d = opendir("/proc");
	if (!d)
		return -1;
	s->cpu_us = 0;
	for (struct dirent *entry; (entry = readdir(d));) {
		char path[64], line[1024];
		if (!isdigit((unsigned char)entry->d_name[0]) ||
			!is_of_box(s, dirfd(d), entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%.20s/stat", entry->d_name);
		if (file_read_text(dirfd(d), path, line, sizeof(line)) <= 0)
			continue;
		add_process(s, line, &bytes);
		n++;
	}
	closedir(d);
	s->peak_bytes = bytes > s->peak_bytes ? bytes : s->peak_bytes;
	s->pids_peak = n > s->pids_peak ? n : s->pids_peak;
	s->cpu_max_us = s->cpu_us > s->cpu_max_us ? s->cpu_us : s->cpu_max_us;
	*ret_bytes = bytes;
	return 0;
}
