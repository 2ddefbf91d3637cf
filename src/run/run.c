/* SPDX-License-Identifier: MIT */
#include "run/run.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/time.h"
#include "run/foreground.h"
#include "run/guard.h"
#include "run/loop.h"

/* How long output that the caller does not read may keep a run that has ended. */
#define FLUSH_MS 10000

/*
 * What a run with a log and a record on six v1 hierarchies uses, rounded up, and the trees of a plan
 * that are among them.
 */
#define DESCRIPTORS_MIN 64
#define TREES_AMONG     16

int run_check_descriptors(unsigned trees, struct error *e)
{
	unsigned needs = DESCRIPTORS_MIN + (trees > TREES_AMONG ? trees - TREES_AMONG : 0);
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needs)
		return 0;
	error_set(e, BLAME_HOST, 0,
		"only %ju open files are allowed here (RLIMIT_NOFILE); a run needs %u",
		(uintmax_t)limit.rlim_cur, needs);
	return limit.rlim_max >= needs
		? error_hint(e, "ulimit -n %u", needs)
		: error_hint(e, "as root: prlimit --pid $$ --nofile=%u:%u", needs, needs);
}

static void fail_setup(struct observation *o, const struct error *e, struct arena *a)
{
	o->wait = WAIT_NEVER_STARTED;
	o->setup = (struct setup_failure){.stage = SETUP_HOST,
		.errnum = e->errnum,
		.blame = e->blame,
		.what = arena_strdup(a, e->text)};
}

static int open_groups(struct foreground *f, struct observation *o, struct error *e)
{
	const struct plan *plan = f->request->plan;
	const struct limits *limits = &plan->policy->limits;
	enum enforced_by by[LIMIT_COUNT_];
	if (!plan->wants_group)
		return 0;
	memcpy(by, plan->by, sizeof(by));
	struct group_spec spec = {
		.id = plan->id, .limits = limits, .oom_group = limits->oom == OOM_GROUP};
	if (group_open(&f->group, &f->request->host->cgroup, &spec, by, e) < 0)
		return -1;
	for (int l = 0; l < LIMIT_COUNT_; l++)
		o->limits[l].by = by[l];
	return 0;
}

static void on_output(void *data, int stream, const char *bytes, size_t size, uint64_t at_us)
{
	struct foreground *f = data;
	const struct run_hooks *hooks = &f->request->hooks;
	if (hooks->output)
		hooks->output(hooks->data, stream, bytes, size, at_us - f->watch.started_us);
}

static void on_output_limit(void *data)
{
	struct foreground *f = data;
	killer_kill_for_output(&f->watch, f->output.seen_bytes);
}

/* Only a limit that was asked for ends a run; the default one bounds what the log keeps. */
static uint64_t output_limit(const struct limits *limits)
{
	const struct limit_value *v = &limits->v[LIMIT_OUTPUT];
	return v->set && v->origin == ORIGIN_ASKED ? v->value : 0;
}

static void on_output_lost(void *data)
{
	struct foreground *f = data;
	if (f->request->plan->tty)
		relay_hang_up(&f->relay);
}

static int open_output(struct foreground *f, int stdio[3], struct error *e)
{
	const struct plan *plan = f->request->plan;
	struct output_hooks hooks = {f, on_output, on_output_limit, on_output_lost};
	int r = plan->tty       ? output_open_terminal(&f->output, &f->loop, &hooks, e)
		: plan->capture ? output_open(&f->output, &f->loop, &hooks, &stdio[1], e)
				: 0;
	if (r == 0 && plan->capture)
		f->output.limit = output_limit(&plan->policy->limits);
	return r;
}

/* Either the program shares the caller's, or it has one of its own. */
static void open_terminal(struct foreground *f, struct pty_look *ret_look)
{
	if (f->request->plan->tty)
		relay_open(&f->relay, &f->loop, &f->output, ret_look);
	else
		terminal_open(&f->terminal);
}

/* libuv's handles are linked with each other by address, and the maker has the spawn's. */
static struct foreground run;

void run_begin(void)
{
	spawn_begin(&run.spawn);
	guard_turns();
}

void run_network(bool new_network)
{
	spawn_network(&run.spawn, new_network);
}

/* Nothing is begun whose news would not come. */
static int poll_fd(
	struct foreground *f, uv_poll_t *handle, int fd, uv_poll_cb callback, struct error *e)
{
	handle->data = f;
	int r = uv_poll_init(&f->loop, handle, fd);
	if (r < 0)
		return error_set(
			e, BLAME_HOST, 0, "cannot wait for what happens: %s", watch_poll_fault(r));
	return uv_poll_start(handle, UV_READABLE, callback);
}

/* The event loop and the signals: what the payload may not run without. */
static int open_loop(struct foreground *f, struct error *e)
{
	int r = loop_open(&f->loop);
	if (r < 0)
		return error_set(e, BLAME_HOST, -r, "cannot make an event loop");
	f->signal_fd = signals_open();
	if (f->signal_fd < 0)
		return error_set(e, BLAME_HOST, errno, "cannot wait for signals");
	return poll_fd(f, &f->signals, f->signal_fd, signals_read, e);
}

static void wake_up(void *data)
{
	uv_stop(&((struct foreground *)data)->loop);
}

static void on_idle(void *data)
{
	const struct run_hooks *hooks = &((struct foreground *)data)->request->hooks;
	if (hooks->idle)
		hooks->idle(hooks->data);
}

static void on_timeline(void *data, const struct timeline *t)
{
	const struct run_hooks *hooks = &((struct foreground *)data)->request->hooks;
	if (hooks->timeline)
		hooks->timeline(hooks->data, t);
}

static void on_maker(uv_poll_t *handle, int status, int events);

static void begin_watch(struct foreground *f, struct observation *o, struct arena *a)
{
	const struct watch_spec spec = {
		.loop = &f->loop,
		.plan = f->request->plan,
		.host = f->request->host,
		.o = o,
		.a = a,
		.subject = &f->spawn.subject,
		.group = f->group,
		.output = &f->output,
		.terminal = &f->terminal,
		.began_us = f->request->began_us,
		.hooks = {.data = f,
			.settled = wake_up,
			.gone = wake_up,
			.idle = on_idle,
			.timeline = on_timeline,
			.killing = foreground_shut_down_warden,
			.traced = foreground_free_from_warden},
	};
	watch_init(&f->watch, &spec);
}

static int start(struct foreground *f, struct observation *o, struct arena *a, struct error *e)
{
	const struct plan *plan = f->request->plan;
	struct spawn_request request = {
		.stdio = {-1, -1, -1},
		.signal_mask = *run_callers_mask(),
		.pipe_was_ignored = run_pipe_was_ignored(),
	};
	if (run_check_descriptors((unsigned)plan->n_slots, e) < 0 ||
		spawn_plan(&f->spawn, plan, a, e) < 0 || open_loop(f, e) < 0)
		return -1;
	if (plan->exec != EXEC_OFF && foreground_start_warden(f, e) < 0)
		return -1;
	open_terminal(f, &request.look);
	if (f->spawn.not_idmapped)
		log_line("warning: '%s' is on a file system that cannot be idmapped on this "
			 "kernel: the box's user may be unable to write there",
			f->spawn.not_idmapped);
	if (open_groups(f, o, e) < 0 || open_output(f, request.stdio, e) < 0)
		return -1;
	request.entry = f->group ? group_entry(f->group) : NULL;
	begin_watch(f, o, a);
	if (poll_fd(f, &f->maker, f->spawn.subject.maker_pidfd, on_maker, e) < 0)
		return -1;
	memcpy(f->stdio, request.stdio, sizeof(f->stdio));
	if (plan->exec == EXEC_OFF)
		return spawn_payload(&f->spawn, &request, e);
	f->spawn_request = request;
	return 0;
}

/* ---- while it runs ---- */

static void on_maker(uv_poll_t *handle, int status, int events)
{
	struct foreground *f = handle->data;
	struct watch *w = &f->watch;
	struct setup_failure failure = {0};
	(void)status;
	(void)events;
	uv_poll_stop(handle);
	for (int i = 1; i < 3; i++) /* the payload has its own by now */
		f->stdio[i] = fd_close(f->stdio[i]);
	int r = spawn_finish(&f->spawn, f->request->host, w->at.a, &failure);
	f->warden_run.socket = fd_close(f->warden_run.socket);
	if (r < 0) {
		foreground_blame_warden(f, &failure);
		watch_failed(w, &failure);
		return;
	}
	watch_started(w);
	if (w->state != WATCH_RUNNING)
		return;
	if (f->request->plan->tty && relay_start_take(&f->relay, &f->spawn.pty) < 0)
		log_line("warning: the program's terminal is not connected: %s", errno_text(errno));
	signals_act_on_early(f);
}

static void watch_run(struct foreground *f)
{
	const struct run_hooks *hooks = &f->request->hooks;
	watch_begin(&f->watch);
	if (f->request->plan->capture)
		output_start(&f->output);
	if (hooks->starting)
		hooks->starting(hooks->data);
	while (!f->watch.settled_told)
		uv_run(&f->loop, UV_RUN_DEFAULT);
}

/* All of it that runs no more: what the kernel counted is final. */
static void observe_end(struct foreground *f)
{
	const struct plan *plan = f->request->plan;
	if (plan->capture || plan->tty)
		output_close(&f->output, FLUSH_MS);
	relay_close(&f->relay); /* so that what is to be said about it finds a terminal as it was */
	if (f->warden.state != WARDEN_NONE && f->watch.at.o)
		warden_tell(&f->warden, &f->warden_run, f->watch.at.o, f->watch.at.a);
	warden_shut_down(&f->warden);
	if (f->watch.at.o)
		watch_conclude(&f->watch);
}

void run_execute(struct observation *o, const struct run_request *request, struct arena *a)
{
	struct foreground *f = &run;
	struct error e = ERROR_INIT;
	f->request = request;
	f->signal_fd = -1;
	f->warden = WARDEN_INIT;
	f->warden_run = WARDEN_RUN_INIT;
	f->stdio[1] = f->stdio[2] = f->terminal.fd = -1;
	o->started_us = time_realtime_us();
	if (start(f, o, a, &e) < 0)
		fail_setup(o, &e, a);
	else
		watch_run(f);
	observe_end(f);
	o->ended_us = time_realtime_us();
}

static void close_watch(struct watch *w)
{
	witness_close(&w->witness);
	refused_close(&w->refused);
	w->exits_fd = fd_close(w->exits_fd);
}

static void wait_gone(struct foreground *f)
{
	while (f->watch.at.o && f->watch.state == WATCH_SETTLING)
		uv_run(&f->loop, UV_RUN_DEFAULT);
}

void run_settle(struct error *ret_left)
{
	struct foreground *f = &run;
	if (f->request) {
		struct watch *w = &f->watch;
		bool begun = w->at.o != NULL;
		bool killed = begun && (w->first_kill_us != 0 || w->at.o->wait == WAIT_SIGNALED);
		if (begun)
			close_watch(w);
		if (f->group)
			group_close(f->group, ret_left);
		wait_gone(f);
		f->over = true;
		foreground_close_warden(f);
		terminal_close(&f->terminal, killed);
	}
	spawn_fini(&f->spawn);
}
