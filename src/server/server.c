/* SPDX-License-Identifier: MIT */
#include "server/server.h"

#include "base/time.h"
#include "server/attachment.h"
#include "server/exchange.h"

int server_open(struct server *s, uv_loop_t *loop, struct engine *engine,
	const struct server_options *options, struct error *e)
{
	*s = (struct server){.loop = loop,
		.engine = engine,
		.options = *options,
		.since_us = time_realtime_us()};
	const struct http_calls calls = {
		.serve = exchange_serve,
		.completed = exchange_completed,
		.connection = peers_notice,
		.server = s,
		.peers = &s->peers,
	};
	/* those which give way are still there for a moment */
	unsigned max = 2 * PEER_CLASS_COUNT_ * options->max_connections;
	peers_init(&s->peers, loop, &s->http, options->max_connections);
	if (http_open(&s->http, loop, &calls, max, e) < 0)
		return -1;
	uv_timer_init(loop, &s->linger);
	s->linger.data = s;
	return listeners_open(&s->listeners, loop, &s->peers, e);
}

void server_stopping(struct server *s)
{
	s->stopping = true;
}

/* ---- the end ---- */

static void part_closed(void *data)
{
	struct server *s = data;
	if (--s->closing == 0)
		s->closed(s->closed_data);
}

static void on_linger_closed(uv_handle_t *handle)
{
	part_closed(handle->data);
}

/* Nobody waits any more, or has waited long enough. */
static void end_all(struct server *s)
{
	attachments_end(s);
	for (struct exchange *x = s->exchanges; x; x = x->next)
		exchange_give_up(x);
	peers_shut_down(&s->peers, true);
	MHD_run(s->http.daemon); /* what was resumed and shut down ends here */
	uv_close((uv_handle_t *)&s->linger, on_linger_closed);
	listeners_close(&s->listeners, part_closed, s);
	http_close(&s->http, part_closed, s);
}

static void on_linger(uv_timer_t *timer)
{
	struct server *s = timer->data;
	s->lingering = false;
	end_all(s);
}

/* Not from here: libmicrohttpd is at work. */
void server_less(struct server *s)
{
	if (s->lingering && s->n_exchanges == 0 && s->n_attachments == 0)
		uv_timer_start(&s->linger, on_linger, 0, 0);
}

void server_close(struct server *s, void (*closed)(void *data), void *data)
{
	s->stopping = true;
	s->closed = closed;
	s->closed_data = data;
	s->closing = 3;
	s->lingering = true;
	listeners_stop(&s->listeners);
	peers_shut_down(&s->peers, false);
	uv_timer_start(&s->linger, on_linger, SERVER_LINGER_MS, 0);
	server_less(s);
}
