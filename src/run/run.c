/* SPDX-License-Identifier: MIT */
#include "run/run.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/time.h"
#include "run/guard.h"
#include "run/denied.h"
#include "run/victims.h"
#include "run/virtual-peak.h"
#include "run/watch.h"

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

static int open_groups(struct watch *w, struct error *e)
{
	const struct host *host = w->request->host;
	enum enforced_by by[LIMIT_COUNT_];
	if (!w->plan->wants_group)
		return 0;
	memcpy(by, w->plan->by, sizeof(by));
	struct group_spec spec = {
		.id = w->plan->id, .limits = w->limits, .oom_group = w->limits->oom == OOM_GROUP};
	if (group_open(&w->group, &host->cgroup, &spec, by, e) < 0)
		return -1;
	for (int l = 0; l < LIMIT_COUNT_; l++)
		w->o->limits[l].by = by[l];
	return 0;
}

static void on_output(void *data, int stream, const char *bytes, size_t size, uint64_t at_us)
{
	struct watch *w = data;
	const struct run_hooks *hooks = &w->request->hooks;
	if (hooks->output)
		hooks->output(hooks->data, stream, bytes, size, at_us - w->started_us);
}

static void on_output_limit(void *data)
{
	struct watch *w = data;
	killer_kill(w, ACT_OUTPUT_LIMIT, w->output.seen_bytes);
}

/* Only a limit that was asked for ends a run; the default one bounds what the log keeps. */
static uint64_t output_limit(const struct limits *limits)
{
	const struct limit_value *v = &limits->v[LIMIT_OUTPUT];
	return v->set && v->origin == ORIGIN_ASKED ? v->value : 0;
}

static void on_output_lost(void *data)
{
	struct watch *w = data;
	if (w->plan->tty)
		relay_hang_up(&w->relay);
}

static int open_output(struct watch *w, int stdio[3], struct error *e)
{
	struct output_hooks hooks = {w, on_output, on_output_limit, on_output_lost};
	int r = w->plan->tty       ? output_open_terminal(&w->output, &w->loop, &hooks, e)
		: w->plan->capture ? output_open(&w->output, &w->loop, &hooks, &stdio[1], e)
				   : 0;
	if (r < 0 || !w->plan->capture)
		return r;
	w->output.limit = output_limit(w->limits);
	w->o->usage.output_known = true;
	return 0;
}

/* Either the program shares the caller's, or it has one of its own. */
static void open_terminal(struct watch *w, struct pty_look *ret_look)
{
	if (w->plan->tty)
		relay_open(&w->relay, &w->loop, &w->output, ret_look);
	else
		terminal_open(&w->terminal);
}

/* libuv's handles are linked with each other by address, and the maker has the spawn's. */
static struct watch run;

void run_begin(void)
{
	spawn_begin(&run.spawn);
	guard_turns();
}

void run_network(bool new_network)
{
	spawn_network(&run.spawn, new_network);
}

static int start(struct watch *w, struct error *e)
{
	struct spawn_request request = {
		.stdio = {-1, -1, -1},
		.signal_mask = *run_callers_mask(),
		.pipe_was_ignored = run_pipe_was_ignored(),
	};
	if (run_check_descriptors((unsigned)w->plan->n_slots, e) < 0 ||
		spawn_plan(&w->spawn, w->plan, w->a, e) < 0 || watch_open(w, e) < 0)
		return -1;
	open_terminal(w, &request.look);
	if (w->spawn.not_idmapped)
		log_line("warning: '%s' is on a file system that cannot be idmapped on this "
			 "kernel: the box's user may be unable to write there",
			w->spawn.not_idmapped);
	if (open_groups(w, e) < 0 || open_output(w, request.stdio, e) < 0)
		return -1;
	request.entry = w->group ? group_entry(w->group) : NULL;
	refused_inherit(w->o);
	w->exits_fd = virtual_peak_open(w->o);
	refused_open(&w->refused, w->o, w->group ? group_entry(w->group)->into_fd : -1);
	memcpy(w->stdio, request.stdio, sizeof(w->stdio));
	return spawn_payload(&w->spawn, &request, e);
}

static void observe_sampled(struct watch *w)
{
	struct usage *u = &w->o->usage;
	if (!w->plan->sampled || w->group)
		return;
	u->memory_peak_known = true;
	u->memory_peak_bytes = w->sampler.peak_bytes > w->o->leader_max_rss_bytes
		? w->sampler.peak_bytes
		: w->o->leader_max_rss_bytes;
	u->pids_peak_known = w->sampler.pids_peak > 0;
	u->pids_peak = w->sampler.pids_peak;
}

/* All of it that runs no more: what the kernel counted is final. */
static void observe_end(struct watch *w)
{
	struct observation *o = w->o;
	if (w->plan->capture || w->plan->tty)
		output_close(&w->output, FLUSH_MS);
	if (w->plan->capture)
		o->usage.output_seen_bytes = w->output.seen_bytes;
	relay_close(&w->relay); /* so that what is to be said about it finds a terminal as it was */
	if (w->group) {
		group_read(w->group, o, w->a);
		witness_victims(&w->witness, o, w->started_us);
		victims_find(o, o->id, w->a);
	}
	denied_find(o, w->plan, w->a);
	observe_sampled(w);
	timeline_end(w);
	o->ended_us = time_realtime_us();
}

void run_execute(struct observation *o, const struct run_request *request, struct arena *a)
{
	struct watch *w = &run;
	struct error e = ERROR_INIT;
	w->request = request;
	w->plan = request->plan;
	w->limits = &request->plan->policy->limits;
	w->o = o;
	w->a = a;
	w->signal_fd = -1;
	w->witness = WITNESS_INIT;
	w->exits_fd = -1;
	w->refused = REFUSED_INIT;
	w->stdio[1] = w->stdio[2] = w->terminal.fd = -1;
	o->started_us = time_realtime_us();
	if (start(w, &e) < 0)
		fail_setup(o, &e, a);
	else
		watch_run(w);
	observe_end(w);
}

void run_settle(struct error *ret_left)
{
	struct watch *w = &run;
	if (w->o) {
		witness_close(&w->witness);
		refused_close(&w->refused);
		w->exits_fd = fd_close(w->exits_fd);
		bool killed = w->first_kill_us != 0 || w->o->wait == WAIT_SIGNALED;
		if (w->group)
			group_close(w->group, ret_left);
		watch_settle(w);
		terminal_close(&w->terminal, killed);
	}
	spawn_fini(&w->spawn);
}
