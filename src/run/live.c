/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "run/engine-internal.h"

/* What others see of a run, and may do to it: run/engine.h. */

const char *live_state_name(enum live_state state)
{
	static const char *const names[LIVE_STATE_COUNT_] = {
		[LIVE_QUEUED] = "queued",
		[LIVE_STARTING] = "starting",
		[LIVE_RUNNING] = "running",
		[LIVE_ENDED] = "ended",
	};
	return names[state];
}

const char *live_id(const struct live *l)
{
	return l->id;
}

enum live_state live_state(const struct live *l)
{
	return l->state;
}

const char *live_box(const struct live *l)
{
	return l->box_id[0] ? l->box_id : NULL;
}

const char *live_verdict_json(const struct live *l)
{
	return l->verdict_json;
}

const struct observation *live_observation(const struct live *l)
{
	return l->body ? &l->body->o : NULL;
}

int live_exit_status(const struct live *l)
{
	return l->exit_status;
}

const char *live_key(const struct live *l)
{
	return l->key;
}

const char *live_policy(const struct live *l)
{
	return l->policy;
}

struct strv live_argv(const struct live *l)
{
	return l->body ? l->body->request.request.argv : (struct strv){NULL, 0, 0};
}

void *live_record(const struct live *l)
{
	return l->record;
}

bool live_has_terminal(const struct live *l)
{
	return l->has_terminal;
}

/* ---- life ---- */

static void take_off_lists(struct live *l)
{
	struct engine *e = l->engine;
	*(l->newer ? &l->newer->older : &e->newest) = l->older;
	if (l->older)
		l->older->newer = l->newer;
	table_remove(&e->runs, &l->by_id);
}

static void live_free(struct live *l)
{
	struct engine *e = l->engine;
	post_cancel(&e->posts, &l->tell);
	if (l->begun && e->hooks.gone)
		e->hooks.gone(e->hooks.data, l);
	free(l->key);
	free(l->policy);
	free(l->verdict_json);
	free(l);
	engine_less(e);
}

void live_hold(struct live *l)
{
	l->holders++;
}

/* The last one may well be a caller's, who is told nothing from within his call. */
void live_let_go(struct live *l)
{
	if (--l->holders == 0)
		post_put(&l->engine->posts, &l->tell);
}

/* ---- telling ---- */

static void take_off_waiter(struct live_waiter *w)
{
	*w->at = w->next;
	if (w->next)
		w->next->at = w->at;
	w->live = NULL;
	w->next = NULL;
	w->at = NULL;
}

static void tell_waiters(struct live *l)
{
	while (l->waiters) {
		struct live_waiter *w = l->waiters;
		take_off_waiter(w);
		w->told(w, l);
	}
}

static void put_follower(struct live_follower **list, struct live_follower *f)
{
	f->next = *list;
	f->at = list;
	if (f->next)
		f->next->at = &f->next;
	*list = f;
}

static void take_off_follower(struct live_follower *f)
{
	*f->at = f->next;
	if (f->next)
		f->next->at = f->at;
}

/* Each once; any of them may go, and others come, while it is told. */
static void tell_followers(struct live *l)
{
	struct live_follower *round = l->followers;
	if (round)
		round->at = &round;
	l->followers = NULL;
	while (round) {
		struct live_follower *f = round;
		take_off_follower(f);
		put_follower(&l->followers, f);
		f->told(f, l);
	}
}

static void on_tell(struct post *post)
{
	struct live *l = ENGINE_OF(post, struct live, tell);
	if (l->holders == 0) {
		take_off_lists(l);
		live_free(l);
		return;
	}
	live_hold(l);
	if (l->changed) {
		l->changed = false;
		tell_followers(l);
	}
	if (l->state == LIVE_ENDED)
		tell_waiters(l);
	live_let_go(l);
}

void live_changed(struct live *l)
{
	l->changed = true;
	if (l->followers)
		post_put(&l->engine->posts, &l->tell);
}

void live_wait(struct live *l, struct live_waiter *w)
{
	w->live = l;
	w->next = l->waiters;
	w->at = &l->waiters;
	if (w->next)
		w->next->at = &w->next;
	l->waiters = w;
	if (l->state == LIVE_ENDED)
		post_put(&l->engine->posts, &l->tell);
}

void live_wait_no_more(struct live_waiter *w)
{
	if (w->live)
		take_off_waiter(w);
}

void live_follow(struct live *l, struct live_follower *f)
{
	f->live = l;
	put_follower(&l->followers, f);
	if (l->state == LIVE_ENDED) /* who comes behind the end is told of it too */
		l->changed = true;
	if (l->changed)
		post_put(&l->engine->posts, &l->tell);
}

void live_follow_no_more(struct live_follower *f)
{
	if (!f->live)
		return;
	take_off_follower(f);
	f->live = NULL;
	f->next = NULL;
	f->at = NULL;
}

/* ---- making ---- */

static void copy_request(struct body *b, const struct engine_request *request)
{
	b->request = *request;
	request_copy(&b->request.request, &request->request, &b->a);
	b->request.policy_text = NULL; /* read already */
	b->request.box = NULL;
	b->request.cwd = arena_strdup(&b->a, request->cwd);
	if (!request->stdin_text)
		return;
	char *text = arena_alloc(&b->a, request->stdin_size);
	memcpy(text, request->stdin_text, request->stdin_size);
	b->request.stdin_text = text;
}

static void on_end(struct post *post)
{
	struct body *b = ENGINE_OF(post, struct body, end);
	live_conclude(b);
	live_release(b);
}

static struct body *body_new(struct live *l, const struct engine_request *request)
{
	struct body *b = calloc(1, sizeof(*b));
	if (!b)
		out_of_memory();
	b->live = l;
	b->engine = l->engine;
	b->subject = SUBJECT_INIT;
	b->feed = FEED_INIT;
	b->pty = PTY_INIT;
	b->stdio[0] = b->stdio[1] = b->stdio[2] = -1;
	b->warden_run = WARDEN_RUN_INIT;
	b->prepared.uids_fd = -1;
	b->end.act = on_end;
	copy_request(b, request);
	l->engine->n_bodies++;
	live_hold(l);
	return b;
}

char *live_copy_name(const char *name)
{
	char *copy = name ? strdup(name) : NULL;
	if (name && !copy)
		out_of_memory();
	return copy;
}

struct live *live_new(struct engine *e, const struct engine_request *request, uid_t uid)
{
	struct live *l = calloc(1, sizeof(*l));
	if (!l)
		out_of_memory();
	*l = (struct live){.engine = e, .uid = uid, .exit_status = -1, .tell = {.act = on_tell}};
	l->has_terminal = request->request.tty;
	l->key = live_copy_name(request->request.key);
	engine_new_id(l->id);
	l->body = body_new(l, request);
	table_add(&e->runs, &l->by_id, l->id);
	l->older = e->newest;
	if (l->older)
		l->older->newer = l;
	e->newest = l;
	return l;
}

/* ---- what is done to it ---- */

static int refuse_ended(struct error *e)
{
	return error_say(e, BLAME_REQUEST, ESHUTDOWN, "the run has ended");
}

/* Its stdin, or -1 with @e. Before it has started there is one that takes nothing yet. */
static int check_stdin(const struct live *l, struct error *e)
{
	const struct body *b = l->body;
	if (l->state == LIVE_ENDED || !b)
		return refuse_ended(e);
	if (!b->request.stdin_open && !l->has_terminal)
		return error_say(e, BLAME_REQUEST, EBUSY, "the run's stdin is not open");
	if (b->feed.reader_gone || b->stdin_ends)
		return error_say(e, BLAME_REQUEST, EPIPE, "%s",
			b->stdin_ends ? "the run's stdin was ended"
				      : "the program does not read its stdin any more");
	return 0;
}

static bool has_stdin(const struct body *b)
{
	return b->feed.fd >= 0;
}

ssize_t live_stdin(struct live *l, const char *bytes, size_t size, struct error *e)
{
	if (check_stdin(l, e) < 0)
		return -1;
	if (!has_stdin(l->body))
		return 0;
	ssize_t n = feed_put(&l->body->feed, bytes, size);
	return n < 0 ? check_stdin(l, e) : n;
}

int live_stdin_close(struct live *l, struct error *e)
{
	if (check_stdin(l, e) < 0)
		return -1;
	l->body->stdin_ends = !l->has_terminal || !has_stdin(l->body);
	if (has_stdin(l->body))
		feed_end(&l->body->feed);
	live_changed(l); /* others may wait for room in it */
	return 0;
}

void live_hold_output(struct live *l, bool hold)
{
	l->output_holders += hold ? 1 : -1u;
	if (l->body)
		output_hold(&l->body->output, l->output_holders > 0);
}

int live_resize(struct live *l, unsigned short rows, unsigned short cols, struct error *e)
{
	struct body *b = l->body;
	if (l->state == LIVE_ENDED || !b)
		return refuse_ended(e);
	if (!l->has_terminal)
		return error_say(e, BLAME_REQUEST, EBUSY, "the run has no terminal");
	struct winsize size = {.ws_row = rows, .ws_col = cols};
	b->request.rows = rows; /* for one that is made later */
	b->request.cols = cols;
	if (b->pty.master >= 0)
		ioctl(b->pty.master, TIOCSWINSZ, &size);
	return 0;
}

/* Each that was asked for is sent: one does not take the place of another. */
static void keep_early(struct body *b, int sig, uid_t uid)
{
	uint64_t bit = 1ull << (sig - 1);
	if (!b->early)
		b->early = arena_new(&b->a, struct early_asked);
	if (b->early->signals & bit)
		return;
	b->early->signals |= bit;
	b->early->uid[sig] = uid;
}

int live_signal(struct live *l, int sig, const struct engine_client *by, struct error *e)
{
	struct body *b = l->body;
	uid_t uid = by ? by->uid : 0;
	if (sig <= 0 || sig >= NSIG)
		return error_say(e, BLAME_REQUEST, EINVAL, "there is no signal %d", sig);
	if (l->state == LIVE_ENDED || !b)
		return refuse_ended(e);
	if (l->state == LIVE_QUEUED) {
		live_stop(l, ACT_CANCELLED, false, uid);
	} else if (l->state == LIVE_STARTING) {
		keep_early(b, sig, uid);
	} else {
		killer_signal(&b->watch, sig, 0, uid);
	}
	return 0;
}

int live_cancel(struct live *l, bool now, const struct engine_client *by, struct error *e)
{
	if (l->state == LIVE_ENDED)
		return refuse_ended(e);
	live_stop(l, ACT_CANCELLED, now, by ? by->uid : 0);
	return 0;
}
