/* SPDX-License-Identifier: MIT */
#include <time.h>

#include "run/test-group.h"

/* Groups that are used again, and what may not show in the next run. */

static enum enforced_by by[LIMIT_COUNT_];
static struct group_cache *cache;
static char first_name[GROUP_NAME_SIZE];

static int cache_setup(void **state)
{
	if (setup(state) < 0)
		return -1;
	cache = group_cache_new(2);
	return 0;
}

static int cache_teardown(void **state)
{
	group_cache_free(cache);
	return teardown(state);
}

static struct group *open_run(struct group *parent, const char *id, const struct limits *l)
{
	const struct group_spec spec = {.id = id,
		.limits = l,
		.oom_group = true,
		.parent = parent,
		.cache = cache,
		.relimited = true};
	struct group *g = open_spec(&spec, by);
	group_reset(g);
	return g;
}

static struct group *open_first(const struct limits *l)
{
	struct group *g = open_run(NULL, "first", l);
	snprintf(first_name, sizeof(first_name), "%s", g->name);
	return g;
}

static void give_back(struct group *g)
{
	struct error e = ERROR_INIT;
	if (!group_try_close(g, false, &e) || e.blame != BLAME_NONE)
		fail_msg("still in use: %s", e.text);
}

/* The next one is (@again), or is not, the one before. */
static void then(const struct limits *l, bool again)
{
	assert_int_equal(cache->n, again ? 1 : 0);
	struct group *g = open_run(NULL, "second", l);
	if (again)
		assert_string_equal(g->name, first_name);
	assert_int_equal(cache->n, 0);
	give_back(g);
}

static void do_nothing(void)
{
}

static void burn(void)
{
	struct timespec t = {0};
	while (t.tv_nsec < 30000000 && t.tv_sec == 0)
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
}

static void test_one_that_is_as_it_was_is_used_again(void **state)
{
	(void)state;
	need_groups();
	const struct limits l = limits_of(64 << 20, 16), other = limits_of(32 << 20, 8);
	struct group *g = open_first(&l);
	wait_status(enter(g, burn));
	struct observation o = {0};
	group_read(g, &o, &arena);
	assert_true(o.usage.cpu_user_us + o.usage.cpu_system_us >= 10000);
	give_back(g);
	assert_int_equal(cache->n, 1);

	g = open_run(NULL, "second", &other);
	uint64_t value = 0;
	assert_string_equal(g->name, first_name);
	assert_int_equal(cgroup_read_u64(group_fd(g, CONTROLLER_PIDS), "pids.max", &value), 0);
	assert_int_equal(value, 8);
	assert_int_equal(
		cgroup_read_u64(group_fd(g, CONTROLLER_MEMORY), g->ops->memory_limit_file, &value),
		0);
	assert_int_equal(value, 32 << 20);
	assert_int_not_equal(by[LIMIT_MEMORY], ENFORCED_NONE);
	wait_status(enter(g, do_nothing));
	o = (struct observation){0};
	group_read(g, &o, &arena);
	assert_true(o.usage.cpu_known);
	assert_true(o.usage.cpu_user_us + o.usage.cpu_system_us < 10000);
	give_back(g);
}

static void test_its_limits_hold(void **state)
{
	(void)state;
	need_groups();
	const struct limits large = limits_of(1 << 30, 64), small = limits_of(32 << 20, 8);
	give_back(open_first(&large));
	assert_int_equal(cache->n, 1);
	struct group *g = open_run(NULL, "second", &small);
	assert_string_equal(g->name, first_name);
	int status = wait_status(enter(g, take_memory));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(group_oom_kills(g) >= 1);
	give_back(g);
	assert_int_equal(cache->n, 0);
}

/* The kernel's log has its name, and would tell of the dead for ever. */
static void test_not_where_somebody_was_killed_for_memory(void **state)
{
	(void)state;
	need_groups();
	const struct limits l = limits_of(32 << 20, 16);
	struct group *g = open_first(&l);
	wait_status(enter(g, take_memory));
	give_back(g);
	then(&l, false);
}

/* How many processes the one before had is none of the next one's business. */
static void test_not_where_there_were_many(void **state)
{
	(void)state;
	need_groups();
	const struct limits l = limits_of(64 << 20, 16);
	struct group *g = open_first(&l);
	if (!cgroup_has_file(group_fd(g, CONTROLLER_PIDS), "pids.peak")) {
		give_back(g);
		skip();
	}
	pid_t pid = enter(g, make_family);
	uint64_t n = 0, deadline = time_monotonic_us() + WAIT_MS * 1000;
	while (n < 16 && time_monotonic_us() < deadline)
		cgroup_read_u64(group_fd(g, CONTROLLER_PIDS), "pids.current", &n);
	group_kill(g);
	wait_status(pid);
	group_wait_empty(group_procs_fd(g), time_monotonic_us() + WAIT_MS * 1000);
	give_back(g);
	then(&l, false);
}

/* Whoever was to come into it may still come. */
static void test_not_where_nobody_came(void **state)
{
	(void)state;
	need_groups();
	const struct limits l = limits_of(64 << 20, 16);
	const struct group_spec spec = {
		.id = "first", .limits = &l, .oom_group = true, .cache = cache, .relimited = true};
	give_back(open_spec(&spec, by));
	then(&l, false);
}

/* Some kernels kill whoever is born in a group that was killed before. */
static void test_not_where_it_was_killed(void **state)
{
	(void)state;
	need_groups();
	const struct limits l = limits_of(64 << 20, 16);
	struct group *g = open_first(&l);
	pid_t pid = enter(g, wait_for_ever);
	group_kill(g);
	wait_status(pid);
	give_back(g);
	then(&l, false);
}

static int left_fd = -1;

static void fill_file(void)
{
	static char block[1 << 20];
	for (int i = 0; i < 16; i++)
		if (write(left_fd, block, sizeof(block)) < 0)
			_exit(1);
}

/* Memory that outlives its process is still charged to the group. */
static void test_not_where_memory_is_left(void **state)
{
	(void)state;
	need_groups();
	const struct limits l = limits_of(64 << 20, 16);
	struct group *g = open_first(&l);
	left_fd = memfd_create("left", MFD_CLOEXEC);
	wait_status(enter(g, fill_file));
	give_back(g);
	left_fd = fd_close(left_fd);
	then(&l, false);
}

static void hold_memory(void)
{
	size_t size = 30 << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; p != MAP_FAILED && i < size; i += 4096)
		p[i] = 1;
}

/* Either the peak is forgotten, or the group is not used again. */
static void test_no_peak_is_handed_on(void **state)
{
	(void)state;
	need_groups();
	const struct limits l = limits_of(64 << 20, 16);
	struct group *g = open_first(&l);
	struct observation o = {0};
	wait_status(enter(g, hold_memory));
	group_read(g, &o, &arena);
	if (o.usage.memory_peak_known)
		assert_true(o.usage.memory_peak_bytes >= 30 << 20);
	give_back(g);
	g = open_run(NULL, "second", &l);
	wait_status(enter(g, do_nothing));
	o = (struct observation){0};
	group_read(g, &o, &arena);
	if (o.usage.memory_peak_known)
		assert_true(o.usage.memory_peak_bytes < 8 << 20);
	give_back(g);
}

static void test_not_while_somebody_is_in_it(void **state)
{
	(void)state;
	need_groups();
	const struct limits l = limits_of(64 << 20, 16);
	struct group *g = open_first(&l);
	struct error e = ERROR_INIT;
	pid_t pid = enter(g, wait_for_ever);
	assert_false(group_try_close(g, false, &e));
	assert_int_equal(cache->n, 0);
	kill(pid, SIGKILL);
	wait_status(pid);
	give_back(g);
	then(&l, true);
}

static void test_not_more_than_asked_for(void **state)
{
	(void)state;
	need_groups();
	const struct limits l = limits_of(64 << 20, 16);
	struct group *g[3];
	char id[8];
	for (int i = 0; i < 3; i++) {
		snprintf(id, sizeof(id), "run%d", i);
		g[i] = open_run(NULL, id, &l);
	}
	for (int i = 0; i < 3; i++)
		give_back(g[i]);
	assert_int_equal(cache->n, 2);
}

/* Those of a box's runs go with the box, and are nobody else's. */
static void test_a_boxs_groups_go_with_it(void **state)
{
	(void)state;
	need_groups();
	const struct limits l = limits_of(64 << 20, 16);
	const struct group_spec spec = {.id = "box", .limits = &l, .box = true, .cache = cache};
	struct group *box = open_spec(&spec, by), *run = open_run(box, "inside", &l);
	char name[GROUP_NAME_SIZE];
	snprintf(name, sizeof(name), "%s", run->name);
	give_back(run);
	assert_int_equal(cache->n, 1);
	struct group *other = open_run(NULL, "outside", &l);
	assert_string_not_equal(other->name, name);
	give_back(other);
	run = open_run(box, "again", &l);
	assert_string_equal(run->name, name);
	give_back(run);
	assert_int_equal(cache->n, 2);
	give_back(box);
	assert_int_equal(cache->n, 1);
}

/* It holds less then, and all that it counts and limits afterwards is as with any other. */
static void test_one_that_rests_is_entered_again(void **state)
{
	(void)state;
	need_groups();
	const struct limits l = limits_of(64 << 20, 16), small = limits_of(32 << 20, 8);
	struct group *g = open_first(&l);
	unsigned awake = count_fds();
	group_rest(g);
	assert_true(count_fds() < awake);
	assert_int_equal(group_wake(g, NULL), 0);
	group_limit(g, &small, by, NULL);
	int status = wait_status(enter(g, take_memory));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	struct observation o = {0};
	group_get_ready(g);
	group_read(g, &o, &arena);
	assert_true(group_oom_kills(g) >= 1);
	assert_true(o.usage.cpu_known && o.n_counters > 0);
	give_back(g);

	g = open_first(&l);
	group_rest(g);
	group_rest(g);
	assert_int_equal(group_wake(g, NULL), 0);
	wait_status(enter(g, do_nothing));
	give_back(g);
	then(&l, true);
}

/* One that rested while nobody had it is taken as any other. */
static void test_one_that_rests_is_used_again(void **state)
{
	(void)state;
	need_groups();
	const struct limits l = limits_of(64 << 20, 16);
	struct group *g = open_first(&l);
	wait_status(enter(g, do_nothing));
	group_rest(g);
	give_back(g);
	assert_int_equal(cache->n, 1);
	group_rest(cache->first);
	g = open_run(NULL, "second", &l);
	assert_string_equal(g->name, first_name);
	wait_status(enter(g, burn));
	struct observation o = {0};
	group_read(g, &o, &arena);
	assert_true(o.usage.cpu_user_us + o.usage.cpu_system_us >= 10000);
	give_back(g);
}

/* Whoever looks up through files that all have open sees what one sees who opens his own. */
static void test_all_see_the_same_groups_above(void **state)
{
	(void)state;
	need_groups();
	const struct limits l = limits_of(64 << 20, 16);
	const struct group_spec box_spec = {.id = "box", .limits = &l, .box = true, .cache = cache};
	struct group *box = open_spec(&box_spec, by);
	struct group_spec spec = {.id = "own", .limits = &l, .parent = box};
	struct group *own = open_spec(&spec, by), *run = open_run(box, "inside", &l);
	struct group *alone = open_run(NULL, "alone", &l);
	assert_int_equal(run->above.n, own->above.n);
	assert_int_equal(run->above.n, alone->above.n + 1);
	struct error e = ERROR_INIT;
	assert_int_equal(group_close(own, &e), 0);
	group_discard(alone);
	group_discard(run);
	assert_true(group_try_close(box, true, &e));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cache_setup, cache_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_that_is_as_it_was_is_used_again),
		TEST(test_its_limits_hold),
		TEST(test_not_where_somebody_was_killed_for_memory),
		TEST(test_not_where_there_were_many),
		TEST(test_not_where_nobody_came),
		TEST(test_not_where_it_was_killed),
		TEST(test_not_where_memory_is_left),
		TEST(test_no_peak_is_handed_on),
		TEST(test_not_while_somebody_is_in_it),
		TEST(test_not_more_than_asked_for),
		TEST(test_a_boxs_groups_go_with_it),
		TEST(test_one_that_rests_is_entered_again),
		TEST(test_one_that_rests_is_used_again),
		TEST(test_all_see_the_same_groups_above),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
