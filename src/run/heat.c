/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "run/engine-internal.h"
#include "run/kin.h"

/*
 * A parked payload of a pool with pool.preload goes on to be a warmed program (docs/preload.md): it gets
 * that command, and becomes somebody's run later. Until then its processes are reaped here.
 */

bool heat_wanted(const struct parked *p)
{
	bool is_for_it = p->pool || (p->box && p->box->serving.program == p);
	return is_for_it && p->recipe->page->policy.pool.preload.n > 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct parked *p = handle->data;
	parked_handle_closed(p);
}

static void on_warm_closed(struct warm *w)
{
	struct heat *h = w->data;
	parked_handle_closed(h->parked);
}

static void on_complaints_closed(void *parked)
{
	parked_handle_closed(parked);
}

/* ---- what it complains about ---- */

/* It is a stranger's text: a line of it at most, as the log shows such. */
void heat_complain(const struct parked *p, const char *what)
{
	if (p->heat->complained)
		return;
	p->heat->complained = true;
	const char *text =
		complaints_last(p->heat->complaints); /* where a traceback says what it was */
	const char *last = strrchr(text, '\n');
	log_line("warning: the warmed program of policy '%s' is of no use: %s%s%s",
		p->recipe->prepared.policy.name, what, text[0] ? ": " : "", last ? last + 1 : text);
}

/* ---- its end ---- */

/* Nothing of it is alive. */
static void tell_end(struct parked *p)
{
	static const struct setup_failure killed = {.stage = SETUP_BOX,
		.blame = BLAME_HOST,
		.what = "the warmed program was killed before it had the run"};
	if (p->state == PARKED_HEATING && !p->heat->forked) /* its socket may not have told yet */
		heat_complain(p, warm_fault_text(WARM_GONE));
	parked_tell_failed(p, &killed);
}

/* Both of them are reaped. */
static void over(struct parked *p)
{
	tell_end(p);
	parked_go_down(p);
}

static bool is_reaped(const struct heat *h)
{
	return h->payload.pidfd < 0 && h->init.pidfd < 0 && h->payload_back.pidfd < 0 &&
		h->init_back.pidfd < 0;
}

static void on_ended(struct child *c, int status)
{
	struct heat *h = c->data;
	(void)status;
	heat_kill(h->parked); /* one without the other is no use */
	if (is_reaped(h))
		over(h->parked);
}

bool heat_is_handed_over(const struct heat *h)
{
	return h->runs && is_reaped(h);
}

static bool has_ended(const struct heat *h)
{
	return child_has_ended(&h->payload) && child_has_ended(&h->init) &&
		child_has_ended(&h->payload_back) && child_has_ended(&h->init_back);
}

/*
 * Whoever traces it is in its box. One of its own goes now, with the tracer. In one that is kept the tracer may be a run that
 * lives for long: nobody waits for that but what is left of it here.
 */
static void on_held_up(struct child *c)
{
	struct heat *h = c->data;
	struct parked *p = h->parked;
	heat_kill(p);
	if (!has_ended(h))
		return;
	tell_end(p);
	p->state = PARKED_DOWN;
	p->pool = NULL;
	p->body = NULL;
}

bool heat_is_dying(const struct heat *h)
{
	bool init_ended = !h->forked && child_has_ended(&h->init);
	return h->runs &&
		(h->warm.state == WARM_FAILED || child_has_ended(&h->payload) || init_ended);
}

void heat_kill(struct parked *p)
{
	child_signal(&p->heat->init, SIGKILL);
	child_signal(&p->heat->payload, SIGKILL);
	child_signal(&p->heat->init_back, SIGKILL);
	child_signal(&p->heat->payload_back, SIGKILL);
}

void heat_close(struct parked *p)
{
	struct heat *h = p->heat;
	p->open_handles += child_fini(&h->payload, on_closed, p);
	p->open_handles += child_fini(&h->init, on_closed, p);
	p->open_handles += child_fini(&h->payload_back, on_closed, p);
	p->open_handles += child_fini(&h->init_back, on_closed, p);
	warm_close(&h->warm, on_warm_closed);
	if (h->complaints) {
		p->open_handles++;
		complaints_close(h->complaints, on_complaints_closed, p);
	}
	h->complaints = NULL;
	h->life = fd_close(h->life);
	h->root = fd_close(h->root);
}

/* ---- what it says ---- */

static void on_ready(struct warm *w)
{
	struct heat *h = w->data;
	struct parked *p = h->parked;
	if (p->state != PARKED_HEATING)
		return;
	if (!h->forked || serve_adopt(p, w->sender))
		parked_ready(p);
}

/* It is the run now, and nothing of ours. */
static void on_begun(struct warm *w)
{
	struct parked *p = ((struct heat *)w->data)->parked;
	live_begun(p->body);
	p->group = NULL;
	parked_go_down(p);
}

static void take_back_one(struct heat *h, struct child *c, int *pidfd)
{
	if (*pidfd < 0)
		return;
	c->data = h;
	c->ended = on_ended;
	c->held_up = on_held_up;
	child_watch_take(c, h->parked->engine->loop, fd_take(pidfd));
}

/* Nobody has told us of them: what has a box of its own ends with that, and a fork must not leave them in a kept one. */
static void kill_clones(const struct parked *p)
{
	if (!p->box)
		return;
	if (p->group)
		group_kill(p->group);
	else
		kin_signal(p->heat->payload_pid, SIGKILL);
}

/*
 * The run can have another one: what this one was is ended and reaped here. Its group is the run's
 * already, and used again if it has not received the run.
 */
static void fail_given(struct parked *p, enum warm_fault fault, int errnum)
{
	struct body *b = p->body;
	const struct plan *plan = &b->prepared.plan;
	struct warm_words words = {.cwd = b->request.cwd, .argv = plan->argv, .envp = plan->envp};
	struct setup_failure why = {0};
	warm_word_failure(fault, errnum, &words, &p->a, &why);
	take_back_one(p->heat, &p->heat->payload_back, &b->subject.payload_pidfd);
	take_back_one(p->heat, &p->heat->init_back, &b->subject.init_pidfd);
	subject_fini(&b->subject);
	b->subject = SUBJECT_INIT;
	b->was_ahead &= fault == WARM_GONE; /* only what was not read can be given to another one */
	if (fault != WARM_GONE)
		kill_clones(p);
	live_failed(b, &why);
	p->state = PARKED_DOWN;
	p->body = NULL;
	p->group = NULL;
	heat_kill(p);
	if (is_reaped(p->heat))
		parked_go_down(p);
}

static void complain(const struct parked *p, enum warm_fault fault)
{
	bool forked = p->heat->forked;
	if (p->state == PARKED_DOWN)
		return;
	if (forked && (fault == WARM_LATE || fault == WARM_MALFORMED))
		serve_distrust(p->box, "a fork of it does not keep to the protocol");
	else if (forked && fault == WARM_NO_FORK && p->box->serving.program)
		heat_complain(p->box->serving.program, warm_fault_text(fault));
	else if (!forked || p->state != PARKED_READY) /* any run there may kill one that waits */
		heat_complain(p, warm_fault_text(fault));
}

static void on_failed(struct warm *w, enum warm_fault fault, int errnum)
{
	struct parked *p = ((struct heat *)w->data)->parked;
	if (p->state == PARKED_GOING && p->body) {
		fail_given(p, fault, errnum);
		return;
	}
	complain(p, fault);
	parked_abort(p);
}

/* ---- its beginning ---- */

static struct strv environment(struct parked *p)
{
	static const char variable[] = WARM_VARIABLE "=0";
	const struct strv *of_plan = &p->recipe->prepared.plan.envp;
	struct strv list = {0};
	for (size_t i = 0; i < of_plan->n; i++)
		strv_push(&p->a, &list, of_plan->v[i]);
	strv_push(&p->a, &list, variable);
	return list;
}

/* Limits of processes are the run's: it has them when it is one. */
static int send_command(struct parked *p, int stdio[3], struct error *e)
{
	struct talk_words words = {
		.argv = p->recipe->page->policy.pool.preload,
		.envp = environment(p),
		.stdio = {stdio[0], stdio[1], stdio[2]},
	};
	words.exec_paths = plan_exec_paths(&words.envp, words.argv.v[0], &p->a);
	return talk_go(&p->talk, &words, e);
}

int heat_open(struct parked *p, unsigned ready_ms, int *ret_child, struct error *e)
{
	struct heat *h = calloc(1, sizeof(*h));
	if (!h)
		out_of_memory();
	*h = (struct heat){.parked = p,
		.payload = CHILD_INIT,
		.init = CHILD_INIT,
		.payload_back = CHILD_INIT,
		.init_back = CHILD_INIT,
		.life = -1,
		.root = -1};
	const struct warm_spec spec = {
		p->engine->loop, ready_ms, {on_ready, on_begun, on_failed}, h};
	if (warm_open(&h->warm, &spec, ret_child, e) < 0) {
		free(h);
		return -1;
	}
	p->heat = h;
	p->open_handles++;
	return 0;
}

static int open_stdio(struct parked *p, int stdio[3], struct error *e)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make a pipe");
	stdio[2] = ends[1];
	if (heat_open(p, WARM_READY_MS, &stdio[0], e) < 0) {
		fd_close(ends[0]);
		return -1;
	}
	p->heat->complaints = complaints_open_take(p->engine->loop, ends[0], e);
	return p->heat->complaints ? 0 : -1;
}

bool heat_begin(struct parked *p)
{
	int stdio[3] = {-1, p->engine->null_fd, -1};
	struct error e = ERROR_INIT;
	int r = open_stdio(p, stdio, &e);
	if (r == 0)
		r = send_command(p, stdio, &e);
	fd_close(stdio[0]);
	fd_close(stdio[2]);
	if (r == 0)
		p->state = PARKED_HEATING;
	else
		log_line("warning: no program can be warmed: %s", e.text);
	return r == 0;
}

bool heat_adopt_take(struct parked *p, pid_t pid, int pidfd)
{
	struct heat *h = p->heat;
	h->runs = true;
	h->payload_pid = pid;
	h->payload.data = h;
	h->payload.ended = on_ended;
	h->payload.held_up = on_held_up;
	return child_watch_take(&h->payload, p->engine->loop, pidfd) == 0;
}

static bool adopt_init(struct parked *p)
{
	struct heat *h = p->heat;
	struct talk_box box = talk_take_box(&p->talk);
	h->init_pid = box.init.pid;
	h->life = box.life;
	h->root = box.root;
	h->init.data = h;
	h->init.ended = on_ended;
	return child_watch_take(&h->init, p->engine->loop, box.init.pidfd) == 0;
}

void heat_running(struct parked *p)
{
	struct talk_process payload = talk_take_payload(&p->talk);
	bool init = p->box || adopt_init(p); /* a box that is kept has it already */
	bool r = heat_adopt_take(p, payload.pid, payload.pidfd);
	if (!r && p->heat->init.pidfd < 0)
		over(p);
	else if (!init || !r)
		heat_kill(p);
}

/* ---- its run ---- */

static int set_limits(pid_t pid, const struct plan *plan, struct error *e)
{
	for (size_t i = 0; i < plan->payload.n; i++) {
		const struct step *step = &plan->payload.v[i];
		struct rlimit now;
		if (step->kind != STEP_RLIMIT)
			continue;
		if (prlimit(pid, (int)step->number, NULL, &now) < 0)
			return error_set(
				e, BLAME_HOST, errno, "cannot read a limit of the program");
		struct rlimit wanted = {
			.rlim_cur = step->value < now.rlim_max ? step->value : now.rlim_max,
			.rlim_max = step->value2 < now.rlim_max ? step->value2 : now.rlim_max,
		};
		if (prlimit(pid, (int)step->number, &wanted, NULL) < 0)
			return error_set(e, BLAME_HOST, errno, "cannot set a limit of the program");
	}
	return 0;
}

static void hand_over(struct heat *h, struct subject *s)
{
	s->payload = h->payload_pid;
	s->payload_pidfd = child_take(&h->payload);
	if (h->forked) {
		const struct box *box = h->parked->box;
		s->kept = true;
		s->init = box->inside.init.pid;
		s->root = fcntl(box->inside.root, F_DUPFD_CLOEXEC, 3);
		return;
	}
	s->init = h->init_pid;
	s->init_pidfd = child_take(&h->init);
	s->life_fd = fd_take(&h->life);
	s->root = fd_take(&h->root);
}

int heat_give(struct parked *p, struct body *b, struct error *e)
{
	struct heat *h = p->heat;
	const struct plan *plan = &b->prepared.plan;
	struct warm_words words = {
		.cwd = b->request.cwd,
		.argv = plan->argv,
		.envp = plan->envp,
		.stdio = {b->stdio[0], b->stdio[1], b->stdio[2]},
	};
	if (p->group)
		group_reset(p->group); /* what the warming took is not the run's */
	if (set_limits(h->payload_pid, plan, e) < 0 || warm_run(&h->warm, &words, e) < 0)
		return -1;
	hand_over(h, &b->subject);
	p->engine->counts.forks += h->forked;
	return 0;
}
