/* SPDX-License-Identifier: MIT */
#ifndef RUN_TEST_GROUP_H
#define RUN_TEST_GROUP_H

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/time.h"
#include "run/group-backend.h"
#include "run/host.h"

/*
 * On this machine's real cgroups, whatever rung they are; as root, or as a user with a delegated
 * subtree. Every test ends with no directory of ours and no descriptor left.
 */

#define WAIT_MS 20000

static struct arena arena;
static struct host host;

static inline unsigned count_fds(void)
{
	unsigned n = 0;
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static unsigned fds_before;

static inline int setup(void **state)
{
	(void)state;
	host_probe(&host, &arena, false);
	fds_before = count_fds();
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	assert_int_equal(count_fds(), fds_before);
	arena_fini(&arena);
	return 0;
}

static inline void need_groups(void)
{
	if (host.cgroup.rung != RUNG_NONE && host.cgroup.base[CONTROLLER_MEMORY] != NULL)
		return;
	print_message("skipped: no control group may be made here (%s)\n",
		host.cgroup.why_not_better != NULL ? host.cgroup.why_not_better : "?");
	skip();
}

static inline struct limits limits_of(uint64_t memory, uint64_t pids)
{
	struct limits l = {.oom = OOM_GROUP};
	l.v[LIMIT_MEMORY] = (struct limit_value){true, ORIGIN_ASKED, memory};
	l.v[LIMIT_SWAP] = (struct limit_value){true, ORIGIN_DEFAULT, 0};
	l.v[LIMIT_PIDS] = (struct limit_value){true, ORIGIN_ASKED, pids};
	return l;
}

static inline struct group *open_spec(
	const struct group_spec *spec, enum enforced_by by[LIMIT_COUNT_])
{
	struct group *g = NULL;
	struct error e = ERROR_INIT;
	if (group_open(&g, &host.cgroup, spec, by, &e) < 0)
		fail_msg("%s", e.text);
	return g;
}

static inline struct group *open_group(const struct limits *l, enum enforced_by by[LIMIT_COUNT_])
{
	const struct group_spec spec = {
		.id = "test", .limits = l, .oom_group = l->oom == OOM_GROUP};
	return open_spec(&spec, by);
}

static inline void close_group(struct group *g)
{
	struct error e = ERROR_INIT;
	char path[512];
	enum controller c =
		host.cgroup.base[CONTROLLER_CORE] != NULL ? CONTROLLER_CORE : CONTROLLER_MEMORY;
	snprintf(path, sizeof(path), "%s/%s", g->base[c], g->name);
	assert_int_equal(access(path, F_OK), 0);
	if (group_close(g, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(access(path, F_OK), -1);
}

/* Run @fn in a child that is born in, or enters, the group; returns when it is in all of it. */
static inline pid_t enter_by(const struct group_entry *entry, void (*fn)(void))
{
	int in[2];
	char byte;
	assert_int_equal(pipe(in), 0);
	struct clone_args args = {.exit_signal = SIGCHLD};
	if (entry->into_fd >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)entry->into_fd;
	}
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	assert_true(pid >= 0);
	if (pid > 0) {
		close(in[1]);
		assert_int_equal(read(in[0], &byte, 1), 0);
		close(in[0]);
		return pid;
	}
	close(in[0]);
	for (unsigned i = 0; i < entry->n_tasks; i++) {
		if (write(entry->tasks[i], "0", 1) != 1)
			_exit(99);
	}
	close(in[1]);
	fn();
	_exit(0);
}

static inline pid_t enter(struct group *g, void (*fn)(void))
{
	return enter_by(group_entry(g), fn);
}

static inline void take_memory(void)
{
	size_t size = 256 << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; p != MAP_FAILED && i < size; i += 4096)
		p[i] = 1;
}

static inline void wait_for_ever(void)
{
	for (;;)
		pause();
}

static inline void make_family(void)
{
	while (fork() >= 0)
		;
	wait_for_ever();
}

static inline int wait_status(pid_t pid)
{
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static inline const struct counter *find(const struct observation *o, const char *fact, bool own)
{
	for (size_t i = 0; i < o->n_counters; i++) {
		if (o->counters[i].own == own && strcmp(o->counters[i].fact, fact) == 0)
			return &o->counters[i];
	}
	return NULL;
}

static inline uint64_t rise_of(const struct observation *o, const char *fact)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < o->n_counters; i++) {
		if (o->counters[i].own && strcmp(o->counters[i].fact, fact) == 0)
			sum += o->counters[i].after - o->counters[i].before;
	}
	return sum;
}

#endif
