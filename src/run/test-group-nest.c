/* SPDX-License-Identifier: MIT */
#include "run/test-group.h"

/* Groups in groups: the one of a box, and those of the runs in it; and limits that are written again. */

static enum enforced_by by[LIMIT_COUNT_];

static struct group *open_box(const struct limits *l)
{
	const struct group_spec spec = {.id = "box", .limits = l, .box = true};
	return open_spec(&spec, by);
}

static struct group *open_run(struct group *box, const char *id, const struct limits *l)
{
	const struct group_spec spec = {
		.id = id, .limits = l, .oom_group = l->oom == OOM_GROUP, .parent = box};
	return open_spec(&spec, by);
}

static void close_box(struct group *box)
{
	struct error e = ERROR_INIT;
	if (group_close(box, &e) < 0)
		fail_msg("%s", e.text);
}

static void end(struct group *g, pid_t pid)
{
	assert_true(group_kill(g));
	wait_status(pid);
}

static bool is_v1(void)
{
	return host.cgroup.rung == RUNG_HYBRID;
}

static void test_runs_are_below_their_box(void **state)
{
	(void)state;
	need_groups();
	const struct limits large = limits_of(256 << 20, 64), small = limits_of(32 << 20, 16);
	struct group *box = open_box(&large);
	struct group *one = open_run(box, "one", &small), *two = open_run(box, "two", &small);
	uint64_t value = 0;
	char path[512];
	snprintf(path, sizeof(path), "%s/%s/%s", host.cgroup.base[CONTROLLER_MEMORY], box->name,
		one->name);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(cgroup_read_u64(group_fd(one, CONTROLLER_PIDS), "pids.max", &value), 0);
	assert_int_equal(value, 16);
	assert_int_equal(cgroup_read_u64(group_fd(box, CONTROLLER_PIDS), "pids.max", &value), 0);
	assert_int_equal(value, 64);
	assert_int_equal(by[LIMIT_MEMORY], is_v1() ? ENFORCED_CGROUP_V1 : ENFORCED_CGROUP_V2);
	assert_string_equal(group_id(one), "one");
	close_group(one);
	close_group(two);
	close_box(box);
}

/* All with its descendants, and nobody else. */
static void test_a_kill_is_of_one_run(void **state)
{
	(void)state;
	need_groups();
	const struct limits large = limits_of(256 << 20, 64), small = limits_of(64 << 20, 8);
	struct group *box = open_box(&large);
	struct group *one = open_run(box, "one", &small), *two = open_run(box, "two", &small);
	pid_t first = enter(one, make_family), second = enter(two, wait_for_ever);
	end(one, first);
	group_wait_empty(group_procs_fd(one), time_monotonic_us() + WAIT_MS * 1000);
	assert_true(group_empty(one));
	assert_false(group_empty(two));
	close_group(one);
	end(two, second);
	close_group(two);
	close_box(box);
}

/* The box's group takes a kill for all of its runs. */
static void test_a_kill_of_the_box(void **state)
{
	(void)state;
	need_groups();
	const struct limits large = limits_of(256 << 20, 64), small = limits_of(64 << 20, 8);
	struct group *box = open_box(&large);
	struct group *one = open_run(box, "one", &small), *two = open_run(box, "two", &small);
	pid_t first = enter(one, wait_for_ever), second = enter(two, wait_for_ever);
	if (host.cgroup.base[CONTROLLER_CORE] == NULL) {
		group_kill(one);
		group_kill(two);
	} else {
		assert_true(group_kill(box));
	}
	wait_status(first);
	wait_status(second);
	close_group(one);
	close_group(two);
	close_box(box);
}

static const struct counter *above_named(
	const struct observation *o, const char *fact, const char *group)
{
	for (size_t i = 0; i < o->n_counters; i++) {
		const struct counter *c = &o->counters[i];
		if (!c->own && strcmp(c->fact, fact) == 0 && strstr(c->where, group))
			return c;
	}
	return NULL;
}

/* The box's limit ends a run: that shows as the limit of a group above it, which is named. */
static void test_the_boxs_limit_is_an_ancestors(void **state)
{
	(void)state;
	need_groups();
	const struct limits small = limits_of(32 << 20, 64), large = limits_of(200 << 20, 16);
	const char *fact = is_v1() ? "failcnt" : "oom";
	struct group *box = open_box(&small), *run = open_run(box, "run", &large);
	int status = wait_status(enter(run, take_memory));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	struct observation o = {0};
	group_read(run, &o, &arena);
	assert_true(rise_of(&o, "oom_kill") >= 1);
	assert_int_equal(rise_of(&o, fact), 0);
	const struct counter *c = above_named(&o, fact, box->name);
	assert_non_null(c);
	assert_true(c->after > c->before);
	assert_int_equal(c->limit, 32 << 20);
	close_group(run);
	close_box(box);
}

/* It may be closed first; what its runs need of it stays until they are closed. */
static void test_a_box_waits_for_its_runs(void **state)
{
	(void)state;
	need_groups();
	const struct limits l = limits_of(64 << 20, 16);
	struct group *box = open_box(&l), *run = open_run(box, "run", &l);
	struct error e = ERROR_INIT;
	assert_false(group_try_close(box, false, &e));
	assert_int_equal(e.blame, BLAME_NONE);
	pid_t pid = enter(run, wait_for_ever);
	assert_false(group_try_close(run, false, &e));
	end(run, pid);
	close_group(run);
	assert_true(group_try_close(box, false, &e));
	assert_int_equal(e.blame, BLAME_NONE);
}

static void test_giving_up_says_what_is_left(void **state)
{
	(void)state;
	need_groups();
	const struct limits l = limits_of(64 << 20, 16);
	struct group *g = open_group(&l, by), *again;
	struct error e = ERROR_INIT;
	char name[GROUP_NAME_SIZE];
	snprintf(name, sizeof(name), "%s", g->name);
	pid_t pid = enter(g, wait_for_ever);
	assert_true(group_try_close(g, true, &e));
	assert_non_null(strstr(e.text, name));
	kill(pid, SIGKILL);
	wait_status(pid);
	/* what could be removed is: only where its process was is there anything to do */
	for (int c = 0; c < CONTROLLER_COUNT_; c++)
		if (host.cgroup.base[c] != NULL) {
			cleanup_fd int base = cgroup_open(host.cgroup.base[c]);
			cgroup_remove(base, name);
		}
	again = open_group(&l, by);
	close_group(again);
}

/* ---- a box that is full ---- */

static void do_nothing(void)
{
}

/* Its processes are as many as it may have; one more comes in all the same, and none is born there. */
static void test_a_full_box_can_be_entered(void **state)
{
	(void)state;
	need_groups();
	const struct limits small = limits_of(64 << 20, 4), large = limits_of(64 << 20, 64);
	struct group *box = open_box(&small);
	struct group *bomb = open_run(box, "bomb", &large), *run = open_run(box, "run", &large);
	pid_t pid = enter(bomb, make_family);
	uint64_t n = 0, deadline = time_monotonic_us() + WAIT_MS * 1000;
	while (n < 4 && time_monotonic_us() < deadline)
		cgroup_read_u64(group_fd(box, CONTROLLER_PIDS), "pids.current", &n);
	assert_int_equal(n, 4);
	assert_true(is_v1() || group_is_full(box));
	assert_false(group_is_full(run));
	const struct group_entry *entry = group_entry_when_full(run);
	assert_non_null(entry);
	if (!is_v1())
		assert_int_equal(entry->into_fd, -1);
	int status = wait_status(enter_by(entry, do_nothing));
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	pid_t other = enter_by(entry, wait_for_ever);
	assert_false(group_empty(run));
	end(run, other);
	close_group(run);
	end(bomb, pid);
	close_group(bomb);
	close_box(box);
}

/* Somebody who can only write to files comes in as well, and is known to be there. */
static void test_a_way_in_by_files(void **state)
{
	(void)state;
	need_groups();
	const struct limits l = limits_of(64 << 20, 16);
	struct group *box = open_box(&l);
	struct group *run = open_run(box, "run", &l), *other = open_run(box, "other", &l);
	struct group_entry entry = {.into_fd = -1};
	int files[GROUP_MAX_TASKS + 1];
	assert_int_equal(group_entry_by_file(run, files, &entry.n_tasks), 0);
	assert_in_range(entry.n_tasks, 1, GROUP_MAX_TASKS);
	memcpy(entry.tasks, files, entry.n_tasks * sizeof(*files));
	pid_t pid = enter_by(&entry, wait_for_ever);
	assert_true(group_has(run, pid));
	assert_false(group_has(other, pid));
	assert_false(group_has(run, getpid()));
	end(run, pid);
	assert_false(group_has(run, pid));
	/* half of the way is none */
	entry.n_tasks--;
	pid = enter_by(&entry, wait_for_ever);
	assert_false(group_has(run, pid));
	kill(pid, SIGKILL);
	wait_status(pid);
	close_group(run);
	close_group(other);
	close_box(box);
}

/* Nor does it keep anybody out that its memory is used up. */
static void hold_memory(void)
{
	size_t size = 30 << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; p != MAP_FAILED && i < size; i += 4096)
		p[i] = 1;
	wait_for_ever();
}

static void test_a_box_without_memory_can_be_entered(void **state)
{
	(void)state;
	need_groups();
	const struct limits small = limits_of(32 << 20, 16), large = limits_of(200 << 20, 16);
	struct group *box = open_box(&small);
	struct group *hog = open_run(box, "hog", &large), *run = open_run(box, "run", &large);
	pid_t pid = enter(hog, hold_memory);
	uint64_t bytes = 0, deadline = time_monotonic_us() + WAIT_MS * 1000;
	while (bytes < 28 << 20 && time_monotonic_us() < deadline)
		group_memory_bytes(hog, &bytes);
	int status = wait_status(enter(run, do_nothing));
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	group_kill(hog);
	wait_status(pid);
	close_group(run);
	close_group(hog);
	close_box(box);
}

/* ---- limits again ---- */

static struct group *open_relimited(struct group *box, const struct limits *l)
{
	const struct group_spec spec = {.id = "again",
		.limits = l,
		.oom_group = l->oom == OOM_GROUP,
		.parent = box,
		.relimited = true};
	return open_spec(&spec, by);
}

static void limited(struct group *g, const struct limits *l)
{
	struct error e = ERROR_INIT;
	enum enforced_by now[LIMIT_COUNT_] = {ENFORCED_NONE};
	if (group_limit(g, l, now, &e) < 0)
		fail_msg("%s", e.text);
	for (int i = 0; i < LIMIT_COUNT_; i++)
		if (l->v[i].set && l->v[i].origin == ORIGIN_ASKED)
			assert_int_not_equal(now[i], ENFORCED_NONE);
}

static uint64_t memory_limit_of(const struct group *g)
{
	uint64_t value = 0;
	if (cgroup_read_u64(group_fd(g, CONTROLLER_MEMORY), g->ops->memory_limit_file, &value) < 0)
		return UINT64_MAX; /* "max" */
	return value;
}

static void test_limits_are_written_again(void **state)
{
	(void)state;
	need_groups();
	static const uint64_t sizes[] = {64 << 20, 256 << 20, 16 << 20, 1 << 30, 32 << 20};
	struct limits l = limits_of(100 << 20, 16);
	struct group *g = open_relimited(NULL, &l);
	uint64_t value = 0;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		l = limits_of(sizes[i], 20 + i);
		limited(g, &l);
		assert_int_equal(memory_limit_of(g), sizes[i]);
		assert_int_equal(
			cgroup_read_u64(group_fd(g, CONTROLLER_PIDS), "pids.max", &value), 0);
		assert_int_equal(value, 20 + i);
	}
	close_group(g);
}

static void test_limits_are_lifted(void **state)
{
	(void)state;
	need_groups();
	struct limits l = limits_of(32 << 20, 2), none = {.oom = OOM_GROUP};
	struct group *g = open_relimited(NULL, &l);
	limited(g, &none);
	assert_true(memory_limit_of(g) > (uint64_t)1 << 50);
	pid_t pid = enter(g, hold_memory); /* nearly all of what it had at most, and again */
	limited(g, &l);
	limited(g, &none);
	l = limits_of(300 << 20, 5);
	limited(g, &l);
	assert_int_equal(memory_limit_of(g), 300 << 20);
	end(g, pid);
	close_group(g);
}

static void test_a_new_limit_holds(void **state)
{
	(void)state;
	need_groups();
	struct limits large = limits_of(1 << 30, 64), small = limits_of(32 << 20, 8);
	struct group *g = open_relimited(NULL, &large);
	limited(g, &small);
	int status = wait_status(enter(g, take_memory));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(group_oom_kills(g) >= 1);
	close_group(g);
}

static void test_cpus_may_come_later(void **state)
{
	(void)state;
	need_groups();
	struct limits l = limits_of(64 << 20, 16);
	struct group *g = open_relimited(NULL, &l);
	struct error e = ERROR_INIT;
	enum enforced_by now[LIMIT_COUNT_] = {ENFORCED_NONE};
	l.v[LIMIT_CPUS] = (struct limit_value){true, ORIGIN_ASKED, 500};
	if (host.cgroup.base[CONTROLLER_CPU] != NULL) {
		limited(g, &l);
	} else {
		assert_int_equal(group_limit(g, &l, now, &e), 0);
		assert_int_equal(now[LIMIT_CPUS], ENFORCED_NONE);
	}
	close_group(g);
}

/* A limit that was asked for does not vanish silently. */
static void test_a_group_without_the_means_says_so(void **state)
{
	(void)state;
	need_groups();
	if (!is_v1() || host.cgroup.base[CONTROLLER_CPU] == NULL)
		skip(); /* v2 has all in one directory */
	struct limits l = limits_of(64 << 20, 16);
	struct group *g = open_group(&l, by);
	struct error e = ERROR_INIT;
	l.v[LIMIT_CPUS] = (struct limit_value){true, ORIGIN_ASKED, 500};
	assert_int_equal(group_limit(g, &l, by, &e), -1);
	assert_non_null(strstr(e.text, "--cpus"));
	assert_int_equal(e.blame, BLAME_HOST);
	close_group(g);
}

/* The box's CPUs are limited, the run's are not: it is in the box's group all the same. */
static void test_a_run_is_in_all_of_its_boxs_groups(void **state)
{
	(void)state;
	need_groups();
	if (host.cgroup.base[CONTROLLER_CPU] == NULL)
		skip();
	struct limits with = limits_of(64 << 20, 16), without = limits_of(64 << 20, 16);
	with.v[LIMIT_CPUS] = (struct limit_value){true, ORIGIN_ASKED, 500};
	struct group *box = open_box(&with), *run = open_run(box, "run", &without);
	pid_t pid = enter(run, wait_for_ever), found[4];
	bool nested = group_fd(run, CONTROLLER_CPU) >= 0;
	ssize_t n = cgroup_procs(group_fd(nested ? run : box, CONTROLLER_CPU), found, 4);
	assert_int_equal(n, 1);
	assert_int_equal(found[0], pid);
	end(run, pid);
	close_group(run);
	close_box(box);
}

/* ---- counting from a moment on ---- */

static void test_counting_begins_anew(void **state)
{
	(void)state;
	need_groups();
	struct limits l = limits_of(32 << 20, 16);
	struct group *g = open_group(&l, by);
	wait_status(enter(g, take_memory));
	assert_true(group_oom_kills(g) >= 1);
	group_reset(g);
	assert_int_equal(group_oom_kills(g), 0);
	struct observation o = {0};
	wait_status(enter(g, do_nothing));
	group_read(g, &o, &arena);
	assert_int_equal(rise_of(&o, "oom_kill"), 0);
	assert_true(o.usage.cpu_known);
	if (is_v1())
		assert_true(o.usage.memory_peak_bytes < 16 << 20);
	wait_status(enter(g, take_memory));
	o = (struct observation){0};
	group_read(g, &o, &arena);
	assert_true(rise_of(&o, "oom_kill") >= 1);
	close_group(g);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_runs_are_below_their_box),
		TEST(test_a_kill_is_of_one_run),
		TEST(test_a_kill_of_the_box),
		TEST(test_the_boxs_limit_is_an_ancestors),
		TEST(test_a_box_waits_for_its_runs),
		TEST(test_giving_up_says_what_is_left),
		TEST(test_a_full_box_can_be_entered),
		TEST(test_a_way_in_by_files),
		TEST(test_a_box_without_memory_can_be_entered),
		TEST(test_limits_are_written_again),
		TEST(test_limits_are_lifted),
		TEST(test_a_new_limit_holds),
		TEST(test_cpus_may_come_later),
		TEST(test_a_group_without_the_means_says_so),
		TEST(test_a_run_is_in_all_of_its_boxs_groups),
		TEST(test_counting_begins_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
