/* SPDX-License-Identifier: MIT */
#include "run/talk-records.h"

#include <errno.h>

#include "base/fd.h"
#include "kernel/idmap.h"
#include "run/setup-words.h"
#include "run/talk-child.h"

/* ---- why it fails: the first reason counts ---- */

void talk_blame(struct talk *t, enum blame blame, int errnum, const char *what)
{
	if (t->has_why)
		return;
	t->has_why = true;
	t->why = (struct setup_failure){
		.stage = SETUP_BOX, .blame = blame, .errnum = errnum, .what = what};
}

void talk_blame_error(struct talk *t, const struct error *e)
{
	talk_blame(t, e->blame, e->errnum, arena_strdup(t->spec.a, e->text));
}

static void blame_report(struct talk *t, const struct report *r)
{
	const struct setup_words words = {
		.plan = t->spec.plan,
		.host = t->spec.host,
		.argv0 = t->argv0 ? t->argv0 : "",
		.exec_paths = &t->exec_paths,
		.cwd = t->cwd,
	};
	if (t->has_why || r->stage == REPORT_NONE)
		return;
	t->has_why = true;
	setup_say(&words, r, t->spec.a, &t->why);
}

void talk_blame_protocol(struct talk *t)
{
	talk_blame(t, BLAME_US, EPROTO, "a box did not keep to its protocol with the daemon");
}

/* ---- its processes ---- */

bool talk_is_new_box(const struct talk *t)
{
	return t->spec.init_pidfd < 0;
}

/* Our copies of what went to the zygote. */
void talk_close_theirs(struct talk *t)
{
	t->theirs = fd_close(t->theirs);
	t->life_read = fd_close(t->life_read);
	for (int i = 0; i < PLAN_MAX_SLOTS; i++)
		t->slots[i] = fd_close(t->slots[i]);
}

/* The kernel is asked whether it is a child. Another one than we know of is none of ours. */
static bool adopt(struct talk *t, struct talk_child *c, pid_t pid)
{
	int r = talk_child_adopt(c, pid);
	if (r < 0 && r != -ECHILD)
		talk_blame(t, BLAME_HOST, -r, "cannot watch a process of the box");
	return r == 0;
}

/* ---- what it says ---- */

static bool write_maps(struct talk *t)
{
	const struct plan *plan = t->spec.plan;
	const struct talk_down maps = {.magic = WIRE_MAGIC, .kind = TALK_MAPS};
	struct error e = ERROR_INIT;
	long r = idmap_write(
		t->maker.process.pid, plan->uid_map, plan->gid_map, plan->deny_setgroups);
	if (r == 0)
		r = packet_send(t->socket, (struct packet_bytes){&maps, sizeof(maps)},
			(struct packet_bytes){0}, NULL, 0);
	/* a maker that is dead already is seen by its end */
	if (r == 0 || r == -ESRCH || r == -ENOENT || r == -EPIPE)
		return true;
	setup_refuse_userns(t->spec.a, (int)-r, &e);
	talk_blame_error(t, &e);
	return false;
}

bool talk_take_maker(struct talk *t, pid_t pid)
{
	if (!adopt(t, &t->maker, pid))
		return false;
	talk_close_theirs(t);
	talk_child_watch(&t->maker);
	return true;
}

/* Only now may the files of a maker be written that is not root's. */
static bool on_born(struct talk *t, const struct talk_up *up, struct packet *packet)
{
	(void)up;
	if (!talk_take_maker(t, packet->sender))
		return false;
	if (t->state != TALKING_ASKED)
		return t->state == TALKING_ENDING;
	t->state = TALKING_BORN;
	return !talk_is_new_box(t) || write_maps(t);
}

static bool on_init(struct talk *t, const struct talk_up *up, struct packet *packet)
{
	(void)up;
	return talk_is_new_box(t) && adopt(t, &t->init, packet->sender);
}

static bool on_made(struct talk *t, const struct talk_up *up, struct packet *packet)
{
	if (t->made || packet->sender != t->maker.was || packet->n_fds > talk_is_new_box(t) ||
		!adopt(t, &t->payload, up->payload_pid))
		return false;
	t->made = true;
	if (packet->n_fds > 0) {
		t->box.root = packet->fds[0];
		t->box.root_is_here = up->root_is_here != 0;
		packet->n_fds = 0;
	}
	return true;
}

static bool on_parked(struct talk *t, const struct talk_up *up, struct packet *packet)
{
	(void)up;
	if (t->parked || !adopt(t, &t->payload, packet->sender))
		return false;
	t->parked = true;
	return true;
}

static bool on_terminal(struct talk *t, const struct talk_up *up, struct packet *packet)
{
	(void)up;
	if (t->state != TALKING_GOING || !t->tty || t->pty.master >= 0 || packet->n_fds != 2 ||
		packet->sender != t->payload.was)
		return false;
	t->pty = (struct pty){packet->fds[0], packet->fds[1]};
	packet->n_fds = 0;
	return true;
}

static bool on_failed(struct talk *t, const struct talk_up *up, struct packet *packet)
{
	(void)packet;
	if (up->payload_pid > 0 && !adopt(t, &t->payload, up->payload_pid))
		return false;
	blame_report(t, &up->report);
	return true;
}

bool talk_take_record(struct talk *t, const struct talk_up *up, struct packet *packet)
{
	static const struct {
		bool (*take)(struct talk *t, const struct talk_up *up, struct packet *packet);
		unsigned max_fds;
	} kinds[TALK_COUNT_] = {
		[TALK_BORN] = {on_born, 0},
		[TALK_INIT] = {on_init, 0},
		[TALK_MADE] = {on_made, 1},
		[TALK_PARKED] = {on_parked, 0},
		[TALK_TERMINAL] = {on_terminal, 2},
		[TALK_FAILED] = {on_failed, 0},
	};
	return packet->size == sizeof(*up) && up->magic == WIRE_MAGIC && up->kind < TALK_COUNT_ &&
		kinds[up->kind].take && packet->n_fds <= kinds[up->kind].max_fds &&
		kinds[up->kind].take(t, up, packet);
}
