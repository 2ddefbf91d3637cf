/* SPDX-License-Identifier: MIT */
#include "run/kin.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/fd.h"
#include "kernel/proc-stat.h"
#include "kernel/sys.h"

struct relative {
	pid_t pid, parent, session;
	uint64_t start;
	bool kin;
};

struct relatives {
	struct relative *v;
	size_t n, room;
};

static bool read_one(int proc, pid_t pid, struct relative *ret)
{
	struct proc_stat stat;
	if (!proc_stat_read(proc, pid, &stat) || stat.state == 'Z' || stat.state == 'X')
		return false;
	*ret = (struct relative){
		.pid = pid,
		.parent = stat.ppid,
		.session = stat.session,
		.start = stat.starttime,
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
			read_one(dirfd(proc), (pid_t)strtol(entry->d_name, NULL, 10), &r))
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
	struct relative now;
	cleanup_fd int fd = (int)sys_pidfd_open(r->pid, 0);
	if (fd >= 0 && read_one(proc, r->pid, &now) && now.start == r->start)
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
