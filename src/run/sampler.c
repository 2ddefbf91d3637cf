/* SPDX-License-Identifier: MIT */
#include "run/sampler.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/time.h"

/* Of proc_pid_stat(5). */
enum { STAT_PPID = 4, STAT_UTIME = 14, STAT_STIME, STAT_CUTIME, STAT_CSTIME, STAT_RSS = 24 };

struct process {
	pid_t pid, parent;
	bool inside;
	uint64_t bytes, cpu_us;
};

struct processes {
	struct process *v;
	size_t n, room;
};

void sampler_init(struct sampler *s, pid_t init, pid_t payload)
{
	*s = (struct sampler){.init = init, .payload = payload};
}

/* The name, in brackets, may hold anything, brackets and spaces too. */
uint64_t sampler_stat_field(const char *line, int index)
{
	const char *p = strrchr(line, ')');
	for (int at = 2; p && at < index; at++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p + 1, NULL, 10) : 0;
}

static void add(struct processes *list, const struct process *p)
{
	if (list->n == list->room) {
		list->room = list->room ? 2 * list->room : 256;
		list->v = realloc(list->v, list->room * sizeof(*list->v));
		if (!list->v)
			out_of_memory();
	}
	list->v[list->n++] = *p;
}

static void read_process(struct processes *list, int proc, const char *pid)
{
	char path[64], line[1024];
	uint64_t tick_us = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	snprintf(path, sizeof(path), "%.20s/stat", pid);
	if (file_read_text(proc, path, line, sizeof(line)) <= 0)
		return;
	struct process p = {
		.pid = (pid_t)strtol(pid, NULL, 10),
		.parent = (pid_t)sampler_stat_field(line, STAT_PPID),
		.bytes = sampler_stat_field(line, STAT_RSS) * (uint64_t)sysconf(_SC_PAGESIZE),
	};
	for (int field = STAT_UTIME; field <= STAT_CSTIME; field++)
		p.cpu_us += sampler_stat_field(line, field) * tick_us;
	add(list, &p);
}

static int by_pid(const void *a, const void *b)
{
	const struct process *x = a, *y = b;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

static bool is_inside(const struct processes *list, pid_t pid)
{
	struct process key = {.pid = pid};
	const struct process *p = bsearch(&key, list->v, list->n, sizeof(key), by_pid);
	return p && p->inside;
}

/*
 * Children of those inside are inside, until nothing is added any more. Most have a higher number
 * than their parent, so that one round nearly always finds all.
 */
static void mark_inside(struct processes *list, const struct sampler *s)
{
	bool more = list->n > 0;
	for (size_t i = 0; i < list->n; i++)
		list->v[i].inside = list->v[i].pid == s->payload || list->v[i].pid == s->init;
	while (more) {
		more = false;
		for (size_t i = 0; i < list->n; i++) {
			struct process *p = &list->v[i];
			if (!p->inside && is_inside(list, p->parent))
				p->inside = more = true;
		}
	}
}

static void sum_up(struct sampler *s, const struct processes *list, uint64_t *ret_bytes)
{
	uint64_t bytes = 0, n = 0;
	s->cpu_us = 0;
	for (size_t i = 0; i < list->n; i++) {
		const struct process *p = &list->v[i];
		if (!p->inside || p->pid == s->init)
			continue; /* init's memory is the supervisor's, shared */
		bytes += p->bytes;
		s->cpu_us += p->cpu_us;
		n++;
	}
	s->bytes = bytes;
	s->pids = n;
	s->peak_bytes = bytes > s->peak_bytes ? bytes : s->peak_bytes;
	s->pids_peak = n > s->pids_peak ? n : s->pids_peak;
	*ret_bytes = bytes;
}

/* The host's processes, which are the same for all that look at the same time. */
static struct processes host;
static uint64_t looked_us;

static int look_at_host(uint64_t max_age_us)
{
	uint64_t now = time_monotonic_us();
	if (host.n > 0 && now - looked_us < max_age_us)
		return 0;
	DIR *d = opendir("/proc");
	if (!d)
		return -1;
	host.n = 0;
	for (struct dirent *entry; (entry = readdir(d));)
		if (isdigit((unsigned char)entry->d_name[0]))
			read_process(&host, dirfd(d), entry->d_name);
	closedir(d);
	if (host.n > 0)
		qsort(host.v, host.n, sizeof(*host.v), by_pid);
	looked_us = time_monotonic_us();
	return 0;
}

int sampler_look_lately(struct sampler *s, uint64_t max_age_us, uint64_t *ret_bytes)
{
	if (look_at_host(max_age_us) < 0)
		return -1;
	mark_inside(&host, s);
	sum_up(s, &host, ret_bytes);
	return 0;
}

int sampler_look(struct sampler *s, uint64_t *ret_bytes)
{
	return sampler_look_lately(s, 0, ret_bytes);
}
