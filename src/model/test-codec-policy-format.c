/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "model/policy-keys.h"
#include "model/test-policy.h"

/* Every kind of value, and those that look like another kind. */
static const char all[] =
	"limits: {memory: 10000001, swap: 3K, cpus: 1.25, timeout: 90m, idle_timeout: 1234us,\n"
	"  cpu_time: 1500ms, grace: 0, oom: process}\n"
	"filesystem: {root: null, write: ['/a b:/c', \"/x\\n\", '/*'], hide: ['~', /h*, 'true']}\n"
	"user: 1000:100\n"
	"env: {set: {A: '1', B: \"\\\"\", C: '', 'D E': 'x: y', F: '~', G: ' #'}, unset: ['*x*']}\n"
	"exec: {mode: audit, default: deny, rules: [{deny: git push, hint: 'a: b'}]}\n"
	"retry: {attempts: 2, on: [memory_limit], grow: 1.125, grow_max: 1T}\n"
	"breaker: {key: 'null', cooldown: 1ms}\n";
/* what goes with no exec rules */
static const char pool[] = "pool: {size: 1, preload: ['1', '-', 'null', '['], serve: forks}\n";

/* Loaded from @text, and again from what it is written as, in JSON and in YAML: @ret[0] and @ret[1]. */
static void go_round(const char *text, struct arena *a, struct policy *p, struct policy ret[2])
{
	struct error e = ERROR_INIT;
	if (load_text(p, a, text, &e) < 0)
		fail_msg("%s", e.text);
	const char *json = policy_format_json(p, a);
	const char *const texts[] = {json, policy_format_yaml(p, a)};
	for (int i = 0; i < 2; i++) {
		if (load_text(&ret[i], a, texts[i], &e) < 0)
			fail_msg("%s\n%s", e.text, texts[i]);
		assert_string_equal(policy_format_json(&ret[i], a), json);
	}
}

static void test_round_trip(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p, again[2];
	go_round(all, &a, &p, again);
	for (int i = 0; i < 2; i++) {
		for (int l = 0; l < LIMIT_COUNT_; l++) {
			assert_int_equal(again[i].limits.v[l].set, p.limits.v[l].set);
			assert_int_equal(again[i].limits.v[l].value, p.limits.v[l].value);
		}
		assert_string_equal(again[i].filesystem.write.v[1].source, "/x\n");
		assert_string_equal(again[i].env.set[0].value, "1");
		assert_string_equal(again[i].breaker.key, "null");
	}
}

static void test_pool_round_trip(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p, again[2];
	go_round(pool, &a, &p, again);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(again[i].pool.preload.v[2], "null");
		assert_int_equal(again[i].pool.serve, SERVE_FORKS);
	}
}

static void test_shipped_round_trip(void **state)
{
	(void)state;
	for (const char *const *name = policy_shipped_names(); *name; name++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct policy p, again;
		struct error e = ERROR_INIT;
		assert_int_equal(policy_load(&p, &a, NULL, *name, NULL), 0);
		const char *json = policy_format_json(&p, &a);
		if (load_text(&again, &a, policy_format_yaml(&p, &a), &e) < 0)
			fail_msg("%s", e.text);
		assert_string_equal(policy_format_json(&again, &a), json);
	}
}

/* A command line may hold anything; what is shown of it is UTF-8 all the same. */
static void test_bytes(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p;
	assert_int_equal(policy_load(&p, &a, NULL, "default", NULL), 0);
	struct env_pair set[] = {{"K\xff", "\xc3("}};
	p.env.set = set;
	p.env.n_set = 1;
	strv_push(&a, &p.filesystem.hide, "/\xfe");
	const char *json = policy_format_json(&p, &a);
	assert_non_null(strstr(json, "\"K\\\\xff\": \"\\\\xc3(\""));
	json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	json_decref(root);
	assert_non_null(policy_format_yaml(&p, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_pool_round_trip),
		cmocka_unit_test(test_shipped_round_trip),
		cmocka_unit_test(test_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
