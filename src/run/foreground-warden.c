/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/log.h"
#include "run/foreground.h"

/*
 * The warden of `bulkhead run`. It is started beside the maker; the payload is when it serves. With the KILL of
 * everything, or the end of everybody, its own end begins, whatever the way to there was.
 */

static void refuse(struct foreground *f, const char *what, int errnum, int blame)
{
	struct arena *a = f->watch.at.a;
	f->refusal = (struct setup_failure){.stage = SETUP_HOST,
		.errnum = errnum,
		.blame = blame,
		.what = arena_strdup(a, what)};
	if (!f->payload_begun)
		spawn_abort(&f->spawn);
}

/* Where the program's own standard error goes; one with a terminal of its own sends that itself. */
static int where_hints_go(const struct foreground *f)
{
	const struct plan *plan = f->request->plan;
	int fd = plan->tty ? -1 : plan->capture ? f->stdio[2] : 2;
	return fd >= 0 && fcntl(fd, F_GETFD) >= 0 ? fd : -1;
}

static int add_run(struct foreground *f, struct error *e)
{
	const struct run_hooks *hooks = &f->request->hooks;
	struct warden_run_spec spec = {
		.started_us = f->watch.started_us,
		.audit = -1,
		.stderr_fd = where_hints_go(f),
	};
	if (hooks->exec_log)
		spec.audit = hooks->exec_log(hooks->data, &spec.audit_max_bytes);
	return warden_add_run(&f->warden, &spec, &f->warden_run, e);
}

static void on_ready(struct warden *w)
{
	struct foreground *f = w->hooks.data;
	struct error e = ERROR_INIT;
	if (f->watch.state != WATCH_STARTING || f->watch.first_kill_us)
		return;
	if (add_run(f, &e) == 0) {
		f->spawn_request.warden = f->warden_run.socket;
		f->payload_begun = true;
		if (spawn_payload(&f->spawn, &f->spawn_request, &e) == 0)
			return;
		f->payload_begun = false;
	}
	refuse(f, e.text, e.errnum, e.blame);
}

static void on_gone(struct warden *w, bool expected)
{
	struct foreground *f = w->hooks.data;
	struct error e = ERROR_INIT;
	if (expected || f->watch.state != WATCH_STARTING)
		return;
	error_set(&e, BLAME_HOST, 0, "the warden of the exec policy %s", w->why);
	refuse(f, e.text, 0, BLAME_HOST);
}

int foreground_start_warden(struct foreground *f, struct error *e)
{
	const struct plan *plan = f->request->plan;
	const struct warden_hooks hooks = {.ready = on_ready, .gone = on_gone, .data = f};
	return warden_start(&f->warden, &f->loop, &plan->policy->exec,
		plan_search_path(&plan->envp), &hooks, e);
}

void foreground_blame_warden(const struct foreground *f, struct setup_failure *failure)
{
	int errnum = failure->errnum;
	if (f->refusal.what && (errnum == 0 || errnum == ENOSYS || errnum == EPIPE))
		*failure = f->refusal;
}

void foreground_shut_down_warden(void *data)
{
	warden_shut_down(&((struct foreground *)data)->warden);
}

void foreground_free_from_warden(void *data)
{
	struct foreground *f = data;
	warden_kill(&f->warden, "held up the end of a process for a second, and was killed");
}

void foreground_close_warden(struct foreground *f)
{
	struct warden *w = &f->warden;
	if (w->state == WARDEN_NONE)
		return;
	warden_shut_down(w);
	while (w->state != WARDEN_GONE)
		uv_run(&f->loop, UV_RUN_ONCE);
	if (w->late)
		log_line("warning: the warden of the exec policy %s", w->why);
	warden_end_run(&f->warden_run);
	warden_close(w, NULL);
}
