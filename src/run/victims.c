/* SPDX-License-Identifier: MIT */
#include "run/victims.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "run/kmsg.h"

static const char *find_last(const char *s, const char *what)
{
	const char *found = NULL;
	while ((s = strstr(s, what)))
		found = s++;
	return found;
}

/* @id is the last part of a directory's name in the path, and not a part of such a part. */
static bool path_names(const char *path, size_t size, const char *id)
{
	const char *end = path + size;
	size_t n = strlen(id);
	for (const char *p = path; n > 0 && (p = memmem(p, (size_t)(end - p), id, n)); p++) {
		bool starts = p == path || p[-1] == '-' || p[-1] == '/';
		if (starts && (p + n == end || p[n] == '/'))
			return true;
	}
	return false;
}

/* A name as the kernel writes it: what is not plain ASCII, and the backslash, as \xNN. */
static void copy_comm(char *out, size_t room, const char *s, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < size && n + 1 < room; i++) {
		unsigned byte;
		if (s[i] == '\\' && i + 3 < size && sscanf(s + i, "\\x%2x", &byte) == 1) {
			out[n++] = (char)byte;
			i += 3;
		} else {
			out[n++] = s[i];
		}
	}
	out[n] = 0;
}

static pid_t parse_pid(const char *s)
{
	char *end;
	errno = 0;
	long pid = *s >= '0' && *s <= '9' ? strtol(s, &end, 10) : 0;
	return errno || pid > INT32_MAX ? 0 : (pid_t)pid;
}

/* Whose limit it was, from what stands before the victim's group: "CONSTRAINT_…,…,oom_memcg=/a". */
static void parse_scope(const char *constraint, const char *end, const char *group_name,
	struct victim *ret, struct arena *a)
{
	static const char key[] = ",oom_memcg=", memcg[] = "CONSTRAINT_MEMCG,";
	size_t n = strlen(key);
	const char *group = memmem(constraint, (size_t)(end - constraint), key, n);
	if (strncmp(constraint, memcg, strlen(memcg)) != 0) {
		/* none, or memory that a cpuset or a policy of NUMA nodes left to it */
		ret->scope = OOM_SCOPE_HOST;
	} else if (group && path_names(group + n, (size_t)(end - group) - n, group_name)) {
		ret->scope = OOM_SCOPE_OWN;
	} else if (group) {
		ret->scope = OOM_SCOPE_ABOVE;
		ret->group = arena_strndup(a, group + n, (size_t)(end - group) - n);
	}
}

/*
 * "…,oom_memcg=/a,task_memcg=/a/b,task=NAME,pid=123,uid=0": a process names itself, so NAME may hold
 * commas and equal signs and even look like the rest; what follows it is found from the end.
 */
bool victims_parse(const char *record, const char *group_name, struct victim *ret, struct arena *a)
{
	static const char head[] = "oom-kill:constraint=";
	const char *constraint = kmsg_text(record, head);
	if (!constraint)
		return false;
	const char *memcg = strstr(record, ",task_memcg=");
	const char *task = memcg ? strstr(memcg, ",task=") : NULL;
	const char *pid = task ? find_last(task, ",pid=") : NULL;
	if (!pid)
		return false;
	const char *end = memcg;
	memcg += strlen(",task_memcg=");
	if (end < constraint || !path_names(memcg, (size_t)(task - memcg), group_name))
		return false;
	struct victim victim = {.pid = parse_pid(pid + strlen(",pid="))};
	if (victim.pid <= 0)
		return false;
	task += strlen(",task=");
	copy_comm(victim.comm, sizeof(victim.comm), task, task < pid ? (size_t)(pid - task) : 0);
	parse_scope(constraint + strlen(head), end, group_name, &victim, a);
	*ret = victim;
	return true;
}

static struct victim *find_victim(struct observation *o, pid_t pid)
{
	for (size_t i = 0; i < o->n_victims; i++)
		if (o->victims[i].pid == pid)
			return &o->victims[i];
	return NULL;
}

void victims_add(struct observation *o, const struct victim *v)
{
	struct victim *there = find_victim(o, v->pid);
	if (there && there->scope == OOM_SCOPE_UNKNOWN) {
		there->scope = v->scope;
		there->group = v->group;
	}
	if (there)
		return;
	if (o->n_victims == OBSERVATION_MAX_VICTIMS)
		return;
	o->victims[o->n_victims] = *v;
	o->victims[o->n_victims++].leader = v->pid == o->leader_pid;
}

void victims_read(int fd, const char *group_name, struct observation *o, struct arena *a)
{
	char record[KMSG_RECORD_SIZE];
	struct victim victim;
	for (int i = 0; i < KMSG_MAX_RECORDS && kmsg_next(fd, record); i++)
		if (victims_parse(record, group_name, &victim, a))
			victims_add(o, &victim);
}

uint64_t victims_counted(const struct observation *o)
{
	for (size_t i = 0; i < o->n_counters; i++) {
		const struct counter *c = &o->counters[i];
		if (c->own && strcmp(c->fact, "oom_kill") == 0)
			return c->after > c->before ? c->after - c->before : 0;
	}
	return 0;
}

static bool we_killed(const struct observation *o)
{
	for (size_t i = 0; i < o->n_acts; i++)
		if (o->acts[i].signal == SIGKILL && o->acts[i].reason != ACT_OOM_GROUP)
			return true;
	return false;
}

void victims_find(struct observation *o, const char *group_name, struct arena *a)
{
	if (victims_counted(o) == 0)
		return;
	/* also with all of them known: only the log says whose limit it was */
	if (group_name) {
		cleanup_fd int fd = kmsg_open();
		victims_read(fd, group_name, o, a);
	}
	bool killed = o->wait == WAIT_SIGNALED && o->term_signal == SIGKILL && !we_killed(o);
	if (o->n_victims > 0 || !killed || o->leader_pid == 0)
		return;
	struct victim leader = {.pid = o->leader_pid};
	memcpy(leader.comm, o->leader_comm, sizeof(leader.comm));
	victims_add(o, &leader);
}
