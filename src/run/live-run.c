/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/time.h"
#include "run/engine-internal.h"

/*
 * From the queue to a running program:
 *
 *   live_start ─► prepared ─► watched ─► parked payload ─► live_parked: GO ─► live_running
 *        └───────────┴── live_end_unstarted   └─────────────────┴─► live_failed
 */

/* ---- preparing ---- */

static const struct limits *limits_of(const struct body *b)
{
	return &b->prepared.policy.limits;
}

static int find_recipe(struct body *b, struct error *e)
{
	if (!b->recipe)
		b->recipe = pool_take(b->engine, b, &b->taken);
	if (!b->recipe)
		b->recipe = recipe_new(b->engine, b->page, &b->request.request, e);
	return b->recipe ? 0 : -1;
}

static int prepare(struct body *b, struct error *e)
{
	struct request inside = b->request.request;
	struct prepare_caller caller = engine_caller(b->engine, NULL, b->live->id);
	if (find_recipe(b, e) < 0)
		return -1;
	/* what the box was made by is no wish of the run's any more */
	if (!b->box) {
		inside.policy = NULL;
		inside.read = inside.write = (struct bind_list){0};
		inside.hide = inside.tmpfs = (struct strv){0};
		inside.root = inside.workdir = NULL;
		inside.user_given = inside.network_given = false;
		inside.limit_given[LIMIT_TMP_SIZE] = false;
	}
	return prepare_entry(&b->prepared, &b->recipe->prepared, &inside, &caller, &b->a, e);
}

static bool box_is_there(const struct body *b, struct error *e)
{
	if (!b->box || b->box->state < BOX_STOPPING)
		return true;
	error_say(e, BLAME_REQUEST, ESHUTDOWN, "box '%s' is gone%s%s", b->box->id,
		b->box->fault ? ": " : "", b->box->fault ? b->box->fault : "");
	return false;
}

/* Once; one that has ended already was told of as such. */
static void begin(struct body *b)
{
	struct live *l = b->live;
	const struct engine_hooks *hooks = &b->engine->hooks;
	if (l->begun || b->ended)
		return;
	l->begun = true;
	if (hooks->begun)
		l->record = hooks->begun(hooks->data, l, &b->o);
}

/* What execs it does is written down where its record is, from the first one on. */
static bool is_audited(const struct body *b)
{
	return b->prepared.policy.exec.mode != EXEC_OFF;
}

/* ---- the watch ---- */

static void on_settled(void *data)
{
	struct body *b = data;
	live_close_stdio(b); /* ours of the output: then it ends where nobody else writes */
	output_close(&b->output, 0);
	ward_tell(b);
	watch_conclude(&b->watch);
	live_conclude(b);
}

static void on_watch_closed(void *data, const struct error *left)
{
	struct body *b = data;
	b->group = NULL;
	if (left->blame != BLAME_NONE)
		log_line("warning: run '%s': %s", b->live->id, left->text);
	live_release(b);
}

/* Also when the end of its parked payload is held up for longer than anybody waits. */
static void on_gone(void *data)
{
	struct body *b = data;
	ward_forget(b);
	if (b->parked)
		parked_give_up(b->parked);
	b->parked = NULL;
	watch_close(&b->watch, on_watch_closed);
}

static void on_timeline(void *data, const struct timeline *t)
{
	struct body *b = data;
	const struct engine_hooks *hooks = &b->engine->hooks;
	if (hooks->timeline)
		hooks->timeline(hooks->data, b->live, t);
}

/* KILL was decided on while there is only half of a payload, which is not ours yet. */
static void on_kill(void *data)
{
	struct body *b = data;
	if (b->parked)
		parked_abort(b->parked);
}

/* Nothing that it would be asked is wanted any more. */
static void on_killing(void *data)
{
	struct body *b = data;
	if (b->ward && !b->box)
		warden_shut_down(&b->ward->warden);
}

static void on_traced(void *data)
{
	struct body *b = data;
	if (b->ward)
		warden_kill(&b->ward->warden,
			"held up the end of a process for a second, and was killed");
}

static void watch(struct body *b)
{
	struct watch_spec spec = {
		.loop = b->engine->loop,
		.plan = &b->prepared.plan,
		.host = &b->engine->host,
		.o = &b->o,
		.a = &b->a,
		.subject = &b->subject,
		.group = b->group,
		.output = &b->output,
		.witnesses = &b->engine->witnesses,
		.prompt = true,
		.guarded = true,
		.began_us = b->began_us,
		.hooks = {.data = b,
			.settled = on_settled,
			.gone = on_gone,
			.timeline = on_timeline,
			.kill = on_kill,
			.killing = on_killing,
			.traced = on_traced},
	};
	b->watched = true;
	watch_init(&b->watch, &spec);
	watch_begin(&b->watch);
}

/* ---- the payload ---- */

/* A fork runs in the box in which it was made. */
static void join(struct body *b, struct box *box)
{
	box_hold(box);
	b->box = box;
	box->n_runs++;
	box_add(box, b);
}

/* One that is there, or on its way, or made now. NULL with @e. */
static struct parked *find_parked(struct body *b, struct error *e)
{
	struct parked *p = b->taken ? b->taken : b->box ? b->box->spare : NULL;
	if (!p)
		return parked_open(b->engine, b->recipe, b->box, b, e);
	b->was_ahead = true;
	if (!b->taken)
		b->box->spare = NULL;
	else if (p->box)
		join(b, p->box);
	b->taken = NULL;
	return p;
}

/* Where there was none there may be more to come at once: the next one is made a moment later. */
static void park_next(struct box *box)
{
	post_put(&box->engine->posts, &box->ahead);
}

/* The group was made for whoever comes: now it gets what this run may use. */
static int limit(struct body *b, struct error *e)
{
	struct parked *p = b->parked;
	if (p->group && group_limit(p->group, limits_of(b), p->by, e) < 0)
		return -1;
	for (int l = 0; p->group && l < LIMIT_COUNT_; l++)
		b->o.limits[l].by = p->by[l];
	return 0;
}

static int attach(struct body *b, struct error *e)
{
	struct parked *p = find_parked(b, e);
	if (!p)
		return -1;
	b->parked = p;
	b->group = p->group;
	watch(b);
	if (b->box)
		park_next(b->box);
	parked_give(p, b);
	return 0;
}

void live_enter_box(struct body *b)
{
	struct error e = ERROR_INIT;
	if (attach(b, &e) < 0)
		live_end_unstarted(b, &e);
}

/* In this order, so that there is something to be killed, told and read from as soon as it may be. */
static int try_to_start(struct body *b, struct error *e)
{
	struct error prepared = ERROR_INIT;
	bool there = box_is_there(b, &prepared);
	int r = there ? prepare(b, &prepared) : -1;
	live_observe(b);
	if (r < 0) {
		*e = prepared;
		return -1;
	}
	if (is_audited(b))
		begin(b);
	if (live_open_output(b, e) < 0 || live_open_stdin(b, e) < 0)
		return -1;
	return b->box && b->box->state == BOX_MAKING ? 0 : attach(b, e);
}

/* The record begins behind the command, and beside it: nobody can have been told of the run before. */
void live_start(struct live *l)
{
	struct body *b = l->body;
	struct error e = ERROR_INIT;
	l->engine->counts.runs_total++;
	b->began_us = time_monotonic_us();
	live_enter(l, LIVE_STARTING);
	int r = try_to_start(b, &e);
	begin(b);
	if (r < 0)
		live_end_unstarted(b, &e);
}

static void add_rlimits(struct talk_words *words, const struct plan *plan)
{
	for (size_t i = 0; i < plan->payload.n && words->n_rlimits < WIRE_MAX_RLIMITS; i++) {
		const struct step *step = &plan->payload.v[i];
		if (step->kind != STEP_RLIMIT)
			continue;
		unsigned n = words->n_rlimits++;
		words->rlimits[n].resource = (int)step->number;
		words->rlimits[n].soft = step->value;
		words->rlimits[n].hard = step->value2;
	}
}

/* A box of its own has been made with the CPUs of its run. */
static void set_affinity(struct body *b)
{
	const struct plan *plan = &b->prepared.plan;
	const struct parked *p = b->parked;
	pid_t pid = p->heat ? p->heat->payload_pid : talk_payload_pid(&p->talk);
	for (size_t i = 0; i < plan->payload.n && pid > 0; i++)
		if (plan->payload.v[i].kind == STEP_AFFINITY)
			sched_setaffinity(
				pid, sizeof(plan->cpu_mask), (const cpu_set_t *)plan->cpu_mask);
}

/* NULL: where the policy says. */
static const char *start_directory(const struct body *b)
{
	if (b->request.cwd)
		return b->request.cwd;
	return b->box ? b->box->cwd : NULL;
}

static int go(struct body *b, struct error *e)
{
	const struct plan *plan = &b->prepared.plan;
	struct talk_words words = {
		.exec_paths = plan->exec_paths,
		.argv = plan->argv,
		.envp = plan->envp,
		.cwd = start_directory(b),
		.tty = b->live->has_terminal,
		.look = live_look(b),
		.stdio = {b->stdio[0], b->stdio[1], b->stdio[2]},
	};
	add_rlimits(&words, plan);
	if (b->recipe->plan.exec != EXEC_OFF)
		words.warden = &b->warden_run.socket;
	int r = talk_go(&b->parked->talk, &words, e);
	b->warden_run.socket = fd_close(b->warden_run.socket); /* it has it */
	return r;
}

static int give_command(struct body *b, struct error *e)
{
	if (b->box)
		set_affinity(b);
	return b->parked->heat ? heat_give(b->parked, b, e) : go(b, e);
}

void live_parked(struct body *b)
{
	struct error e = ERROR_INIT;
	if (parked_is_dying(b->parked)) /* live_failed() comes, which may have another one */
		return;
	int judged = b->recipe->plan.exec == EXEC_OFF ? 1 : ward_take_run(b, &e);
	if (judged == 0)
		return;
	if (judged > 0 && limit(b, &e) == 0 && give_command(b, &e) == 0) {
		b->parked->state = PARKED_GOING;
		output_start(&b->output);
		return;
	}
	b->o.setup = (struct setup_failure){.stage = SETUP_HOST,
		.errnum = e.errnum,
		.blame = e.blame,
		.what = arena_strdup(&b->a, e.text)};
	parked_abort(b->parked);
}

void live_abort(struct body *b, const char *why)
{
	if (b->o.setup.stage == SETUP_NONE)
		b->o.setup = (struct setup_failure){
			.stage = SETUP_BOX, .blame = BLAME_HOST, .what = why};
	parked_abort(b->parked);
}

static void fill_subject(struct body *b)
{
	struct talk *t = &b->parked->talk;
	struct talk_process payload = talk_take_payload(t);
	b->subject.payload = payload.pid;
	b->subject.payload_pidfd = payload.pidfd;
	b->subject.kept = b->box != NULL;
	if (b->box) {
		b->subject.init = b->box->inside.init.pid;
		b->subject.root = fcntl(b->box->inside.root, F_DUPFD_CLOEXEC, 3);
		return;
	}
	struct talk_box inside = talk_take_box(t);
	b->subject.init = inside.init.pid;
	b->subject.init_pidfd = inside.init.pidfd;
	b->subject.life_fd = inside.life;
	b->subject.root = inside.root;
}

static void send_early(struct body *b)
{
	for (int sig = 1; b->early && sig < NSIG; sig++)
		if (b->early->signals & 1ull << (sig - 1))
			killer_signal(&b->watch, sig, 0, b->early->uid[sig]);
}

static void begin_to_run(struct body *b)
{
	b->parked = NULL;
	/*
	 * Our ends of the output stay open until all is over: else the end of the program would be told three
	 * times, by each of its pipes before it is by itself, to a supervisor that takes the CPU from it.
	 */
	b->stdio[0] = fd_close(b->stdio[0]);
	live_enter(b->live, LIVE_RUNNING);
	if (b->live->has_terminal && b->pty.master >= 0)
		live_connect_terminal(b);
	live_changed(b->live); /* stdin may be open now */
	watch_started(&b->watch);
	send_early(b);
}

void live_running(struct body *b)
{
	fill_subject(b);
	b->pty = talk_take_pty(&b->parked->talk);
	begin_to_run(b);
}

void live_begun(struct body *b)
{
	begin_to_run(b);
}

/*
 * One that was made ahead may have been dead before it was given away: in a kept box anybody with its
 * uid can kill it. Nor was anything of the program started where its first exec had no warden to judge it any more.
 * That is no run's fault. The group is kept: nobody is in it.
 */
static bool try_another(struct body *b, const struct setup_failure *why)
{
	struct error ignored = ERROR_INIT;
	bool its_own = why->stage == SETUP_EXEC || why->blame == BLAME_REQUEST;
	bool wanted = b->o.n_acts == 0 && b->o.setup.stage == SETUP_NONE;
	bool hopeful = ward_was_lost(b, why) || (b->was_ahead && !its_own);
	if (b->tried_again || !hopeful || !wanted || (b->box && b->box->state != BOX_READY))
		return false;
	b->tried_again = true;
	b->parked = parked_open_again(b->parked, &ignored);
	return b->parked != NULL;
}

void live_failed(struct body *b, const struct setup_failure *why)
{
	struct setup_failure failure = *why;
	ward_forget(b);
	if (try_another(b, why))
		return;
	failure.what = arena_strdup(&b->a, why->what); /* theirs goes with the talk */
	if (b->o.setup.stage != SETUP_NONE)
		failure = b->o.setup; /* why it was aborted */
	ward_blame(b, &failure);
	b->parked = NULL;
	live_close_stdio(b);
	watch_failed(&b->watch, &failure);
}
