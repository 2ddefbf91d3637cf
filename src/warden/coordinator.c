/* SPDX-License-Identifier: MIT */
#include "warden/coordinator.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "warden/board.h"
#include "warden/control.h"

/* What an event of epoll is about: a slot's number, or one of these behind them. */
enum { ABOUT_CONTROL = SLOTS_MAX, ABOUT_SIGNALS, ABOUT_TIMER };

static int watch(struct coordinator *c, int fd, uint64_t about)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = about};
	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &e);
}

static int open_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int coordinator_init_take(struct coordinator *c, int control, struct error *e)
{
	*c = (struct coordinator){.control = control, .signals = -1, .timer = -1, .epoll = -1};
	docket_init(&c->docket, &c->judge, &c->calls);
	c->slots = calloc(SLOTS_MAX, sizeof(struct slot *));
	c->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	judge_init(&c->judge, c->proc);
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->signals = open_signals();
	c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (!c->slots || c->proc < 0 || c->epoll < 0 || c->signals < 0 || c->timer < 0)
		return error_set(e, BLAME_HOST, errno, "cannot open what a warden waits with");
	if (watch(c, c->control, ABOUT_CONTROL) < 0 || watch(c, c->signals, ABOUT_SIGNALS) < 0 ||
		watch(c, c->timer, ABOUT_TIMER) < 0)
		return errno == ENOSPC ? error_set(e, BLAME_HOST, 0,
						 "cannot wait for events: as many as "
						 "fs.epoll.max_user_watches allows are watched")
				       : error_set(e, BLAME_HOST, errno, "cannot wait for events");
	return 0;
}

/* ---- runs ---- */

static struct slot *slot_new(struct coordinator *c)
{
	struct slot *slot = c->free_slots;
	unsigned number = c->n_slots;
	if (slot) {
		c->free_slots = slot->next_free;
		number = slot->number;
	} else {
		slot = c->n_slots < SLOTS_MAX ? calloc(1, sizeof(*slot)) : NULL;
		if (!slot)
			return NULL;
		c->slots[c->n_slots++] = slot;
	}
	*slot = (struct slot){.number = number, .socket = -1, .listener = -1};
	slot->audit.fd = slot->hint.fd = -1;
	return slot;
}

/* Nobody of the run is left, or nobody is to be served any more. */
static void slot_end(struct coordinator *c, struct slot *slot)
{
	docket_drop(&c->docket, slot);
	slot->socket = fd_close(slot->socket);
	slot->listener = fd_close(slot->listener);
	slot->state = SLOT_ENDING;
	c->n_ending++;
}

static void slot_forget(struct coordinator *c, struct slot *slot, enum warden_health health)
{
	slot_release(slot);
	board_set_health(slot->board, health);
	board_unmap(slot->board);
	slot->board = NULL;
	slot->state = SLOT_FREE;
	c->n_ending--;
	slot->next_free = c->free_slots;
	c->free_slots = slot;
}

/* Those that were ending have ended when their last call has. */
static void look_at_ending(struct coordinator *c)
{
	for (unsigned i = 0; i < c->n_slots && c->n_ending > 0; i++)
		if (c->slots[i]->state == SLOT_ENDING && c->slots[i]->n_calls == 0)
			slot_forget(c, c->slots[i], WARDEN_HEALTH_ENDED);
}

/* The descriptors of a RUN in their order; those that are taken become -1. */
static int slot_fill(struct coordinator *c, struct slot *slot, struct packet *p)
{
	const struct warden_record *record = &c->record;
	struct error e;
	unsigned at = 2;
	slot->board = board_map(p->fds[1], &e);
	if (!slot->board || watch(c, p->fds[0], slot->number) < 0)
		return -1;
	slot->socket = fd_take(&p->fds[0]);
	slot->started_us = record->started_us;
	if (record->flags & WARDEN_HAS_AUDIT)
		audit_init_take(&slot->audit, fd_take(&p->fds[at++]), record->audit_max_bytes);
	if (record->flags & WARDEN_HAS_STDERR)
		hint_init_take(&slot->hint, c->proc, fd_take(&p->fds[at]));
	slot->state = SLOT_EXPECTED;
	return 0;
}

/* A run that cannot be had is not served: its payload finds its socket closed, or its listener. */
static void begin_run(struct coordinator *c, struct packet *p)
{
	struct slot *slot = slot_new(c);
	if (slot && slot_fill(c, slot, p) < 0) {
		board_unmap(slot->board);
		slot->board = NULL;
		slot->next_free = c->free_slots;
		c->free_slots = slot;
	}
}

static void take_listener(struct coordinator *c, struct slot *slot)
{
	int listener, terminal;
	int r = control_receive_listener(slot->socket, &listener, &terminal);
	if (r == -EAGAIN)
		return;
	if (r >= 0)
		slot->listener =
			listener; /* closed with it: whoever waits there must not wait for ever */
	if (r < 0 || watch(c, listener, slot->number) < 0) {
		fd_close(r < 0 ? -1 : terminal);
		slot_end(c, slot);
		return;
	}
	slot->socket = fd_close(slot->socket);
	if (slot->hint.fd < 0 && terminal >= 0)
		hint_init_take(&slot->hint, c->proc, fd_take(&terminal));
	fd_close(terminal);
	notify_wake_in_step(listener);
	slot->state = SLOT_SERVING;
	board_set_health(slot->board, WARDEN_HEALTH_SERVING);
}

static void take_call(struct coordinator *c, struct slot *slot, uint32_t events)
{
	struct notify_call call;
	/* the caller may be gone since: ENOENT is nothing */
	if (events & EPOLLIN && notify_receive(slot->listener, &call) == 0)
		docket_receive(&c->docket, slot, &call);
	else if (events & (EPOLLHUP | EPOLLERR))
		slot_end(c, slot);
}

static void on_slot(struct coordinator *c, struct slot *slot, uint32_t events)
{
	if (slot && slot->state == SLOT_EXPECTED)
		take_listener(c, slot);
	else if (slot && slot->state == SLOT_SERVING)
		take_call(c, slot, events);
}

/* ---- the table ---- */

static void answer_ready(struct coordinator *c)
{
	control_answer(c->control, NULL);
}

static void nothing(struct coordinator *c)
{
	(void)c;
}

static void begin_drain(struct coordinator *c)
{
	const struct itimerspec bound = {
		.it_value = {WARDEN_DRAIN_MS / 1000, WARDEN_DRAIN_MS % 1000 * 1000000}};
	c->control = fd_close(c->control);
	for (unsigned i = 0; i < c->n_slots; i++)
		if (c->slots[i]->state == SLOT_EXPECTED || c->slots[i]->state == SLOT_SERVING)
			slot_end(c, c->slots[i]);
	timerfd_settime(c->timer, 0, &bound, NULL);
}

/* What is still in flight is killed by the kernel as we end. */
static void give_up(struct coordinator *c)
{
	for (unsigned i = 0; i < c->n_slots; i++)
		if (c->slots[i]->state == SLOT_ENDING)
			board_set_health(c->slots[i]->board, WARDEN_HEALTH_DRAIN_LATE);
}

/* The one place where the state changes. What is not in here is impossible, and changes nothing. */
static const struct transition {
	void (*act)(struct coordinator *c); /* NULL: ignored */
	enum coordinator_state next;
} table[COORDINATOR_STATE_COUNT_][EVENT_COUNT_] = {
	[COORDINATOR_STARTING] =
		{
			[EVENT_START] = {answer_ready, COORDINATOR_SERVING},
			[EVENT_BAD] = {nothing, COORDINATOR_ENDED},
			[EVENT_SHUTDOWN] = {nothing, COORDINATOR_ENDED},
		},
	[COORDINATOR_SERVING] =
		{
			[EVENT_BAD] = {nothing, COORDINATOR_SERVING},
			[EVENT_SHUTDOWN] = {begin_drain, COORDINATOR_DRAINING},
		},
	[COORDINATOR_DRAINING] =
		{
			[EVENT_IDLE] = {look_at_ending, COORDINATOR_ENDED},
			[EVENT_LATE] = {give_up, COORDINATOR_ENDED},
		},
};

static void happen(struct coordinator *c, enum coordinator_event event)
{
	const struct transition *t = &table[c->state][event];
	if (!t->act)
		return;
	c->state = t->next;
	t->act(c);
}

/* ---- events ---- */

static void start(struct coordinator *c, struct packet *p)
{
	struct error e = ERROR_INIT;
	struct judge *j = &c->judge;
	int r = notify_probe();
	if (r < 0)
		error_set(&e, BLAME_HOST, -r, "no user notification of seccomp");
	if (r < 0 || control_read_rules(p->fds[0], c->record.n, &j->arena, &j->policy, &e) < 0 ||
		judge_compile(j, c->record.path, &e) < 0) {
		control_answer(c->control, &e);
		happen(c, EVENT_BAD);
		return;
	}
	happen(c, EVENT_START);
}

static void on_control(struct coordinator *c)
{
	struct packet p;
	struct error e = ERROR_INIT;
	long r = packet_receive(c->control, &c->record, sizeof(c->record), false, &p);
	if (r == -EAGAIN)
		return;
	bool first = c->state == COORDINATOR_STARTING;
	if (r == 0 && p.size == 0) {
		happen(c, EVENT_SHUTDOWN);
	} else if (r < 0 || control_check(&c->record, &p, &e) < 0 ||
		(c->record.kind == WARDEN_START) != first) {
		if (first)
			control_answer(c->control, &e);
		happen(c, EVENT_BAD);
	} else if (first) {
		start(c, &p);
	} else {
		begin_run(c, &p);
	}
	packet_close_fds(&p);
}

static void on_signals(struct coordinator *c)
{
	struct signalfd_siginfo info[8];
	ssize_t n = read(c->signals, info, sizeof(info));
	for (ssize_t i = 0; i < n / (ssize_t)sizeof(info[0]); i++)
		if (info[i].ssi_signo == SIGTERM)
			happen(c, EVENT_SHUTDOWN);
	pid_t tid;
	int status;
	while ((tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0)
		docket_report(&c->docket, tid, status);
}

static void on_timer(struct coordinator *c)
{
	uint64_t times;
	if (read(c->timer, &times, sizeof(times)) > 0)
		happen(c, EVENT_LATE);
}

static void on_event(struct coordinator *c, const struct epoll_event *e)
{
	switch (e->data.u64) {
	case ABOUT_CONTROL:
		if (c->control >= 0)
			on_control(c);
		break;
	case ABOUT_SIGNALS:
		on_signals(c);
		break;
	case ABOUT_TIMER:
		on_timer(c);
		break;
	default:
		on_slot(c, c->slots[e->data.u64], e->events);
	}
}

#define EVENTS_AT_ONCE 64

/*
 * Calls are received as they come, and then looked at one by one: one that was received waits for us undisturbed. Where
 * there is one only it is looked at without asking whether there are more.
 */
static void turn(struct coordinator *c)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n = epoll_wait(c->epoll, events, EVENTS_AT_ONCE, c->docket.first ? 0 : -1);
	for (int i = 0; i < n; i++)
		on_event(c, &events[i]);
	if (n <= 0 || docket_has_one(&c->docket))
		docket_next(&c->docket);
	look_at_ending(c);
	if (c->calls.n_in_flight == 0)
		happen(c, EVENT_IDLE);
}

int coordinator_run(struct coordinator *c)
{
	bool began = false;
	while (c->state != COORDINATOR_ENDED) {
		turn(c);
		began |= c->state == COORDINATOR_SERVING;
	}
	return !began ? 1 : c->calls.n_in_flight > 0 ? 2 : 0;
}

void coordinator_fini(struct coordinator *c)
{
	docket_fini(&c->docket);
	for (unsigned i = 0; i < c->n_slots; i++) {
		slot_release(c->slots[i]);
		board_unmap(c->slots[i]->board);
		free(c->slots[i]);
	}
	free(c->slots);
	calls_fini(&c->calls);
	judge_fini(&c->judge);
	c->control = fd_close(c->control);
	c->epoll = fd_close(c->epoll);
	c->signals = fd_close(c->signals);
	c->timer = fd_close(c->timer);
	c->proc = fd_close(c->proc);
}
