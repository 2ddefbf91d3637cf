/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/time.h"
#include "model/filter.h"
#include "run/engine-internal.h"

/*
 * What a program may be limited to comes with its command: a process cannot raise what it had lowered
 * while it was parked.
 */
static void leave_limits_to_the_run(struct plan *plan, struct arena *a)
{
	struct steps all = plan->payload;
	plan->payload = (struct steps){.v = arena_calloc(a, all.n, sizeof(*all.v))};
	for (size_t i = 0; i < all.n; i++)
		if (all.v[i].kind != STEP_RLIMIT)
			plan->payload.v[plan->payload.n++] = all.v[i];
}

/* The command, its environment and its terminal are the run's. */
static void keep_what_is_the_boxs(
	struct request *ret, const struct request *request, struct arena *a)
{
	request_copy(ret, request, a);
	ret->argv = (struct strv){0};
	ret->key = NULL;
	ret->tty = false;
}

static int make(struct recipe *r, struct engine *e, struct error *error)
{
	struct prepare_caller caller = engine_caller(e, &r->page->policy, NULL);
	caller.parked = true;
	if (prepare_policy(&r->prepared, &r->request, &caller, &r->a, error) < 0 ||
		prepare_plan(&r->prepared, &r->request, &caller, &r->a, error) < 0)
		return -1;
	r->plan = r->prepared.plan;
	leave_limits_to_the_run(&r->plan, &r->a);
	r->image = plan_memfd(&r->plan, &r->image_bytes, error);
	return r->image < 0 ? -1 : 0;
}

struct recipe *recipe_new(struct engine *e, struct policy_page *page, const struct request *request,
	struct error *error)
{
	struct recipe *r = calloc(1, sizeof(*r));
	if (!r)
		out_of_memory();
	r->holders = 1;
	r->image = r->prepared.uids_fd = -1;
	r->page = page;
	r->checked_us = time_monotonic_us();
	policy_page_hold(page);
	keep_what_is_the_boxs(&r->request, request, &r->a);
	if (make(r, e, error) == 0)
		return r;
	recipe_let_go(r);
	return NULL;
}

static int widen_filter(struct recipe *r, struct error *error)
{
	const struct policy *policy = &r->of->prepared.policy;
	struct filter_spec spec = {.deny = &policy->syscalls_deny,
		.allow = &policy->syscalls_allow,
		.user_namespaces = policy->user_namespaces,
		.siblings = true};
	if (r->plan.n_filter > 0 &&
		filter_compile(&spec, &r->a, &r->plan.filter, &r->plan.n_filter, error) < 0)
		return -1;
	r->image = plan_memfd(&r->plan, &r->image_bytes, error);
	return r->image < 0 ? -1 : 0;
}

struct recipe *recipe_that_serves(struct recipe *of, struct error *error)
{
	struct recipe *r = calloc(1, sizeof(*r));
	if (!r)
		out_of_memory();
	*r = (struct recipe){.holders = 1,
		.of = of,
		.page = of->page,
		.request = of->request,
		.prepared = of->prepared,
		.plan = of->plan,
		.image = -1};
	r->prepared.uids_fd = -1;
	recipe_hold(of);
	policy_page_hold(r->page);
	if (widen_filter(r, error) == 0)
		return r;
	recipe_let_go(r);
	return NULL;
}

void recipe_hold(struct recipe *r)
{
	r->holders++;
}

void recipe_let_go(struct recipe *r)
{
	if (!r || --r->holders > 0)
		return;
	fd_close(r->image);
	fd_close(r->prepared.uids_fd);
	policy_page_let_go(r->page);
	arena_fini(&r->a);
	recipe_let_go(r->of);
	free(r);
}

bool recipe_is_for_one(const struct recipe *r)
{
	return r->prepared.uids_fd >= 0;
}
