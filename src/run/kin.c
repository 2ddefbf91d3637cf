/* SPDX-License-Identifier: MIT */
#include "run/kin.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/fd.h"
#include "kernel/sys.h"
#include "run/group-name.h"
#include "run/sampler.h"

/* Of proc_pid_stat(5). */
enum { STAT_PPID = 4, STAT_SESSION = 6 };

struct relative {
	pid_t pid, parent, session;
	uint64_t start;
	bool kin;
};

struct relatives {
	struct relative *v;
	size_t n, room;
};

static bool read_one(int proc, const char *pid, struct relative *ret)
{
	char path[64], line[1024], state;
	uint64_t start;
	snprintf(path, sizeof(path), "%.20s/stat", pid);
	if (file_read_text(proc, path, line, sizeof(line)) <= 0 ||
		!group_parse_stat(line, &state, &start) || state == 'Z' || state == 'X')
		return false;
	*ret = (struct relative){
		.pid = (pid_t)strtol(pid, NULL, 10),
		.parent = (pid_t)sampler_stat_field(line, STAT_PPID),
		.session = (pid_t)sampler_stat_field(line, STAT_SESSION),
		.start = start,
	};
	return true;
}

static void add(struct relatives *list, const struct relative *r)
{
	if (list->n == list->room) {
		list->room = list->room ? 2 * list->room : 256;
		list->v = realloc(list->v, list->room * sizeof(*list->v));
		if (!list->v)
			out_of_memory();
	}
	list->v[list->n++] = *r;
}

static void read_all(DIR *proc, struct relatives *ret)
{
	struct relative r;
	for (struct dirent *entry; (entry = readdir(proc));)
		if (isdigit((unsigned char)entry->d_name[0]) &&
			read_one(dirfd(proc), entry->d_name, &r))
			add(ret, &r);
}

static int by_pid(const void *a, const void *b)
{
	const struct relative *x = a, *y = b;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

static bool is_kin(const struct relatives *list, pid_t pid)
{
	const struct relative key = {.pid = pid};
	const struct relative *r = bsearch(&key, list->v, list->n, sizeof(key), by_pid);
	return r && r->kin;
}

static void mark(struct relatives *list, pid_t leader)
{
	bool more = list->n > 0;
	if (more)
		qsort(list->v, list->n, sizeof(*list->v), by_pid);
	for (size_t i = 0; i < list->n; i++)
		list->v[i].kin = list->v[i].pid == leader || list->v[i].session == leader;
	while (more) {
		more = false;
		for (size_t i = 0; i < list->n; i++) {
			struct relative *r = &list->v[i];
			if (!r->kin && is_kin(list, r->parent))
				r->kin = more = true;
		}
	}
}

/* The pidfd first, and then a look whether the number is still that of who was found. */
static void send_signal(int proc, const struct relative *r, int sig)
{
	char name[16];
	struct relative now;
	cleanup_fd int fd = (int)sys_pidfd_open(r->pid, 0);
	snprintf(name, sizeof(name), "%d", (int)r->pid);
	if (fd >= 0 && read_one(proc, name, &now) && now.start == r->start)
		sys_pidfd_send_signal(fd, sig, NULL, 0);
}

int kin_signal(pid_t leader, int sig)
{
	struct relatives list = {0};
	int n = 0;
	DIR *proc = leader > 0 ? opendir("/proc") : NULL;
	if (!proc)
		return -1;
	read_all(proc, &list);
	mark(&list, leader);
	for (size_t i = 0; i < list.n; i++) {
		if (!list.v[i].kin || list.v[i].pid == leader)
			continue;
		n++;
		if (sig)
			send_signal(dirfd(proc), &list.v[i], sig);
	}
	closedir(proc);
	free(list.v);
	return n;
}
