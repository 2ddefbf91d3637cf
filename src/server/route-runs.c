/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/parse.h"
#include "model/api.h"
#include "server/exchange.h"
#include "server/handlers.h"
#include "server/history.h"
#include "server/objects.h"

#define JSON "application/json"

/* ---- answers ---- */

static void answer_run(struct exchange *x, unsigned status, struct live *live)
{
	struct buf body = BUF_INIT;
	object_put_run(&body, live);
	buf_putc(&body, '\n');
	exchange_answer_take(x, status, &body, JSON);
}

static void set_location(struct exchange *x, const struct live *live)
{
	exchange_set_header(x, "Location", arena_printf(&x->arena, "/v1/runs/%s", live_id(live)));
}

static void answer_ended(struct exchange *x)
{
	answer_run(x, 200, x->live);
}

static void answer_begun(struct exchange *x)
{
	answer_run(x, 201, x->live);
	set_location(x, x->live);
}

static int fail_ended(struct error *e, const char *id)
{
	error_set(e, BLAME_REQUEST, 0, "run '%s' has ended", id);
	e->errnum = ESHUTDOWN;
	return -1;
}

static int fail_no_box(struct error *e, const char *id)
{
	error_set(e, BLAME_REQUEST, 0, "no box '%s'", id);
	e->errnum = ENOENT;
	return -1;
}

/* ---- which run ---- */

struct live *exchange_our_run(struct exchange *x, const char *what)
{
	struct live *live = engine_find_run(x->server->engine, x->id);
	struct error e = ERROR_INIT;
	struct run_row row;
	if (live)
		return live;
	if (history_find(x->server, x->id, &x->arena, &row, &e) < 0) {
		exchange_fail(x, &e);
		return NULL;
	}
	if (row.state != RUN_ON) {
		fail_ended(&e, x->id);
	} else {
		error_set(
			&e, BLAME_REQUEST, 0, "run '%s' is another supervisor's: %s", x->id, what);
		e.errnum = EBUSY;
	}
	exchange_fail(x, &e);
	return NULL;
}

/* ---- POST /v1/runs, /v1/boxes/ID/runs ---- */

static void begin_run(struct exchange *x, enum api_kind kind, const char *box)
{
	struct engine_client client = exchange_client(x);
	struct error e = ERROR_INIT;
	struct api_run run;
	struct live *live;
	if (api_run_parse(&run, kind, buf_str(&x->body), x->body.size, &x->arena, &e) < 0) {
		exchange_fail(x, &e);
		return;
	}
	const struct engine_request request = {
		.request = run.request,
		.policy_text = run.policy_text,
		.policy_size = run.policy_size,
		.box = box,
		.cwd = run.cwd,
		.stdin_text = run.stdin_text,
		.stdin_size = run.stdin_size,
		.stdin_open = run.stdin_open,
		.rows = run.rows,
		.cols = run.cols,
	};
	if (engine_run(x->server->engine, &request, &client, &live, &e) < 0) {
		exchange_fail_body(x, &e);
		return;
	}
	if (exchange_flag(x, QUERY_WAIT)) {
		exchange_wait_run(x, live, answer_begun);
		return;
	}
	answer_run(x, 201, live);
	set_location(x, live);
}

void handle_run_begin(struct exchange *x)
{
	begin_run(x, API_RUN, NULL);
}

void handle_box_run_begin(struct exchange *x)
{
	struct error e = ERROR_INIT;
	if (engine_find_box(x->server->engine, x->id)) {
		begin_run(x, API_RUN_IN_BOX, x->id);
		return;
	}
	fail_no_box(&e, x->id);
	exchange_fail(x, &e);
}

/* ---- GET ---- */

static void answer_row(struct exchange *x)
{
	struct error e = ERROR_INIT;
	struct run_row row;
	struct buf body = BUF_INIT;
	if (history_find(x->server, x->id, &x->arena, &row, &e) < 0) {
		exchange_fail(x, &e);
		return;
	}
	if (row.state == RUN_ON && exchange_flag(x, QUERY_WAIT)) {
		exchange_our_run(x, "nobody here is told when it ends");
		return;
	}
	object_put_row(&body, &row);
	buf_putc(&body, '\n');
	exchange_answer_take(x, 200, &body, JSON);
}

void handle_run_get(struct exchange *x)
{
	struct live *live = engine_find_run(x->server->engine, x->id);
	if (!live)
		answer_row(x);
	else if (exchange_flag(x, QUERY_WAIT))
		exchange_wait_run(x, live, answer_ended);
	else
		answer_run(x, 200, live);
}

/* ---- DELETE, signal, resize ---- */

void handle_run_cancel(struct exchange *x)
{
	struct engine_client client = exchange_client(x);
	struct error e = ERROR_INIT;
	struct live *live = exchange_our_run(x, "cancel it there");
	if (!live)
		return;
	if (live_state(live) == LIVE_ENDED)
		fail_ended(&e, x->id);
	if (live_state(live) == LIVE_ENDED ||
		live_cancel(live, exchange_flag(x, QUERY_NOW), &client, &e) < 0)
		exchange_fail(x, &e);
	else if (exchange_flag(x, QUERY_WAIT))
		exchange_wait_run(x, live, answer_ended);
	else
		answer_run(x, 202, live);
}

void handle_run_signal(struct exchange *x)
{
	struct engine_client client = exchange_client(x);
	struct error e = ERROR_INIT;
	int sig;
	if (api_signal_parse(&sig, buf_str(&x->body), x->body.size, &e) < 0) {
		exchange_fail(x, &e);
		return;
	}
	struct live *live = exchange_our_run(x, "signal it there");
	if (!live)
		return;
	if (live_signal(live, sig, &client, &e) < 0)
		exchange_fail(x, &e);
	else
		exchange_answer_nothing(x);
}

void handle_run_resize(struct exchange *x)
{
	struct error e = ERROR_INIT;
	struct api_size size;
	if (api_size_parse(&size, buf_str(&x->body), x->body.size, &e) < 0) {
		exchange_fail(x, &e);
		return;
	}
	struct live *live = exchange_our_run(x, "its terminal is there");
	if (!live)
		return;
	if (live_resize(live, size.rows, size.cols, &e) < 0)
		exchange_fail(x, &e);
	else
		exchange_answer_nothing(x);
}

/* ---- stdin ---- */

/* Bytes go on as the program reads; between, the client is not read from. */
size_t take_run_stdin(struct exchange *x, const char *data, size_t size)
{
	struct error e = ERROR_INIT;
	struct live *live = x->live ? x->live : exchange_our_run(x, "its stdin is there");
	size_t taken = 0;
	while (live && taken < size) {
		ssize_t n = live_stdin(live, data + taken, size - taken, &e);
		if (n < 0) {
			exchange_fail(x, &e);
			break;
		}
		if (n == 0) {
			exchange_wait_more(x, live);
			return taken;
		}
		taken += (size_t)n;
	}
	return x->response ? size : taken;
}

void handle_run_stdin(struct exchange *x)
{
	struct error e = ERROR_INIT;
	struct buf body = BUF_INIT;
	struct live *live = x->live ? x->live : exchange_our_run(x, "its stdin is there");
	if (!live)
		return;
	/* nothing came, but is there anybody to read? */
	bool bad = x->taken_bytes == 0 && live_stdin(live, "", 0, &e) < 0;
	if (bad || (exchange_flag(x, QUERY_CLOSE) && live_stdin_close(live, &e) < 0)) {
		exchange_fail(x, &e);
		return;
	}
	buf_printf(&body, "{\"taken_bytes\":%zu}\n", x->taken_bytes);
	exchange_answer_take(x, 200, &body, JSON);
}

/* ---- lists ---- */

struct listing {
	struct buf *out;
	const struct exchange *x;
	const char *box; /* NULL: any */
	uint64_t left;
};

static void put_comma(const struct listing *l)
{
	if (l->out->data[l->out->size - 1] != '[')
		buf_putc(l->out, ',');
}

static bool passes(const struct listing *l, const struct live *live)
{
	const char *key = l->x->query[QUERY_KEY], *own = live_key(live);
	return (!key || (own && strcmp(own, key) == 0)) && !l->x->query[QUERY_CAUSE];
}

/* The record does not know of them yet. */
static void put_queued(void *data, struct live *live)
{
	struct listing *l = data;
	if (l->left == 0 || live_state(live) != LIVE_QUEUED || !passes(l, live))
		return;
	put_comma(l);
	object_put_listed_run(l->out, live);
	l->left--;
}

static void put_of_box(void *data, struct live *live)
{
	struct listing *l = data;
	const char *box = live_box(live);
	if (!box || strcmp(box, l->box) != 0)
		return;
	put_comma(l);
	object_put_run(l->out, live);
}

static int put_rows(struct listing *l, struct exchange *x, struct error *e)
{
	const struct run_filter filter = {
		.cause = x->query[QUERY_CAUSE], .key = x->query[QUERY_KEY], .limit = l->left};
	struct run_row *rows;
	size_t n;
	if (l->left == 0)
		return 0;
	if (history_list(x->server, &filter, &x->arena, &rows, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		put_comma(l);
		object_put_listed_row(l->out, &rows[i]);
	}
	return 0;
}

void handle_run_list(struct exchange *x)
{
	struct buf body = BUF_INIT;
	struct error e = ERROR_INIT;
	struct listing l = {.out = &body, .x = x, .left = 50};
	if (x->query[QUERY_LIMIT])
		parse_u64(x->query[QUERY_LIMIT], UINT64_MAX, &l.left);
	buf_puts(&body, "{\"runs\":[");
	engine_each_run(x->server->engine, put_queued, &l);
	if (put_rows(&l, x, &e) < 0) {
		buf_fini(&body);
		exchange_fail(x, &e);
		return;
	}
	buf_puts(&body, "]}\n");
	exchange_answer_take(x, 200, &body, JSON);
}

void handle_box_run_list(struct exchange *x)
{
	struct buf body = BUF_INIT;
	struct listing l = {.out = &body, .x = x, .box = x->id};
	struct error e = ERROR_INIT;
	if (!engine_find_box(x->server->engine, x->id)) {
		fail_no_box(&e, x->id);
		exchange_fail(x, &e);
		return;
	}
	buf_puts(&body, "{\"runs\":[");
	engine_each_run(x->server->engine, put_of_box, &l);
	buf_puts(&body, "]}\n");
	exchange_answer_take(x, 200, &body, JSON);
}

/* ---- timeline ---- */

void handle_run_timeline(struct exchange *x)
{
	struct error e = ERROR_INIT;
	struct buf body = BUF_INIT;
	if (history_timeline(x->server, x->id, &body, &e) < 0) {
		buf_fini(&body);
		exchange_fail(x, &e);
		return;
	}
	exchange_answer_take(x, 200, &body, "application/x-ndjson");
}

/* ---- execs ---- */

void handle_run_execs(struct exchange *x)
{
	struct error e = ERROR_INIT;
	struct buf body = BUF_INIT;
	uint64_t from = 0, limit = 1000;
	if (x->query[QUERY_FROM])
		parse_u64(x->query[QUERY_FROM], INT64_MAX, &from);
	if (x->query[QUERY_LIMIT])
		parse_u64(x->query[QUERY_LIMIT], UINT64_MAX, &limit);
	if (history_execs(x->server, x->id, from, limit, &body, &e) < 0) {
		buf_fini(&body);
		exchange_fail(x, &e);
		return;
	}
	exchange_answer_take(x, 200, &body, JSON);
}
