/* SPDX-License-Identifier: MIT */
#include "run/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/time.h"
#include "run/engine-internal.h"
#include "run/guard.h"
#include "run/host.h"

/* What nobody may be waited for beyond the longest grace time. */
#define STOP_BOUND_US (5 * US_PER_SEC)
/* In all so many times what may wait of one user. */
#define QUEUE_USERS 8

static void random_bytes(void *ret, size_t size)
{
	if (getrandom(ret, size, GRND_NONBLOCK) == (ssize_t)size)
		return;
	uint64_t now = time_monotonic_us();
	for (size_t i = 0; i < size; i++)
		((unsigned char *)ret)[i] = (unsigned char)(now >> (i % 8 * 8)) ^ (unsigned char)i;
}

void engine_new_id(char ret[RUN_ID_SIZE])
{
	uint64_t random;
	random_bytes(&random, sizeof(random));
	run_id_format(time_realtime_us() / 1000, random, ret);
}

/* Groups that wait for another run. Each has some 25 descriptors. */
#define GROUPS_KEPT 32

/* ---- opening ---- */

/* Nothing of the daemon's own environment is a run's business. */
static void make_environ(struct engine *e)
{
	const char *home = getenv("HOME");
	e->home = arena_strdup(&e->a, home && home[0] == '/' ? home : "/");
	e->environ[0] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	e->environ[1] = arena_printf(&e->a, "HOME=%s", e->home);
	e->environ[2] = "LANG=C.UTF-8";
	e->environ[3] = NULL;
}

struct prepare_caller engine_caller(
	const struct engine *e, const struct policy *policy, const char *id)
{
	return (struct prepare_caller){
		.environ = (char *const *)e->environ,
		.cwd = "/tmp",
		.home = e->home,
		.host = &e->host,
		.policy = policy,
		.id = id,
		.capture = true,
	};
}

static int open_link(struct engine *e, int socket, pid_t pid, struct error *error)
{
	struct zygote first = ZYGOTE_NONE;
	char found[PATH_MAX];
	const char *path = e->options.zygote ? e->options.zygote : found;
	if (!e->options.zygote && zygote_find(found, error) < 0)
		return -1;
	if (socket >= 0) {
		first.pid = pid;
		first.socket = socket;
		first.pidfd = child_open(pid);
		if (first.pidfd < 0)
			return error_set(
				error, BLAME_US, errno, "pid %d is no zygote of ours", (int)pid);
	}
	return zygote_link_open_take(&e->link, e->loop, &first, path, error);
}

static void count_what_there_is(struct engine *e)
{
	const struct engine_options *o = &e->options;
	e->admission.most = (struct share){
		.runs = o->max_runs,
		.boxes = o->max_boxes,
		.memory_bytes = o->memory_bytes ? o->memory_bytes : e->host.memory_bytes,
	};
	queue_init(&e->queue, o->max_queue, (size_t)QUEUE_USERS * o->max_queue);
}

static void on_over(struct post *post);

static void init_lists(struct engine *e)
{
	uint64_t key[2];
	random_bytes(key, sizeof(key));
	table_init(&e->runs, key);
	table_init(&e->boxes, key);
	policy_book_init(&e->book, key);
	pools_init(e, key);
	e->groups = group_cache_new(GROUPS_KEPT);
	e->ended_last = &e->ended_first;
	e->gone_last = &e->gone_first;
	wards_init(e);
	e->admit.act = engine_admit;
	e->over.act = on_over;
	posts_init(&e->posts, e->loop);
	uv_timer_init(e->loop, &e->stop_bound);
	e->stop_bound.data = e;
}

static void engine_free(struct engine *e)
{
	pools_fini(e);
	policy_book_fini(&e->book);
	table_fini(&e->runs);
	table_fini(&e->boxes);
	witness_post_close(&e->witnesses);
	group_cache_free(e->groups);
	fd_close(e->null_fd);
	arena_fini(&e->a);
	free(e);
}

int engine_open(struct engine **ret, uv_loop_t *loop, int zygote, pid_t zygote_pid,
	const struct engine_options *options, const struct engine_hooks *hooks, struct error *error)
{
	struct engine *e = calloc(1, sizeof(*e));
	if (!e)
		out_of_memory();
	e->loop = loop;
	e->options = *options;
	if (hooks)
		e->hooks = *hooks;
	e->witnesses = WITNESS_POST_INIT;
	signal(SIGPIPE, SIG_IGN);
	host_probe(&e->host, &e->a, false);
	make_environ(e);
	e->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (e->null_fd < 0 || open_link(e, zygote, zygote_pid, error) < 0) {
		if (e->null_fd < 0)
			error_set(error, BLAME_HOST, errno, "cannot open '/dev/null'");
		fd_close(e->null_fd);
		arena_fini(&e->a);
		free(e);
		return -1;
	}
	init_lists(e);
	count_what_there_is(e);
	while (group_janitor(&e->host.cgroup) > 0)
		; /* all that a predecessor has left */
	guard_turns();
	guard_memory(0);
	*ret = e;
	return 0;
}

/* ---- what is taken and given back ---- */

void engine_give_back(struct engine *e, struct share *share)
{
	admission_give_back(&e->admission, share);
	*share = (struct share){0};
	post_put(&e->posts, &e->admit);
}

void engine_stats(const struct engine *e, struct engine_stats *ret)
{
	struct zygote_stats zygote;
	zygote_link_stats(e->link, &zygote);
	*ret = e->counts;
	ret->parked = pools_n_ready(e);
	ret->zygote_restarts = zygote.restarts;
	ret->memory_promised_bytes = e->admission.taken.memory_bytes;
	ret->memory_bytes = e->admission.most.memory_bytes;
}

void engine_tidy(struct engine *e)
{
	group_cache_clear(e->groups);
}

/* ---- the end ---- */

static void tell_stopped(struct engine *e)
{
	if (e->stopped_told)
		return;
	e->stopped_told = true;
	uv_timer_stop(&e->stop_bound);
	engine_tidy(e);
	e->stopped(e->stopped_data);
}

static void on_over(struct post *post)
{
	struct engine *e = ENGINE_OF(post, struct engine, over);
	if (e->stopping && e->n_bodies == 0 && e->n_boxes == 0 && e->n_parked == 0 &&
		e->n_wards == 0)
		tell_stopped(e);
}

void engine_less(struct engine *e)
{
	if (e->stopping)
		post_put(&e->posts, &e->over);
}

static void on_stop_bound(uv_timer_t *timer)
{
	struct engine *e = timer->data;
	log_line("warning: %u runs, %u boxes, %u parked processes and %u wardens have not ended in "
		 "time",
		e->n_bodies, e->n_boxes, e->n_parked, e->n_wards);
	tell_stopped(e);
}

static uint64_t longest_grace_us(const struct engine *e)
{
	uint64_t longest = 0;
	for (const struct live *l = e->newest; l; l = l->older) {
		uint64_t grace = l->body ? l->body->prepared.policy.limits.grace_us : 0;
		longest = grace > longest ? grace : longest;
	}
	return longest;
}

void engine_stop(struct engine *e, void (*stopped)(void *data), void *data)
{
	if (e->stopping)
		return;
	e->stopping = true;
	e->stopped = stopped;
	e->stopped_data = data;
	uv_update_time(e->loop);
	uv_timer_start(
		&e->stop_bound, on_stop_bound, (longest_grace_us(e) + STOP_BOUND_US) / 1000 + 1, 0);
	for (struct live *l = e->newest, *older; l; l = older) {
		older = l->older;
		live_stop(l, ACT_SHUTDOWN, false, 0);
	}
	for (struct box *b = e->newest_box, *older; b; b = older) {
		older = b->older;
		box_stop(b, ACT_SHUTDOWN, false, 0);
	}
	pools_close(e);
	post_put(&e->posts, &e->over);
}

static void on_closed(uv_handle_t *handle)
{
	struct engine *e = handle->data;
	if (--e->open_handles == 0)
		engine_free(e);
}

static void on_posts_closed(uv_handle_t *handle)
{
	struct engine *e = ENGINE_OF(handle, struct engine, posts.idle);
	if (--e->open_handles == 0)
		engine_free(e);
}

static void on_link_closed(void *data)
{
	struct engine *e = data;
	if (--e->open_handles == 0)
		engine_free(e);
}

static void unref(uv_handle_t *handle, void *arg)
{
	(void)arg;
	uv_unref(handle);
}

/*
 * What the kernel does not let go of keeps its memory, and the loop does not wait for it. Else
 * whoever still held a run or box holds it no more, and the rest is freed by the loop, when it has
 * closed the handles.
 */
void engine_close(struct engine *e)
{
	if (e->n_bodies || e->n_boxes || e->n_parked || e->n_wards) {
		uv_walk(e->loop, unref, NULL);
		return;
	}
	live_forget_all(e);
	box_forget_all(e);
	orphans_close(e);
	posts_run(&e->posts);
	e->open_handles = 5;
	uv_close((uv_handle_t *)&e->child_stopped, on_closed);
	uv_close((uv_handle_t *)&e->pools.later, on_closed);
	posts_close(&e->posts, on_posts_closed);
	uv_close((uv_handle_t *)&e->stop_bound, on_closed);
	zygote_link_close(e->link, on_link_closed, e);
}
