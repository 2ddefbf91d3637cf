/* SPDX-License-Identifier: MIT */
#include "run/test-group.h"

/* One group by itself. */

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
