/* SPDX-License-Identifier: MIT */
#include "server/http.h"

#include <errno.h>

/* What is in a request's headers is copied there, and its body passes through it. */
#define CONNECTION_MEMORY (2 * HTTP_HEADERS_MAX)

static void set_timer(struct http *h);

static void work(struct http *h)
{
	h->kicked = false;
	MHD_run(h->daemon);
	set_timer(h);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	work(poll->data);
}

/* Not at once: a timer that is due again from within its callback goes off again before any event is looked at. */
static void on_timer(uv_timer_t *timer)
{
	http_kick(timer->data);
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct http *h = prepare->data;
	if (h->kicked)
		work(h);
}

/* A little late rather than too early, which would be for nothing. */
static void set_timer(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG ms;
	if (MHD_get_timeout(h->daemon, &ms) != MHD_YES)
		uv_timer_stop(&h->timer);
	else
		uv_timer_start(&h->timer, on_timer, ms > 0 ? ms + 1 : 0, 0);
}

void http_kick(struct http *h)
{
	h->kicked = true;
}

/* Paths and parameters are decoded by those who know what may be in them. */
static size_t leave_escaped(void *data, struct MHD_Connection *connection, char *text)
{
	(void)data;
	(void)connection;
	size_t size = 0;
	while (text[size])
		size++;
	return size;
}

static struct MHD_Daemon *start(const struct http_calls *calls, unsigned max)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
			MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE,
		0, NULL, NULL, calls->serve, calls->server, MHD_OPTION_NOTIFY_COMPLETED,
		calls->completed, calls->server, MHD_OPTION_NOTIFY_CONNECTION, calls->connection,
		calls->peers, MHD_OPTION_CONNECTION_LIMIT, max, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_IDLE_S,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
		MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_END);
}

int http_open(struct http *h, uv_loop_t *loop, const struct http_calls *calls, unsigned max,
	struct error *e)
{
	*h = (struct http){.daemon = start(calls, max)};
	if (!h->daemon)
		return error_set(e, BLAME_HOST, errno, "cannot start the HTTP library");
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	h->poll.data = h->timer.data = h->prepare.data = h;
	int r = uv_poll_init(loop, &h->poll, info->epoll_fd);
	if (r < 0) {
		MHD_stop_daemon(h->daemon);
		return error_set(e, BLAME_HOST, -r, "cannot wait for clients");
	}
	uv_timer_init(loop, &h->timer);
	uv_prepare_init(loop, &h->prepare);
	h->open_handles = 3;
	uv_poll_start(&h->poll, UV_READABLE, on_readable);
	uv_prepare_start(&h->prepare, on_prepare);
	return 0;
}

int http_add(struct http *h, int fd, const struct sockaddr *address, socklen_t size)
{
	http_kick(h);
	return MHD_add_connection(h->daemon, fd, address, size) == MHD_YES ? 0 : -1;
}

static void on_closed(uv_handle_t *handle)
{
	struct http *h = handle->data;
	if (--h->open_handles == 0 && h->closed)
		h->closed(h->closed_data);
}

void http_close(struct http *h, void (*closed)(void *data), void *data)
{
	h->closed = closed;
	h->closed_data = data;
	/* first: the descriptor's number may be used again behind it */
	uv_close((uv_handle_t *)&h->poll, on_closed);
	uv_close((uv_handle_t *)&h->timer, on_closed);
	uv_close((uv_handle_t *)&h->prepare, on_closed);
	MHD_stop_daemon(h->daemon);
	h->daemon = NULL;
}
