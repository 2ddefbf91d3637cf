/* SPDX-License-Identifier: MIT */
#include "model/policy.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buf.h"
#include "model/policy-keys.h"
#include "model/policy-shipped.h"
#include "model/test-policy.h"

static bool has(const struct strv *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i], text) == 0)
			return true;
	return false;
}

static struct policy load_ok(struct arena *a, struct memory_file *files, const char *name)
{
	const struct policy_source source = {memory_read, files};
	struct policy policy = {0};
	struct error e = ERROR_INIT;
	if (policy_load(&policy, a, &source, name, &e) < 0)
		fail_msg("%s", e.text);
	return policy;
}

static void refused(
	struct memory_file *files, const char *name, enum blame blame, const char *expected)
{
	cleanup_arena struct arena a = ARENA_INIT;
	const struct policy_source source = {memory_read, files};
	struct policy policy = {.name = "untouched"};
	struct error e = ERROR_INIT;
	assert_int_equal(policy_load(&policy, &a, files ? &source : NULL, name, &e), -1);
	assert_string_equal(policy.name, "untouched");
	assert_string_equal(e.text, expected);
	assert_int_equal(e.blame, blame);
}

static void test_shipped(void **state)
{
	static const char *const names[] = {
		"default", "tool", "notebook", "build", "agent", "strict", NULL};
	static const struct {
		const char *name;
		uint64_t mebibytes, minutes;
	} figures[] = {{"default", 2048, 30}, {"tool", 1024, 5}, {"notebook", 2048, 10},
		{"build", 4096, 20}, {"agent", 8192, 60}};
	(void)state;
	for (size_t i = 0; names[i] || policy_shipped_names()[i]; i++)
		assert_string_equal(policy_shipped_names()[i], names[i]);
	for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct policy p;
		assert_int_equal(policy_load(&p, &a, NULL, figures[i].name, NULL), 0);
		assert_string_equal(p.name, figures[i].name);
		assert_int_equal(p.limits.v[LIMIT_MEMORY].value, figures[i].mebibytes << 20);
		assert_int_equal(p.limits.v[LIMIT_TIMEOUT].value, figures[i].minutes * 60000000);
		assert_int_equal(p.limits.v[LIMIT_PIDS].value, 512);
		assert_int_equal(p.limits.grace_us, 2000000);
		assert_true(has(&p.filesystem.hide, "~/.ssh"));
		assert_true(has(&p.filesystem.hide, "/etc/shadow"));
		assert_true(has(&p.filesystem.hide, "/run"));
		assert_int_equal(
			p.exec.mode, strcmp(p.name, "agent") == 0 ? EXEC_ENFORCE : EXEC_OFF);
		assert_int_equal(
			p.network, strcmp(p.name, "build") == 0 ? NETWORK_HOST : NETWORK_NONE);
	}
}

/* What was built in is what its own text says when it is read now. */
static void test_shipped_texts(void **state)
{
	(void)state;
	for (const char *const *name = policy_shipped_names(); *name; name++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct policy built_in, read;
		struct error e = ERROR_INIT;
		size_t size;
		const char *text = policy_shipped_text(*name, &size);
		assert_int_equal(strlen(text), size);
		assert_int_equal(policy_load(&built_in, &a, NULL, *name, NULL), 0);
		if (policy_load_shipped(&read, &a, *name, text, size, &e) < 0)
			fail_msg("%s", e.text);
		assert_string_equal(
			policy_format_json(&built_in, &a), policy_format_json(&read, &a));
		for (int i = 0; i < LIMIT_COUNT_; i++)
			assert_int_equal(built_in.limits.v[i].origin, read.limits.v[i].origin);
		for (size_t i = 0; i < read.filesystem.write.n; i++)
			assert_true(built_in.filesystem.write.v[i].optional);
	}
	size_t size = 7;
	assert_null(policy_shipped_text("nothing", &size));
	assert_int_equal(size, 7);
}

static void test_strict(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p;
	assert_int_equal(policy_load(&p, &a, NULL, "strict", NULL), 0);
	assert_int_equal(p.user.mode, USER_ISOLATED);
	assert_null(p.filesystem.root);
	assert_int_equal(p.filesystem.cwd, CWD_READ);
	assert_int_equal(p.filesystem.write.n, 0);
	assert_true(p.env.clear);
}

static bool unsets(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->env.unset.n; i++)
		if (policy_name_matches(p->env.unset.v[i], name))
			return true;
	return false;
}

static void test_default_environment(void **state)
{
	static const char *const secret[] = {"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT",
		"GLIBC_TUNABLES", "BASH_ENV", "GITHUB_TOKEN", "npm_config_token", "OPENAI_API_KEY",
		"AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "db_password", "PGPASSWORD",
		"SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "NPM_CONFIG__AUTH", "TWINE_PASSWORD",
		"DATABASE_URL", "SLACK_WEBHOOK_URL", "KUBECONFIG", "BULKHEAD_SOCKET",
		"BULKHEAD_STATE", "MYSQL_PWD", "VSCODE_IPC_HOOK_CLI",
		"ACTIONS_ID_TOKEN_REQUEST_URL", "SUDO_ASKPASS", NULL};
	static const char *const plain[] = {"PATH", "HOME", "LANG", "LC_ALL", "TERM", "PWD",
		"OLDPWD", "USER", "SHELL", "PYTHONPATH", "NODE_ENV", "EDITOR", "CFLAGS",
		"VIRTUAL_ENV", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "TZ", "COLUMNS", "CI",
		"KEYBOARD", "TOKENS", "BULKHEAD", NULL};
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p;
	assert_int_equal(policy_load(&p, &a, NULL, "default", NULL), 0);
	for (size_t i = 0; secret[i]; i++)
		if (!unsets(&p, secret[i]))
			fail_msg("%s is passed on", secret[i]);
	for (size_t i = 0; plain[i]; i++)
		if (unsets(&p, plain[i]))
			fail_msg("%s is not passed on", plain[i]);
}

static void test_names(void **state)
{
	(void)state;
	assert_true(policy_is_name("default"));
	assert_true(policy_is_name("my-policy_2"));
	assert_false(policy_is_name(""));
	assert_false(policy_is_name("-x"));
	assert_false(policy_is_name("x.yaml"));
	assert_false(policy_is_name("a/b"));
	assert_false(policy_is_name(".."));
	assert_false(policy_is_name("a b"));
	refused(NULL, "defualt", BLAME_REQUEST, "no policy 'defualt'; did you mean 'default'?");
	refused(NULL, "../default", BLAME_REQUEST,
		"no policy '../default'; did you mean 'default'?");
}

static void test_extends(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct memory_file files[] = {
		{"dir/a.yaml",
			"extends: sub/b.yaml\nlimits: {memory: 3G}\n"
			"filesystem: {write: [/a], hide: [/ha, ~/.ssh]}\n"
			"env: {set: {X: a, Z: a}, unset: [A]}\nretry: {on: [larger]}\n"},
		{"dir/sub/b.yaml",
			"extends: tool\nlimits: {memory: 2G, pids: 9}\n"
			"filesystem: {write: [/b], hide: [/hb]}\n"
			"env: {set: {X: b, Y: b}}\nretry: {on: [later], attempts: 2}\n"},
		{"plain.yaml", "limits: {pids: 3}\n"},
		{"none.yaml", "extends: null\nlimits: {pids: 3}\n"},
		{NULL, NULL},
	};
	struct policy p = load_ok(&a, files, "dir/a.yaml");
	assert_string_equal(p.name, "dir/a.yaml");
	assert_int_equal(p.limits.v[LIMIT_MEMORY].value, 3ull << 30);
	assert_int_equal(p.limits.v[LIMIT_PIDS].value, 9);
	assert_int_equal(p.limits.v[LIMIT_TIMEOUT].value, 300000000); /* tool's */
	assert_int_equal(p.limits.v[LIMIT_TMP_SIZE].value, 256 << 20);
	/* who asked for it */
	assert_int_equal(p.limits.v[LIMIT_MEMORY].origin, ORIGIN_ASKED);
	assert_int_equal(p.limits.v[LIMIT_PIDS].origin, ORIGIN_ASKED);
	assert_int_equal(p.limits.v[LIMIT_TIMEOUT].origin, ORIGIN_ASKED);
	assert_int_equal(p.limits.v[LIMIT_TMP_SIZE].origin, ORIGIN_DEFAULT);
	/* lists grow, and hold nothing twice */
	assert_int_equal(p.filesystem.write.n, 2);
	assert_string_equal(p.filesystem.write.v[0].source, "/b");
	assert_string_equal(p.filesystem.write.v[1].source, "/a");
	struct policy tool;
	assert_int_equal(policy_load(&tool, &a, NULL, "tool", NULL), 0);
	assert_int_equal(p.filesystem.hide.n, tool.filesystem.hide.n + 2);
	assert_int_equal(p.env.unset.n, tool.env.unset.n + 1);
	assert_int_equal(p.env.n_set, 3);
	assert_string_equal(p.env.set[0].key, "X");
	assert_string_equal(p.env.set[0].value, "a");
	/* but for those that are replaced */
	assert_int_equal(p.retry.on.n, 1);
	assert_string_equal(p.retry.on.v[0], "larger");
	assert_int_equal(p.retry.attempts, 2);

	p = load_ok(&a, files, "plain.yaml");
	assert_true(has(&p.filesystem.hide, "~/.ssh"));
	assert_int_equal(p.limits.v[LIMIT_MEMORY].origin, ORIGIN_DEFAULT);
	p = load_ok(&a, files, "none.yaml");
	assert_int_equal(p.filesystem.hide.n, 0);
	assert_false(p.limits.v[LIMIT_MEMORY].set);
	assert_string_equal(p.filesystem.root, "/");
	assert_int_equal(p.filesystem.cwd, CWD_READ);
	assert_int_equal(p.limits.grace_us, 2000000);
}

static void test_take_out(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p, base;
	struct error e = ERROR_INIT;
	assert_int_equal(policy_load(&base, &a, NULL, "default", NULL), 0);
	size_t hidden = base.filesystem.hide.n, unset = base.env.unset.n;
	if (load_text(&p, &a,
		    "filesystem:\n  hide: ['!~/.ssh', /x]\n  read: [~/.ssh]\n"
		    "env:\n  unset: ['!*_TOKEN']\n",
		    &e) < 0)
		fail_msg("%s", e.text);
	assert_false(has(&p.filesystem.hide, "~/.ssh"));
	assert_true(has(&p.filesystem.hide, "~/.aws"));
	assert_int_equal(p.filesystem.hide.n, hidden);
	assert_int_equal(p.env.unset.n, unset - 1);
	assert_int_equal(load_text(&p, &a, "filesystem:\n  hide: ['!*', /x]\n", &e), 0);
	assert_int_equal(p.filesystem.hide.n, 1);
	assert_string_equal(p.filesystem.hide.v[0], "/x");
	assert_int_equal(load_text(&p, &a,
				 "extends: build\nfilesystem:\n"
				 "  write: ['!~/.npm', '/s:/d', '!/s:/d', /x]\n",
				 &e),
		0);
	for (size_t i = 0; i < p.filesystem.write.n; i++)
		assert_string_not_equal(p.filesystem.write.v[i].source, "~/.npm");
	assert_string_equal(p.filesystem.write.v[p.filesystem.write.n - 1].source, "/x");
	/* the built-in ones are as before */
	assert_int_equal(policy_load(&base, &a, NULL, "default", NULL), 0);
	assert_int_equal(base.filesystem.hide.n, hidden);
	assert_int_equal(base.env.unset.n, unset);
}

static void test_rules(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct memory_file files[] = {
		{"a.yaml", "extends: b.yaml\nexec: {rules: [{allow: a}]}\n"},
		{"b.yaml", "exec: {mode: audit, rules: [{deny: b}]}\n"},
		{"c.yaml", "extends: b.yaml\nexec: {rules: ['!*', {allow: c}]}\n"},
		{NULL, NULL},
	};
	struct policy p = load_ok(&a, files, "a.yaml");
	assert_int_equal(p.exec.n_rules, 2);
	assert_string_equal(p.exec.rules[0].pattern, "a");
	assert_string_equal(p.exec.rules[1].pattern, "b");
	p = load_ok(&a, files, "c.yaml");
	assert_int_equal(p.exec.n_rules, 1);
	assert_string_equal(p.exec.rules[0].pattern, "c");
}

static void test_loops(void **state)
{
	(void)state;
	struct memory_file self[] = {{"a.yaml", "extends: a.yaml\n"}, {NULL, NULL}};
	refused(self, "a.yaml", BLAME_POLICY,
		"policy 'a.yaml' line 1 column 10: policy 'a.yaml' extends itself");
	struct memory_file loop[] = {{"d/a.yaml", "extends: ./b.yaml\n"},
		{"d/./b.yaml", "\nextends: a.yaml\n"}, {"d/././a.yaml", "extends: ./b.yaml\n"},
		{"d/./a.yaml", "extends: ./b.yaml\n"}, {NULL, NULL}};
	refused(loop, "d/a.yaml", BLAME_POLICY,
		"policy 'd/a.yaml' line 1 column 10: policy 'd/./b.yaml' line 2 column 10: policy "
		"'d/./a.yaml' extends itself");
	struct memory_file missing[] = {{"a.yaml", "limits: {}\nextends: b.yaml\n"}, {NULL, NULL}};
	refused(missing, "a.yaml", BLAME_POLICY,
		"policy 'a.yaml' line 2 column 10: no file 'b.yaml'");
	refused(missing, "c.yaml", BLAME_REQUEST, "no file 'c.yaml'");
}

/* Eight files may extend each other; nine may not, whatever they are called. */
static void test_depth(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct memory_file files[10] = {{NULL, NULL}};
	for (int i = 0; i < 9; i++)
		files[i] = (struct memory_file){arena_printf(&a, "%d.yaml", i),
			i < 8 ? arena_printf(&a, "extends: %d.yaml\n", i + 1) : "extends: null\n"};
	load_ok(&a, files, "1.yaml");
	const struct policy_source source = {memory_read, files};
	struct policy policy;
	struct error e = ERROR_INIT;
	assert_int_equal(policy_load(&policy, &a, &source, "0.yaml", &e), -1);
	assert_non_null(strstr(e.text, "more than 8 policies extend each other"));
	assert_non_null(strstr(e.text, "policy '0.yaml' line 1 column 10: "));
}

/* A policy that extends a name gets it from the source, but never in place of a shipped one. */
static void test_lookup(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct memory_file files[] = {
		{"mine", "limits: {pids: 77}\n"},
		{"tool", "limits: {pids: 1}\n"},
		{"a.yaml", "extends: mine\n"},
		{"b.yaml", "extends: tool\n"},
		{NULL, NULL},
	};
	assert_int_equal(load_ok(&a, files, "a.yaml").limits.v[LIMIT_PIDS].value, 77);
	assert_int_equal(load_ok(&a, files, "b.yaml").limits.v[LIMIT_PIDS].value, 512);
	assert_int_equal(load_ok(&a, files, "tool").limits.v[LIMIT_PIDS].value, 512);
}

static void inline_refused(const char *text, const char *expected)
{
	static struct memory_file files[] = {
		{"/etc/own.yaml", "limits: {memory: 64M}"}, {NULL, NULL}};
	cleanup_arena struct arena a = ARENA_INIT;
	const struct policy_source source = {memory_read, files};
	struct policy policy = {.name = "untouched"};
	struct error e = ERROR_INIT;
	assert_int_equal(policy_load_text(&policy, &a, &source, text, strlen(text), &e), -1);
	assert_string_equal(policy.name, "untouched");
	assert_string_equal(e.text, expected);
	assert_int_equal(e.blame, BLAME_POLICY);
}

static void test_inline(void **state)
{
	static const char text[] = "{\"extends\": \"tool\", \"limits\": {\"pids\": 7}}";
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy p;
	(void)state;
	assert_int_equal(policy_load_text(&p, &a, NULL, text, strlen(text), NULL), 0);
	assert_string_equal(p.name, POLICY_INLINE);
	assert_int_equal(p.limits.v[LIMIT_PIDS].value, 7);
	assert_int_equal(p.limits.v[LIMIT_PIDS].origin, ORIGIN_ASKED);
	assert_int_equal(p.limits.v[LIMIT_MEMORY].value, 1 << 30);
	inline_refused("{\"extends\": \"/etc/own.yaml\"}",
		"policy 'inline' line 1 column 13: extends must be the name of a policy here, or "
		"null");
	inline_refused("{\"extends\": \"./own.yaml\"}",
		"policy 'inline' line 1 column 13: extends must be the name of a policy here, or "
		"null");
	inline_refused("{\"limits\": {\"swap\": \"1M\", \"memory\": null}}",
		"policy 'inline': limits.swap limits nothing without limits.memory; set that too");
}

static void test_golden(void **state)
{
	static const char *const names[] = {"default", "strict", NULL};
	(void)state;
	for (const char *const *name = names; *name; name++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct policy p;
		char text[32768];
		const char *path = arena_printf(&a, TEST_GOLDEN "/policy/%s.json", *name);
		FILE *f = fopen(path, "re");
		if (!f)
			fail_msg("cannot open %s", path);
		size_t size = fread(text, 1, sizeof text - 1, f);
		fclose(f);
		text[size] = '\0';
		assert_int_equal(policy_load(&p, &a, NULL, *name, NULL), 0);
		assert_string_equal(policy_format_json(&p, &a), text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_shipped_texts),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_default_environment),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_extends),
		cmocka_unit_test(test_take_out),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_loops),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_inline),
		cmocka_unit_test(test_golden),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
