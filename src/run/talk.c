/* SPDX-License-Identifier: MIT */
#include "run/talk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/sys.h"
#include "run/deadline.h"
#include "run/idmapped.h"
#include "run/setup-words.h"
#include "run/talk-child.h"
#include "run/talk-records.h"
#include "run/talk-words.h"

/* Records taken in one turn of the loop. */
#define RECORDS_A_TURN 8

static void end(struct talk *t);
static void go_on_ending(struct talk *t);
static void take_records(struct talk *t);
static int ask(struct talk *t, struct error *e);

/* ---- the end ---- */

static void on_handle_closed(uv_handle_t *handle)
{
	struct talk *t = handle->data;
	t->n_handles--;
	go_on_ending(t);
}

static void stop_reading(struct talk *t)
{
	t->reading = false;
	if (t->polled)
		uv_poll_stop(&t->poll);
}

static bool has_children(const struct talk *t)
{
	return t->maker.process.pid || t->payload.process.pid || t->init.process.pid;
}

static void say_vanished(struct talk *t)
{
	if (t->has_why)
		return;
	t->has_why = true;
	setup_say_vanished(t->made ? "the payload's process" : "the box's maker",
		t->made ? t->payload.status : t->maker.status, t->spec.a, &t->why);
}

static void fail(struct talk *t)
{
	t->state = TALKING_FAILED;
	uv_timer_stop(&t->bound);
	stop_reading(t);
	say_vanished(t);
	t->spec.hooks.failed(t, &t->why);
}

static bool has_handles(const struct talk *t)
{
	return t->n_handles > 0 || t->maker.handles > 0 || t->payload.handles > 0 ||
		t->init.handles > 0;
}

static void on_kill_tick(uv_timer_t *timer)
{
	struct talk *t = timer->data;
	uint64_t now_ms = uv_now(zygote_link_loop(t->link));
	if (now_ms >= t->kill_until_ms) {
		fail(t); /* the kernel does not let go of it */
		return;
	}
	uv_timer_start(timer, on_kill_tick, t->kill_until_ms - now_ms, 0);
	go_on_ending(t);
}

/*
 * No copy of its end of the socket is left, so who has not told of himself is dying: no event tells
 * of that, and init cannot go before.
 */
static void sweep(struct talk *t)
{
	if (t->swept || t->reading || t->maker.process.pidfd >= 0)
		return;
	bool looked = talk_child_look(&t->maker) & talk_child_look(&t->payload) &
		talk_child_look(&t->init);
	t->swept = talk_child_sweep(&t->maker, &t->payload) && looked;
	if (!t->swept)
		uv_timer_start(&t->bound, on_kill_tick, 1, 0);
}

/* What becomes of it when another piece of it is gone. */
static void go_on_ending(struct talk *t)
{
	if (t->state == TALKING_ENDING)
		sweep(t);
	if (t->state == TALKING_ENDING && t->swept && !t->reading && !has_children(t))
		fail(t);
	else if (t->closed && !t->polled && !has_handles(t)) {
		void (*closed)(struct talk * t) = t->closed;
		t->closed = NULL;
		closed(t);
	}
}

/* A maker that has ended has said all: without MADE nobody would ever tell of the payload. */
static void on_child_changed(struct talk_child *c)
{
	struct talk *t = c->talk;
	if (c == &t->maker && c->process.pid == 0 && t->state <= TALKING_BORN && t->reading) {
		take_records(t);
		if (t->state <= TALKING_BORN && !t->made && t->reading)
			end(t);
	}
	if (c->process.pid > 0 && c->process.pidfd < 0)
		t->swept = false; /* it is to be looked for */
	go_on_ending(t);
}

static void kill_all(struct talk *t)
{
	talk_child_kill(&t->payload);
	talk_child_kill(&t->maker);
	talk_child_kill(&t->init);
}

/*
 * End all of it that is ours. Its socket is read on until it ends: only then is there nobody left
 * of whom we might not know yet.
 */
static void end(struct talk *t)
{
	if (t->state >= TALKING_RUNNING)
		return;
	t->state = TALKING_ENDING;
	zygote_forget(&t->call);
	talk_close_theirs(t);
	if (!t->box_taken)
		t->box.life = fd_close(t->box.life);
	t->kill_until_ms = uv_now(zygote_link_loop(t->link)) + TALK_KILL_MS;
	uv_timer_start(&t->bound, on_kill_tick, TALK_KILL_MS, 0);
	kill_all(t);
	go_on_ending(t);
}

static void give_up(uv_timer_t *timer)
{
	struct talk *t = timer->data;
	const char *what = t->state < TALKING_PARKED ? "the box was not ready in time"
		: t->tty                             ? "the terminal was not handed over in time"
						     : "the program was not started in time";
	talk_blame(t, BLAME_HOST, ETIMEDOUT, what);
	end(t);
}

/* The news that its program runs may be there: to end that, and try once more, would run it twice. */
static void on_overdue(uv_timer_t *timer)
{
	deadline_after_events(timer, give_up);
}

/* ---- the loop ---- */

static void on_retry_closed(uv_handle_t *handle)
{
	struct talk *t = handle->data;
	struct error e = ERROR_INIT;
	t->n_handles--;
	t->socket = fd_close(t->socket);
	if (t->state == TALKING_ASKED && ask(t, &e) == 0)
		return;
	if (e.blame != BLAME_NONE)
		talk_blame_error(t, &e);
	end(t);
	go_on_ending(t);
}

/* The request died with its zygote, and nobody has it: ask the next one. */
static void retry(struct talk *t)
{
	t->retried = true;
	t->lost = false;
	stop_reading(t);
	t->polled = false;
	uv_close((uv_handle_t *)&t->poll, on_retry_closed);
}

static void run(struct talk *t)
{
	uv_timer_stop(&t->bound);
	t->state = TALKING_RUNNING;
	t->spec.hooks.running(t);
}

static void on_eof(struct talk *t)
{
	if (t->state == TALKING_ASKED && t->lost && !t->retried && t->maker.was == 0) {
		retry(t);
		return;
	}
	stop_reading(t);
	if (t->state == TALKING_ASKED && t->lost)
		talk_blame(t, BLAME_US, ECHILD, "the zygote died twice over it");
	if (t->state == TALKING_GOING && !t->has_why && t->tty && t->pty.master < 0)
		talk_blame(t, BLAME_HOST, 0, "the program ended before it had a terminal");
	if (t->state == TALKING_GOING && t->unread)
		talk_blame(
			t, BLAME_HOST, 0, "its process was killed while it waited for its command");
	if (t->state == TALKING_GOING && !t->has_why) {
		run(t);
		return;
	}
	if (t->state < TALKING_RUNNING)
		end(t);
	else
		go_on_ending(t);
}

/* One record. False: no more of them now. */
static bool take_one(struct talk *t)
{
	struct talk_up up;
	struct packet packet;
	long r = packet_receive(t->socket, &up, sizeof(up), false, &packet);
	if (r == -EAGAIN)
		return false;
	t->unread |= packet.reset && t->state == TALKING_GOING;
	if (r == 0 && packet.size == 0) {
		on_eof(t);
		return false;
	}
	if (r == -EMFILE)
		talk_blame(t, BLAME_HOST, EMFILE, "no more descriptors for a box");
	bool right = r == 0 && talk_take_record(t, &up, &packet);
	if (r == 0)
		packet_close_fds(&packet);
	if (!right)
		talk_blame_protocol(t);
	if (t->state == TALKING_ENDING)
		kill_all(t);
	else if (t->has_why)
		end(t);
	return t->reading;
}

static void take_records(struct talk *t)
{
	for (int n = 0; n < RECORDS_A_TURN && take_one(t); n++)
		;
	if (t->state == TALKING_BORN && t->made && t->parked &&
		(!talk_is_new_box(t) || t->init.was > 0)) {
		uv_timer_stop(&t->bound);
		t->state = TALKING_PARKED;
		t->spec.hooks.parked(t);
	}
}

static void on_socket(uv_poll_t *handle, int status, int events)
{
	(void)status;
	(void)events;
	take_records(handle->data);
}

/* ---- asking ---- */

static unsigned fill(struct zygote_call *c, struct zygote_request *ret, int *fds)
{
	struct talk *t = (struct talk *)((char *)c - offsetof(struct talk, call));
	const struct group_entry *entry = t->spec.entry;
	unsigned n = 0;
	ret->kind = talk_is_new_box(t) ? ZYGOTE_BOX : ZYGOTE_ENTRY;
	memcpy(&ret->signal_mask, &t->spec.signal_mask, sizeof(ret->signal_mask));
	ret->image_bytes = t->spec.image_bytes;
	fds[n++] = t->spec.image;
	fds[n++] = t->theirs;
	fds[n++] = talk_is_new_box(t) ? t->life_read : t->spec.init_pidfd;
	for (int slot = 0; slot < PLAN_MAX_SLOTS && ret->n_slots < WIRE_MAX_SLOTS; slot++) {
		if (t->slots[slot] < 0)
			continue;
		ret->slots[ret->n_slots++] = slot;
		fds[n++] = t->slots[slot];
	}
	if (entry && entry->into_fd >= 0) {
		ret->flags |= WIRE_INTO_CGROUP;
		fds[n++] = entry->into_fd;
	}
	ret->n_tasks = entry ? entry->n_tasks : 0;
	for (unsigned i = 0; i < ret->n_tasks; i++)
		fds[n++] = entry->tasks[i];
	return n;
}

static void refuse(struct talk *t, int errnum)
{
	struct error e = ERROR_INIT;
	if (errnum == ECHILD)
		talk_blame(t, BLAME_US, errnum,
			"the zygote, which makes the boxes, does not stay alive");
	else if (errnum == ESHUTDOWN)
		talk_blame(t, BLAME_REQUEST, errnum, "the daemon is being stopped");
	else if (errnum == EPROTO)
		talk_blame_protocol(t);
	else if (errnum == EMFILE)
		talk_blame(t, BLAME_HOST, errnum, "no more descriptors for the maker of a box");
	else
		setup_refuse_userns(t->spec.a, errnum, &e);
	if (e.blame != BLAME_NONE)
		talk_blame_error(t, &e);
	end(t);
}

static void on_answer(struct zygote_call *c, long result)
{
	struct talk *t = (struct talk *)((char *)c - offsetof(struct talk, call));
	if (result < 0) {
		refuse(t, (int)-result);
	} else if (result == ZYGOTE_LOST) {
		/* the end of the file comes when no maker has it, nor any message on its way */
		t->lost = true;
		t->theirs = fd_close(t->theirs);
	} else if (t->state == TALKING_ASKED && !talk_take_maker(t, (pid_t)result)) {
		talk_blame_protocol(t);
		end(t);
	}
}

static int ask(struct talk *t, struct error *e)
{
	static const int on = 1;
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make a socket for a box");
	t->socket = ends[0];
	t->theirs = ends[1];
	int r = setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0
		? -errno
		: uv_poll_init(zygote_link_loop(t->link), &t->poll, t->socket);
	if (r < 0) {
		t->socket = fd_close(t->socket);
		t->theirs = fd_close(t->theirs);
		return error_set(e, BLAME_HOST, -r, "cannot watch a socket");
	}
	t->poll.data = t;
	t->n_handles++;
	t->polled = t->reading = true;
	uv_poll_start(&t->poll, UV_READABLE, on_socket);
	zygote_ask(t->link, &t->call);
	return 0;
}

static int open_life(struct talk *t, struct error *e)
{
	int life[2];
	if (pipe2(life, O_CLOEXEC) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make a pipe for a box");
	t->life_read = life[0];
	t->box.life = life[1];
	return 0;
}

static int open_trees(struct talk *t, struct error *e)
{
	unsigned n = 0;
	if (idmapped_trees(t->spec.plan, t->slots, &t->not_idmapped, e) < 0)
		return -1;
	for (int i = 0; i < PLAN_MAX_SLOTS; i++)
		n += t->slots[i] >= 0;
	if (n > WIRE_MAX_SLOTS)
		return error_set(e, BLAME_REQUEST, 0,
			"too many directories to be shared with an isolated user: %u, of at most "
			"%u",
			n, WIRE_MAX_SLOTS);
	return 0;
}

int talk_open(
	struct talk *t, struct zygote_link *link, const struct talk_spec *spec, struct error *e)
{
	*t = (struct talk){.spec = *spec,
		.link = link,
		.state = TALKING_ASKED,
		.call = {.fill = fill, .answered = on_answer},
		.socket = -1,
		.theirs = -1,
		.life_read = -1,
		.box = TALK_BOX_NONE,
		.pty = PTY_INIT};
	talk_child_init(&t->maker, t, on_child_changed);
	talk_child_init(&t->payload, t, on_child_changed);
	talk_child_init(&t->init, t, on_child_changed);
	for (int i = 0; i < PLAN_MAX_SLOTS; i++)
		t->slots[i] = -1;
	if ((talk_is_new_box(t) && (open_life(t, e) < 0 || open_trees(t, e) < 0)) ||
		ask(t, e) < 0) {
		talk_close_theirs(t);
		t->box.life = fd_close(t->box.life);
		return -1;
	}
	uv_timer_init(zygote_link_loop(link), &t->bound);
	t->bound.data = t;
	t->n_handles++;
	uv_timer_start(&t->bound, on_overdue, spec->setup_ms ? spec->setup_ms : TALK_SETUP_MS, 0);
	return 0;
}

/* ---- the caller's ---- */

int talk_go(struct talk *t, const struct talk_words *words, struct error *e)
{
	if (t->state != TALKING_PARKED)
		return error_set(e, BLAME_US, EINVAL, "a program's process is not ready");
	int r = talk_words_send(t->socket, words, e);
	if (r < 0)
		return -1;
	t->unread = r > 0;
	t->exec_paths = words->exec_paths;
	t->argv0 = words->argv.v[0];
	t->cwd = words->cwd;
	t->tty = words->tty;
	t->state = TALKING_GOING;
	uv_timer_start(&t->bound, on_overdue, t->spec.go_ms ? t->spec.go_ms : TALK_GO_MS, 0);
	return 0;
}

void talk_abort(struct talk *t)
{
	if (t->state >= TALKING_RUNNING)
		return;
	talk_blame(t, BLAME_REQUEST, ECANCELED, "it was not wanted any more");
	end(t);
}

struct talk_box talk_take_box(struct talk *t)
{
	struct talk_box taken = t->box;
	taken.init = talk_child_take(&t->init);
	t->box = TALK_BOX_NONE;
	t->box_taken = true;
	return taken;
}

struct talk_process talk_take_payload(struct talk *t)
{
	return talk_child_take(&t->payload);
}

struct pty talk_take_pty(struct talk *t)
{
	struct pty taken = t->pty;
	t->pty = PTY_INIT;
	return taken;
}

pid_t talk_payload_pid(const struct talk *t)
{
	return t->payload.process.pid;
}

bool talk_holds_all(const struct talk *t)
{
	return t->payload.process.pidfd >= 0 &&
		(t->init.process.pid == 0 || t->init.process.pidfd >= 0);
}

void talk_close(struct talk *t, void (*closed)(struct talk *t))
{
	t->closed = closed;
	zygote_forget(&t->call);
	kill_all(t);
	stop_reading(t);
	if (t->polled)
		uv_close((uv_handle_t *)&t->poll, on_handle_closed);
	t->polled = false;
	uv_close((uv_handle_t *)&t->bound, on_handle_closed);
	talk_close_theirs(t);
	t->socket = fd_close(t->socket);
	t->box.life = fd_close(t->box.life);
	t->box.root = fd_close(t->box.root);
	t->pty.master = fd_close(t->pty.master);
	t->pty.slave = fd_close(t->pty.slave);
}
