/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <sys/resource.h>

#include "run/test-talk-scenes.h"

/* Talks and the end of their zygote, and many of them by one zygote. */

/* ---- the zygote's own end ---- */

static void requests_survive_the_zygote(void **state)
{
	struct zygote_stats stats;
	setup(state);
	open_kept();
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 8; i++) {
			others[i] = (struct scene){0};
			act_open(&others[i], &bench, i % 2 ? scene.box.init.pidfd : -1);
			if (i == 3 && zygote_link_pid(bench.link) > 0)
				kill(zygote_link_pid(bench.link), SIGKILL);
		}
		for (int i = 0; i < 8; i++)
			until_parked(&others[i]);
		for (int i = 0; i < 8; i++) {
			talk_abort(&others[i].talk);
			until_failed(&others[i]);
			act_close(&others[i]);
		}
	}
	zygote_link_stats(bench.link, &stats);
	assert_true(stats.restarts >= 5);
	assert_int_equal(stats.in_flight + stats.waiting, 0);
	/* what was parked before all that has not noticed */
	assert_int_equal(run_shell(&scene, "exit 6", text, sizeof(text)), 6 << 8);
	close_kept();
}

/* Stopped by somebody: it counts as dead after a while, and another does what it was asked. */
static void a_zygote_that_does_not_answer_is_replaced(void **state)
{
	setup(state);
	pid_t first = zygote_link_pid(bench.link);
	zygote_link_patience(bench.link, 200);
	kill(first, SIGSTOP);
	act_open(&scene, &bench, -1);
	zygote_link_patience(bench.link, ZYGOTE_ANSWER_MS); /* the next one is not stopped */
	until_parked(&scene);
	assert_int_not_equal(zygote_link_pid(bench.link), first);
	assert_int_equal(run_shell(&scene, "exit 7", text, sizeof(text)), 7 << 8);
	box_end(&scene.box);
	act_close(&scene);
	bench_close(&bench);
}

static void a_zygote_that_cannot_live_is_no_hang(void **state)
{
	struct error e = ERROR_INIT;
	struct zygote z = ZYGOTE_NONE;
	setup(state);
	bench.closed = false;
	zygote_link_close(bench.link, on_link_closed, &bench);
	until(&bench, &bench.closed);
	bench.closed = false;
	assert_int_equal(zygote_link_open_take(&bench.link, &bench.loop, &z, "/bin/false", &e), 0);
	act_open(&scene, &bench, -1);
	until_failed(&scene);
	assert_int_equal(scene.why.blame, BLAME_US);
	act_close(&scene);
	bench_close(&bench);
}

static void no_zygote_is_an_error(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	struct zygote z = ZYGOTE_NONE;
	int before = count_fds();
	assert_int_equal(zygote_start(&z, "/nowhere/bulkhead-zygote", &e), -1);
	assert_int_equal(e.errnum, ENOENT);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(count_fds(), before);
}

static void without_descriptors_nothing_begins(void **state)
{
	struct rlimit was, few;
	struct error e = ERROR_INIT;
	setup(state);
	getrlimit(RLIMIT_NOFILE, &was);
	few = was;
	few.rlim_cur = (rlim_t)count_fds() - 3;
	struct talk_spec spec = {.plan = &bench.prepared.plan,
		.image = bench.image,
		.image_bytes = bench.image_bytes,
		.host = &bench.host,
		.init_pidfd = -1,
		.a = &bench.a,
		.hooks = {act_parked, act_running, act_failed},
		.data = &scene};
	for (int more = 0; more < 3; more++) {
		setrlimit(RLIMIT_NOFILE, &few);
		int r = talk_open(&scene.talk, bench.link, &spec, &e);
		setrlimit(RLIMIT_NOFILE, &was);
		assert_int_equal(r, -1);
		assert_int_equal(e.blame, BLAME_HOST);
		few.rlim_cur++;
	}
	bench_close(&bench);
}

/* It says so, to whom it concerns, and goes on. */
static void a_zygote_without_descriptors_refuses(void **state)
{
	struct rlimit was, few;
	setup(state);
	open_kept(); /* so it has settled */
	pid_t zygote = zygote_link_pid(bench.link);
	assert_int_equal(prlimit(zygote, RLIMIT_NOFILE, NULL, &was), 0);
	few = was;
	few.rlim_cur = 5;
	assert_int_equal(prlimit(zygote, RLIMIT_NOFILE, &few, NULL), 0);
	act_open(&others[0], &bench, scene.box.init.pidfd);
	until_failed(&others[0]);
	assert_int_equal(others[0].why.blame, BLAME_HOST);
	assert_int_equal(others[0].why.errnum, EMFILE);
	assert_non_null(strstr(others[0].why.what, "no more descriptors"));
	act_close(&others[0]);
	assert_int_equal(prlimit(zygote, RLIMIT_NOFILE, &was, NULL), 0);
	assert_int_equal(run_in(&others[1], "exit 6"), 6 << 8);
	assert_int_equal(zygote_link_pid(bench.link), zygote);
	close_kept();
}

/* ---- for long ---- */

static long status_number(pid_t pid, const char *key)
{
	char path[64], status[4096];
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	assert_true(file_read_text(AT_FDCWD, path, status, sizeof(status)) > 0);
	const char *p = strstr(status, key);
	assert_non_null(p);
	return strtol(p + strlen(key), NULL, 10);
}

/* What they leave behind runs on until its time has come, and is nobody's burden then. */
static void many_runs_leave_nothing_in_zygote_nor_init(void **state)
{
	setup(state);
	open_kept();
	pid_t zygote = zygote_link_pid(bench.link), init = scene.box.init.pid;
	long zygote_kib = 0, init_kib = 0;
	int fds = 0;
	for (int i = 0; i < 600; i++) {
		others[0] = (struct scene){0};
		assert_int_equal(run_in(&others[0], "(:; exit 3) & exit 1"), 1 << 8);
		if (i == 20) {
			zygote_kib = status_number(zygote, "RssAnon:");
			init_kib = status_number(init, "RssAnon:");
			fds = count_fds();
		}
	}
	assert_int_equal(zygote_link_pid(bench.link), zygote);
	assert_int_equal(status_number(zygote, "RssAnon:"), zygote_kib);
	assert_int_equal(status_number(init, "RssAnon:"), init_kib);
	assert_int_equal(count_fds(), fds);
	assert_int_equal(run_in(&others[1], "ls /proc | grep -c '^[0-9]'"), 0);
	assert_in_range(strtol(text, NULL, 10), 1, 6); /* what runs now, nothing of before */
	close_kept();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_survive_the_zygote),
		cmocka_unit_test(a_zygote_that_does_not_answer_is_replaced),
		cmocka_unit_test(a_zygote_that_cannot_live_is_no_hang),
		cmocka_unit_test(no_zygote_is_an_error),
		cmocka_unit_test(without_descriptors_nothing_begins),
		cmocka_unit_test(a_zygote_without_descriptors_refuses),
		cmocka_unit_test(many_runs_leave_nothing_in_zygote_nor_init),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
