/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "run/engine-internal.h"

/*
 * A kept box from its making to its end:
 *
 *   MAKING    the zygote makes it. Holds the group, and the first parked payload. Runs may come, and wait.
 *   READY     Holds init, whose end is the box's.
 *   STOPPING  nobody comes any more. First the runs end, then init, and with it what is parked and not wanted
 *             any more; then the group is removed.
 *   GONE      it holds nothing.
 */

#define LOOK_MS   2
#define LOOKS_MAX 1000
/* Where there may well be strays, and then where the kernel is slow, or there are none. */
#define STRAY_LOOKS    10
#define SLOW_LOOK_MS   50
#define RARELY_LOOK_MS 1000

/* Whose runs go with it. */
#define INIT_KILLED "the box's init was killed"

static void finish(struct box *b);

/* The one writer of the state. */
static void enter(struct box *b, enum box_state state)
{
	b->state = state;
	post_put(&b->engine->posts, &b->tell);
}

static void set_fault(struct box *b, const char *why)
{
	if (!b->fault && !b->asked_to_go)
		b->fault = strdup(why); /* without memory for it there is none to be read */
}

/* ---- making ---- */

static void on_init_ended(struct child *c, int status)
{
	struct box *b = c->data;
	bool on_its_own = b->state == BOX_READY;
	(void)status;
	if (on_its_own)
		set_fault(b, "its init was killed");
	for (struct body *body = b->bodies, *next; body; body = next) {
		next = body->next_in_box;
		if (body->parked)
			live_abort(body, INIT_KILLED);
		else if (body->watched)
			watch_box_gone(&body->watch, INIT_KILLED);
	}
	if (on_its_own)
		box_stop(b, ACT_SHUTDOWN, true, 0);
	else
		finish(b);
}

/* Those that came before it was made. */
static void let_in(struct box *b)
{
	for (struct body *body = b->bodies, *next; body; body = next) {
		next = body->next_in_box;
		if (body->live->state == LIVE_STARTING && !body->watched && !body->end.at)
			live_enter_box(body);
	}
}

static void turn_away(struct box *b, const char *why)
{
	struct error e = ERROR_INIT;
	error_set(&e, BLAME_HOST, 0, "box '%s' could not be made: %s", b->id, why);
	for (struct body *body = b->bodies, *next; body; body = next) {
		next = body->next_in_box;
		if (!body->watched)
			live_end_unstarted(body, &e);
	}
}

static void take_over(struct box *b, struct parked *p)
{
	b->inside = talk_take_box(&p->talk);
	b->init.data = b;
	b->init.ended = on_init_ended;
	if (child_watch_take(&b->init, b->engine->loop, fd_take(&b->inside.init.pidfd)) < 0) {
		set_fault(b, "there is no descriptor to watch its init");
		box_stop(b, ACT_SHUTDOWN, true, 0);
		return;
	}
	enter(b, BOX_READY);
	let_in(b);
}

void box_parked(struct box *b, struct parked *p)
{
	if (b->state == BOX_MAKING)
		take_over(b, p);
}

/* Its forks go on: they are children of ours, not its. */
static void lose_program(struct box *b)
{
	struct pool *pool = b->serving.pool;
	b->serving.program = NULL;
	if (pool)
		pool_box_lost(pool);
	if (b->state == BOX_READY)
		box_retire(b);
}

void box_failed(struct box *b, struct parked *p, const struct setup_failure *why)
{
	if (b->spare == p)
		b->spare = NULL;
	if (b->serving.program == p)
		lose_program(b);
	if (b->state != BOX_MAKING)
		return; /* the next run asks for one of its own, and is told what is wrong */
	set_fault(b, why->what ? why->what : "its processes were killed");
	box_stop(b, ACT_SHUTDOWN, true, 0);
}

void box_parked_freed(struct box *b)
{
	b->n_parked--;
	finish(b);
}

void box_ward_freed(struct box *b)
{
	b->n_wards--;
	finish(b);
}

void box_park_ahead(struct box *b)
{
	struct error e = ERROR_INIT;
	if (b->state == BOX_READY && !b->spare && !b->serving.is)
		b->spare = parked_open(b->engine, b->recipe, b, NULL, &e);
}

/* ---- runs ---- */

void box_add(struct box *b, struct body *body)
{
	if (body->at_in_box)
		return;
	body->next_in_box = b->bodies;
	body->at_in_box = &b->bodies;
	if (body->next_in_box)
		body->next_in_box->at_in_box = &body->next_in_box;
	b->bodies = body;
}

void box_subtract(struct box *b, struct body *body)
{
	if (!body->at_in_box)
		return;
	*body->at_in_box = body->next_in_box;
	if (body->next_in_box)
		body->next_in_box->at_in_box = body->at_in_box;
	body->at_in_box = NULL;
	if (b->serving.is && !b->serving.pool && !b->bodies)
		box_stop(b, ACT_SHUTDOWN, true, 0);
	else
		finish(b);
}

/* ---- the end ---- */

void box_stop(struct box *b, enum act_reason reason, bool now, uid_t uid)
{
	if (b->state == BOX_GONE)
		return;
	if (b->state != BOX_STOPPING) {
		bool made = b->state == BOX_READY;
		b->asked_to_go = !b->fault;
		enter(b, BOX_STOPPING);
		if (b->serving.pool)
			pool_box_lost(b->serving.pool);
		b->serving.pool = NULL;
		if (!made)
			turn_away(b, b->fault ? b->fault : "it was removed before");
	}
	for (struct body *body = b->bodies, *next; body; body = next) {
		next = body->next_in_box;
		live_stop(body->live, reason, now, uid);
	}
	finish(b);
}

void box_retire(struct box *b)
{
	b->serving.pool = NULL;
	if (b->serving.program)
		parked_drop(b->serving.program);
	b->serving.program = NULL;
	if (!b->bodies)
		box_stop(b, ACT_SHUTDOWN, true, 0);
}

static void on_closed(uv_handle_t *handle)
{
	struct box *b = handle->data;
	struct engine *e = b->engine;
	if (--b->open_handles > 0)
		return;
	recipe_let_go(b->recipe);
	b->recipe = NULL;
	e->n_boxes--;
	e->counts.boxes--;
	enter(b, BOX_GONE);
	engine_give_back(e, &b->share);
	box_remember(b);
	engine_less(e);
}

static void try_to_remove_group(uv_timer_t *timer)
{
	struct box *b = timer->data;
	struct error left = ERROR_INIT;
	bool last = ++b->looks >= LOOKS_MAX;
	if (b->group && !group_try_close(b->group, last, &left)) {
		uv_timer_start(timer, try_to_remove_group, LOOK_MS, 0);
		return;
	}
	b->group = NULL;
	if (left.blame != BLAME_NONE)
		log_line("warning: box '%s': %s", b->id, left.text);
	b->open_handles += child_fini(&b->init, on_closed, b);
	uv_close((uv_handle_t *)timer, on_closed);
}

static void look_for_strays(uv_timer_t *timer);

static void look_later(struct box *b)
{
	uint64_t ms = RARELY_LOOK_MS;
	if (b->serving.is && b->looks < LOOKS_MAX)
		ms = b->looks < STRAY_LOOKS ? LOOK_MS : SLOW_LOOK_MS;
	uv_timer_start(&b->look, look_for_strays, ms, 0);
}

/* There is no last look: whom a tracer holds up is ours to reap when that lets go, and nobody tells us. */
static void look_for_strays(uv_timer_t *timer)
{
	struct box *b = timer->data;
	serve_reap_strays(b);
	b->looks += b->looks < LOOKS_MAX;
	look_later(b);
}

static void drop_parked(struct box *b)
{
	if (b->spare)
		parked_drop(b->spare);
	if (b->serving.program)
		parked_drop(b->serving.program);
	b->spare = b->serving.program = NULL;
}

/* What is there to be waited for next, in the order of the theory above. */
static void finish(struct box *b)
{
	if (b->state != BOX_STOPPING || b->bodies || b->finishing)
		return;
	drop_parked(b);
	ward_let_go(b->ward);
	b->ward = NULL;
	if (b->init.pidfd >= 0) {
		/* and with it all that is left in there, also who holds up the end of what is parked */
		child_signal(&b->init, SIGKILL);
		if (b->n_parked == 0) /* those are reaped by who has parked them */
			look_later(b);
		return;
	}
	uv_timer_stop(&b->look); /* init's number may be another's now */
	if (b->n_parked > 0 || b->n_wards > 0)
		return;
	b->finishing = true;
	b->looks = 0;
	fd_close(b->serving.is ? b->serving.filter : -1);
	fd_close(b->inside.life);
	fd_close(b->inside.root);
	witness_post_forget(&b->engine->witnesses, b->inside.init.pid);
	try_to_remove_group(&b->look);
}
