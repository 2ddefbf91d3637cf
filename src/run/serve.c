/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/time.h"
#include "model/filter.h"
#include "run/engine-internal.h"
#include "run/strays.h"

/*
 * Forks of a warmed program (pool.serve: forks, docs/preload.md). The program runs in a box, in a group of
 * its own, and outlives its runs. Asked for a fork it clones a sibling of itself, which therefore is our child,
 * goes into the group that was made for its run, says on a socket of its own that it is ready, and is from
 * then on what any warmed program is: parked, until it becomes one run.
 *
 * The program is a stranger, and so is who says that he is a fork. What decides is the kernel's word: who
 * sent the packet, that it is our child and nobody else's run, in that group, in that box, leads a session
 * (by which a run is told where there are no groups), and has put on the filter that takes from it what
 * its parent could do. Who fails in that is ended, and with it the program that made it; another one is begun
 * in another box when somebody asks again.
 */

/* Who has not answered for so long is not waited for. */
#define PROMPT_US (US_PER_SEC / 5)

/* ---- the box ---- */

static int open_filter(const struct recipe *r)
{
	unsigned short n = 0;
	const struct sock_filter *code = filter_siblings(&n);
	return memfd_sealed("bulkhead-filter", code, r->plan.n_filter > 0 ? n * sizeof(*code) : 0);
}

/* The limits are its runs' and the program's, each in a group of its own below this one. */
static int open_group(struct box *b, struct error *error)
{
	static const struct limits none;
	enum enforced_by by[LIMIT_COUNT_] = {0};
	struct group_spec spec = {
		.id = b->id, .limits = &none, .box = true, .cache = b->engine->groups};
	if (!b->recipe->plan.wants_group)
		return 0;
	return group_open(&b->group, &b->engine->host.cgroup, &spec, by, error);
}

struct share serve_share(const struct recipe *r)
{
	return (struct share){
		.boxes = 1, .memory_bytes = admission_memory(&r->prepared.policy.limits)};
}

struct box *serve_open(struct engine *e, struct pool *pool, struct recipe *r, struct error *error)
{
	const struct share share = serve_share(r);
	struct recipe *serving = recipe_that_serves(r, error);
	if (!serving) {
		recipe_let_go(r);
		return NULL;
	}
	struct box *b = box_new(e, r, &share);
	b->serving = (struct serving){.is = true, .pool = pool, .filter = open_filter(r)};
	if (b->serving.filter >= 0 && open_group(b, error) == 0)
		b->serving.program = parked_open(e, serving, b, NULL, error);
	recipe_let_go(serving);
	if (b->serving.program)
		return b;
	b->serving.pool = NULL;
	b->asked_to_go = true;
	box_stop(b, ACT_CANCELLED, true, 0);
	return NULL;
}

bool serve_is_ready(const struct box *b)
{
	const struct parked *p = b->serving.program;
	return b->state == BOX_READY && p && p->state == PARKED_READY;
}

bool serve_is_prompt(const struct box *b)
{
	const struct serving *s = &b->serving;
	return serve_is_ready(b) &&
		(s->asked == 0 || time_monotonic_us() - s->asked_us < PROMPT_US);
}

void serve_answered(struct box *b)
{
	b->serving.asked--;
	b->serving.asked_us = time_monotonic_us();
}

/* ---- what the kernel knows of a process ---- */

/* 0: nothing. */
static ino_t pid_namespace_of(pid_t pid)
{
	struct stat st;
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	return stat(path, &st) < 0 ? 0 : st.st_ino;
}

/* How many filters it is under; 0 also where the kernel does not tell (before 5.9). */
static unsigned filters_of(pid_t pid)
{
	static const char key[] = "\nSeccomp_filters:";
	char path[64], text[4096];
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (file_read_text(-1, path, text, sizeof(text)) <= 0)
		return 0;
	const char *at = strstr(text, key);
	return at ? (unsigned)strtoul(at + strlen(key), NULL, 10) : 0;
}

static bool is_known_in(const struct box *b, pid_t pid)
{
	if (pid == b->inside.init.pid)
		return true;
	for (const struct body *body = b->bodies; body; body = body->next_in_box)
		if (body->subject.payload == pid && !body->subject.payload_reaped)
			return true;
	for (const struct parked *p = b->engine->parked; p; p = p->next_of_all)
		if (p->box == b &&
			((p->heat && p->heat->payload_pid == pid) ||
				(p->talking && talk_payload_pid(&p->talk) == pid)))
			return true;
	return false;
}

/* What is wrong with @pid, a child of ours, as a fork for @p; NULL: nothing. */
static const char *fault_of(const struct parked *p, pid_t pid)
{
	const struct serving *serving = &p->box->serving;
	if (is_known_in(p->box, pid))
		return "what it calls a fork is another process";
	if (pid_namespace_of(pid) != serving->pid_namespace)
		return "its fork is not in its box";
	if (p->group && !group_has(p->group, pid))
		return "its fork is not in the groups of the run";
	if (getsid(pid) != pid)
		return "its fork leads no session";
	if (serving->n_filters > 0 && filters_of(pid) <= serving->n_filters)
		return "its fork has not put on the filter";
	return NULL;
}

/* ---- the program ---- */

void serve_ready(struct box *b)
{
	b->serving.pid_namespace = pid_namespace_of(b->inside.init.pid);
	b->serving.n_filters = filters_of(b->serving.program->heat->payload_pid);
	if (b->serving.pool)
		pool_served(b->serving.pool);
}

void serve_distrust(struct box *b, const char *why)
{
	struct parked *program = b->serving.program;
	if (!program || program->state != PARKED_READY || !program->heat)
		return;
	heat_complain(program, why);
	heat_kill(program);
}

/* ---- forks ---- */

int serve_fork(struct parked *p, struct error *e)
{
	struct warm_fork fork = {.filter = p->box->serving.filter};
	if (p->group && group_entry_by_file(p->group, fork.entries, &fork.n_entries) < 0)
		return error_set(e, BLAME_HOST, 0, "cannot open the way into a control group");
	if (heat_open(p, WARM_FORK_MS, &fork.socket, e) < 0)
		return -1;
	p->heat->forked = true;
	if (p->box->serving.asked++ == 0)
		p->box->serving.asked_us = time_monotonic_us();
	int r = warm_fork(&p->box->serving.program->heat->warm, &fork, e);
	fd_close(fork.socket);
	if (r < 0)
		serve_answered(p->box);
	return r;
}

/* One whose end nobody would be told of is killed, and is none. It is reaped with the strays. */
static bool adopt_take(struct parked *p, pid_t pid, int pidfd)
{
	static const struct setup_failure unwatched = {.stage = SETUP_BOX,
		.blame = BLAME_HOST,
		.what = "the end of a fork of the warmed program cannot be waited for"};
	if (heat_adopt_take(p, pid, pidfd))
		return true;
	log_line("warning: the end of a fork cannot be waited for: %s", watch_poll_fault(-errno));
	parked_tell_failed(p, &unwatched);
	parked_go_down(p);
	return false;
}

bool serve_adopt(struct parked *p, pid_t sender)
{
	int pidfd = child_open(sender);
	const char *fault =
		pidfd < 0 ? "what it calls a fork is no child of ours" : fault_of(p, sender);
	if (!fault) {
		serve_answered(p->box);
		return adopt_take(p, sender, pidfd);
	}
	fd_close(pidfd);
	serve_distrust(p->box, fault);
	parked_abort(p);
	return false;
}

/* ---- those that nobody told us of ---- */

/* Is a payload being made whose pidfd has not come yet, or waited for without one? */
static bool is_any_coming(const struct engine *e)
{
	for (const struct parked *p = e->parked; p; p = p->next_of_all)
		if (p->talking && !talk_holds_all(&p->talk))
			return true;
	return false;
}

/*
 * A program that clones a sibling more than it was asked for makes us a child whom nobody reaps, and the
 * kernel does not let a pid namespace go before all of it is reaped. The same becomes of whom somebody traces for
 * longer than we wait for his end. When those that we know of are gone, all that is in there and is our child,
 * but for init, is such a one.
 */
void serve_reap_strays(const struct box *b)
{
	/* where no program was ever ready it has not been asked; init is still dying, or there is no need */
	ino_t inside = b->serving.pid_namespace ? b->serving.pid_namespace
						: pid_namespace_of(b->inside.init.pid);
	strays_reap(inside, b->inside.init.pid, is_any_coming(b->engine));
}
