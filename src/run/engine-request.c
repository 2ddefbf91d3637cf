/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "run/engine-internal.h"

/* From a request to a place in the queue, and from there to the start. */

/* How many runs are started between two looks at what has happened. */
#define STARTS_A_ROUND 4

/* ---- who may start ---- */

static struct live *live_of(struct queue_entry *entry)
{
	return ENGINE_OF(entry, struct live, waiting);
}

/* A box that nobody has a use for yet gives way to one that is wanted now. */
static bool fits(void *data, struct queue_entry *entry)
{
	struct engine *e = data;
	struct live *l = live_of(entry);
	struct share wanted = l->share;
	wanted.boxes = l->body->box || pool_has(e, l->body) ? 0 : 1;
	if (admission_ask(&e->admission, &wanted) == ADMITTED_YES)
		return true;
	if (wanted.boxes && strcmp(admission_scarce(&e->admission, &wanted), "boxes") == 0)
		pools_give_up_one(e);
	return false;
}

void engine_admit(struct post *post)
{
	struct engine *e = ENGINE_OF(post, struct engine, admit);
	for (unsigned i = 0; i < STARTS_A_ROUND; i++) {
		struct queue_entry *entry = queue_take(&e->queue, fits, e);
		if (!entry)
			return;
		struct live *l = live_of(entry);
		admission_take(&e->admission, &l->share);
		live_start(l);
	}
	post_put(&e->posts, post);
}

/* ---- requests ---- */

static int refuse(struct engine *e, struct error *error, int errnum, const char *what)
{
	e->counts.refused_total++;
	return error_say(error, BLAME_REQUEST, errnum, "%s", what);
}

static int check_open(struct engine *e, struct error *error)
{
	return e->stopping ? refuse(e, error, ESHUTDOWN, "bulkhead is being stopped") : 0;
}

static int check_share(
	struct engine *e, const struct share *share, bool may_wait, struct error *error)
{
	enum admitted answer = admission_ask(&e->admission, share);
	char text[ADMISSION_TEXT];
	if (answer == ADMITTED_YES || (answer == ADMITTED_LATER && may_wait))
		return 0;
	e->counts.refused_total++;
	return error_say(error, BLAME_REQUEST, answer == ADMITTED_LATER ? EAGAIN : EDQUOT, "%s",
		admission_explain(&e->admission, share, text));
}

/* What only says that the request is wrong is one of the errors of engine.h. */
static int worded(struct error *error)
{
	if ((error->blame == BLAME_REQUEST || error->blame == BLAME_POLICY) && error->errnum == 0)
		error->errnum = EINVAL;
	return -1;
}

static struct policy_page *open_policy(
	struct engine *e, const struct engine_request *r, struct error *error)
{
	if (r->policy_text)
		return policy_page_of_text(r->policy_text, r->policy_size, error);
	return policy_book_open(&e->book, r->request.policy ? r->request.policy : "default", error);
}

static int check_cwd(const char *cwd, struct error *error)
{
	if (!cwd || cwd[0] == '/')
		return 0;
	return error_say(error, BLAME_REQUEST, EINVAL,
		"the working directory '%.200s' is not absolute", cwd);
}

/* Its policy, and what of the request shows to be wrong before anything is looked for. */
static int check_request(struct body *b, struct error *error)
{
	const struct policy *policy = b->box ? &b->box->recipe->prepared.policy : &b->page->policy;
	struct prepare_caller caller = engine_caller(b->engine, policy, b->live->id);
	const struct request *request = &b->request.request;
	if (request->argv.n == 0)
		return error_say(error, BLAME_REQUEST, EINVAL, "there is no command");
	if (check_cwd(b->request.cwd, error) < 0)
		return -1;
	if (b->box && prepare_entry_check(&b->box->recipe->prepared, request, error) < 0)
		return -1;
	return prepare_policy(&b->prepared, request, &caller, &b->a, error);
}

static int find_place(struct body *b, const struct engine_request *r, struct error *error)
{
	struct engine *e = b->engine;
	if (!r->box) {
		b->page = open_policy(e, r, error);
		return b->page ? 0 : -1;
	}
	struct box *box = engine_find_box(e, r->box);
	if (!box)
		return error_say(error, BLAME_REQUEST, ENOENT, "there is no box '%.64s'", r->box);
	if (box->state >= BOX_STOPPING)
		return error_say(error, BLAME_REQUEST, ESHUTDOWN, "box '%s' is %s", box->id,
			box_state_name(box->state));
	box_hold(box);
	b->box = box;
	b->recipe = box->recipe;
	recipe_hold(b->recipe);
	box->n_runs++;
	box_add(box, b); /* from now on, so that the box's end is also that of who waits for room */
	memcpy(b->live->box_id, box->id, sizeof(box->id));
	return 0;
}

static int get_in_line(struct body *b, struct error *error)
{
	struct engine *e = b->engine;
	struct live *l = b->live;
	l->share = (struct share){.runs = 1,
		.memory_bytes = b->box ? 0 : admission_memory(&b->prepared.policy.limits)};
	if (check_share(e, &l->share, true, error) < 0)
		return -1;
	if (!queue_put(&e->queue, &l->waiting, l->uid))
		return refuse(e, error, EAGAIN, "the queue is full: come again");
	e->counts.queued++;
	post_put(&e->posts, &e->admit);
	return 0;
}

int engine_run(struct engine *e, const struct engine_request *request,
	const struct engine_client *client, struct live **ret, struct error *error)
{
	if (check_open(e, error) < 0)
		return -1;
	struct live *l = live_new(e, request, client ? client->uid : 0);
	struct body *b = l->body;
	if (find_place(b, request, error) < 0 || check_request(b, error) < 0 ||
		get_in_line(b, error) < 0) {
		live_discard(l);
		return worded(error);
	}
	l->policy = live_copy_name(b->prepared.policy.name);
	*ret = l;
	return 0;
}

struct live *engine_find_run(struct engine *e, const char *id)
{
	struct live *l = (struct live *)table_find(&e->runs, id);
	return l && l->holders > 0 ? l : NULL;
}

void engine_each_run(struct engine *e, void (*each)(void *data, struct live *live), void *data)
{
	for (struct live *l = e->newest, *older; l; l = older) {
		older = l->older;
		if (l->holders > 0)
			each(data, l);
	}
}

/* ---- boxes ---- */

static int make_box(
	struct engine *e, struct recipe *r, const char *cwd, struct box **ret, struct error *error)
{
	const struct limits *limits = &r->prepared.policy.limits;
	struct share share = {.boxes = 1, .memory_bytes = admission_memory(limits)};
	enum enforced_by by[LIMIT_COUNT_];
	struct group_spec spec = {
		.id = r->prepared.id, .limits = limits, .box = true, .cache = e->groups};
	memcpy(by, r->prepared.plan.by, sizeof(by));
	if (check_share(e, &share, false, error) < 0) {
		recipe_let_go(r);
		return -1;
	}
	struct box *b = box_new(e, r, &share);
	if (cwd && !(b->cwd = strdup(cwd)))
		out_of_memory();
	if ((r->plan.exec == EXEC_OFF || (b->ward = ward_open(e, r, b, error))) &&
		(!r->plan.wants_group ||
			group_open(&b->group, &e->host.cgroup, &spec, by, error) == 0) &&
		(b->spare = parked_open(e, r, b, NULL, error))) {
		*ret = b;
		return 0;
	}
	b->asked_to_go = true;
	box_stop(b, ACT_CANCELLED, true, 0);
	return -1;
}

int engine_box(struct engine *e, const struct engine_request *request,
	const struct engine_client *client, struct box **ret, struct error *error)
{
	(void)client;
	if (check_open(e, error) < 0)
		return -1;
	if (request->request.argv.n > 0)
		return error_say(error, BLAME_REQUEST, EINVAL, "a box has no command of its own");
	if (check_cwd(request->cwd, error) < 0)
		return -1;
	struct policy_page *page = open_policy(e, request, error);
	if (!page)
		return worded(error);
	struct recipe *r = recipe_new(e, page, &request->request, error);
	policy_page_let_go(page);
	if (!r || make_box(e, r, request->cwd, ret, error) < 0)
		return worded(error);
	return 0;
}

struct box *engine_find_box(struct engine *e, const char *id)
{
	struct box *b = (struct box *)table_find(&e->boxes, id);
	return b && !b->serving.is ? b : NULL;
}

void engine_each_box(struct engine *e, void (*each)(void *data, struct box *box), void *data)
{
	for (struct box *b = e->newest_box, *older; b; b = older) {
		older = b->older;
		if (!b->serving.is)
			each(data, b);
	}
}
