/* SPDX-License-Identifier: MIT */
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

static unsigned count_fds(void)
{
	unsigned n = 0;
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static unsigned fds_before;

static int setup(void **state)
{
	(void)state;
	host_probe(&host, &arena, false);
	fds_before = count_fds();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(count_fds(), fds_before);
	arena_fini(&arena);
	return 0;
}

static void need_groups(void)
{
	if (host.cgroup.rung != RUNG_NONE && host.cgroup.base[CONTROLLER_MEMORY] != NULL)
		return;
	print_message("skipped: no control group may be made here (%s)\n",
		host.cgroup.why_not_better != NULL ? host.cgroup.why_not_better : "?");
	skip();
}

static struct limits limits_of(uint64_t memory, uint64_t pids)
{
	struct limits l = {.oom = OOM_GROUP};
	l.v[LIMIT_MEMORY] = (struct limit_value){true, ORIGIN_ASKED, memory};
	l.v[LIMIT_SWAP] = (struct limit_value){true, ORIGIN_DEFAULT, 0};
	l.v[LIMIT_PIDS] = (struct limit_value){true, ORIGIN_ASKED, pids};
	return l;
}

static struct group *open_group(const struct limits *l, enum enforced_by by[LIMIT_COUNT_])
{
	struct group *g = NULL;
	struct error e = ERROR_INIT;
	const struct group_spec spec = {
		.id = "test", .limits = l, .oom_group = l->oom == OOM_GROUP};
	if (group_open(&g, &host.cgroup, &spec, by, &e) < 0)
		fail_msg("%s", e.text);
	return g;
}

static void close_group(struct group *g)
{
	struct error e = ERROR_INIT;
	char path[512];
	enum controller c =
		host.cgroup.base[CONTROLLER_CORE] != NULL ? CONTROLLER_CORE : CONTROLLER_MEMORY;
	snprintf(path, sizeof(path), "%s/%s", host.cgroup.base[c], g->name);
	assert_int_equal(access(path, F_OK), 0);
	if (group_close(g, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(access(path, F_OK), -1);
}

/* Run @fn in a child that is born in, or enters, the group; returns when it is in all of it. */
static pid_t enter(struct group *g, void (*fn)(void))
{
	int in[2];
	char byte;
	assert_int_equal(pipe(in), 0);
	const struct group_entry *entry = group_entry(g);
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

static void take_memory(void)
{
	size_t size = 256 << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; p != MAP_FAILED && i < size; i += 4096)
		p[i] = 1;
}

static void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void make_family(void)
{
	while (fork() >= 0)
		;
	wait_for_ever();
}

static int wait_status(pid_t pid)
{
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static const struct counter *find(const struct observation *o, const char *fact, bool own)
{
	for (size_t i = 0; i < o->n_counters; i++) {
		if (o->counters[i].own == own && strcmp(o->counters[i].fact, fact) == 0)
			return &o->counters[i];
	}
	return NULL;
}

static uint64_t rise_of(const struct observation *o, const char *fact)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < o->n_counters; i++) {
		if (o->counters[i].own && strcmp(o->counters[i].fact, fact) == 0)
			sum += o->counters[i].after - o->counters[i].before;
	}
	return sum;
}

static void test_limits_are_written(void **state)
{
	(void)state;
	need_groups();
	enum enforced_by by[LIMIT_COUNT_] = {ENFORCED_NONE};
	struct limits l = limits_of(64 << 20, 16);
	l.v[LIMIT_CPUS] = (struct limit_value){true, ORIGIN_DEFAULT, 1500};
	by[LIMIT_TIMEOUT] = ENFORCED_SUPERVISOR;
	struct group *g = open_group(&l, by);
	bool v1 = host.cgroup.rung == RUNG_HYBRID;
	uint64_t value = 0;
	assert_int_equal(cgroup_read_u64(group_fd(g, CONTROLLER_MEMORY),
				 v1 ? "memory.limit_in_bytes" : "memory.max", &value),
		0);
	assert_int_equal(value, 64 << 20);
	assert_int_equal(cgroup_read_u64(group_fd(g, CONTROLLER_PIDS), "pids.max", &value), 0);
	assert_int_equal(value, 16);
	assert_int_equal(by[LIMIT_MEMORY], v1 ? ENFORCED_CGROUP_V1 : ENFORCED_CGROUP_V2);
	assert_int_equal(by[LIMIT_PIDS], by[LIMIT_MEMORY]);
	assert_int_equal(by[LIMIT_TIMEOUT], ENFORCED_SUPERVISOR);
	if (host.cgroup.has_swap)
		assert_int_equal(by[LIMIT_SWAP], by[LIMIT_MEMORY]);
	if (host.cgroup.base[CONTROLLER_CPU] != NULL)
		assert_int_equal(by[LIMIT_CPUS], by[LIMIT_MEMORY]);
	close_group(g);
}

static void test_memory_limit_kills(void **state)
{
	(void)state;
	need_groups();
	enum enforced_by by[LIMIT_COUNT_] = {ENFORCED_NONE};
	struct limits l = limits_of(32 << 20, 16);
	struct group *g = open_group(&l, by);
	assert_int_equal(group_oom_kills(g), 0);
	pid_t pid = enter(g, take_memory);
	struct pollfd p = {.fd = group_oom_fd(g, &p.events)};
	assert_true(p.fd >= 0);
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	int status = wait_status(pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(group_oom_kills(g) >= 1);
	assert_true(group_empty(g));

	struct observation o = {0};
	group_read(g, &o, &arena);
	const struct counter *c = find(&o, "oom_kill", true);
	assert_non_null(c);
	assert_int_equal(c->before, 0);
	assert_true(c->after >= 1);
	assert_int_equal(c->where[0], '/');
	c = find(&o, host.cgroup.rung == RUNG_HYBRID ? "failcnt" : "oom", true);
	assert_non_null(c);
	assert_true(rise_of(&o, c->fact) >= 1);
	assert_true(o.usage.cpu_known);
	if (host.cgroup.has_memory_peak) {
		assert_true(o.usage.memory_peak_known);
		assert_in_range(o.usage.memory_peak_bytes, 16 << 20, 33 << 20);
	}
	close_group(g);
}

static void test_family_dies_in_one_step(void **state)
{
	(void)state;
	need_groups();
	enum enforced_by by[LIMIT_COUNT_] = {ENFORCED_NONE};
	struct limits l = limits_of(64 << 20, 24);
	struct group *g = open_group(&l, by);
	pid_t pid = enter(g, make_family);
	uint64_t forked = 0, deadline = time_monotonic_us() + WAIT_MS * 1000;
	while (forked == 0 && time_monotonic_us() < deadline) {
		cgroup_read_key(group_fd(g, CONTROLLER_PIDS), "pids.events", "max", &forked);
		sched_yield();
	}
	assert_true(forked > 0);
	assert_false(group_empty(g));
	assert_true(group_kill(g));
	wait_status(pid);
	struct observation o = {0};
	group_wait_empty(group_procs_fd(g), time_monotonic_us() + WAIT_MS * 1000);
	assert_true(group_empty(g));
	group_read(g, &o, &arena);
	const struct counter *c = find(&o, "pids_max", true);
	assert_non_null(c);
	assert_true(c->after > 0);
	close_group(g);
}

/* The same through the way that old kernels need. */
static void test_family_dies_one_by_one(void **state)
{
	(void)state;
	need_groups();
	enum enforced_by by[LIMIT_COUNT_] = {ENFORCED_NONE};
	struct limits l = limits_of(64 << 20, 150);
	struct group *g = open_group(&l, by);
	pid_t pid = enter(g, make_family);
	uint64_t forked = 0, deadline = time_monotonic_us() + WAIT_MS * 1000;
	while (forked == 0 && time_monotonic_us() < deadline)
		cgroup_read_key(group_fd(g, CONTROLLER_PIDS), "pids.events", "max", &forked);
	group_kill_each(group_fd(g, CONTROLLER_MEMORY), group_fd(g, CONTROLLER_PIDS),
		group_fd(g, CONTROLLER_CORE));
	wait_status(pid);
	group_wait_empty(group_fd(g, CONTROLLER_MEMORY), time_monotonic_us() + WAIT_MS * 1000);
	assert_true(group_empty(g));
	close_group(g);
}

static void test_freeze(void **state)
{
	(void)state;
	need_groups();
	if (!host.cgroup.has_freeze) {
		print_message("skipped: no cgroup.freeze\n");
		skip();
	}
	enum enforced_by by[LIMIT_COUNT_] = {ENFORCED_NONE};
	struct limits l = limits_of(64 << 20, 24);
	struct group *g = open_group(&l, by);
	pid_t pid = enter(g, wait_for_ever);
	uint64_t us = 0, bytes = 0;
	assert_true(group_freeze(g, true));
	assert_true(group_freeze(g, false));
	assert_true(group_cpu_us(g, &us));
	assert_true(group_memory_bytes(g, &bytes));
	assert_true(group_kill(g));
	wait_status(pid);
	close_group(g);
}

static void test_nobody_in_it(void **state)
{
	(void)state;
	need_groups();
	enum enforced_by by[LIMIT_COUNT_] = {ENFORCED_NONE};
	struct limits none = {.oom = OOM_PROCESS};
	struct group *g = open_group(&none, by);
	assert_true(group_empty(g));
	assert_true(group_kill(g));
	for (int i = 0; i < LIMIT_COUNT_; i++)
		assert_int_equal(by[i], ENFORCED_NONE);
	close_group(g);
}

/* In another process, which is then dead: only a janitor may remove what it could not. */
static void test_close_says_what_is_left(void **state)
{
	(void)state;
	need_groups();
	pid_t pid = fork();
	if (pid == 0) {
		enum enforced_by by[LIMIT_COUNT_] = {ENFORCED_NONE};
		struct limits l = limits_of(64 << 20, 24);
		struct error e = ERROR_INIT;
		char text[16];
		struct group *g = open_group(&l, by);
		snprintf(text, sizeof(text), "%d", enter(g, wait_for_ever));
		_exit(group_close(g, &e) == -1 && e.blame == BLAME_HOST &&
					strstr(e.text, text) != NULL &&
					strstr(e.text, "-test") != NULL
				? 0
				: 1);
	}
	assert_int_equal(wait_status(pid), 0);
	assert_true(group_janitor(&host.cgroup) >= 1);
}

static void test_bad_id_is_refused(void **state)
{
	static const char *const bad[] = {"", "a/b", "..", "a b", "a\nb",
		"0123456789012345678901234567890123456789012345678901234567890123456789"};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct group *g = NULL;
		struct error e = ERROR_INIT;
		enum enforced_by by[LIMIT_COUNT_];
		struct limits l = limits_of(64 << 20, 24);
		struct group_spec spec = {.id = bad[i], .limits = &l};
		if (strcmp(bad[i], "..") == 0)
			continue; /* allowed: it stands behind a prefix */
		memset(by, 0, sizeof(by));
		assert_int_equal(group_open(&g, &host.cgroup, &spec, by, &e), -1);
		assert_int_equal(e.blame, BLAME_US);
		assert_null(g);
	}
}

static void test_unwritable_base_is_the_hosts_fault(void **state)
{
	(void)state;
	struct group *g = NULL;
	struct error e = ERROR_INIT;
	enum enforced_by by[LIMIT_COUNT_] = {ENFORCED_NONE};
	struct limits l = limits_of(64 << 20, 24);
	struct group_spec spec = {.id = "test", .limits = &l};
	struct host_cgroup c = {.rung = RUNG_V2, .remedy = "mend it"};
	for (int i = 0; i < CONTROLLER_COUNT_; i++)
		c.base[i] = "/proc/self/net";
	assert_int_equal(group_open(&g, &c, &spec, by, &e), -1);
	assert_int_equal(e.blame, BLAME_HOST);
	assert_non_null(strstr(e.text, "'/proc/self/net/bulkhead-"));
	assert_non_null(strstr(e.text, "mend it"));
}

static void test_rung_none_knows_nothing(void **state)
{
	(void)state;
	struct group *g = NULL;
	struct error e = ERROR_INIT;
	enum enforced_by by[LIMIT_COUNT_] = {ENFORCED_NONE};
	struct limits l = limits_of(64 << 20, 24);
	struct group_spec spec = {.id = "test", .limits = &l, .oom_group = true};
	struct host_cgroup c = {.rung = RUNG_NONE};
	struct observation o = {0};
	uint64_t value;
	short events;
	assert_int_equal(group_open(&g, &c, &spec, by, &e), 0);
	assert_int_equal(by[LIMIT_MEMORY], ENFORCED_NONE);
	assert_int_equal(group_entry(g)->into_fd, -1);
	assert_int_equal(group_entry(g)->n_tasks, 0);
	assert_int_equal(group_oom_fd(g, &events), -1);
	assert_int_equal(group_oom_kills(g), 0);
	assert_false(group_cpu_us(g, &value));
	assert_false(group_memory_bytes(g, &value));
	assert_false(group_kill(g));
	assert_false(group_freeze(g, true));
	assert_true(group_empty(g));
	group_read(g, &o, &arena);
	assert_int_equal(o.n_counters, 0);
	assert_false(o.usage.cpu_known || o.usage.memory_peak_known || o.usage.memory.known);
	assert_int_equal(group_close(g, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_limits_are_written, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_limit_kills, setup, teardown),
		cmocka_unit_test_setup_teardown(test_family_dies_in_one_step, setup, teardown),
		cmocka_unit_test_setup_teardown(test_family_dies_one_by_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_freeze, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_in_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_says_what_is_left, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_id_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_unwritable_base_is_the_hosts_fault, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rung_none_knows_nothing, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
