/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "run/engine-internal.h"

/*
 * Boxes made ahead of their run, for the policies that ask for it. Each is used once, by one run. One
 * is taken by a run that asks for no more than its policy, limits, environment and command: all of
 * that comes with the command. Taking one has another made, after whatever else there is to do.
 *
 * Of a policy with pool.serve: forks what is ready are forks, in one box (serve.c).
 */

/* So many are asked for before the first of them is there. */
#define FORKS_AT_ONCE 8

/*
 * How long what the files said is believed: a path that did not exist, and so is not hidden in the boxes
 * that are ready, may exist by now.
 */
#define BELIEVED_US US_PER_SEC
/* Of one policy. */
#define POOL_MOST 1024
/* How long a run that has taken one may go on before the next is made beside it. */
#define REFILL_LATER_MS 2

struct pool {
	struct table_node by_policy; /* first: found by it */
	struct engine *engine;
	struct pool *newer, *older; /* in the order of use */
	struct policy_page *page;
	struct recipe *recipe; /* NULL: none could be made */
	struct parked *ready;
	struct box *served; /* of serve: forks: where they are made; NULL: there is none now */
	unsigned n_ready, n_coming, wanted;
	bool failing; /* none is made until somebody comes again */
	unsigned generation; /* of the recipe: those made by an older one are not given away */
};

/* ---- which one ---- */

/* Whether the request wants a box unlike those that its policy makes. */
static bool shapes_box(const struct request *r)
{
	return r->read.n || r->write.n || r->hide.n || r->tmpfs.n || r->root || r->workdir ||
		r->user_given || r->network_given || r->oom_given || r->best_effort ||
		r->limit_given[LIMIT_TMP_SIZE] || r->limit_given[LIMIT_CPUS];
}

static struct pool *find(const struct engine *e, const struct policy_page *page)
{
	return (struct pool *)table_find(&e->pools.by_policy, page->policy.name);
}

static void unlink_pool(struct pool *p)
{
	struct pools *all = &p->engine->pools;
	*(p->newer ? &p->newer->older : &all->newest) = p->older;
	*(p->older ? &p->older->newer : &all->oldest) = p->newer;
	p->newer = p->older = NULL;
}

static void put_first(struct pool *p)
{
	struct pools *all = &p->engine->pools;
	p->older = all->newest;
	*(all->newest ? &all->newest->newer : &all->oldest) = p;
	all->newest = p;
}

static void take_out(struct parked *p)
{
	*p->at = p->next;
	if (p->next)
		p->next->at = p->at;
	p->next = NULL;
	p->at = NULL;
}

static void drop_ready(struct pool *p)
{
	while (p->ready) {
		struct parked *parked = p->ready;
		take_out(parked);
		p->n_ready--;
		parked_drop(parked);
	}
}

/* ---- made by what the files say ---- */

static struct recipe *new_recipe(struct pool *p)
{
	static const struct request nothing;
	struct error ignored = ERROR_INIT; /* a run that asks for the same is told */
	return recipe_new(p->engine, p->page, &nothing, &ignored);
}

/* But for what is each one's own: its name, and the range of an isolated user. */
static const char *text_of(const struct recipe *r, struct arena *a)
{
	struct plan plan = r->plan;
	plan.id = plan.uid_map = plan.gid_map = "";
	plan.envp = (struct strv){0};
	return plan_format_json(&plan, &r->prepared.host, a);
}

static bool is_same_plan(const struct recipe *x, const struct recipe *y)
{
	cleanup_arena struct arena a = ARENA_INIT;
	return strcmp(text_of(x, &a), text_of(y, &a)) == 0;
}

/* Forks that are ready go with it, though they need not: who comes next has others. */
static struct box *let_box_go(struct pool *p)
{
	struct box *b = p->served;
	p->served = NULL;
	if (b)
		b->serving.pool = NULL;
	drop_ready(p);
	for (struct parked *parked = p->engine->parked, *next; b && parked; parked = next) {
		next = parked->next_of_all;
		if (parked->pool != p || parked->box != b)
			continue;
		p->n_coming--;
		parked_drop(parked);
	}
	return b;
}

static void believe(struct pool *p, struct recipe *recipe)
{
	struct box *served = let_box_go(p);
	if (served)
		box_retire(served);
	recipe_let_go(p->recipe);
	p->recipe = recipe;
	p->generation++;
}

static void look_again(struct pool *p)
{
	uint64_t now = time_monotonic_us();
	if (p->recipe && now - p->recipe->checked_us < BELIEVED_US)
		return;
	struct recipe *recipe = new_recipe(p);
	if (p->recipe && recipe && is_same_plan(p->recipe, recipe)) {
		p->recipe->checked_us = now;
		recipe_let_go(recipe);
	} else {
		believe(p, recipe);
	}
}

/* ---- refilling ---- */

static bool forks(const struct pool *p)
{
	return p->page->policy.pool.serve == SERVE_FORKS;
}

static bool has_room(const struct pool *p)
{
	struct share box = {.boxes = 1};
	if (!p->recipe || p->failing || p->n_ready + p->n_coming >= p->wanted)
		return false;
	if (forks(p) && p->served)
		return serve_is_ready(p->served) && p->n_coming < FORKS_AT_ONCE;
	if (forks(p))
		box = serve_share(p->recipe);
	return admission_ask(&p->engine->admission, &box) == ADMITTED_YES;
}

/* The box for them first. */
static void make_fork(struct pool *p)
{
	struct error why = ERROR_INIT;
	struct recipe *recipe = p->served ? NULL : new_recipe(p);
	struct parked *parked = NULL;
	if (p->served)
		parked = parked_open_fork(p->served, p, &why);
	else if (recipe)
		p->served = serve_open(p->engine, p, recipe, &why);
	p->failing = !parked && !(recipe && p->served);
	if (!parked)
		return;
	parked->generation = p->generation;
	p->n_coming++;
}

static void make_one(struct pool *p)
{
	struct error why = ERROR_INIT;
	bool own = recipe_is_for_one(p->recipe);
	struct recipe *recipe = own ? new_recipe(p) : p->recipe;
	struct parked *parked = recipe ? parked_open_for_pool(p->engine, recipe, p, &why) : NULL;
	if (own)
		recipe_let_go(recipe);
	p->failing = parked == NULL;
	if (!parked)
		return;
	parked->generation = p->generation;
	p->n_coming++;
}

/* One at a time: between two of them whatever has happened is seen to. */
static void on_refill(struct post *post)
{
	struct engine *e = ENGINE_OF(post, struct engine, pools.refill);
	struct pool *p = e->pools.newest;
	if (e->pools.after_answers) {
		e->pools.after_answers = false;
		post_put(&e->posts, post);
		return;
	}
	while (p && !has_room(p))
		p = p->older;
	if (!p || e->stopping)
		return;
	if (forks(p))
		make_fork(p);
	else
		make_one(p);
	post_put(&e->posts, post);
}

static void refill(struct engine *e)
{
	uv_timer_stop(&e->pools.later);
	post_put(&e->posts, &e->pools.refill);
}

static void on_later(uv_timer_t *timer)
{
	refill(timer->data);
}

/* A short run is to have the CPUs for itself; a long one is not waited for. */
static void refill_later(struct engine *e)
{
	if (!e->stopping && !uv_is_active((uv_handle_t *)&e->pools.later))
		uv_timer_start(&e->pools.later, on_later, REFILL_LATER_MS, 0);
}

void pools_run_ended(struct engine *e)
{
	if (!uv_is_active((uv_handle_t *)&e->pools.later))
		return;
	e->pools.after_answers = true;
	refill(e);
}

void pool_parked(struct pool *p, struct parked *parked)
{
	p->n_coming--;
	if (parked->generation != p->generation) { /* the files have changed meanwhile */
		parked_drop(parked);
		refill(p->engine);
		return;
	}
	parked->next = p->ready;
	parked->at = &p->ready;
	if (parked->next)
		parked->next->at = &parked->next;
	p->ready = parked;
	p->n_ready++;
	if (forks(p))
		refill(p->engine);
}

void pool_served(struct pool *p)
{
	refill(p->engine);
}

void pool_box_lost(struct pool *p)
{
	const struct box *b = p->served;
	if (!p->engine->stopping && b->state == BOX_READY && b->serving.pid_namespace)
		p->engine->counts.preload_restarts++;
	let_box_go(p);
	p->failing = true;
}

/* Whatever it was may last: who asks next is told, and has it tried again. */
void pool_failed(struct pool *p, struct parked *parked)
{
	if (parked->at) {
		take_out(parked);
		p->n_ready--;
	} else {
		p->n_coming--;
	}
	p->failing = true;
}

/* ---- taking ---- */

static struct pool *pool_new(struct engine *e, struct policy_page *page)
{
	struct pool *p = calloc(1, sizeof(*p));
	if (!p)
		out_of_memory();
	p->engine = e;
	p->page = page;
	policy_page_hold(page);
	p->wanted =
		page->policy.pool.size < POOL_MOST ? (unsigned)page->policy.pool.size : POOL_MOST;
	table_add(&e->pools.by_policy, &p->by_policy, page->policy.name);
	put_first(p);
	return p;
}

/* Those that are on their way belong to nobody: they go when they come. */
static void pool_free(struct pool *p)
{
	struct engine *e = p->engine;
	believe(p, NULL);
	for (struct parked *parked = e->parked, *next; parked; parked = next) {
		next = parked->next_of_all;
		if (parked->pool == p)
			parked_drop(parked);
	}
	table_remove(&e->pools.by_policy, &p->by_policy);
	unlink_pool(p);
	policy_page_let_go(p->page);
	free(p);
}

static struct pool *pool_of(struct engine *e, struct policy_page *page)
{
	struct pool *p = find(e, page);
	if (p && p->page != page) { /* the policy was changed */
		pool_free(p);
		p = NULL;
	}
	if (!p && page->policy.pool.size > 0)
		p = pool_new(e, page);
	return p;
}

/* Policies of one request alone have no pool, and a warmed program has no terminal. */
static bool is_for_pool(const struct body *b)
{
	const struct policy_pool *pool = b->page ? &b->page->policy.pool : NULL;
	return pool && pool->size > 0 && policy_page_is_in_book(b->page) &&
		!shapes_box(&b->request.request) && !(pool->preload.n > 0 && b->live->has_terminal);
}

/* Not one whose end is held up, for a run would wait for that. NULL: there is none. */
static struct parked *first_alive(const struct pool *p)
{
	struct parked *parked = p->ready;
	while (parked && parked_is_dying(parked))
		parked = parked->next;
	return parked;
}

static struct parked *take(struct pool *p)
{
	struct engine *e = p->engine;
	struct parked *parked = first_alive(p);
	bool failed = p->failing;
	p->failing = false;
	if (!parked && !failed && p->served && serve_is_prompt(p->served)) {
		struct error ignored = ERROR_INIT; /* it is started the ordinary way */
		parked = parked_open_fork(p->served, NULL, &ignored);
		e->counts.pool_hits += parked != NULL;
	} else if (parked) {
		e->counts.pool_hits++;
		take_out(parked);
		p->n_ready--;
	} else {
		e->counts.pool_misses++;
	}
	if (p->n_ready + p->n_coming < p->wanted / 4)
		refill(e);
	else
		refill_later(e);
	return parked;
}

struct recipe *pool_take(struct engine *e, struct body *b, struct parked **ret)
{
	*ret = NULL;
	if (!is_for_pool(b))
		return NULL;
	struct pool *p = pool_of(e, b->page);
	look_again(p);
	unlink_pool(p);
	put_first(p);
	*ret = take(p);
	struct recipe *recipe = *ret                         ? (*ret)->recipe
		: p->recipe && !recipe_is_for_one(p->recipe) ? p->recipe
							     : NULL;
	if (recipe)
		recipe_hold(recipe);
	return recipe;
}

bool pool_has(struct engine *e, const struct body *b)
{
	if (!is_for_pool(b))
		return false;
	struct pool *p = find(e, b->page);
	return p && p->page == b->page && first_alive(p);
}

bool pools_give_up_one(struct engine *e)
{
	struct pool *p = e->pools.oldest;
	while (p && (!p->ready || forks(p))) /* a fork has no box to give up */
		p = p->newer;
	if (!p)
		return false;
	struct parked *parked = p->ready;
	take_out(parked);
	p->n_ready--;
	parked_drop(parked);
	return true;
}

/* ---- all of them ---- */

int engine_pool(struct engine *e, const char *policy, struct error *error)
{
	struct policy_page *page = policy_book_open(&e->book, policy, error);
	if (!page)
		return -1;
	struct pool *p = pool_of(e, page);
	if (!p)
		error_say(
			error, BLAME_POLICY, EINVAL, "policy '%s' has no pool: {size: N}", policy);
	policy_page_let_go(page);
	if (!p)
		return -1;
	look_again(p);
	refill(e);
	return 0;
}

unsigned pools_n_ready(const struct engine *e)
{
	unsigned n = 0;
	for (const struct pool *p = e->pools.newest; p; p = p->older)
		n += p->n_ready;
	return n;
}

void pools_init(struct engine *e, const uint64_t key[2])
{
	table_init(&e->pools.by_policy, key);
	e->pools.refill.act = on_refill;
	uv_timer_init(e->loop, &e->pools.later);
	e->pools.later.data = e;
}

void pools_close(struct engine *e)
{
	post_cancel(&e->posts, &e->pools.refill);
	uv_timer_stop(&e->pools.later);
	for (struct pool *p = e->pools.newest, *older; p; p = older) {
		older = p->older;
		pool_free(p);
	}
}

void pools_fini(struct engine *e)
{
	table_fini(&e->pools.by_policy);
}
