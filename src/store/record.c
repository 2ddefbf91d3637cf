/* SPDX-License-Identifier: MIT */
#include "store/record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/time.h"
#include "store/store.h"

void record_place_init(struct record_place *p)
{
	p->state = STATE_DIR_INIT;
	p->spool = SPOOL_INIT(&p->state);
}

void record_place_close(struct record_place *p)
{
	spool_close(&p->spool);
	state_dir_close(&p->state);
}

void record_init(
	struct record *r, struct record_place *place, const struct observation *o, bool wanted)
{
	*r = (struct record){
		.wanted = wanted, .log_dir = -1, .execs = -1, .place = place ? place : &r->own};
	record_place_init(&r->own);
	r->begin = (struct run_begin){.id = o->id,
		.key = o->key,
		.policy = o->policy,
		.argv = o->argv,
		.argc = o->argc,
		.started_us = time_realtime_us()};
}

static int open_state(struct record *r, struct error *e)
{
	struct state_dir *state = &r->place->state;
	return state->fd >= 0 ? 0 : state_dir_open(state, STATE_DIR_CREATE, e);
}

static int open_named_log(struct record *r, const char *path, struct arena *a, struct error *e)
{
	char real[PATH_MAX];
	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		return error_set(
			e, BLAME_REQUEST, errno, "cannot make the log directory '%s'", path);
	r->log_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->log_dir < 0)
		return error_set(
			e, BLAME_REQUEST, errno, "cannot use the log directory '%s'", path);
	r->begin.log_dir = realpath(path, real) ? arena_strdup(a, real) : NULL;
	return output_log_open(&r->log, r->log_dir, &OUTPUT_CAPS_DEFAULT, true, e);
}

int record_run_dir(struct record *r, struct error *e)
{
	if (open_state(r, e) < 0)
		return -1;
	int fd = run_dir_open(&r->place->state, r->begin.id);
	return fd >= 0 ? fd : run_dir_make(&r->place->state, r->begin.id, e);
}

static int open_own_log(struct record *r, struct error *e)
{
	r->log_dir = record_run_dir(r, e);
	return r->log_dir < 0
		? -1
		: output_log_open(&r->log, r->log_dir, &OUTPUT_CAPS_DEFAULT, false, e);
}

int record_open_log(struct record *r, const char *log_dir, struct arena *a, struct error *e)
{
	struct error lost = ERROR_INIT;
	if (log_dir)
		return open_named_log(r, log_dir, a, e);
	if (r->wanted && open_own_log(r, &lost) < 0)
		log_line("warning: the output of this run is not kept: %s", lost.text);
	return 0;
}

void record_begin(struct record *r)
{
	if (r->wanted && open_state(r, NULL) == 0)
		spool_begin(&r->place->spool, &r->begin, NULL);
}

void record_place_take_in(struct record_place *p, enum take_in how_much, bool idle)
{
	struct error e = ERROR_INIT;
	cleanup_store struct store *store = NULL;
	p->spool.turned = false;
	if (store_open(&store, &p->state, STORE_CASUAL, &e) < 0 ||
		store_take_in(store, how_much, &e) < 0 ||
		store_settle_lost(store, time_realtime_us(), NULL, &e) < 0) {
		log_verbose("records stay in the spool: %s", e.text);
		return;
	}
	store_tidy(store, &RETENTION_DEFAULT, idle);
}

void record_idle(struct record *r)
{
	if (r->place->state.fd >= 0)
		record_place_take_in(r->place, TAKE_IN_SOME, true);
}

void record_output(struct record *r, int stream, const char *bytes, size_t size, uint64_t t_us)
{
	enum output_stream which = stream == 2 ? OUTPUT_STDERR : OUTPUT_STDOUT;
	if (!r->log || output_log_write(r->log, t_us, which, bytes, size) == 0 || r->log_torn)
		return;
	r->log_torn = true;
	log_line("warning: the log of this run has gaps: %s", errno_text(errno));
}

void record_close_log(struct record *r, struct observation *o)
{
	if (!r->log)
		return;
	struct output_figures f = output_log_figures(r->log);
	o->usage.output_kept_bytes = f.kept_bytes;
	o->usage.output_dropped_bytes = f.dropped_bytes;
}

/* Beside a log in the state directory lie the verdict and what it rests on. */
static uint64_t put_beside(struct record *r, const char *verdict, const char *observation)
{
	struct output_figures f = output_log_figures(r->log);
	if (r->begin.log_dir || r->log_dir < 0)
		return 0;
	r->beside[0] = strdup(verdict);
	r->beside[1] = strdup(observation);
	if (!r->beside[0] || !r->beside[1])
		out_of_memory();
	return f.disk_bytes + strlen(verdict) + strlen(observation);
}

bool record_has_beside(const struct record *r)
{
	return r->beside[0] != NULL;
}

void record_write_beside(struct record *r)
{
	static const char *const names[] = {"verdict.json", "observation.json"};
	for (int i = 0; i < 2; i++) {
		if (r->beside[i])
			run_dir_write(r->log_dir, names[i], r->beside[i], strlen(r->beside[i]));
		free(r->beside[i]);
		r->beside[i] = NULL;
	}
	r->log_dir = fd_close(r->log_dir);
}

void record_end(struct record *r, const struct verdict *v, const struct observation *o,
	const char *verdict_json, struct arena *a)
{
	struct error e = ERROR_INIT;
	struct run_end end = {.ended_us = o->ended_us,
		.cause = cause_name(v->cause),
		.exit_status = v->exit_status,
		.verdict = verdict_json};
	if (r->wanted || r->log)
		end.observation = observation_format_json(o, a);
	if (r->log)
		end.disk_bytes = put_beside(r, verdict_json, end.observation);
	end.disk_bytes += r->timeline_bytes + record_close_execs(r);
	output_log_close(r->log);
	r->log = NULL;
	if (r->wanted &&
		(open_state(r, &e) < 0 || spool_end(&r->place->spool, &r->begin, &end, &e) < 0))
		log_line("warning: this run leaves no record: %s", e.text);
	if (r->place == &r->own || !record_has_beside(r))
		record_write_beside(r);
}

void record_close(struct record *r)
{
	if (r->place != &r->own)
		return;
	spool_close(&r->own.spool);
	if (r->own.spool.turned)
		record_place_take_in(&r->own, TAKE_IN_FULL, false);
}
