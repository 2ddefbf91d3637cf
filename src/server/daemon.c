/* SPDX-License-Identifier: MIT */
#include "server/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "run/loop.h"
#include "server/notify.h"
#include "server/records.h"
#include "server/server.h"
#include "server/token.h"
#include "store/socket-path.h"

static const int end_signals[] = {SIGTERM, SIGINT};
#define N_END_SIGNALS (sizeof end_signals / sizeof *end_signals)

struct daemon {
	uv_loop_t loop;
	struct server server;
	struct records records;
	struct engine *engine;
	uv_signal_t signals[N_END_SIGNALS];
	bool stopping;
};

/* ---- the end ---- */

/* Everything else is gone: with the signals the loop has nothing left. */
static void on_records_closed(void *data)
{
	struct daemon *d = data;
	for (size_t i = 0; i < N_END_SIGNALS; i++)
		uv_close((uv_handle_t *)&d->signals[i], NULL);
}

static void on_server_closed(void *data)
{
	struct daemon *d = data;
	engine_close(d->engine);
	records_close(&d->records, on_records_closed, d);
}

static void on_engine_stopped(void *data)
{
	struct daemon *d = data;
	server_close(&d->server, on_server_closed, d);
}

static void kill_run(void *data, struct live *live)
{
	const struct engine_client us = {.uid = geteuid()};
	(void)data;
	if (live_state(live) != LIVE_ENDED)
		live_cancel(live, true, &us, NULL);
}

static void kill_box(void *data, struct box *box)
{
	(void)data;
	if (box_state(box) != BOX_GONE)
		box_remove(box, true, NULL);
}

static void on_signal(uv_signal_t *handle, int sig)
{
	struct daemon *d = handle->data;
	(void)sig;
	if (d->stopping) {
		log_line("killing what is left");
		engine_each_run(d->engine, kill_run, NULL);
		engine_each_box(d->engine, kill_box, NULL);
		return;
	}
	d->stopping = true;
	notify("STOPPING=1");
	server_stopping(&d->server);
	engine_stop(d->engine, on_engine_stopped, d);
}

/* ---- the beginning ---- */

/* Each run takes some descriptors, each client one. */
static void raise_descriptors(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* A quarter of the descriptors at most are for clients of one user. */
static unsigned connections_of(const struct settings *s)
{
	struct rlimit limit;
	uint64_t most = s->max_connections;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && most > limit.rlim_max / 4)
		most = limit.rlim_max / 4;
	return most > 0 ? (unsigned)most : 1;
}

static int listen_everywhere(
	struct daemon *d, const struct settings *s, struct arena *a, struct error *e)
{
	struct listeners *l = &d->server.listeners;
	int inherited = listeners_add_inherited(l, s->token_file != NULL, e);
	if (inherited < 0)
		return -1;
	if (s->socket || inherited == 0) {
		const char *path = s->socket ? s->socket : socket_path(a, e);
		if (!path || listeners_add_path(l, path, e) < 0)
			return -1;
	}
	return s->listen ? listeners_add_tcp(l, s->listen, e) : 0;
}

static void begin_signals(struct daemon *d)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	for (size_t i = 0; i < N_END_SIGNALS; i++) {
		uv_signal_init(&d->loop, &d->signals[i]);
		d->signals[i].data = d;
		uv_signal_start(&d->signals[i], on_signal, end_signals[i]);
	}
}

static int begin_engine(struct daemon *d, const struct settings *s, struct error *e)
{
	const struct engine_options options = settings_engine(s);
	const struct engine_hooks hooks = records_hooks(&d->records);
	if (engine_open(&d->engine, &d->loop, -1, 0, &options, &hooks, e) < 0)
		return -1;
	d->server.engine = d->engine;
	for (size_t i = 0; i < s->pools.n; i++)
		if (engine_pool(d->engine, s->pools.v[i], e) < 0)
			return -1;
	return 0;
}

/* What has begun when this fails is not taken down piece by piece: the process ends. */
static int begin(struct daemon *d, const struct settings *s, struct arena *a, struct error *e)
{
	struct server_options options = {
		.max_connections = connections_of(s), .state = &d->records.place.state};
	if (s->token_file && !(options.token = token_read(s->token_file, a, e)))
		return -1;
	if (loop_open(&d->loop) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make an event loop");
	if (server_open(&d->server, &d->loop, NULL, &options, e) < 0 ||
		listen_everywhere(d, s, a, e) < 0)
		return -1;
	begin_signals(d);
	if (records_open(&d->records, &d->loop, e) < 0 || begin_engine(d, s, e) < 0) {
		listeners_stop(&d->server.listeners);
		return -1;
	}
	return 0;
}

int daemon_run(const struct settings *s, struct arena *a, struct error *e)
{
	static struct daemon d;
	if (s->state && setenv("BULKHEAD_STATE", s->state, 1) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot keep '--state'");
	if (begin(&d, s, a, e) < 0)
		return -1;
	raise_descriptors(); /* behind the zygote: the runs have what we were given */
	unsigned port = listeners_port(&d.server.listeners);
	if (port)
		log_line("listening on TCP port %u", port);
	notify("READY=1");
	uv_run(&d.loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&d.loop) < 0)
		log_verbose("the loop still holds something");
	return 0;
}
