/* SPDX-License-Identifier: MIT */
#include "run/victims.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

/* The log of a busy host is long; a run's own lines are at its end, but reading starts at its head. */
#define MAX_RECORDS 20000

static const char *find_last(const char *s, const char *what)
{
	const char *found = NULL;
	while ((s = strstr(s, what)))
		found = s++;
	return found;
}

/*
 * "…,oom_memcg=/a,task_memcg=/a/b,task=NAME,pid=123,uid=0": a process names itself, so NAME may hold
 * commas and equal signs and even look like the rest; what follows it is found from the end.
 */
bool victims_parse(const char *record, const char *group_name, struct victim *ret)
{
	if (!strstr(record, "oom-kill:constraint="))
		return false;
	const char *memcg = strstr(record, ",task_memcg=");
	const char *task = memcg ? strstr(memcg, ",task=") : NULL;
	const char *pid = task ? find_last(task, ",pid=") : NULL;
	if (!pid)
		return false;
	const char *name = memmem(memcg, (size_t)(task - memcg), group_name, strlen(group_name));
	if (!name)
		return false;
	task += strlen(",task=");
	*ret = (struct victim){.pid = (pid_t)strtol(pid + strlen(",pid="), NULL, 10)};
	size_t size = task < pid ? (size_t)(pid - task) : 0;
	snprintf(ret->comm, sizeof(ret->comm), "%.*s", size < 16 ? (int)size : 16, task);
	return ret->pid > 0;
}

static void add_victim(struct observation *o, const struct victim *v)
{
	for (size_t i = 0; i < o->n_victims; i++)
		if (o->victims[i].pid == v->pid)
			return;
	if (o->n_victims == OBSERVATION_MAX_VICTIMS)
		return;
	o->victims[o->n_victims] = *v;
	o->victims[o->n_victims++].leader = v->pid == o->leader_pid;
}

static void read_log(struct observation *o, const char *group_name)
{
	char record[8192];
	struct victim victim;
	cleanup_fd int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	for (int i = 0; fd >= 0 && i < MAX_RECORDS; i++) {
		ssize_t n = read(fd, record, sizeof(record) - 1);
		if (n < 0 && (errno == EPIPE || errno == EINVAL))
			continue; /* overwritten meanwhile, or longer than any that we look for */
		if (n <= 0)
			return;
		record[n] = 0;
		record[strcspn(record, "\n")] = 0;
		if (victims_parse(record, group_name, &victim))
			add_victim(o, &victim);
	}
}

static bool oom_killed(const struct observation *o)
{
	for (size_t i = 0; i < o->n_counters; i++)
		if (o->counters[i].own && strcmp(o->counters[i].fact, "oom_kill") == 0)
			return o->counters[i].after > o->counters[i].before;
	return false;
}

static bool we_killed(const struct observation *o)
{
	for (size_t i = 0; i < o->n_acts; i++)
		if (o->acts[i].signal == SIGKILL && o->acts[i].reason != ACT_OOM_GROUP)
			return true;
	return false;
}

void victims_find(struct observation *o, const char *group_name)
{
	if (!oom_killed(o))
		return;
	if (group_name)
		read_log(o, group_name);
	bool killed = o->wait == WAIT_SIGNALED && o->term_signal == SIGKILL && !we_killed(o);
	if (o->n_victims > 0 || !killed || o->leader_pid == 0)
		return;
	struct victim leader = {.pid = o->leader_pid};
	memcpy(leader.comm, o->leader_comm, sizeof(leader.comm));
	add_victim(o, &leader);
}
