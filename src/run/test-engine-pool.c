/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "run/test-engine.h"

/* Boxes and programs that are made before their run comes. */

#define SAYS(t, text) assert_non_null(strstr(buf_str(&(t)->output), text))

static struct live *run_argv(const char *const *argv, size_t n, struct engine_request request)
{
	const char *words[16] = {NULL};
	memcpy(words, argv, n * sizeof(*argv));
	request.request.argv = (struct strv){.v = words, .n = n};
	return rig_run(&request);
}

static struct live *sh(const char *script, struct engine_request request)
{
	const char *argv[] = {"sh", "-c", script};
	return run_argv(argv, 3, request);
}

static char pool_path[64];

/* A policy in a file of long ago: one of just now would be read anew each time. */
static const char *write_policy(const char *text)
{
	static const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	strcpy(pool_path, "/tmp/bulkhead-pool-XXXXXX");
	int fd = mkstemp(pool_path);
	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	assert_int_equal(futimens(fd, long_ago), 0);
	close(fd);
	return pool_path;
}

static bool is_filled(void *data)
{
	struct engine_stats stats;
	engine_stats(rig.engine, &stats);
	return stats.parked >= *(unsigned *)data;
}

static void open_pool(const char *text, unsigned size)
{
	struct error e = ERROR_INIT;
	if (engine_pool(rig.engine, write_policy(text), &e) < 0)
		fail_msg("%s", e.text);
	rig_until(is_filled, &size);
}

static void test_a_run_from_the_pool(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct engine_request request = {0};
	struct engine_stats stats;
	open_pool("extends: default\npool: {size: 3}\n", 3);
	request.request.policy = pool_path;
	for (int i = 0; i < 10; i++) {
		struct live *l =
			sh("echo $BULKHEAD; cat /tmp/x; echo been here >/tmp/x; exit 6", request);
		char own[64];
		snprintf(own, sizeof(own), "%s\n", live_id(l));
		struct told *t = rig_end(l);
		assert_int_equal(t->exit_code, 6);
		SAYS(t, own);
		assert_null(strstr(buf_str(&t->output), "been here"));
	}
	unlink(pool_path);
	engine_stats(rig.engine, &stats);
	assert_true(stats.pool_hits >= 3);
	assert_int_equal(stats.pool_hits + stats.pool_misses, 10);
}

/* All that a run has of its own it has in a box of the pool, too. */
static void test_the_pool_is_no_different(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct env_pair pair = {"GREETING", "hi"};
	struct engine_request request = {.cwd = "/usr", .stdin_text = "in", .stdin_size = 2};
	struct request *r = &request.request;
	open_pool("extends: default\npool: {size: 2}\n", 2);
	r->policy = pool_path;
	r->env = (struct policy_env){.set = &pair, .n_set = 1};
	r->limit_given[LIMIT_NOFILE] = r->limit_given[LIMIT_MEMORY] = true;
	r->limits[LIMIT_NOFILE] = (struct limit_value){.set = true, .value = 78};
	r->limits[LIMIT_MEMORY] = (struct limit_value){.set = true, .value = 16 << 20};
	struct told *t = rig_end(sh("ulimit -n; pwd; echo $GREETING; cat", request));
	assert_string_equal(buf_str(&t->output), "78\n/usr\nhi\nin");
	t = rig_end(sh("x=$(head -c 100000000 /dev/zero | tr '\\0' x)", request));
	assert_int_equal(t->cause, CAUSE_MEMORY_LIMIT);
	unlink(pool_path);
}

/* Each box of an isolated user has uids of its own. */
static void test_a_pool_of_isolated_users(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct engine_request request = {0};
	struct engine_stats stats;
	open_pool("extends: strict\nuser: isolated\npool: {size: 3}\n", 3);
	request.request.policy = pool_path;
	struct live *lives[3];
	for (int i = 0; i < 3; i++)
		lives[i] = sh("cat /proc/self/uid_map; read x </dev/zero", request);
	char maps[3][128];
	struct error e = ERROR_INIT;
	for (int i = 0; i < 3; i++) {
		rig_says(lives[i], "65536");
		snprintf(maps[i], sizeof(maps[i]), "%.100s",
			buf_str(&rig_told(live_id(lives[i]))->output));
	}
	for (int i = 0; i < 3; i++) {
		assert_string_not_equal(maps[i], maps[(i + 1) % 3]);
		live_cancel(lives[i], true, NULL, &e);
		rig_end(lives[i]);
	}
	engine_stats(rig.engine, &stats);
	assert_int_equal(stats.pool_hits, 3);
	unlink(pool_path);
}

/* A path that did not exist when the boxes were made is hidden from the run that comes after it. */
static void test_the_pool_follows_the_file_system(void **state)
{
	(void)state;
	NEEDS_ROOT();
	char secret[64], text[256];
	snprintf(secret, sizeof(secret), "/var/tmp/bulkhead-secret-%d", (int)getpid());
	snprintf(text, sizeof(text),
		"extends: default\nfilesystem: {hide: [%s]}\npool: {size: 2}\n", secret);
	struct engine_request request = {0};
	open_pool(text, 2);
	request.request.policy = pool_path;
	int fd = open(secret, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && write(fd, "hush", 4) == 4);
	close(fd);
	rig_quiet(1100); /* so long is believed what was seen */
	snprintf(text, sizeof(text), "cat %s", secret);
	struct told *t = rig_end(sh(text, request));
	unlink(secret);
	unlink(pool_path);
	assert_null(strstr(buf_str(&t->output), "hush"));
}

/* Killed, and given away before anybody has heard of it. */
static void kill_all_parked(void)
{
	pid_t pids[32];
	unsigned n = rig_find_children("bulkhead-zygote", pids, 32);
	assert_true(n > 1);
	for (unsigned i = 1; i < n; i++) { /* the first is the zygote itself */
		siginfo_t info;
		kill(pids[i], SIGKILL);
		waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOWAIT);
	}
}

static void test_one_that_was_killed_while_it_waited_is_no_loss(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct engine_request request = {.stdin_text = "in", .stdin_size = 2};
	open_pool("extends: default\npool: {size: 3}\n", 3);
	request.request.policy = pool_path;
	struct box *b = rig_box(NULL);
	rig_end(rig_sh(box_id(b), "exit 0"));
	rig_quiet(200);
	for (int i = 0; i < 3; i++) {
		kill_all_parked();
		struct live *in_box = rig_sh(box_id(b), "exit 15");
		struct live *pooled = sh("cat; exit 16", request);
		assert_int_equal(rig_end(in_box)->exit_code, 15);
		struct told *t = rig_end(pooled);
		assert_int_equal(t->exit_code, 16);
		assert_string_equal(buf_str(&t->output), "in");
		rig_quiet(200);
	}
	struct error e = ERROR_INIT;
	assert_int_equal(box_remove(b, true, &e), 0);
	rig_box_gone(b);
	unlink(pool_path);
}

/* ---- warmed programs ---- */

static const char warm_policy[] = "extends: default\n"
				  "pool: {size: 2, preload: [/usr/bin/python3, " TEST_LIBEXEC
				  "/bulkhead-preload-python, json]}\n";

static struct live *python(const char *code)
{
	const char *argv[] = {"/usr/bin/python3", "-c", code};
	struct engine_request request = {.stdin_text = "words", .stdin_size = 5};
	request.request.policy = pool_path;
	request.request.limit_given[LIMIT_NOFILE] = true;
	request.request.limits[LIMIT_NOFILE] = (struct limit_value){.set = true, .value = 79};
	return run_argv(argv, 3, request);
}

static void test_a_warmed_program_becomes_the_run(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct engine_stats stats;
	unsigned size = 2;
	open_pool(warm_policy, 2);
	for (int i = 0; i < 4; i++) {
		rig_until(is_filled, &size);
		struct live *l =
			python("import os, resource, sys\n"
			       "print('json' in sys.modules, sys.stdin.read(), os.getcwd(),"
			       " resource.getrlimit(resource.RLIMIT_NOFILE),"
			       " os.environ['BULKHEAD'])\n"
			       "sys.exit(11)");
		char expected[128];
		snprintf(expected, sizeof(expected), "True words /tmp (79, 79) %s\n", live_id(l));
		struct told *t = rig_end(l);
		assert_string_equal(buf_str(&t->output), expected);
		assert_int_equal(t->exit_code, 11);
	}
	engine_stats(rig.engine, &stats);
	assert_int_equal(stats.pool_hits, 4);
	unlink(pool_path);
}

static void test_a_warmed_program_is_ended_like_any(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct error e = ERROR_INIT;
	open_pool(warm_policy, 2);
	struct live *l = python("print('on', flush=True)\nimport time\ntime.sleep(60)");
	rig_says(l, "on");
	live_cancel(l, true, NULL, &e);
	assert_int_equal(rig_end(l)->cause, CAUSE_CANCELLED);
	for (int turns = 0; turns < 12; turns++) {
		l = python("import time\ntime.sleep(60)");
		for (int i = 0; i < turns; i++)
			uv_run(&rig.loop, UV_RUN_NOWAIT);
		live_cancel(l, true, NULL, &e);
		assert_int_equal(rig_end(l)->cause, CAUSE_CANCELLED);
	}
	assert_int_equal(rig_end(python("raise SystemExit(12)"))->exit_code, 12);
	unlink(pool_path);
}

/* What cannot be warmed is run cold; and one that was killed while it waited is nobody's loss. */
static void test_what_cannot_be_warmed_is_cold(void **state)
{
	(void)state;
	NEEDS_ROOT();
	struct error e = ERROR_INIT;
	pid_t payload;
	unsigned size = 2;
	write_policy("extends: default\npool: {size: 1, preload: [/bin/false]}\n");
	assert_int_equal(engine_pool(rig.engine, pool_path, &e), 0);
	rig_quiet(300);
	struct engine_request request = {.request = {.policy = pool_path}};
	assert_int_equal(rig_end(sh("exit 13", request))->exit_code, 13);
	unlink(pool_path);
	open_pool(warm_policy, 2);
	assert_int_equal(rig_find_children("python3", &payload, 1), 1);
	kill(payload, SIGKILL);
	rig_quiet(50);
	assert_int_equal(rig_end(python("raise SystemExit(14)"))->exit_code, 14);
	rig_until(is_filled, &size);
	unlink(pool_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_a_run_from_the_pool),
		RIG_TEST(test_the_pool_is_no_different),
		RIG_TEST(test_a_pool_of_isolated_users),
		RIG_TEST(test_the_pool_follows_the_file_system),
		RIG_TEST(test_one_that_was_killed_while_it_waited_is_no_loss),
		RIG_TEST(test_a_warmed_program_becomes_the_run),
		RIG_TEST(test_a_warmed_program_is_ended_like_any),
		RIG_TEST(test_what_cannot_be_warmed_is_cold),
	};
	cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests_name("run-engine-pool", tests, NULL, NULL);
}
