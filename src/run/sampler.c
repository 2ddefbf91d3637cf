/* SPDX-License-Identifier: MIT */
#include "run/sampler.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/time.h"
#include "kernel/proc-stat.h"

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

static void read_process(struct processes *list, int proc, pid_t pid)
{
	uint64_t tick_us = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	struct proc_stat stat;
	if (!proc_stat_read(proc, pid, &stat))
		return;
	const struct process p = {
		.pid = pid,
		.parent = stat.ppid,
		.bytes = stat.rss * (uint64_t)sysconf(_SC_PAGESIZE),
		.cpu_us = (stat.utime + stat.stime + stat.cutime + stat.cstime) * tick_us,
	};
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
			read_process(&host, dirfd(d), (pid_t)strtol(entry->d_name, NULL, 10));
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
