/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "model/test-policy.h"

static void test_nonsense(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"limits: {memory: null, swap: 1G}\n",
			"limits.swap limits nothing without limits.memory; set that too"},
		{"limits: {idle_timeout: 1h}\n",
			"limits.idle_timeout (1 h) is above limits.timeout (30 min) and would "
			"never be "
			"reached; raise the timeout or lower the idle_timeout"},
		{"filesystem: {hide: [/]}\n",
			"'/' itself can be neither hidden nor a tmpfs; set filesystem.root"},
		{"filesystem: {tmpfs: [/]}\n",
			"'/' itself can be neither hidden nor a tmpfs; set filesystem.root"},
		{"filesystem: {hide: [/a], tmpfs: [/a]}\n",
			"'/a' is in filesystem.hide and in filesystem.tmpfs"},
		{"filesystem: {write: [~/.ssh]}\n",
			"'~/.ssh' is in filesystem.write and in filesystem.hide; take it out with "
			"\"!~/.ssh\" in filesystem.hide"},
		{"filesystem: {read: ['/k:/etc/shadow']}\n",
			"'/etc/shadow' is in filesystem.read and in filesystem.hide; take it out "
			"with "
			"\"!/etc/shadow\" in filesystem.hide"},
		{"filesystem: {write: [/a], tmpfs: [/a]}\n",
			"'/a' is in filesystem.write and in filesystem.tmpfs"},
		{"exec: {rules: [{deny: git push}]}\n",
			"exec has rules but exec.mode is off, so that none of them applies; set "
			"exec.mode to audit or enforce"},
		{"exec: {default: deny}\n",
			"exec has rules but exec.mode is off, so that none of them applies; set "
			"exec.mode to audit or enforce"},
		{"exec: {mode: enforce}\nsyscalls: {user_namespaces: true}\n",
			"syscalls.user_namespaces undoes exec.mode enforce: who may mount chooses "
			"what a path names; set exec.mode to audit, or do without user namespaces"},
		{"exec: {mode: enforce}\npool: {size: 1, preload: [python3]}\n",
			"pool.preload starts a program ahead of its run, where an exec policy has "
			"no run "
			"to judge it for"},
		{"exec: {mode: audit}\npool: {size: 1, preload: [python3]}\n",
			"pool.preload starts a program ahead of its run, where an exec policy has "
			"no run "
			"to judge it for"},
		{"exec: {mode: enforce, rules: [{allow: busybox}]}\n",
			"exec.rules: allow 'busybox': 'busybox' is many programs in one file, "
			"shells among them; allow those that are meant: 'busybox ls' or 'ls'"},
		{"syscalls: {deny: ['ptrace:kill'], allow: [ptrace]}\n",
			"'ptrace' is in syscalls.deny and in syscalls.allow"},
		{"retry: {backoff: 2m}\n", "retry.backoff is above retry.max_backoff"},
		{"retry: {attempts: 3, on: []}\n",
			"retry.attempts is 3, but retry.on is empty: nothing is tried again"},
		{"retry: {grow_max: 1G}\n", "retry.grow_max is below limits.memory"},
		{"breaker: {cooldown: 1m}\n", "breaker.cooldown does nothing without breaker.key"},
		{"pool: {preload: [true-ish]}\n", "pool.preload does nothing while pool.size is 0"},
		{"pool: {size: 2, serve: forks}\n",
			"pool.serve is forks, but pool.preload names nothing to be forked"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct policy p;
		char expected[ERROR_TEXT_SIZE];
		struct error e = ERROR_INIT;
		if (load_text(&p, &a, cases[i].text, &e) == 0)
			fail_msg("accepted: %s", cases[i].text);
		snprintf(expected, sizeof expected, "policy 'x.yaml': %s", cases[i].error);
		assert_string_equal(e.text, expected);
		assert_int_equal(e.blame, BLAME_POLICY);
	}
}

static void test_sense(void **state)
{
	static const char *const texts[] = {
		"limits: {memory: null, swap: 0}\n",
		"limits: {memory: null, swap: null}\n",
		"limits: {idle_timeout: 30m}\n",
		"limits: {timeout: null, idle_timeout: 1h}\n",
		"limits: {memory: 16M}\n", /* below tmp_size: what is in /tmp counts, and that is all */
		"filesystem: {hide: ['!~/.ssh'], read: [~/.ssh]}\n",
		"filesystem: {write: [/a], hide: [/a/b]}\nextends: null\n",
		"syscalls: {deny: [ptrace], allow: [ptrace2]}\n",
		"breaker: {key: x, cooldown: 1m}\n",
		"exec: {mode: audit}\nsyscalls: {user_namespaces: true}\n",
		"exec: {mode: enforce, default: deny}\npool: {size: 1}\n",
	};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct policy p;
		struct error e = ERROR_INIT;
		if (load_text(&p, &a, texts[i], &e) < 0)
			fail_msg("%s: %s", texts[i], e.text);
	}
}

/* A policy that was put together by hand is checked as well. */
static void test_factor(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p;
	struct error e = ERROR_INIT;
	assert_int_equal(policy_load(&p, &a, NULL, "default", NULL), 0);
	assert_int_equal(policy_check(&p, &e), 0);
	p.retry.grow_milli = 999;
	assert_int_equal(policy_check(&p, &e), -1);
	assert_string_equal(e.text, "retry.grow is below 1: a limit that was hit would shrink");
	p.retry.grow_milli = 1000;
	p.breaker.key = "k";
	p.breaker.window_us = 0;
	assert_int_equal(policy_check(&p, &e), -1);
	assert_string_equal(e.text, "breaker.window is 0: no failure would ever be counted");
	p.breaker.threshold = 0;
	assert_int_equal(policy_check(&p, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_sense),
		cmocka_unit_test(test_factor),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
