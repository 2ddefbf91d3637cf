/* SPDX-License-Identifier: MIT */
#include "server/records.h"

#include <stdlib.h>

#include "base/log.h"
#include "store/exec-log.h"

/*
 * After this time, in which other runs have had their turn, rows are made; in a row of runs, as many
 * segments as have filled (some milliseconds); in the first quiet moment, of all there is.
 */
#define BUSY_MS  20
#define QUIET_MS 2000
/* By then whoever waited for the end of a run has been told. */
#define TOLD_MS 1

/* What is kept of one run until it has ended. */
struct kept {
	struct record record;
	bool said_something;
	struct kept *next; /* of those that have ended */
};

static void on_later(uv_timer_t *timer);

/* When it is quiet from now on; sooner when a segment has filled, which then is not put off again. */
static void come_back(struct records *r)
{
	if (r->soon)
		return;
	r->soon = r->place.spool.turned;
	uv_timer_start(&r->later, on_later, r->soon ? BUSY_MS : QUIET_MS, 0);
}

static void on_later(uv_timer_t *timer)
{
	struct records *r = timer->data;
	bool soon = r->soon;
	r->soon = false;
	record_place_take_in(&r->place, soon ? TAKE_IN_FULL : TAKE_IN_SOME, !soon);
	if (soon)
		come_back(r);
}

static void write_beside(struct records *r)
{
	while (r->ended) {
		struct kept *k = r->ended;
		r->ended = k->next;
		record_write_beside(&k->record);
		free(k);
	}
}

static void on_told(uv_timer_t *timer)
{
	write_beside(timer->data);
}

/* ---- hooks ---- */

static void *on_begun(void *data, struct live *live, const struct observation *o)
{
	struct records *r = data;
	struct kept *k = calloc(1, sizeof *k);
	(void)live;
	if (!k)
		out_of_memory();
	record_init(&k->record, &r->place, o, true);
	record_begin(&k->record);
	come_back(r);
	return k;
}

/* Most runs of a moment say little or nothing: files are made for those that do. */
static void on_output(
	void *data, struct live *live, int stream, const char *bytes, size_t size, uint64_t t_us)
{
	struct kept *k = live_record(live);
	(void)data;
	if (!k->said_something) {
		k->said_something = true;
		record_open_log(&k->record, NULL, NULL, NULL);
	}
	record_output(&k->record, stream, bytes, size, t_us);
}

static void on_timeline(void *data, struct live *live, const struct timeline *t)
{
	(void)data;
	record_timeline(&((struct kept *)live_record(live))->record, t);
}

static int on_exec_log(void *data, struct live *live, uint64_t *ret_max_bytes)
{
	(void)data;
	*ret_max_bytes = EXEC_LOG_MAX_BYTES;
	return record_open_execs(&((struct kept *)live_record(live))->record);
}

static void on_settled(void *data, struct live *live, struct observation *o)
{
	(void)data;
	record_close_log(&((struct kept *)live_record(live))->record, o);
}

static void on_ended(void *data, struct live *live, struct observation *o, const struct verdict *v,
	const char *verdict_json)
{
	struct records *r = data;
	cleanup_arena struct arena a = ARENA_INIT;
	struct kept *k = live_record(live);
	if (!k) /* it has never left the queue */
		k = on_begun(r, live, o);
	record_end(&k->record, v, o, verdict_json, &a);
	record_close(&k->record);
	come_back(r);
	if (!record_has_beside(&k->record)) {
		free(k);
		return;
	}
	k->next = r->ended;
	r->ended = k;
	if (!uv_is_active((uv_handle_t *)&r->beside))
		uv_timer_start(&r->beside, on_told, TOLD_MS, 0);
}

struct engine_hooks records_hooks(struct records *r)
{
	return (struct engine_hooks){.data = r,
		.begun = on_begun,
		.output = on_output,
		.timeline = on_timeline,
		.exec_log = on_exec_log,
		.settled = on_settled,
		.ended = on_ended};
}

/* ---- life ---- */

int records_open(struct records *r, uv_loop_t *loop, struct error *e)
{
	*r = (struct records){.soon = false};
	record_place_init(&r->place);
	if (state_dir_open(&r->place.state, STATE_DIR_CREATE, e) < 0)
		return -1;
	uv_timer_init(loop, &r->later);
	uv_timer_init(loop, &r->beside);
	r->later.data = r->beside.data = r;
	r->open_handles = 2;
	record_place_take_in(&r->place, TAKE_IN_ALL, false);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct records *r = handle->data;
	if (--r->open_handles > 0)
		return;
	write_beside(r);
	record_place_take_in(&r->place, TAKE_IN_ALL, false);
	record_place_close(&r->place);
	r->closed(r->closed_data);
}

void records_close(struct records *r, void (*closed)(void *data), void *data)
{
	r->closed = closed;
	r->closed_data = data;
	uv_close((uv_handle_t *)&r->later, on_closed);
	uv_close((uv_handle_t *)&r->beside, on_closed);
}
