/* SPDX-License-Identifier: MIT */
#include "model/codec-policy.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buf.h"
#include "model/test-policy.h"

#define PLACE(l, c) "policy 'x.yaml' line " #l " column " #c ": "

struct refusal {
	const char *text, *error;
};

static void check_refusals(const struct refusal *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct policy policy;
		struct error e = ERROR_INIT;
		if (load_text(&policy, &a, r[i].text, &e) == 0)
			fail_msg("accepted: %s", r[i].text);
		assert_string_equal(e.text, r[i].error);
		assert_int_equal(e.blame, BLAME_POLICY);
	}
}

#define CHECK(list) check_refusals((list), sizeof(list) / sizeof *(list))

static void test_keys(void **state)
{
	static const struct refusal list[] = {
		{"limits:\n  swap: 0\n    \n  memmory: 2G\n",
			PLACE(4, 3) "unknown key 'memmory'; did you mean 'memory'?"},
		{"{\"limits\": {\"memory\": \"2G\",\n\"pid\": 3}}",
			PLACE(2, 1) "unknown key 'pid'; did you mean 'pids'?"},
		{"limit: {memory: 1G}\n",
			PLACE(1, 1) "unknown key 'limit'; did you mean 'limits'?"},
		{"extend: tool\n", PLACE(1, 1) "unknown key 'extend'; did you mean 'extends'?"},
		{"memory: 1G\n", PLACE(1, 1) "unknown key 'memory'; it belongs in 'limits'"},
		{"limits: {network: host}\n",
			PLACE(1, 10) "unknown key 'network'; it belongs at the top level"},
		{"filesystem: {env: {}}\n",
			PLACE(1, 14) "unknown key 'env'; it belongs at the top level"},
		{"filesystem:\n  unset: []\n",
			PLACE(2, 3) "unknown key 'unset'; it belongs in 'env'"},
		{"xyzzy: 1\n", PLACE(1, 1) "unknown key 'xyzzy'"},
		{"'': 1\n", PLACE(1, 1) "unknown key ''"},
		{"limits: {Memory: 1G}\n",
			PLACE(1, 10) "unknown key 'Memory'; did you mean 'memory'?"},
		{"limits: {memory: 1G, swap: 0, memory: 2G}\n",
			PLACE(1, 31) "duplicate key 'memory'; it was first given on line 1 column "
				     "10"},
		{"limits:\n", PLACE(1, 1) "'limits' has nothing in it; leave it out"},
		{"limits: null\n", PLACE(1, 9) "'limits' must be a map of keys"},
		{"limits: [memory]\n", PLACE(1, 9) "'limits' must be a map of keys"},
		{"limits: 2G\n", PLACE(1, 9) "'limits' must be a map of keys"},
	};
	(void)state;
	CHECK(list);
}

static void test_numbers(void **state)
{
	static const struct refusal list[] = {
		{"limits: {memory: }\n",
			PLACE(1, 10) "limits.memory has no value; it must be a size "
				     "such as 64M or 2G, or null for none"},
		{"limits:\n  memory: lots\n",
			PLACE(2, 11) "limits.memory must be a size such as 64M or "
				     "2G, or null for none, not 'lots'"},
		{"limits: {memory: [1G]}\n",
			PLACE(1, 18) "limits.memory must be a size such as 64M or "
				     "2G, or null for none, not a list"},
		{"limits: {memory: true}\n",
			PLACE(1, 18) "limits.memory must be a size such as 64M or 2G, or null for "
				     "none, not true or false"},
		{"limits: {memory: -1}\n",
			PLACE(1, 18) "limits.memory must be a size such as 64M or "
				     "2G, or null for none, not '-1'"},
		{"limits: {memory: 1_000}\n",
			PLACE(1, 18) "limits.memory must be a size such as 64M or "
				     "2G, or null for none, not '1_000'"},
		{"limits: {memory: 1.5}\n",
			PLACE(1, 18) "limits.memory must be a size such as 64M or "
				     "2G, or null for none, not '1.5'"},
		{"limits: {memory: 64K}\n",
			PLACE(1, 18) "limits.memory: '64K' is too little for any "
				     "program to start; at least 1 MiB"},
		{"limits: {nofile: 3}\n",
			PLACE(1, 18) "limits.nofile: '3' is too little for any "
				     "program to start; at least 4"},
		{"limits: {address_space: 1023K}\n",
			PLACE(1, 25) "limits.address_space: '1023K' is too little for any program "
				     "to "
				     "start; at least 1 MiB"},
		{"limits: {memory: 0}\n", PLACE(1, 18) "limits.memory: '0' is out of range"},
		{"limits: {memory: 99999999999999999999}\n",
			PLACE(1, 18) "limits.memory: '99999999999999999999' is out of range"},
		{"limits: {memory: 9999999999G}\n",
			PLACE(1, 18) "limits.memory: '9999999999G' is out of range"},
		{"limits: {timeout: 5 min}\n",
			PLACE(1, 19) "limits.timeout must be a duration such as 30s or 5m, or null "
				     "for "
				     "none, not '5 min'"},
		{"limits: {timeout: 1:30}\n",
			PLACE(1, 19) "limits.timeout must be a duration such as 30s or 5m, or null "
				     "for "
				     "none, not '1:30'"},
		{"limits: {pids: 2.5}\n",
			PLACE(1, 16) "limits.pids must be a whole number, or null "
				     "for none, not '2.5'"},
		{"limits: {pids: 0x10}\n",
			PLACE(1, 16) "limits.pids must be a whole number, or null "
				     "for none, not '0x10'"},
		{"limits: {cpus: 0.001}\n", PLACE(1, 16) "limits.cpus: '0.001' is out of range"},
		{"limits: {cpus: all}\n",
			PLACE(1, 16) "limits.cpus must be a number of CPUs such as 2 "
				     "or 0.5, or null for none, not 'all'"},
		{"limits: {grace: null}\n",
			PLACE(1, 17) "limits.grace must be a duration such as 30s "
				     "or 5m, not null"},
		{"limits: {grace: 2h}\n", PLACE(1, 17) "limits.grace: '2h' is out of range"},
		{"retry: {attempts: 0}\n", PLACE(1, 19) "retry.attempts: '0' is out of range"},
		{"retry: {attempts: 101}\n", PLACE(1, 19) "retry.attempts: '101' is out of range"},
		{"retry: {grow: 0.9}\n", PLACE(1, 15) "retry.grow: '0.9' is out of range"},
		{"retry: {grow: x}\n",
			PLACE(1, 15) "retry.grow must be a factor such as 1.5, not 'x'"},
	};
	(void)state;
	CHECK(list);
}

static void test_words(void **state)
{
	static const struct refusal list[] = {
		{"network: hots\n",
			PLACE(1, 10) "network must be none or host, not 'hots'; did you "
				     "mean 'host'?"},
		{"network: no\n", PLACE(1, 10) "network must be none or host, not 'no'"},
		{"network: null\n", PLACE(1, 10) "network must be none or host, not null"},
		{"network:\n", PLACE(1, 1) "network has no value; it must be none or host"},
		{"exec: {mode: on}\n",
			PLACE(1, 14) "exec.mode must be off, audit or enforce, not 'on'"},
		{"exec: {default: no}\n",
			PLACE(1, 17) "exec.default must be deny or allow, not 'no'"},
		{"env: {clear: yes}\n", PLACE(1, 14) "env.clear must be true or false, not 'yes'"},
		{"env: {clear: 1}\n", PLACE(1, 14) "env.clear must be true or false, not '1'"},
		{"env: {clear: \"true\"}\n",
			PLACE(1, 14) "env.clear must be true or false, not 'true'"},
		{"user: root\n",
			PLACE(1, 7) "user must be self, isolated or UID[:GID], not 'root'"},
		{"user: 1000:x\n",
			PLACE(1, 7) "user must be self, isolated or UID[:GID], not '1000:x'"},
		{"user: 4294967295\n",
			PLACE(1, 7) "user must be self, isolated or UID[:GID], not '4294967295'"},
		{"user: isolate\n",
			PLACE(1, 7) "user must be self, isolated or UID[:GID], not "
				    "'isolate'; did you mean 'isolated'?"},
		{"filesystem: {root: sub/dir}\n",
			PLACE(1, 20) "filesystem.root: 'sub/dir' must be an absolute path"},
		{"filesystem: {root: ''}\n", PLACE(1, 20) "filesystem.root: '' may not be empty"},
		{"breaker: {key: ''}\n", PLACE(1, 16) "breaker.key may not be empty"},
		{"breaker: {key: 5}\n",
			PLACE(1, 16) "breaker.key must be a string (quote it if it is "
				     "one), or null for none, not '5'"},
		{"extends: [tool]\n",
			PLACE(1, 10) "extends must be the name or path of a policy, or null"},
		{"extends:\n", PLACE(1, 1) "extends must be the name or path of a policy, or null"},
		{"extends: ''\n",
			PLACE(1, 10) "extends must be the name or path of a policy, or null"},
	};
	(void)state;
	CHECK(list);
}

static const struct refusal bad_paths[] = {
	/* an emptied list must not lay bare what was hidden */
	{"filesystem:\n  hide:\n",
		PLACE(2, 3) "filesystem.hide has no value; it must be a "
			    "list"},
	{"filesystem: {hide: null}\n", PLACE(1, 20) "filesystem.hide must be a list, not null"},
	{"filesystem: {hide: ~/.ssh}\n",
		PLACE(1, 20) "filesystem.hide must be a list, not '~/.ssh'"},
	{"filesystem: {hide: [5]}\n",
		PLACE(1, 21) "filesystem.hide must be a string (quote it "
			     "if it is one), not '5'"},
	{"filesystem: {hide: [a, '']}\n", PLACE(1, 24) "filesystem.hide: '' may not be empty"},
	{"filesystem: {hide: ['/a*/b']}\n",
		PLACE(1, 21) "filesystem.hide: '/a*/b' may have a '*' only as its last "
			     "character"},
	{"filesystem: {hide: ['/a/*']}\n",
		PLACE(1, 21) "filesystem.hide: '/a/*' may not be a lone '*' below a "
			     "directory; "
			     "hide the directory"},
	{"filesystem: {hide: [~joe/.ssh]}\n",
		PLACE(1, 21) "filesystem.hide: '~joe/.ssh' names another user's home, "
			     "which is "
			     "not looked up; write its path"},
	{"filesystem: {hide: ['!~/.shh']}\n",
		PLACE(1, 21) "filesystem.hide: there is no '~/.shh' to take out; did you "
			     "mean "
			     "'!~/.ssh'?"},
	{"filesystem: {write: ['!/a']}\n",
		PLACE(1, 22) "filesystem.write: there is no '/a' to take out"},
	{"filesystem: {write: ['/a:b']}\n",
		PLACE(1, 22) "filesystem.write: '/a:b' must have an absolute path after "
			     "its ':'"},
	{"filesystem: {write: ['/a:/b:/c']}\n",
		PLACE(1, 22) "filesystem.write: '/a:/b:/c' has more than one ':'; "
			     "PATH:DEST is "
			     "meant"},
	{"filesystem: {read: [':/b']}\n",
		PLACE(1, 21) "filesystem.read: ':/b' lacks a path beside its ':'"},
};

static const struct refusal bad_environments[] = {
	{"env: {unset: ['*']}\n",
		PLACE(1, 15) "env.unset: '*' would match every name; env.clear or "
			     "--clear-env does that"},
	{"env: {unset: ['A*B']}\n",
		PLACE(1, 15) "env.unset: 'A*B' may have a '*' only at the "
			     "beginning and at the end"},
	{"env: {unset: ['A=B']}\n", PLACE(1, 15) "env.unset: 'A=B' may not contain '='"},
	{"env: {set: [A]}\n", PLACE(1, 12) "env.set must be a map of names and values, not a list"},
	{"env: {set: {A: true}}\n",
		PLACE(1, 16) "env.set: the value of 'A' must be a string; quote it"},
	{"env: {set: {A: }}\n",
		PLACE(1, 13) "env.set: the value of 'A' must be a string; quote it"},
	{"env: {set: {'A=B': c}}\n", PLACE(1, 13) "env.set: the name 'A=B' may not contain '='"},
	{"env: {set: {BULKHEAD: x}}\n",
		PLACE(1, 13) "env.set: the name 'BULKHEAD' is set by "
			     "bulkhead itself, to the run's id"},
};

static const struct refusal bad_names[] = {
	{"syscalls: {deny: ['a b']}\n",
		PLACE(1, 19) "syscalls.deny: 'a b' must be the name of a system call, or "
			     "NAME:ACTION"},
	{"retry: {on: [memory]}\n",
		PLACE(1, 14) "retry.on: 'memory' must be a cause, such as memory_limit, or "
			     "an "
			     "advice: same, later, larger"},
	{"retry: {on: [ok]}\n",
		PLACE(1, 14) "retry.on: 'ok' is no failure that another try could mend"},
};

static const struct refusal bad_rules[] = {
	{"exec: {rules: {allow: git}}\n",
		PLACE(1, 15) "exec.rules must be a list of {allow: COMMAND} and {deny: "
			     "COMMAND}, not a map"},
	{"exec: {rules: [{alow: git}]}\n",
		PLACE(1, 17) "unknown key 'alow' in exec.rules; did you mean 'allow'?"},
	{"exec: {rules: [{allow: git, deny: git}]}\n",
		PLACE(1, 29) "exec.rules: one rule both allows and denies; make two of it"},
	{"exec: {rules: [{hint: no}]}\n",
		PLACE(1, 16) "exec.rules: a rule needs 'allow' or 'deny'"},
	{"exec: {rules: [{deny: 5}]}\n",
		PLACE(1, 23) "exec.rules: 'deny' must be a string, and not empty"},
};

static void test_lists(void **state)
{
	(void)state;
	CHECK(bad_paths);
	CHECK(bad_environments);
	CHECK(bad_names);
	CHECK(bad_rules);
}

static struct policy load(struct arena *a, const char *text)
{
	struct policy policy = {0};
	struct error e = ERROR_INIT;
	if (load_text(&policy, a, text, &e) < 0)
		fail_msg("%s", e.text);
	return policy;
}

static void test_values(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p = load(&a,
		"extends: null\n"
		"limits: {memory: 1.5GiB, swap: 0, cpus: 1.25, pids: 7, timeout: 90, cpu_time: "
		"1h30m,\n"
		"  idle_timeout: 500ms, output: 4096, oom: process, grace: 0}\n"
		"filesystem: {root: null, cwd: write, write: [., ~/a:/b], read: [/c], tmpfs: "
		"[/d]}\n"
		"network: host\nuser: 1000:100\n"
		"env: {set: {A: '', B: no, C: 010, D: 8080}, unset: [X_*], clear: true}\n"
		"exec: {mode: audit, default: deny, rules: [{allow: git}, {deny: git push, hint: "
		"x}]}\n"
		"syscalls: {deny: ['ptrace:kill'], allow: [io_uring_setup],\n"
		"  user_namespaces: true}\n"
		"retry: {attempts: 3, on: [larger, cpu_time_limit], backoff: 1.5s, grow: 2.25,\n"
		"  grow_max: 8G}\n"
		"breaker: {key: k, cooldown: 10s, on: [later], threshold: 3, window: 1m}\n"
		"pool: {size: 2}\n"
		"capture: {log: true, messages: out/messages}\n");
	assert_int_equal(p.limits.v[LIMIT_MEMORY].value, 3ull << 29);
	assert_true(p.limits.v[LIMIT_SWAP].set);
	assert_int_equal(p.limits.v[LIMIT_CPUS].value, 1250);
	assert_int_equal(p.limits.v[LIMIT_TIMEOUT].value, 90000000);
	assert_int_equal(p.limits.v[LIMIT_CPU_TIME].value, 5400000000);
	assert_int_equal(p.limits.v[LIMIT_IDLE_TIMEOUT].value, 500000);
	assert_false(p.limits.v[LIMIT_NOFILE].set);
	assert_int_equal(p.limits.oom, OOM_PROCESS);
	assert_int_equal(p.limits.grace_us, 0);
	assert_null(p.filesystem.root);
	assert_int_equal(p.filesystem.write.n, 2);
	assert_string_equal(p.filesystem.write.v[1].source, "~/a");
	assert_string_equal(p.filesystem.write.v[1].dest, "/b");
	assert_false(p.filesystem.write.v[1].optional);
	assert_int_equal(p.network, NETWORK_HOST);
	assert_int_equal(p.user.mode, USER_ID);
	assert_int_equal(p.user.uid, 1000);
	assert_int_equal(p.user.gid, 100);
	assert_int_equal(p.env.n_set, 4);
	assert_string_equal(p.env.set[0].value, "");
	assert_string_equal(p.env.set[1].value, "no");
	assert_string_equal(p.env.set[2].value, "010");
	assert_string_equal(p.env.set[3].value, "8080");
	assert_true(p.env.clear);
	assert_int_equal(p.exec.mode, EXEC_AUDIT);
	assert_false(p.exec.default_allow);
	assert_int_equal(p.exec.n_rules, 2);
	assert_false(p.exec.rules[1].allow);
	assert_string_equal(p.exec.rules[1].hint, "x");
	assert_string_equal(p.syscalls_deny.v[0], "ptrace:kill");
	assert_true(p.user_namespaces);
	assert_int_equal(p.retry.backoff_us, 1500000);
	assert_int_equal(p.retry.grow_milli, 2250);
	assert_int_equal(p.retry.grow_max_bytes, 8ull << 30);
	assert_int_equal(p.retry.on.n, 2);
	assert_string_equal(p.breaker.key, "k");
	assert_int_equal(p.pool.size, 2);
	assert_true(p.capture_log);
	assert_string_equal(p.capture_messages, "out/messages");
}

/* Not with exec rules, which have no run yet to judge it for. */
static void test_preload(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p = load(
		&a, "pool: {size: 2, preload: [python3, -c, 'import numpy', -c], serve: forks}\n");
	assert_int_equal(p.pool.size, 2);
	assert_int_equal(p.pool.preload.n, 4); /* a command may repeat itself */
	assert_int_equal(p.pool.serve, SERVE_FORKS);
}

/* Each limit's null is unlimited, and asked for. */
static void test_null(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p =
		load(&a, "limits: {memory: null, pids: unlimited}\nbreaker: {key: null}\n");
	assert_false(p.limits.v[LIMIT_MEMORY].set);
	assert_int_equal(p.limits.v[LIMIT_MEMORY].origin, ORIGIN_ASKED);
	assert_false(p.limits.v[LIMIT_PIDS].set);
	assert_true(p.limits.v[LIMIT_TIMEOUT].set);
	assert_null(p.breaker.key);
}

static void test_long_names(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_buf struct buf b = BUF_INIT;
	struct policy policy;
	struct error e = ERROR_INIT;
	for (int i = 0; i < 3000; i++)
		buf_puts(&b, "k");
	buf_puts(&b, ": 1\n");
	assert_int_equal(load_text(&policy, &a, buf_str(&b), &e), -1);
	assert_true(strlen(e.text) < 200);
	assert_non_null(strstr(e.text, "kkk…'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_preload),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_long_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
