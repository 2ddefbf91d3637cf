/* SPDX-License-Identifier: MIT */
#include "model/request.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "model/test-policy.h"

static struct policy policy_of(struct arena *a, const char *text)
{
	struct policy p = {0};
	struct error e = ERROR_INIT;
	if (load_text(&p, a, text, &e) < 0)
		fail_msg("%s", e.text);
	return p;
}

static void give(struct request *r, enum limit limit, bool set, uint64_t value)
{
	r->limit_given[limit] = true;
	r->limits[limit] = (struct limit_value){.set = set, .value = value};
}

static void apply(const struct request *r, struct policy *p, struct arena *a)
{
	struct error e = ERROR_INIT;
	if (request_apply(r, p, a, &e) < 0)
		fail_msg("%s", e.text);
}

static void refused(const struct request *r, const char *text, const char *expected)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p = policy_of(&a, text);
	const char *before = policy_format_json(&p, &a);
	struct error e = ERROR_INIT;
	assert_int_equal(request_apply(r, &p, &a, &e), -1);
	assert_string_equal(e.text, expected);
	assert_int_equal(e.blame, BLAME_REQUEST);
	assert_string_equal(policy_format_json(&p, &a), before);
}

static void test_nothing(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p = policy_of(&a, "extends: build\nenv: {set: {A: b}}\n");
	const char *before = policy_format_json(&p, &a);
	const struct request r = {0};
	apply(&r, &p, &a);
	assert_string_equal(policy_format_json(&p, &a), before);
	assert_int_equal(p.limits.v[LIMIT_PIDS].origin, ORIGIN_DEFAULT);
}

static void test_limits(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p = policy_of(&a, "limits: {swap: 1G, idle_timeout: 1m}\n");
	struct request r = {
		.oom_given = true, .oom = OOM_PROCESS, .grace_given = true, .grace_us = 5};
	give(&r, LIMIT_MEMORY, true, 64 << 20);
	give(&r, LIMIT_PIDS, false, 0);
	apply(&r, &p, &a);
	assert_int_equal(p.limits.v[LIMIT_MEMORY].value, 64 << 20);
	assert_int_equal(p.limits.v[LIMIT_MEMORY].origin, ORIGIN_ASKED);
	assert_false(p.limits.v[LIMIT_PIDS].set);
	assert_int_equal(p.limits.v[LIMIT_PIDS].origin, ORIGIN_ASKED);
	assert_int_equal(p.limits.v[LIMIT_TMP_SIZE].origin, ORIGIN_DEFAULT);
	assert_int_equal(p.limits.oom, OOM_PROCESS);
	assert_int_equal(p.limits.grace_us, 5);
	assert_true(p.limits.v[LIMIT_SWAP].set);
}

/* What the policy says yields to what was asked for; what was asked for is never dropped. */
static void test_give_way(void **state)
{
	static const char text[] = "limits: {swap: 1G, idle_timeout: 1m}\nretry: {grow_max: 8G}\n";
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p = policy_of(&a, text);
	struct request r = {0};
	give(&r, LIMIT_TIMEOUT, true, 10000000);
	give(&r, LIMIT_MEMORY, false, 0);
	apply(&r, &p, &a);
	assert_false(p.limits.v[LIMIT_IDLE_TIMEOUT].set);
	assert_false(p.limits.v[LIMIT_SWAP].set);
	p = policy_of(&a, text);
	r = (struct request){0};
	give(&r, LIMIT_MEMORY, true, 16ull << 30);
	apply(&r, &p, &a);
	assert_int_equal(p.retry.grow_max_bytes, 16ull << 30);
	assert_true(p.limits.v[LIMIT_IDLE_TIMEOUT].set);

	give(&r, LIMIT_IDLE_TIMEOUT, true, 7200000000);
	refused(&r, text,
		"with policy 'x.yaml': limits.idle_timeout (2 h) is above limits.timeout "
		"(30 min) and would never be reached; raise the timeout or lower the "
		"idle_timeout");
	r = (struct request){0};
	give(&r, LIMIT_MEMORY, false, 0);
	give(&r, LIMIT_SWAP, true, 1);
	refused(&r, text,
		"with policy 'x.yaml': limits.swap limits nothing without limits.memory; "
		"set that too");
}

static void test_filesystem(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p = policy_of(&a, "filesystem: {write: [/w], hide: [/h]}\n");
	size_t hidden = p.filesystem.hide.n;
	struct bind_rule read = {.source = "/r", .dest = "/s"}, write = {.source = "."};
	struct request r = {
		.read = {&read, 1}, .write = {&write, 1}, .root = "/srv", .workdir = "/x"};
	strv_push(&a, &r.hide, "/more*");
	strv_push(&a, &r.tmpfs, "/t");
	apply(&r, &p, &a);
	assert_int_equal(p.filesystem.read.n, 1);
	assert_string_equal(p.filesystem.read.v[0].dest, "/s");
	assert_int_equal(p.filesystem.write.n, 2);
	assert_string_equal(p.filesystem.write.v[1].source, ".");
	assert_int_equal(p.filesystem.hide.n, hidden + 1);
	assert_string_equal(p.filesystem.tmpfs.v[0], "/t");
	assert_string_equal(p.filesystem.root, "/srv");
	assert_string_equal(p.filesystem.workdir, "/x");

	r = (struct request){.root = ""};
	refused(&r, "{}", "--root may not be empty");
	r = (struct request){.workdir = ""};
	refused(&r, "{}", "--workdir may not be empty");
	r = (struct request){0};
	strv_push(&a, &r.hide, "/a/*/b");
	refused(&r, "{}", "--hide '/a/*/b' may have a '*' only as its last character");
	r = (struct request){0};
	strv_push(&a, &r.hide, "/");
	refused(&r, "{}",
		"with policy 'x.yaml': '/' itself can be neither hidden nor a tmpfs; set "
		"filesystem.root");
	r = (struct request){0};
	strv_push(&a, &r.tmpfs, "");
	refused(&r, "{}", "--tmpfs '' may not be empty");
}

static void test_env(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p = policy_of(&a, "env: {set: {A: a, B: b, X_1: x, X_2: y}, unset: [U]}\n");
	size_t unset = p.env.unset.n;
	struct env_pair set[] = {{"B", "new"}, {"GITHUB_TOKEN", "t"}, {"B", "newer"}};
	struct request r = {.env = {.set = set, .n_set = 3}};
	strv_push(&a, &r.env.unset, "X_*");
	apply(&r, &p, &a);
	assert_int_equal(p.env.n_set, 3);
	assert_string_equal(p.env.set[0].key, "A");
	assert_string_equal(p.env.set[1].value, "newer");
	assert_string_equal(p.env.set[2].key, "GITHUB_TOKEN");
	assert_int_equal(p.env.unset.n, unset + 1);
	assert_false(p.env.clear);
	r = (struct request){.env = {.clear = true}};
	apply(&r, &p, &a);
	assert_true(p.env.clear);

	struct env_pair own[] = {{"BULKHEAD", "x"}};
	r = (struct request){.env = {.set = own, .n_set = 1}};
	refused(&r, "{}", "--env: the name 'BULKHEAD' is set by bulkhead itself, to the run's id");
	r = (struct request){0};
	strv_push(&a, &r.env.unset, "*");
	refused(&r, "{}", "--unset '*' would match every name; env.clear or --clear-env does that");
}

static void test_rest(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p = policy_of(&a, "network: host\nuser: isolated\nbreaker: {key: old}\n");
	struct request r = {.key = "new",
		.user_given = true,
		.user = {USER_ID, 5, 6},
		.network_given = true,
		.network = NETWORK_NONE};
	apply(&r, &p, &a);
	assert_string_equal(p.breaker.key, "new");
	assert_int_equal(p.user.mode, USER_ID);
	assert_int_equal(p.user.gid, 6);
	assert_int_equal(p.network, NETWORK_NONE);
	p = policy_of(&a, "{}");
	apply(&r, &p, &a);
	assert_null(p.breaker.key); /* nobody asked for a breaker */
	static const char *const asking[] = {
		"breaker: {threshold: 3}\n", "breaker: {window: 1m}\n", "breaker: {on: [later]}\n"};
	for (size_t i = 0; i < sizeof asking / sizeof *asking; i++) {
		p = policy_of(&a, asking[i]);
		apply(&r, &p, &a);
		assert_string_equal(p.breaker.key, "new");
	}
}

/* Who keeps it keeps nothing of its owner's. */
static void test_a_copy_stands_alone(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT, owner = ARENA_INIT;
	struct request r = {.root = arena_strdup(&owner, "/srv/root"),
		.key = arena_strdup(&owner, "k"),
		.tty = true};
	struct request copy;
	struct bind_rule rule = {.source = arena_strdup(&owner, "/a"), .dest = NULL};
	struct env_pair pair = {arena_strdup(&owner, "A"), arena_strdup(&owner, "b")};
	struct policy p = policy_of(&a, "extends: default\n"), same = p;
	give(&r, LIMIT_PIDS, true, 7);
	r.read = r.write = (struct bind_list){&rule, 1};
	r.env.set = &pair;
	r.env.n_set = 1;
	strv_push(&owner, &r.env.unset, arena_strdup(&owner, "X"));
	strv_push(&owner, &r.argv, arena_strdup(&owner, "true"));
	strv_push(&owner, &r.hide, arena_strdup(&owner, "/h"));
	strv_push(&owner, &r.tmpfs, arena_strdup(&owner, "/t"));
	apply(&r, &p, &a);
	const char *expected = arena_strdup(&a, policy_format_json(&p, &a));
	request_copy(&copy, &r, &a);
	*(char *)pair.key = *(char *)pair.value = *(char *)rule.source = '!';
	*(char *)r.hide.v[0] = *(char *)r.tmpfs.v[0] = *(char *)r.argv.v[0] = '!';
	*(char *)r.env.unset.v[0] = *(char *)r.root = *(char *)r.key = '!';
	arena_fini(&owner);
	apply(&copy, &same, &a);
	assert_string_equal(policy_format_json(&same, &a), expected);
	assert_string_equal(copy.argv.v[0], "true");
	assert_null(copy.argv.v[1]);
	assert_string_equal(copy.key, "k");
	assert_true(copy.tty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_give_way),
		cmocka_unit_test(test_filesystem),
		cmocka_unit_test(test_env),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_a_copy_stands_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
