/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/time.h"
#include "run/engine-internal.h"

/* From the last process to the verdict, and to nothing. */

/* The one writer of the state. */
void live_enter(struct live *l, enum live_state state)
{
	struct engine *e = l->engine;
	unsigned *const counts[LIVE_STATE_COUNT_] = {
		[LIVE_QUEUED] = &e->counts.queued,
		[LIVE_STARTING] = &e->counts.starting,
		[LIVE_RUNNING] = &e->counts.running,
	};
	if (counts[l->state])
		--*counts[l->state];
	if (counts[state])
		++*counts[state];
	l->state = state;
}

/* ---- the verdict ---- */

void live_conclude(struct body *b)
{
	struct live *l = b->live;
	struct engine *e = b->engine;
	struct verdict verdict;
	if (b->ended)
		return;
	b->ended = true;
	if (l->begun && e->hooks.settled)
		e->hooks.settled(e->hooks.data, l, &b->o);
	verdict_decide(&verdict, &b->o, &b->a);
	const char *json = verdict_format_json(&verdict, &b->o, &b->a);
	l->exit_status = verdict.exit_status;
	l->verdict_json = strdup(json);
	if (!l->verdict_json)
		out_of_memory();
	e->counts.runs_by_cause[verdict.cause]++;
	if (e->hooks.ended)
		e->hooks.ended(e->hooks.data, l, &b->o, &verdict, l->verdict_json);
	live_enter(l, LIVE_ENDED);
	if (b->box)
		b->box->n_runs--;
	engine_give_back(e, &l->share);
	live_remember(l);
	l->changed = true;
	post_put(&e->posts, &l->tell);
	pools_run_ended(e); /* after those who wait have been told */
}

static void fail_setup(struct body *b, const struct error *why)
{
	b->o.setup = (struct setup_failure){.stage = SETUP_HOST,
		.errnum = why->errnum,
		.blame = why->blame,
		.what = arena_strdup(&b->a, why->text)};
}

void live_observe(struct body *b)
{
	memcpy(b->prepared.id, b->live->id, sizeof(b->live->id));
	if (!b->prepared.host.kernel) /* it was never looked at */
		b->prepared.host = b->engine->host;
	observation_begin(&b->o, &b->prepared, &b->request.request);
}

/* For who is still in the queue nothing was taken: there is nothing to be given back. */
static void leave_queue(struct live *l)
{
	if (!l->waiting.user)
		return;
	queue_remove(&l->engine->queue, &l->waiting);
	l->share = (struct share){0};
}

void live_end_unstarted(struct body *b, const struct error *why)
{
	if (!b->o.id)
		live_observe(b);
	if (why && b->o.n_acts == 0)
		fail_setup(b, why);
	leave_queue(b->live);
	if (b->taken)
		parked_drop(b->taken);
	b->taken = NULL;
	output_close(&b->output, 0);
	post_put(&b->engine->posts, &b->end);
}

/* ---- asked to end ---- */

/* There is nobody to be signalled yet: what would have been sent is the reason. */
static void end_before_it_began(struct body *b, enum act_reason reason, bool now, uid_t uid)
{
	int sig = now ? SIGKILL : SIGTERM;
	if (b->end.at)
		return;
	if (!b->o.id)
		live_observe(b);
	b->o.acts[b->o.n_acts++] = (struct act){.reason = reason,
		.signal = sig,
		.whole_run = true,
		.cancel_signal = reason == ACT_CANCELLED ? sig : 0,
		.cancel_uid = uid};
	live_end_unstarted(b, NULL);
}

void live_stop(struct live *l, enum act_reason reason, bool now, uid_t uid)
{
	struct body *b = l->body;
	if (l->state == LIVE_ENDED || !b)
		return;
	if (!b->watched)
		end_before_it_began(b, reason, now, uid);
	else if (reason == ACT_CANCELLED)
		killer_stop_for(&b->watch, now, 0, uid);
	else if (now)
		killer_kill(&b->watch, reason, 0);
	else
		killer_stop(&b->watch, reason, 0);
}

/* ---- giving back ---- */

static void free_body(struct body *b)
{
	struct live *l = b->live;
	struct engine *e = b->engine;
	struct box *box = b->box;
	struct recipe *recipe = b->recipe;
	struct policy_page *page = b->page;
	l->body = NULL;
	arena_fini(&b->a);
	free(b);
	recipe_let_go(recipe);
	policy_page_let_go(page);
	e->n_bodies--;
	if (box)
		box_let_go(box);
	live_let_go(l);
	post_put(&e->posts, &e->admit);
	engine_less(e);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct body *b = handle->data;
	if (--b->open_handles == 0)
		free_body(b);
}

void live_discard(struct live *l)
{
	struct body *b = l->body;
	if (b->box) {
		b->box->n_runs--;
		box_subtract(b->box, b);
	}
	free_body(b);
}

/* The run's end was told all the same. */
static void give_up_processes(struct body *b)
{
	struct subject *s = &b->subject;
	if (!s->payload_reaped)
		orphan_take(b->engine, fd_take(&s->payload_pidfd));
	if (!s->init_reaped)
		orphan_take(b->engine, fd_take(&s->init_pidfd));
	subject_fini(s);
}

void live_release(struct body *b)
{
	ward_end_run(b);
	if (b->box && b->at_in_box)
		box_subtract(b->box, b);
	give_up_processes(b);
	for (int i = 0; i < 3; i++)
		b->stdio[i] = fd_close(b->stdio[i]);
	b->open_handles = 1; /* ourselves, until all are counted */
	b->open_handles += output_fini(&b->output, on_handle_closed, b);
	b->open_handles += feed_fini(&b->feed, on_handle_closed, b);
	b->pty.master = fd_close(b->pty.master);
	b->pty.slave = fd_close(b->pty.slave);
	if (--b->open_handles == 0)
		free_body(b);
}

/* ---- those that have ended ---- */

static void forget_oldest(struct engine *e)
{
	struct live *l = e->ended_first;
	e->ended_first = l->next_ended;
	if (!e->ended_first)
		e->ended_last = &e->ended_first;
	e->n_ended--;
	e->ended_bytes -= strlen(l->verdict_json);
	live_let_go(l);
}

void live_remember(struct live *l)
{
	struct engine *e = l->engine;
	live_hold(l);
	*e->ended_last = l;
	e->ended_last = &l->next_ended;
	e->n_ended++;
	e->ended_bytes += strlen(l->verdict_json);
	while (e->n_ended > e->options.keep_ended ||
		(e->n_ended > 1 && e->ended_bytes > ENGINE_ENDED_BYTES_MAX))
		forget_oldest(e);
}

void live_forget_all(struct engine *e)
{
	while (e->ended_first)
		forget_oldest(e);
}
