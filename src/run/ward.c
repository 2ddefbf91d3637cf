/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "run/engine-internal.h"

/* ---- who was stopped ---- */

static struct ward *find_by_pid(const struct engine *e, pid_t pid)
{
	struct ward *w = e->wards;
	while (w && w->warden.pid != pid)
		w = w->next;
	return w;
}

/*
 * Of our children only wardens tell of themselves by SIGCHLD (and the zygote, whom nobody traces or
 * waits for): so this costs nothing by the number of boxes or runs.
 */
static void on_child(uv_signal_t *handle, int sig)
{
	struct engine *e = handle->data;
	siginfo_t info;
	(void)sig;
	for (;;) {
		info.si_pid = 0;
		/* it is left as it is, to be looked at by who takes care of it */
		if (waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
			return;
		struct ward *w = find_by_pid(e, info.si_pid);
		if (w)
			warden_look(&w->warden);
		else
			waitid(P_PID, (id_t)info.si_pid, &info, WSTOPPED | WNOHANG);
	}
}

/* Whoever has started us may have SIGCHLD ignored, so that wardens would be reaped by the kernel, or blocked. */
void wards_init(struct engine *e)
{
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &child, NULL);
	uv_signal_init(e->loop, &e->child_stopped);
	e->child_stopped.data = e;
}

/* ---- beginning and end ---- */

static void unlink_ward(struct ward *w)
{
	struct engine *e = w->engine;
	*w->at = w->next;
	if (w->next)
		w->next->at = w->at;
	if (--e->n_wards == 0)
		uv_signal_stop(&e->child_stopped);
}

static void link_ward(struct ward *w)
{
	struct engine *e = w->engine;
	w->next = e->wards;
	w->at = &e->wards;
	if (w->next)
		w->next->at = &w->next;
	e->wards = w;
	if (e->n_wards++ == 0)
		uv_signal_start(&e->child_stopped, on_child, SIGCHLD);
	e->counts.wardens++;
}

static void on_closed(struct warden *warden)
{
	struct ward *w = ENGINE_OF(warden, struct ward, warden);
	struct engine *e = w->engine;
	struct box *box = w->box;
	unlink_ward(w);
	free(w);
	if (box)
		box_ward_freed(box);
	engine_less(e);
}

void ward_hold(struct ward *w)
{
	w->holders++;
}

void ward_let_go(struct ward *w)
{
	if (!w || --w->holders > 0)
		return;
	if (w->warden.state == WARDEN_GONE)
		warden_close(&w->warden, on_closed);
	else if (w->deaf && w->warden.state != WARDEN_DRAINING)
		warden_kill(&w->warden,
			""); /* it has left unasked, and is told of and counted as one */
	else
		warden_shut_down(&w->warden);
}

/* One that has to wait for room again is the first of them again. */
static void on_ready(struct warden *warden)
{
	struct ward *w = ENGINE_OF(warden, struct ward, warden);
	struct body *b = NULL;
	while (w->awaiting && w->awaiting != b) {
		b = w->awaiting;
		ward_forget(b);
		live_parked(b);
	}
}

static const char *lost(const struct ward *w, struct arena *a)
{
	return arena_printf(a, "the warden of the exec policy %s",
		w->warden.why[0] ? w->warden.why : "has ended");
}

static void on_gone(struct warden *warden, bool expected)
{
	struct ward *w = ENGINE_OF(warden, struct ward, warden);
	w->engine->counts.wardens--;
	if (warden->late)
		log_line("warning: the warden of an exec policy %s", warden->why);
	if (!expected) {
		w->engine->counts.wardens_lost++;
		log_line("warning: the warden of an exec policy %s: what its runs execute is "
			 "refused",
			warden->why);
	}
	ward_hold(w); /* who waited for it lets it go for another one */
	while (w->awaiting) {
		struct body *b = w->awaiting;
		ward_forget(b);
		if (warden->killed || b->tried_again) {
			live_abort(b, lost(w, &b->a));
			continue;
		}
		b->tried_again = true; /* somebody else has killed it */
		live_parked(b);
	}
	ward_let_go(w);
}

struct ward *ward_open(
	struct engine *e, const struct recipe *r, struct box *box, struct error *error)
{
	const struct warden_hooks hooks = {.ready = on_ready, .gone = on_gone};
	const struct prepared *p = &r->prepared;
	struct ward *w = calloc(1, sizeof(*w));
	if (!w)
		out_of_memory();
	w->engine = e;
	w->holders = 1;
	w->warden = WARDEN_INIT;
	if (warden_start(&w->warden, e->loop, &p->policy.exec, plan_search_path(&p->plan.envp),
		    &hooks, error) < 0) {
		free(w);
		return NULL;
	}
	link_ward(w);
	w->box = box;
	if (box)
		box->n_wards++;
	return w;
}

/* ---- its runs ---- */

static void await(struct body *b)
{
	struct ward *w = b->ward;
	b->next_awaiting = w->awaiting;
	b->at_awaiting = &w->awaiting;
	if (b->next_awaiting)
		b->next_awaiting->at_awaiting = &b->next_awaiting;
	w->awaiting = b;
}

void ward_forget(struct body *b)
{
	if (!b->at_awaiting)
		return;
	*b->at_awaiting = b->next_awaiting;
	if (b->next_awaiting)
		b->next_awaiting->at_awaiting = b->at_awaiting;
	b->at_awaiting = NULL;
}

/* The one of the box that serves, or will; one that is lost is replaced, once for each run. */
static int find_ward(struct body *b, struct error *error)
{
	struct ward **slot = b->box ? &b->box->ward : &b->parked->ward;
	if (!*slot || (*slot)->deaf || (*slot)->warden.state >= WARDEN_DRAINING) {
		struct ward *new = ward_open(b->engine, b->recipe, b->box, error);
		if (!new)
			return -1;
		ward_let_go(*slot);
		*slot = new;
	}
	ward_let_go(b->ward);
	b->ward = *slot;
	ward_hold(b->ward);
	return 0;
}

static int add_run(struct body *b, struct error *error)
{
	const struct engine_hooks *hooks = &b->engine->hooks;
	struct warden_run_spec spec = {
		.started_us = b->began_us,
		.audit = -1,
		.stderr_fd = b->live->has_terminal ? -1 : b->stdio[2],
	};
	warden_end_run(&b->warden_run); /* of a payload that was dead before it had its command */
	if (hooks->exec_log)
		spec.audit = hooks->exec_log(hooks->data, b->live, &spec.audit_max_bytes);
	return warden_add_run(&b->ward->warden, &spec, &b->warden_run, error);
}

static bool serves(const struct ward *w)
{
	return w && !w->deaf && w->warden.state == WARDEN_SERVING;
}

/*
 * Its warden took no run. One that was there before @b came is no try of @b's; one that it has waited for is, for else
 * those that end at once would have no end.
 */
static int replace_deaf(struct body *b, bool waited, struct error *error)
{
	b->ward->deaf = warden_has_left(&b->ward->warden);
	if (!b->ward->deaf)
		return -1;
	if (waited && b->tried_again)
		return error_set(error, BLAME_HOST, 0, "%s", lost(b->ward, &b->a));
	b->tried_again |= waited;
	return find_ward(b, error);
}

/* As ward_take_run(), by the warden that it has found. */
static int add_or_await(struct body *b, struct error *error)
{
	if (serves(b->ward)) {
		if (add_run(b, error) == 0)
			return 1;
		if (error->errnum != EAGAIN) /* many runs begin while it is at work */
			return -1;
	}
	await(b);
	return 0;
}

int ward_take_run(struct body *b, struct error *error)
{
	bool waited = b->ward != NULL;
	if (!serves(b->ward) && find_ward(b, error) < 0)
		return -1;
	int r = add_or_await(b, error);
	if (r >= 0)
		return r;
	if (replace_deaf(b, waited, error) < 0)
		return -1;
	return add_or_await(b, error); /* another run may have found that before */
}

void ward_tell(struct body *b)
{
	struct engine_stats *counts = &b->engine->counts;
	if (!b->ward)
		return;
	warden_tell(&b->ward->warden, &b->warden_run, &b->o, &b->a);
	counts->execs_started += b->o.exec.started;
	counts->execs_refused += b->o.exec.refused;
	counts->execs_killed += b->o.exec.killed;
}

/* How the loss of a warden is seen from within: nobody hears, or answers. */
static bool is_of_a_loss(const struct setup_failure *failure)
{
	return failure->errnum == ENOSYS || failure->errnum == EPIPE ||
		failure->errnum == ECONNRESET;
}

bool ward_was_lost(struct body *b, const struct setup_failure *failure)
{
	struct ward *w = b->ward;
	if (!w || !is_of_a_loss(failure))
		return false;
	w->deaf |= warden_has_left(&w->warden);
	return w->deaf;
}

void ward_blame(struct body *b, struct setup_failure *failure)
{
	const struct warden *w = b->ward ? &b->ward->warden : NULL;
	bool its_fault = failure->errnum == 0 || is_of_a_loss(failure);
	if (!w || w->state != WARDEN_GONE || w->expected || !its_fault)
		return;
	*failure = (struct setup_failure){
		.stage = SETUP_HOST, .blame = BLAME_HOST, .what = lost(b->ward, &b->a)};
}

void ward_end_run(struct body *b)
{
	ward_forget(b);
	warden_end_run(&b->warden_run);
	ward_let_go(b->ward);
	b->ward = NULL;
}
