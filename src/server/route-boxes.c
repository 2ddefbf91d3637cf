/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "model/api.h"
#include "server/exchange.h"
#include "server/handlers.h"
#include "server/objects.h"

#define JSON "application/json"

static void answer_box(struct exchange *x, unsigned status, const struct box *box)
{
	struct buf body = BUF_INIT;
	object_put_box(&body, box);
	buf_putc(&body, '\n');
	exchange_answer_take(x, status, &body, JSON);
}

/* NULL: the exchange is answered. */
static struct box *find_box(struct exchange *x)
{
	struct box *box = engine_find_box(x->server->engine, x->id);
	struct error e = ERROR_INIT;
	if (box)
		return box;
	error_set(&e, BLAME_REQUEST, 0, "no box '%s'", x->id);
	e.errnum = ENOENT;
	exchange_fail(x, &e);
	return NULL;
}

static void set_location(struct exchange *x, const struct box *box)
{
	exchange_set_header(x, "Location", arena_printf(&x->arena, "/v1/boxes/%s", box_id(box)));
}

static void answer_made(struct exchange *x)
{
	struct error e = ERROR_INIT;
	const char *fault = box_fault(x->box);
	if (box_state(x->box) == BOX_READY || box_state(x->box) == BOX_MAKING) {
		answer_box(x, 201, x->box);
		set_location(x, x->box);
		return;
	}
	if (fault)
		error_set(&e, BLAME_HOST, 0, "the box could not be made: %s", fault);
	else
		error_set(&e, BLAME_REQUEST, 0, "box '%s' was removed", box_id(x->box));
	exchange_refuse(x, fault ? PROBLEM_UNAVAILABLE : PROBLEM_STOPPED, &e);
}

void handle_box_make(struct exchange *x)
{
	struct engine_client client = exchange_client(x);
	struct error e = ERROR_INIT;
	struct api_run run;
	struct box *box;
	if (api_run_parse(&run, API_BOX, buf_str(&x->body), x->body.size, &x->arena, &e) < 0) {
		exchange_fail(x, &e);
		return;
	}
	const struct engine_request request = {
		.request = run.request,
		.policy_text = run.policy_text,
		.policy_size = run.policy_size,
		.cwd = run.cwd,
	};
	if (engine_box(x->server->engine, &request, &client, &box, &e) < 0) {
		exchange_fail_body(x, &e);
		return;
	}
	if (exchange_flag(x, QUERY_WAIT)) {
		exchange_wait_made(x, box, answer_made);
		return;
	}
	answer_box(x, 201, box);
	set_location(x, box);
}

void handle_box_get(struct exchange *x)
{
	struct box *box = find_box(x);
	if (box)
		answer_box(x, 200, box);
}

static void put_listed(void *data, struct box *box)
{
	struct buf *out = data;
	if (out->data[out->size - 1] != '[')
		buf_putc(out, ',');
	object_put_box(out, box);
}

void handle_box_list(struct exchange *x)
{
	struct buf body = BUF_INIT;
	buf_puts(&body, "{\"boxes\":[");
	engine_each_box(x->server->engine, put_listed, &body);
	buf_puts(&body, "]}\n");
	exchange_answer_take(x, 200, &body, JSON);
}

static void answer_gone(struct exchange *x)
{
	answer_box(x, 200, x->box);
}

void handle_box_remove(struct exchange *x)
{
	struct error e = ERROR_INIT;
	struct box *box = find_box(x);
	if (!box)
		return;
	if (box_state(box) == BOX_GONE) {
		error_set(&e, BLAME_REQUEST, 0, "box '%s' is gone", x->id);
		exchange_refuse(x, PROBLEM_STOPPED, &e);
	} else if (box_remove(box, exchange_flag(x, QUERY_NOW), &e) < 0) {
		exchange_fail(x, &e);
	} else if (exchange_flag(x, QUERY_WAIT)) {
		exchange_wait_gone(x, box, answer_gone);
	} else {
		answer_box(x, 202, box);
	}
}
