/* SPDX-License-Identifier: MIT */
#ifndef RUN_TEST_TALK_H
#define RUN_TEST_TALK_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/fd.h"
#include "run/host.h"
#include "run/plan-memfd.h"
#include "run/prepare.h"
#include "run/talk.h"

/*
 * For tests with real boxes: a loop with a zygote, and the plan of a box. What is left open or alive
 * at the end is a failure.
 */
struct bench {
	uv_loop_t loop;
	char path[PATH_MAX];
	struct zygote_link *link;
	struct arena a;
	struct host host;
	struct prepared prepared;
	int image;
	size_t image_bytes;
	int n_fds; /* of ours, before */
	bool closed;
};

/* As on a kernel without Landlock. */
static bool bench_is_old;

/* One talk and what has been told of it. */
struct scene {
	struct talk talk;
	struct bench *bench;
	bool parked, running, failed, closed;
	struct setup_failure why;
	struct talk_box box;
	struct talk_process payload;
	bool keeps; /* the box is taken when it is parked */
	unsigned go_ms;
};

static inline int count_fds(void)
{
	int n = 0;
	DIR *dir = opendir("/proc/self/fd");
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* The test lies in the directory below that of the program. */
static inline void find_program(char path[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 64);
	assert_true(n > 0);
	path[n] = 0;
	*strrchr(path, '/') = 0;
	strcpy(strrchr(path, '/') + 1, "bulkhead-zygote");
}

static inline void prepare_box(struct bench *b, const struct request *request)
{
	static char *none[] = {NULL};
	struct prepare_caller caller = {.environ = none,
		.cwd = "/tmp",
		.home = "/nonexistent",
		.host = &b->host,
		.parked = true};
	struct error e = ERROR_INIT;
	if (prepare_policy(&b->prepared, request, &caller, &b->a, &e) < 0 ||
		prepare_plan(&b->prepared, request, &caller, &b->a, &e) < 0)
		fail_msg("%s", e.text);
	b->image = plan_memfd(&b->prepared.plan, &b->image_bytes, &e);
	if (b->image < 0)
		fail_msg("%s", e.text);
}

static inline void bench_open(struct bench *b, const struct request *request)
{
	struct zygote z = ZYGOTE_NONE;
	struct error e = ERROR_INIT;
	assert_int_equal(uv_loop_init(&b->loop), 0); /* which keeps what it once opened */
	assert_int_equal(uv_loop_close(&b->loop), 0);
	*b = (struct bench){.n_fds = count_fds(), .image = -1};
	find_program(b->path);
	host_probe(&b->host, &b->a, false);
	if (bench_is_old)
		b->host.landlock_abi = 0;
	if (!b->host.userns.usable)
		skip();
	prepare_box(b, request);
	assert_int_equal(uv_loop_init(&b->loop), 0);
	if (zygote_link_open_take(&b->link, &b->loop, &z, b->path, &e) < 0)
		fail_msg("%s", e.text);
}

static inline void on_link_closed(void *data)
{
	((struct bench *)data)->closed = true;
}

static inline void bench_close_link(struct bench *b)
{
	zygote_link_close(b->link, on_link_closed, b);
	assert_int_equal(uv_run(&b->loop, UV_RUN_DEFAULT), 0);
	assert_true(b->closed);
	assert_int_equal(uv_loop_close(&b->loop), 0);
}

static inline void bench_close_rest(struct bench *b)
{
	fd_close(b->image);
	fd_close(b->prepared.uids_fd);
	arena_fini(&b->a);
	assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(count_fds(), b->n_fds);
}

static inline void bench_close(struct bench *b)
{
	bench_close_link(b);
	bench_close_rest(b);
}

/* ---- scenes ---- */

static inline void act_parked(struct talk *t)
{
	struct scene *act = t->spec.data;
	assert_false(act->parked || act->running || act->failed);
	act->parked = true;
	if (act->keeps)
		act->box = talk_take_box(t);
}

static inline void act_running(struct talk *t)
{
	struct scene *act = t->spec.data;
	assert_true(act->parked && !act->running && !act->failed);
	act->running = true;
	act->payload = talk_take_payload(t);
	if (!act->keeps)
		act->box = talk_take_box(t);
}

static inline void act_failed(struct talk *t, const struct setup_failure *why)
{
	struct scene *act = t->spec.data;
	assert_false(act->running || act->failed);
	act->failed = true;
	act->why = *why;
}

static inline void act_closed(struct talk *t)
{
	((struct scene *)t->spec.data)->closed = true;
}

/* A new box, or with @init_pidfd an entry into one. */
static inline void act_open(struct scene *act, struct bench *b, int init_pidfd)
{
	struct error e = ERROR_INIT;
	struct talk_spec spec = {
		.plan = &b->prepared.plan,
		.image = b->image,
		.image_bytes = b->image_bytes,
		.host = &b->host,
		.init_pidfd = init_pidfd,
		.go_ms = act->go_ms,
		.a = &b->a,
		.hooks = {act_parked, act_running, act_failed},
		.data = act,
	};
	act->bench = b;
	act->box = TALK_BOX_NONE;
	if (talk_open(&act->talk, b->link, &spec, &e) < 0)
		fail_msg("%s", e.text);
}

static inline void on_test_timeout(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

/* Let the loop go on until @flag; a minute is never needed. */
static inline void until(struct bench *b, const bool *flag)
{
	uv_timer_t timer;
	bool overdue = false;
	uv_timer_init(&b->loop, &timer);
	timer.data = &overdue;
	uv_timer_start(&timer, on_test_timeout, 60000, 0);
	while (!*flag && !overdue)
		uv_run(&b->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&b->loop, UV_RUN_NOWAIT);
	assert_true(*flag);
}

static inline void act_close(struct scene *act)
{
	talk_close(&act->talk, act_closed);
	until(act->bench, &act->closed);
}

static inline void until_failed(struct scene *act)
{
	until(act->bench, &act->failed);
}

static inline void until_parked(struct scene *act)
{
	while (!act->parked && !act->failed)
		uv_run(&act->bench->loop, UV_RUN_ONCE);
	if (act->failed)
		fail_msg("%s", act->why.what);
}

/* Words for `sh -c SCRIPT`, in static memory. */
static inline struct talk_words shell(const char *script)
{
	static const char *paths[] = {"/bin/sh", NULL}, *env[] = {"PATH=/usr/bin:/bin", NULL};
	static const char *argv[] = {"sh", "-c", NULL, NULL};
	argv[2] = script;
	return (struct talk_words){
		.exec_paths = {.v = paths, .n = 1},
		.argv = {.v = argv, .n = 3},
		.envp = {.v = env, .n = 1},
		.stdio = {-1, -1, -1},
	};
}

static inline void go(struct scene *act, struct talk_words words, int output)
{
	struct error e = ERROR_INIT;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	words.stdio[0] = null;
	words.stdio[1] = words.stdio[2] = output >= 0 ? output : null;
	if (talk_go(&act->talk, &words, &e) < 0)
		fail_msg("%s", e.text);
	close(null);
}

/* Its wait status, when it has ended. */
static inline int payload_status(struct scene *act)
{
	int status = -1;
	assert_int_equal(waitpid(act->payload.pid, &status, __WALL), act->payload.pid);
	act->payload.pidfd = fd_close(act->payload.pidfd);
	return status;
}

static inline void box_end(struct talk_box *box)
{
	box->life = fd_close(box->life);
	box->root = fd_close(box->root);
	assert_int_equal(waitpid(box->init.pid, NULL, __WALL), box->init.pid);
	box->init.pidfd = fd_close(box->init.pidfd);
}

/* Run @script in an act that is parked; what it wrote is put into @output. Its wait status. */
static inline int run_words(struct scene *act, struct talk_words words, char *output, size_t size)
{
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	go(act, words, ends[1]);
	close(ends[1]);
	while (!act->running && !act->failed)
		uv_run(&act->bench->loop, UV_RUN_ONCE);
	if (act->failed)
		fail_msg("%s", act->why.what);
	assert_true(fd_read_text(ends[0], output, size) >= 0);
	close(ends[0]);
	return payload_status(act);
}

static inline int run_shell(struct scene *act, const char *script, char *output, size_t size)
{
	return run_words(act, shell(script), output, size);
}

#endif
