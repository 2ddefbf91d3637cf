/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/time.h"
#include "run/engine-internal.h"

/*
 * The group of a parked payload is made with it and goes to its run. That of one that nobody wanted
 * is removed here, as soon as the kernel lets it.
 */
#define LOOK_MS   2
#define LOOKS_MAX 1000
/*
 * Those of kept boxes, and of pools all but so many, hold as few descriptors as they can. Each that was read from
 * has a page of the kernel's, too.
 */
#define AWAKE_MOST 32

static void free_when_closed(struct parked *p);

void parked_handle_closed(struct parked *p)
{
	p->open_handles--;
	free_when_closed(p);
}

static void on_closed(uv_handle_t *handle)
{
	parked_handle_closed(handle->data);
}

static void free_when_closed(struct parked *p)
{
	struct engine *e = p->engine;
	struct box *box = p->box;
	if (p->open_handles > 0)
		return;
	free(p->heat);
	arena_fini(&p->a);
	recipe_let_go(p->recipe);
	engine_give_back(e, &p->share);
	*p->at_of_all = p->next_of_all;
	if (p->next_of_all)
		p->next_of_all->at_of_all = p->at_of_all;
	free(p);
	e->n_parked--;
	if (box)
		box_parked_freed(box);
	engine_less(e);
}

static void try_to_remove_group(uv_timer_t *timer)
{
	struct parked *p = timer->data;
	struct error left = ERROR_INIT;
	bool last = ++p->looks >= LOOKS_MAX;
	if (p->group && !group_try_close(p->group, last, &left)) {
		uv_timer_start(timer, try_to_remove_group, LOOK_MS, 0);
		return;
	}
	p->group = NULL;
	if (left.blame != BLAME_NONE)
		log_line("warning: %s", left.text);
	uv_close((uv_handle_t *)timer, on_closed);
}

static void on_talk_closed(struct talk *t)
{
	struct parked *p = t->spec.data;
	p->open_handles--;
	p->talking = false;
	if (p->goes_down)
		try_to_remove_group(&p->look);
}

void parked_go_down(struct parked *p)
{
	p->state = PARKED_DOWN;
	p->body = NULL;
	p->goes_down = true;
	ward_let_go(p->ward);
	p->ward = NULL;
	if (p->heat && p->box && p->group)
		group_kill(p->group); /* of what a program has cloned besides nobody has told us */
	if (p->heat)
		heat_close(p);
	if (!p->talking)
		try_to_remove_group(&p->look);
	else if (!p->talk_closing)
		talk_close(&p->talk, on_talk_closed);
	p->talk_closing = true;
}

void parked_ready(struct parked *p)
{
	struct body *body = p->body; /* whose it is already: who is given it now begins by that */
	p->state = PARKED_READY;
	if (p->group)
		group_reset(p->group); /* what making it took is not its run's */
	bool serves = p->box && p->box->serving.program == p;
	if (p->group && !serves && (p->box || pools_n_ready(p->engine) >= AWAKE_MOST))
		group_rest(p->group);
	if (serves)
		serve_ready(p->box);
	else if (p->box)
		box_parked(p->box, p);
	if (p->pool)
		pool_parked(p->pool, p);
	if (body && p->state == PARKED_READY)
		live_parked(body);
}

static void on_parked(struct talk *t)
{
	struct parked *p = t->spec.data;
	if (p->state != PARKED_COMING)
		return;
	if (!heat_wanted(p)) {
		parked_ready(p);
		return;
	}
	if (p->box)
		box_parked(p->box, p); /* the box is made: it is its first */
	if (p->state == PARKED_COMING && !heat_begin(p))
		talk_abort(t);
}

static void on_running(struct talk *t)
{
	struct parked *p = t->spec.data;
	if (p->heat) {
		p->talk_closing = true;
		heat_running(p);
		talk_close(t, on_talk_closed);
		return;
	}
	live_running(p->body);
	p->group = NULL; /* it is the run's */
	parked_go_down(p);
}

/* Whose it was is told. */
void parked_tell_failed(struct parked *p, const struct setup_failure *why)
{
	if (p->state == PARKED_DOWN)
		return;
	if (p->body) {
		live_failed(p->body, why);
		p->group = NULL; /* it is the run's */
	} else if (p->pool) {
		pool_failed(p->pool, p);
	} else if (p->box) {
		box_failed(p->box, p, why);
	}
}

static void on_failed(struct talk *t, const struct setup_failure *why)
{
	struct parked *p = t->spec.data;
	parked_tell_failed(p, why);
	parked_go_down(p);
}

static int open_group(struct parked *p, struct error *error)
{
	const struct limits *limits = &p->recipe->prepared.policy.limits;
	char id[RUN_ID_SIZE];
	struct group_spec spec = {.id = id,
		.limits = limits,
		.oom_group = limits->oom == OOM_GROUP,
		.parent = p->box ? p->box->group : NULL,
		.cache = p->engine->groups,
		.relimited = true};
	memcpy(p->by, p->recipe->prepared.plan.by, sizeof(p->by));
	if (!p->recipe->plan.wants_group)
		return 0;
	engine_new_id(id); /* it is made before there is a run */
	return group_open(&p->group, &p->engine->host.cgroup, &spec, p->by, error);
}

/* A box with all the processes that it may have is entered by another way. */
static const struct group_entry *entry_of(const struct parked *p)
{
	bool full = p->box && p->box->group && group_is_full(p->box->group);
	const struct group_entry *other = full ? group_entry_when_full(p->group) : NULL;
	return other ? other : group_entry(p->group);
}

static int open_talk(struct parked *p, struct error *error)
{
	const struct recipe *r = p->recipe;
	if (p->group && group_wake(p->group, error) < 0)
		return -1;
	struct talk_spec spec = {
		.plan = &r->plan,
		.image = r->image,
		.image_bytes = r->image_bytes,
		.host = &p->engine->host,
		.entry = p->group ? entry_of(p) : NULL,
		.init_pidfd = p->box && p->box->inside.init.pid ? p->box->init.pidfd : -1,
		.a = &p->a,
		.hooks = {on_parked, on_running, on_failed},
		.data = p,
	};
	return talk_open(&p->talk, p->engine->link, &spec, error);
}

static void give_up(struct parked *p)
{
	ward_let_go(p->ward);
	arena_fini(&p->a);
	recipe_let_go(p->recipe);
	free(p);
}

static void link_parked(struct parked *p)
{
	struct engine *e = p->engine;
	p->next_of_all = e->parked;
	p->at_of_all = &e->parked;
	if (p->next_of_all)
		p->next_of_all->at_of_all = &p->next_of_all;
	e->parked = p;
	e->n_parked++;
	if (p->box)
		p->box->n_parked++;
}

/* That of a kept box is the box's. */
static int open_ward(struct parked *p, struct error *error)
{
	if (p->box || p->recipe->plan.exec == EXEC_OFF)
		return 0;
	p->ward = ward_open(p->engine, p->recipe, NULL, error);
	return p->ward ? 0 : -1;
}

static struct parked *start(struct parked *p, struct error *error)
{
	struct engine *e = p->engine;
	if (open_ward(p, error) < 0 || open_talk(p, error) < 0)
		return NULL;
	uv_timer_init(e->loop, &p->look);
	p->look.data = p;
	p->open_handles = 2; /* the timer, and the talk as one */
	p->talking = true;
	p->share = (struct share){.boxes = p->box ? 0 : 1};
	admission_take(&e->admission, &p->share);
	link_parked(p);
	return p;
}

static struct parked *parked_new(struct engine *e, struct recipe *r, struct box *box)
{
	struct parked *p = calloc(1, sizeof(*p));
	if (!p)
		out_of_memory();
	p->engine = e;
	p->recipe = r;
	p->box = box;
	recipe_hold(r);
	return p;
}

static struct parked *open_new(struct parked *p, struct error *error)
{
	struct error ignored = ERROR_INIT;
	if (open_group(p, error) == 0 && start(p, error))
		return p;
	if (p->group)
		group_try_close(p->group, true, &ignored);
	give_up(p);
	return NULL;
}

struct parked *parked_open(
	struct engine *e, struct recipe *r, struct box *box, struct body *body, struct error *error)
{
	struct parked *p = parked_new(e, r, box);
	p->body = body;
	return open_new(p, error);
}

struct parked *parked_open_for_pool(
	struct engine *e, struct recipe *r, struct pool *pool, struct error *error)
{
	struct parked *p = parked_new(e, r, NULL);
	p->pool = pool;
	return open_new(p, error);
}

struct parked *parked_open_fork(struct box *box, struct pool *pool, struct error *error)
{
	struct parked *p = parked_new(box->engine, box->recipe, box);
	if (open_group(p, error) < 0) {
		give_up(p);
		return NULL;
	}
	uv_timer_init(p->engine->loop, &p->look);
	p->look.data = p;
	p->open_handles = 1;
	p->state = PARKED_HEATING;
	link_parked(p);
	if (serve_fork(p, error) < 0) {
		parked_go_down(p);
		return NULL;
	}
	p->pool = pool;
	return p;
}

struct parked *parked_open_again(struct parked *old, struct error *error)
{
	struct parked *p = parked_new(old->engine, old->recipe, old->box);
	p->body = old->body;
	p->group = old->group;
	memcpy(p->by, old->by, sizeof(p->by));
	if (start(p, error))
		return p;
	give_up(p); /* the group is its body's */
	return NULL;
}

bool parked_is_dying(const struct parked *p)
{
	return p->heat ? heat_is_dying(p->heat) : p->talk.state == TALKING_ENDING;
}

void parked_give(struct parked *p, struct body *body)
{
	p->body = body;
	p->pool = NULL;
	if (p->state == PARKED_READY)
		live_parked(body);
}

/*
 * A fork that is not there yet has no pid: it finds its socket closed. One that does not mind that is in its
 * group, which is killed, or ends with its box.
 */
static void forget_fork(struct parked *p)
{
	static const struct setup_failure unwanted = {.stage = SETUP_BOX,
		.blame = BLAME_HOST,
		.what = "the warmed program had not forked yet"};
	serve_answered(p->box);
	parked_tell_failed(p, &unwanted);
	parked_go_down(p);
}

void parked_abort(struct parked *p)
{
	if (p->heat && p->heat->runs)
		heat_kill(p);
	else if (p->heat && p->heat->forked)
		forget_fork(p);
	else
		talk_abort(&p->talk);
}

void parked_drop(struct parked *p)
{
	if (p->state == PARKED_DOWN)
		return;
	p->state = PARKED_DOWN;
	p->pool = NULL;
	p->body = NULL;
	parked_abort(p);
}

void parked_give_up(struct parked *p)
{
	p->group = NULL;
	parked_drop(p);
	if (p->heat && heat_is_handed_over(p->heat))
		parked_go_down(p);
}
