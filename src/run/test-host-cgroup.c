/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "run/host-cgroup.h"
#include "run/host.h"

static struct arena arena;

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static void test_membership(void **state)
{
	static const char text[] = "9:name=systemd:/\n"
				   "4:memory:/a:b/c\n"
				   "3:cpu,cpuacct:/x\n"
				   "2:pids:/../../other\n"
				   "1:blkio:/gone (deleted)\n"
				   "0::/user.slice/u 1\n";
	(void)state;
	assert_string_equal(cgroup_membership(text, "memory", &arena), "/a:b/c");
	assert_string_equal(cgroup_membership(text, "cpu", &arena), "/x");
	assert_string_equal(cgroup_membership(text, "cpuacct", &arena), "/x");
	assert_string_equal(cgroup_membership(text, NULL, &arena), "/user.slice/u 1");
	assert_null(cgroup_membership(text, "pids", &arena));
	assert_null(cgroup_membership(text, "blkio", &arena));
	assert_null(cgroup_membership(text, "cpuset", &arena));
	assert_null(cgroup_membership(text, "systemd", &arena));
	assert_null(cgroup_membership(text, "acct", &arena));
}

static void test_membership_of_broken_text(void **state)
{
	static const char *const broken[] = {"", "\n", ":", "::", "1:memory", "1:memory:", "memory",
		"1:memory:relative\n", "\n\n1\n1:\n", "1:memory:\n", "1::\n", "0:::/x"};
	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		assert_null(cgroup_membership(broken[i], "memory", &arena));
		assert_null(cgroup_membership(broken[i], NULL, &arena));
	}
	assert_string_equal(cgroup_membership("1:memory:/", "memory", &arena), "/");
}

static void test_directory(void **state)
{
	const struct cgroup_mount whole = {"/sys/fs/cgroup", "/", true};
	const struct cgroup_mount part = {"/sys/fs/cgroup", "/docker/1", true};
	const struct cgroup_mount none = {0};
	(void)state;
	assert_string_equal(cgroup_directory(&whole, "/", &arena), "/sys/fs/cgroup");
	assert_string_equal(cgroup_directory(&whole, "/a/b", &arena), "/sys/fs/cgroup/a/b");
	assert_string_equal(cgroup_directory(&part, "/docker/1", &arena), "/sys/fs/cgroup");
	assert_string_equal(cgroup_directory(&part, "/docker/1/x", &arena), "/sys/fs/cgroup/x");
	assert_null(cgroup_directory(&part, "/docker/12", &arena));
	assert_null(cgroup_directory(&part, "/", &arena));
	assert_null(cgroup_directory(&whole, NULL, &arena));
	assert_null(cgroup_directory(&none, "/", &arena));
}

static void test_layout(void **state)
{
	static const char text[] =
		"22 27 0:21 / /proc rw,relatime - proc proc rw\n"
		"32 31 0:29 / /cg/cpu,cpuacct rw shared:9 master:1 - cgroup cgroup rw,cpu,cpuacct\n"
		"35 31 0:32 /docker/1 /my\\040cg/mem rw - cgroup none rw,memory\n"
		"36 31 0:32 / /later rw - cgroup none rw,memory\n"
		"41 31 0:38 / /cg/unified rw - cgroup2 none rw,nsdelegate\n";
	struct cgroup_layout l;
	(void)state;
	cgroup_layout_parse(&l, text, &arena);
	assert_string_equal(l.mount[CONTROLLER_CPU].path, "/cg/cpu,cpuacct");
	assert_string_equal(l.mount[CONTROLLER_CPUACCT].path, "/cg/cpu,cpuacct");
	assert_string_equal(l.mount[CONTROLLER_MEMORY].path, "/my cg/mem");
	assert_string_equal(l.mount[CONTROLLER_MEMORY].root, "/docker/1");
	assert_string_equal(l.mount[CONTROLLER_CORE].path, "/cg/unified");
	assert_true(l.mount[CONTROLLER_CORE].v2);
	assert_false(l.mount[CONTROLLER_MEMORY].v2);
	assert_null(l.mount[CONTROLLER_PIDS].path);
}

/* A mount point may be named anything; a path with " - cgroup" in it arrives with \040. */
static void test_layout_of_hostile_text(void **state)
{
	static const char *const hostile[] = {"", "\n\n", "1 2 3", "1 2 3:4 / /x rw -",
		"1 2 3:4 / /x rw - cgroup2", "1 2 3:4 / /x rw - cgroup2 none",
		"1 2 3:4 / /x\\040-\\040cgroup2\\040a\\040b rw - tmpfs none rw\n",
		"- cgroup2 none rw\n", "1 2 3:4 / /x - cgroup none cpuset,memory2\n",
		"1 2 3:4 / /x rw - fuse.cgroup2 none rw\n"};
	(void)state;
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct cgroup_layout l;
		cgroup_layout_parse(&l, hostile[i], &arena);
		for (int c = 0; c < CONTROLLER_COUNT_; c++)
			assert_null(l.mount[c].path);
	}
	struct cgroup_layout l;
	cgroup_layout_parse(&l, "1 2 3:4 / /x\\ rw - cgroup2 none rw\n", &arena);
	assert_string_equal(l.mount[CONTROLLER_CORE].path, "/x\\");
	cgroup_layout_parse(&l, "1 2 3:4 / /x\\777\\09 rw - cgroup2 none rw\n", &arena);
	assert_string_equal(l.mount[CONTROLLER_CORE].path, "/x\\777\\09");
}

/* ---- words ---- */

static void test_obstacles_have_words(void **state)
{
	(void)state;
	for (int o = 0; o < OBSTACLE_COUNT_; o++) {
		struct host_cgroup c = {.why_not_better = "old", .remedy = "old"};
		struct cgroup_finding f = {
			.obstacle = (enum cgroup_obstacle)o, .where = "/sys/%s/x", .uid = 1000};
		host_explain_cgroup(&c, &arena, &f);
		if (o == OBSTACLE_NONE) {
			assert_null(c.why_not_better);
			assert_null(c.remedy);
		} else {
			assert_non_null(strstr(c.why_not_better, "/sys/%s/x"));
		}
		f.where = NULL;
		host_explain_cgroup(&c, &arena, &f);
	}
}

static void test_remedies_fit_the_host(void **state)
{
	struct host_cgroup c;
	struct cgroup_finding f = {.obstacle = OBSTACLE_PERMISSION, .where = "/x", .uid = 1000};
	(void)state;
	strv_push(&arena, &f.own, "/sys/fs/cgroup/memory/a");
	host_explain_cgroup(&c, &arena, &f);
	assert_non_null(strstr(c.remedy, "'/sys/fs/cgroup/memory/a/bulkhead-1000'"));
	f.pure_v2 = true;
	host_explain_cgroup(&c, &arena, &f);
	assert_non_null(strstr(c.remedy, "g=/sys/fs/cgroup/bulkhead-1000;"));
	f.systemd_user = true;
	host_explain_cgroup(&c, &arena, &f);
	assert_non_null(strstr(c.remedy, "systemd-run --user --scope -p Delegate=yes"));
	f = (struct cgroup_finding){
		.obstacle = OBSTACLE_NOT_MOUNTED, .where = "/sys/fs/cgroup/pids"};
	host_explain_cgroup(&c, &arena, &f);
	assert_string_equal(c.remedy,
		"mkdir -p '/sys/fs/cgroup/pids' && "
		"mount -t cgroup -o pids none '/sys/fs/cgroup/pids'");
}

static void test_userns_switches(void **state)
{
	static const struct {
		int errnum;
		struct userns_switches s;
		const char *why, *remedy;
	} cases[] = {
		{ENOSPC, {0, -1, -1, false, false, false, true}, "max_user_namespaces is 0",
			"sysctl -w user.max_user_namespaces=16384"},
		{ENOSPC, {9, -1, -1, false, false, false, true}, "as many are in use",
			"sysctl -w user.max_user_namespaces=16384"},
		{EPERM, {9, 0, -1, false, false, false, true}, "unprivileged_userns_clone is 0",
			"sysctl -w kernel.unprivileged_userns_clone=1"},
		{EACCES, {9, 1, 1, false, false, false, true}, "AppArmor",
			"sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
		{EPERM, {9, 1, 0, false, true, false, true}, "chroot", "pivot_root"},
		{EPERM, {9, -1, -1, true, false, false, true}, "seccomp",
			"docker run --security-opt"},
		{EINVAL, {-1, -1, -1, false, false, false, true}, "CONFIG_USER_NS", NULL},
		{ENOSYS, {9, -1, -1, true, false, false, true}, "forbids clone3",
			"docker run --security-opt"},
		{ENOSYS, {9, -1, -1, false, false, false, true}, "no clone3", NULL},
		{EPERM, {9, 0, -1, false, false, false, false}, "unprivileged_userns_clone is 0",
			"sudo sysctl -w kernel.unprivileged_userns_clone=1"},
		{ENOENT, {-1, -1, -1, false, false, false, true}, "there is no /proc",
			"mount -t proc proc /proc"},
		{EUSERS, {9, -1, -1, false, false, false, true}, "nested too deep", NULL},
		{EPERM, {9, -1, -1, false, false, false, true}, "not permitted", NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct host_userns u = {.usable = true};
		host_word_userns(&u, &arena, cases[i].errnum, &cases[i].s);
		assert_false(u.usable);
		assert_non_null(strstr(u.why, cases[i].why));
		if (cases[i].remedy == NULL)
			assert_null(u.remedy);
		else
			assert_non_null(strstr(u.remedy, cases[i].remedy));
	}
	struct host_userns u = {.why = "old"};
	host_word_userns(&u, &arena, 0, &cases[0].s);
	assert_true(u.usable);
	assert_null(u.why);
}

/* ---- this host ---- */

static void test_probe_says_what_is_so(void **state)
{
	struct host h;
	(void)state;
	host_probe(&h, &arena, false);
	assert_non_null(h.kernel);
	assert_true(h.kernel_version > 0 && h.n_cpus > 0 && h.memory_bytes > 0);
	unsigned cpus = 0;
	for (int i = 0; i < 16; i++)
		cpus += (unsigned)__builtin_popcountll(h.cpu_mask[i]);
	assert_int_equal(cpus, h.n_cpus);
	if (h.cgroup.rung == RUNG_NONE)
		assert_non_null(h.cgroup.why_not_better);
	for (int c = 0; h.cgroup.rung == RUNG_NONE && c < CONTROLLER_COUNT_; c++)
		assert_null(h.cgroup.base[c]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_membership, teardown),
		cmocka_unit_test_teardown(test_membership_of_broken_text, teardown),
		cmocka_unit_test_teardown(test_directory, teardown),
		cmocka_unit_test_teardown(test_layout, teardown),
		cmocka_unit_test_teardown(test_layout_of_hostile_text, teardown),
		cmocka_unit_test_teardown(test_obstacles_have_words, teardown),
		cmocka_unit_test_teardown(test_remedies_fit_the_host, teardown),
		cmocka_unit_test_teardown(test_userns_switches, teardown),
		cmocka_unit_test_teardown(test_probe_says_what_is_so, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
