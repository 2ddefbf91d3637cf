/* SPDX-License-Identifier: MIT */
#include "run/zygote-link.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/time.h"
#include "run/child.h"
#include "run/deadline.h"

/*
 * A zygote that dies is followed by another one at once. When that does not live either, the next
 * comes after a while, twice as long each time; in the end requests are refused rather than kept.
 */
#define QUICK_DEATH_US   (1 * US_PER_SEC)
#define FIRST_PAUSE_MS   10u
#define MAX_QUICK_DEATHS 8u

/* Answers taken in one turn of the loop: others are to have theirs. */
#define ANSWERS_A_TURN 64

/*
 * One zygote. It outlives the link's interest in it: until it is reaped, and the loop has let go of
 * its handles.
 */
struct generation {
	struct zygote_link *link;
	struct generation *next; /* of the link's */
	struct zygote zygote; /* whose pidfd the process has */
	struct child process;
	uint64_t started_us;
	uv_poll_t answers;
	bool over; /* the link has given it up */
	bool released; /* its process is waited for no more */
	unsigned n_handles; /* and one more, until it is released */
};

/* A ring of calls, with a head that is none itself. */
struct ring {
	struct zygote_call head;
};

struct zygote_link {
	uv_loop_t *loop;
	char path[PATH_MAX];
	struct generation *now; /* NULL: none lives */
	struct generation *all; /* that, and those that are not reaped and freed yet */
	struct ring waiting; /* to be sent */
	struct ring flying; /* sent */
	struct ring done; /* to be answered: what was lost or refused */
	uint64_t serial;
	unsigned quick_deaths;
	unsigned n_open; /* generations, and handles of our own */
	uv_timer_t pause; /* until the next start */
	uv_timer_t
		patience; /* with the one of now, while it owes answers; at last, with their ends */
	uint64_t patience_ms;
	uv_idle_t soon; /* what is known already is told from the loop */
	struct zygote_stats stats;
	bool closing;
	void (*closed)(void *data);
	void *data;
};

static void send_waiting(struct zygote_link *l);
static void give_up(struct generation *g);

/* ---- rings ---- */

static void ring_init(struct ring *r)
{
	r->head.next = r->head.previous = &r->head;
}

static void ring_put(struct ring *r, struct zygote_call *c)
{
	c->previous = r->head.previous;
	c->next = &r->head;
	c->previous->next = c->next->previous = c;
}

static void take_off(struct zygote_call *c)
{
	c->previous->next = c->next;
	c->next->previous = c->previous;
	c->next = c->previous = NULL;
}

static struct zygote_call *ring_first(struct ring *r)
{
	return r->head.next != &r->head ? r->head.next : NULL;
}

static unsigned ring_count(const struct ring *r)
{
	unsigned n = 0;
	for (const struct zygote_call *c = r->head.next; c != &r->head; c = c->next)
		n++;
	return n;
}

/* ---- answers ---- */

static void answer(struct zygote_link *l, struct zygote_call *c, long result)
{
	take_off(c);
	l->stats.refusals += result < 0;
	c->answered(c, result);
}

static void on_soon(uv_idle_t *idle)
{
	struct zygote_link *l = idle->data;
	/* only those that are here now: what comes meanwhile has the next round */
	for (unsigned n = ring_count(&l->done); n > 0 && ring_first(&l->done); n--) {
		struct zygote_call *c = ring_first(&l->done);
		answer(l, c, c->result);
	}
	if (!ring_first(&l->done))
		uv_idle_stop(&l->soon);
}

static void answer_soon(struct zygote_link *l, struct zygote_call *c, long result)
{
	if (c->next)
		take_off(c);
	c->result = result;
	ring_put(&l->done, c);
	uv_idle_start(&l->soon, on_soon);
}

static void refuse_all(struct zygote_link *l, struct ring *ring, long result)
{
	for (struct zygote_call *c; (c = ring_first(ring));)
		answer_soon(l, c, result);
}

static struct zygote_call *find(struct zygote_link *l, uint64_t serial)
{
	/* mostly the first: a zygote answers in the order it was asked */
	for (struct zygote_call *c = l->flying.head.next; c != &l->flying.head; c = c->next)
		if (c->serial == serial)
			return c;
	return NULL;
}

/* ---- generations ---- */

static void drop_link(struct zygote_link *l)
{
	if (--l->n_open > 0)
		return;
	if (l->closed)
		l->closed(l->data);
	free(l);
}

static void on_handle_closed(uv_handle_t *handle)
{
	drop_link(handle->data);
}

static void unlink_generation(struct generation *g)
{
	struct generation **at = &g->link->all;
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
}

static void on_generation_closed(uv_handle_t *handle)
{
	struct generation *g = handle->data;
	if (--g->n_handles > 0)
		return;
	struct zygote_link *l = g->link;
	unlink_generation(g);
	zygote_end(&g->zygote);
	free(g);
	if (l->closing && !l->all)
		uv_close((uv_handle_t *)&l->patience, on_handle_closed);
	drop_link(l);
}

static void release(struct generation *g)
{
	if (g->released)
		return;
	g->released = true;
	g->n_handles += child_fini(&g->process, on_generation_closed, g) - 1;
}

/* One that cannot live is not started over and over for nobody. */
static void on_pause(uv_timer_t *timer)
{
	struct zygote_link *l = timer->data;
	if (l->quick_deaths < MAX_QUICK_DEATHS || ring_first(&l->waiting))
		send_waiting(l);
}

static void end_silent(uv_timer_t *timer)
{
	struct zygote_link *l = timer->data;
	log_line("warning: the zygote does not answer: it is ended");
	if (l->now)
		give_up(l->now);
}

static void on_impatience(uv_timer_t *timer)
{
	deadline_after_events(timer, end_silent);
}

/* It owes an answer, or has given one: the next has as long again. */
static void expect_answer(struct zygote_link *l)
{
	if (ring_first(&l->flying))
		uv_timer_start(&l->patience, on_impatience, l->patience_ms, 0);
	else
		uv_timer_stop(&l->patience);
}

/* How long until another one is tried, after some that lived for a moment only. */
static unsigned pause_ms(unsigned quick_deaths)
{
	return quick_deaths > 1 ? FIRST_PAUSE_MS << (quick_deaths - 2) : 0;
}

static void count_death(struct zygote_link *l, bool quick)
{
	l->quick_deaths = quick ? l->quick_deaths + 1 : 1;
	if (l->quick_deaths > MAX_QUICK_DEATHS) {
		l->quick_deaths = MAX_QUICK_DEATHS;
		refuse_all(l, &l->waiting, -ECHILD);
	}
	uv_timer_start(&l->pause, on_pause, pause_ms(l->quick_deaths), 0);
}

/*
 * It is dead or as good as dead. Who had asked it learns from his talk socket what became of that:
 * it has an end of file only when no copy of the other end is left, in a maker or on its way.
 */
static void give_up(struct generation *g)
{
	struct zygote_link *l = g->link;
	if (g->over)
		return;
	g->over = true;
	l->now = NULL;
	uv_close((uv_handle_t *)&g->answers, on_generation_closed);
	child_signal(&g->process, SIGKILL);
	l->stats.lost += ring_count(&l->flying);
	refuse_all(l, &l->flying, ZYGOTE_LOST);
	expect_answer(l);
	if (!l->closing)
		count_death(l, time_monotonic_us() - g->started_us < QUICK_DEATH_US);
}

static void on_end(struct child *c, int status)
{
	struct generation *g = c->data;
	(void)status;
	give_up(g);
	zygote_reap_group(&g->zygote);
	release(g);
}

/* It has ended, and somebody traces it, who has its status first: the next one need not wait for that. */
static void on_held_up(struct child *c)
{
	give_up(c->data);
}

/*
 * One answer. False: there is none now, or no more. An answer to nobody (serial 0) means that a request was not
 * understood: whoever had made it would wait in vain.
 */
static bool take_answer(struct generation *g)
{
	struct zygote_link *l = g->link;
	struct zygote_reply reply;
	struct packet packet;
	long r = packet_receive(g->zygote.socket, &reply, sizeof(reply), false, &packet);
	if (r == -EAGAIN)
		return false;
	bool right = r == 0 && packet.size == sizeof(reply) && packet.n_fds == 0 &&
		reply.magic == WIRE_MAGIC && reply.version == WIRE_VERSION && reply.zero == 0 &&
		reply.pid != 0 && reply.serial != 0;
	if (r == 0)
		packet_close_fds(&packet);
	if (!right) {
		if (packet.size != 0 || r < 0)
			log_line("warning: the zygote does not keep to its protocol: it is ended");
		give_up(g);
		return false;
	}
	struct zygote_call *c = find(l, reply.serial);
	l->stats.answers++;
	l->quick_deaths = 0;
	if (c)
		answer(l, c, reply.pid);
	if (!g->over)
		expect_answer(l);
	return !g->over;
}

static void on_socket(uv_poll_t *handle, int status, int events)
{
	struct generation *g = handle->data;
	(void)status;
	for (unsigned n = 0; n < ANSWERS_A_TURN && take_answer(g); n++)
		;
	if (!g->over && events & UV_WRITABLE)
		send_waiting(g->link);
}

static int begin_generation_take(struct zygote_link *l, struct zygote *z)
{
	struct generation *g = calloc(1, sizeof(*g));
	if (!g)
		out_of_memory();
	*g = (struct generation){.link = l,
		.next = l->all,
		.zygote = *z,
		.process = {.pidfd = -1, .ended = on_end, .held_up = on_held_up, .data = g},
		.started_us = time_monotonic_us()};
	*z = ZYGOTE_NONE;
	int r = uv_poll_init(l->loop, &g->answers, g->zygote.socket);
	if (r < 0) {
		zygote_end(&g->zygote);
		free(g);
		return r;
	}
	g->answers.data = g;
	g->n_handles = 1;
	l->n_open++;
	l->all = g;
	if (child_watch_take(&g->process, l->loop, fd_take(&g->zygote.pidfd)) < 0) {
		r = -errno;
		uv_close((uv_handle_t *)&g->answers, on_generation_closed);
		return r;
	}
	g->n_handles = 2;
	l->now = g;
	uv_poll_start(&g->answers, UV_READABLE, on_socket);
	return 0;
}

/* ---- requests ---- */

/* False: the socket takes no more now, or nobody is there. */
static bool send_one(struct zygote_link *l, struct zygote_call *c)
{
	struct generation *g = l->now;
	struct zygote_request request = {0};
	int fds[PACKET_MAX_FDS];
	unsigned n = c->fill(c, &request, fds);
	request.magic = WIRE_MAGIC;
	request.version = WIRE_VERSION;
	request.serial = c->serial = ++l->serial;
	long r = packet_send(g->zygote.socket, (struct packet_bytes){&request, sizeof(request)},
		(struct packet_bytes){0}, fds, n);
	if (r == -EAGAIN) {
		uv_poll_start(&g->answers, UV_READABLE | UV_WRITABLE, on_socket);
		return false;
	}
	if (r == -EPIPE || r == -ECONNRESET || r == -ENOTCONN)
		return false; /* its death will be noticed */
	if (r < 0) {
		answer_soon(l, c, r);
		return true;
	}
	l->stats.requests++;
	take_off(c);
	ring_put(&l->flying, c);
	if (!uv_is_active((uv_handle_t *)&l->patience))
		expect_answer(l);
	return true;
}

static bool start_another(struct zygote_link *l)
{
	struct error e = ERROR_INIT;
	struct zygote z;
	int r = zygote_start(&z, l->path, &e);
	if (r == 0) {
		l->stats.restarts++;
		r = begin_generation_take(l, &z);
	} else {
		log_line("warning: %s", e.text);
	}
	if (r < 0)
		count_death(l, true);
	return r == 0;
}

static void send_waiting(struct zygote_link *l)
{
	struct zygote_call *c;
	if (l->closing)
		return;
	if (!l->now && !uv_is_active((uv_handle_t *)&l->pause) && !start_another(l))
		return;
	if (!l->now)
		return;
	while ((c = ring_first(&l->waiting)) && send_one(l, c))
		;
	if (!c)
		uv_poll_start(&l->now->answers, UV_READABLE, on_socket);
}

void zygote_ask(struct zygote_link *l, struct zygote_call *c)
{
	c->next = c->previous = NULL;
	if (l->closing) {
		answer_soon(l, c, -ESHUTDOWN);
		return;
	}
	bool first = !ring_first(&l->waiting);
	ring_put(&l->waiting, c);
	if (first)
		send_waiting(l);
}

void zygote_forget(struct zygote_call *c)
{
	if (c->next)
		take_off(c);
}

/* ---- the link ---- */

int zygote_link_open_take(struct zygote_link **ret, uv_loop_t *loop, struct zygote *first,
	const char *path, struct error *e)
{
	struct zygote z = *first;
	*first = ZYGOTE_NONE;
	if (z.pid <= 0 && zygote_start(&z, path, e) < 0)
		return -1;
	struct zygote_link *l = calloc(1, sizeof(*l));
	if (!l)
		out_of_memory();
	l->loop = loop;
	if (strlen(path) >= sizeof(l->path)) {
		free(l);
		zygote_end(&z);
		return error_set(e, BLAME_REQUEST, ENAMETOOLONG, "cannot start '%s'", path);
	}
	strcpy(l->path, path);
	ring_init(&l->waiting);
	ring_init(&l->flying);
	ring_init(&l->done);
	uv_timer_init(loop, &l->pause);
	uv_timer_init(loop, &l->patience);
	uv_idle_init(loop, &l->soon);
	l->pause.data = l->patience.data = l->soon.data = l;
	l->patience_ms = ZYGOTE_ANSWER_MS;
	l->n_open = 3;
	int r = begin_generation_take(l, &z);
	if (r < 0) {
		zygote_link_close(l, NULL, NULL);
		return error_set(e, BLAME_HOST, -r, "cannot watch the zygote");
	}
	*ret = l;
	return 0;
}

static void release_all(uv_timer_t *timer)
{
	struct zygote_link *l = timer->data;
	for (struct generation *g = l->all; g; g = g->next)
		release(g);
}

static void on_undying(uv_timer_t *timer)
{
	deadline_after_events(timer, release_all);
}

void zygote_link_close(struct zygote_link *l, void (*closed)(void *data), void *data)
{
	l->closing = true;
	l->closed = closed;
	l->data = data;
	if (l->now)
		give_up(l->now);
	refuse_all(l, &l->waiting, -ESHUTDOWN);
	while (ring_first(&l->done))
		answer(l, ring_first(&l->done), -ESHUTDOWN);
	uv_close((uv_handle_t *)&l->pause, on_handle_closed);
	uv_close((uv_handle_t *)&l->soon, on_handle_closed);
	if (l->all)
		uv_timer_start(&l->patience, on_undying, ZYGOTE_KILL_MS, 0);
	else
		uv_close((uv_handle_t *)&l->patience, on_handle_closed);
}

void zygote_link_patience(struct zygote_link *l, uint64_t ms)
{
	l->patience_ms = ms;
}

void zygote_link_stats(const struct zygote_link *l, struct zygote_stats *ret)
{
	*ret = l->stats;
	ret->in_flight = ring_count(&l->flying);
	ret->waiting = ring_count(&l->waiting);
}

pid_t zygote_link_pid(const struct zygote_link *l)
{
	return l->now ? l->now->zygote.pid : 0;
}

uv_loop_t *zygote_link_loop(const struct zygote_link *l)
{
	return l->loop;
}
