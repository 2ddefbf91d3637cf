/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <mqueue.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "attack.h"

/* Limits and priorities: one's own, others', and what all of a user's processes share. */

static enum outcome raise_any_limit(const char *arg)
{
	(void)arg;
	for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
		struct rlimit now, more;
		if (getrlimit((__rlimit_resource_t)resource, &now) != 0 ||
			now.rlim_max == RLIM_INFINITY)
			continue;
		more = (struct rlimit){now.rlim_cur, now.rlim_max + 1};
		if (setrlimit((__rlimit_resource_t)resource, &more) == 0)
			return worked("resource %d has a higher hard limit", resource);
	}
	return stopped("none goes up: %s", strerror(errno));
}

/* core_pattern may start a program on the host, as root, with the dump as its input. */
static enum outcome dump_core(const char *arg)
{
	struct rlimit more = {RLIM_INFINITY, RLIM_INFINITY}, now;

	(void)arg;
	setrlimit(RLIMIT_CORE, &more);
	getrlimit(RLIMIT_CORE, &now);
	return now.rlim_cur > 1 ? worked("cores of %llu bytes", (unsigned long long)now.rlim_cur)
				: stopped("at most %llu bytes", (unsigned long long)now.rlim_cur);
}

/* Timers and queued signals are counted for all of a user: none of them may be left to others. */
static enum outcome all_timers(const char *arg)
{
	enum { MANY = 8192 };
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	timer_t timer;
	int n = 0;

	(void)arg;
	while (n < MANY && timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
		n++;
	return n == MANY ? worked("%d timers, and no end", n) : stopped("%d timers", n);
}

static enum outcome harder_to_kill(const char *arg)
{
	char text[32] = "";
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	(void)arg;
	if (n <= 0)
		return stopped("oom_score_adj: %s", strerror(errno));
	snprintf(text, sizeof(text), "%d", atoi(text) - 1);
	return judge(pwrite(fd, text, strlen(text), 0), "a lower oom_score_adj");
}

/* ---- others' priorities: a witness outside tells ---- */

static enum outcome nice_others(int which, id_t who, const char *arg)
{
	if (arg[0] == '\0')
		return not_applicable("no witness was given");
	if (setpriority((__priority_which_t)which, who, 7) != 0)
		return stopped("setpriority: %s", strerror(errno));
	return stopped("done: the witness tells");
}

static enum outcome nice_group(const char *arg)
{
	return nice_others(PRIO_PGRP, 0, arg);
}

static enum outcome nice_user(const char *arg)
{
	return nice_others(PRIO_USER, getuid(), arg);
}

static enum outcome ionice_others(int which, int who, const char *arg)
{
	int idle = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0);

	if (arg[0] == '\0')
		return not_applicable("no witness was given");
	if (syscall(SYS_ioprio_set, which, who, idle) != 0)
		return stopped("ioprio_set: %s", strerror(errno));
	return stopped("done: the witness tells");
}

static enum outcome ionice_group(const char *arg)
{
	return ionice_others(IOPRIO_WHO_PGRP, 0, arg);
}

static enum outcome ionice_user(const char *arg)
{
	return ionice_others(IOPRIO_WHO_USER, (int)getuid(), arg);
}

/* ---- shared memory and queues of the host ---- */

static enum outcome shared_memory(const char *arg)
{
	if (arg[0] == '\0')
		return not_applicable("no key was given");
	return judge(shmget((key_t)strtoul(arg, NULL, 0), 0, 0), "the host's shared memory");
}

static enum outcome message_queue(const char *arg)
{
	if (arg[0] == '\0')
		return not_applicable("no name was given");
	return judge(mq_open(arg, O_RDONLY | O_CLOEXEC), "the host's message queue");
}

static enum outcome shared_file(const char *arg)
{
	char path[256];

	if (arg[0] == '\0')
		return not_applicable("no name was given");
	snprintf(path, sizeof(path), "/dev/shm/%s", arg);
	return judge_open(path, O_RDONLY);
}

const struct attack limit_attacks[] = {
	{"limit-any", raise_any_limit, false},
	{"limit-core", dump_core, false},
	{"limit-timers", all_timers, false},
	{"limit-oom-score", harder_to_kill, false},
	{"nice-group", nice_group, false},
	{"nice-user", nice_user, false},
	{"ionice-group", ionice_group, false},
	{"ionice-user", ionice_user, false},
	{"ipc-shm", shared_memory, false},
	{"ipc-mq", message_queue, false},
	{"ipc-dev-shm", shared_file, false},
	{NULL, NULL, false},
};
