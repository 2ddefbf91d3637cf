/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "run/engine-internal.h"

/* What others see of a kept box, and may do to it: run/engine.h. */

const char *box_state_name(enum box_state state)
{
	static const char *const names[BOX_STATE_COUNT_] = {
		[BOX_MAKING] = "making",
		[BOX_READY] = "ready",
		[BOX_STOPPING] = "stopping",
		[BOX_GONE] = "gone",
	};
	return names[state];
}

const char *box_id(const struct box *b)
{
	return b->id;
}

enum box_state box_state(const struct box *b)
{
	return b->state;
}

const char *box_policy(const struct box *b)
{
	return b->policy_name;
}

unsigned box_n_runs(const struct box *b)
{
	return b->n_runs;
}

uint64_t box_since_us(const struct box *b)
{
	return b->since_us;
}

const char *box_fault(const struct box *b)
{
	return b->fault;
}

void box_hold(struct box *b)
{
	b->holders++;
}

void box_let_go(struct box *b)
{
	if (--b->holders == 0)
		post_put(&b->engine->posts, &b->tell);
}

/* ---- waiters ---- */

static void put_waiter(struct box_waiter **list, struct box *b, struct box_waiter *w)
{
	w->box = b;
	w->next = *list;
	w->at = list;
	if (w->next)
		w->next->at = &w->next;
	*list = w;
	post_put(&b->engine->posts, &b->tell);
}

void box_wait_no_more(struct box_waiter *w)
{
	if (!w->box)
		return;
	*w->at = w->next;
	if (w->next)
		w->next->at = w->at;
	w->box = NULL;
	w->next = NULL;
	w->at = NULL;
}

static void tell_all(struct box *b, struct box_waiter **list)
{
	while (*list) {
		struct box_waiter *w = *list;
		box_wait_no_more(w);
		w->told(w, b);
	}
}

void box_wait_made(struct box *b, struct box_waiter *w)
{
	put_waiter(&b->made, b, w);
}

void box_wait_gone(struct box *b, struct box_waiter *w)
{
	put_waiter(&b->gone, b, w);
}

/* ---- life ---- */

static void box_free(struct box *b)
{
	struct engine *e = b->engine;
	*(b->newer ? &b->newer->older : &e->newest_box) = b->older;
	if (b->older)
		b->older->newer = b->newer;
	table_remove(&e->boxes, &b->by_id);
	post_cancel(&e->posts, &b->tell);
	post_cancel(&e->posts, &b->ahead);
	free(b->fault);
	free(b->policy_name);
	free(b->cwd);
	free(b);
	engine_less(e);
}

static void on_tell(struct post *post)
{
	struct box *b = ENGINE_OF(post, struct box, tell);
	if (b->holders == 0) {
		box_free(b);
		return;
	}
	box_hold(b);
	if (b->state != BOX_MAKING)
		tell_all(b, &b->made);
	if (b->state == BOX_GONE)
		tell_all(b, &b->gone);
	box_let_go(b);
}

static void on_ahead(struct post *post)
{
	box_park_ahead(ENGINE_OF(post, struct box, ahead));
}

struct box *box_new(struct engine *e, struct recipe *r, const struct share *share)
{
	struct box *b = calloc(1, sizeof(*b));
	const char *name = r->prepared.policy.name;
	if (!b || !(b->policy_name = strdup(name ? name : "default")))
		out_of_memory();
	b->engine = e;
	b->holders = 1; /* its processes' */
	b->recipe = r;
	b->inside = TALK_BOX_NONE;
	b->init = CHILD_INIT;
	b->tell.act = on_tell;
	b->ahead.act = on_ahead;
	b->since_us = time_realtime_us();
	b->share = *share;
	memcpy(b->id, r->prepared.id, sizeof(b->id));
	uv_timer_init(e->loop, &b->look);
	b->look.data = b;
	b->open_handles = 1;
	admission_take(&e->admission, share);
	table_add(&e->boxes, &b->by_id, b->id);
	b->older = e->newest_box;
	if (b->older)
		b->older->newer = b;
	e->newest_box = b;
	e->n_boxes++;
	e->counts.boxes++;
	return b;
}

int box_remove(struct box *b, bool now, struct error *e)
{
	if (b->state == BOX_GONE)
		return error_say(e, BLAME_REQUEST, ESHUTDOWN, "the box is gone");
	box_stop(b, ACT_CANCELLED, now, 0);
	return 0;
}

/* ---- those that are gone ---- */

static void forget_oldest(struct engine *e)
{
	struct box *b = e->gone_first;
	e->gone_first = b->next_gone;
	if (!e->gone_first)
		e->gone_last = &e->gone_first;
	e->n_gone--;
	box_let_go(b);
}

/* The hold that its processes had is that of the memory now. */
void box_remember(struct box *b)
{
	struct engine *e = b->engine;
	*e->gone_last = b;
	e->gone_last = &b->next_gone;
	if (++e->n_gone > e->options.keep_ended)
		forget_oldest(e);
}

void box_forget_all(struct engine *e)
{
	while (e->gone_first)
		forget_oldest(e);
}
