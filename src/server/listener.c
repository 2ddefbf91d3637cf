/* SPDX-License-Identifier: MIT */
#include "server/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "server/listener-open.h"

/* Of the connections that wait, so that the runs get their turn too. */
#define ACCEPT_AT_ONCE 64
#define PAUSE_MS       100

static void listen_again(struct listeners *l);

static void on_pause_over(uv_timer_t *timer)
{
	listen_again(timer->data);
}

int listeners_open(struct listeners *l, uv_loop_t *loop, struct peers *peers, struct error *e)
{
	*l = (struct listeners){.loop = loop, .peers = peers, .lock = -1};
	l->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (l->reserve < 0)
		return error_set(e, BLAME_HOST, errno, "cannot open '/dev/null'");
	uv_timer_init(loop, &l->pause);
	l->pause.data = l;
	l->n_handles = 1;
	return 0;
}

/* ---- taking clients ---- */

static void pause_listening(struct listeners *l)
{
	for (unsigned i = 0; i < l->n; i++)
		uv_poll_stop(&l->v[i].poll);
	log_line("warning: out of descriptors or memory: no client is taken for %d ms", PAUSE_MS);
	uv_timer_start(&l->pause, on_pause_over, PAUSE_MS, 0);
}

/*
 * There are no descriptors. Left alone the client would wait and the loop would spin, so it is taken
 * with the one kept for this, told so and let go; an idle one makes room for the next.
 */
static void refuse_one(struct listener *at)
{
	struct listeners *l = at->all;
	l->reserve = fd_close(l->reserve);
	int fd = accept4(at->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		peers_turn_away(l->peers, fd);
	peers_evict(l->peers);
	l->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || l->reserve < 0)
		pause_listening(l);
}

static bool is_out_of_something(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS || errnum == ENOMEM;
}

/* A client whose host is gone, or that has closed without a word, is found in a minute or two. */
static void set_tcp_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, 15},
		{IPPROTO_TCP, TCP_KEEPINTVL, 15},
		{IPPROTO_TCP, TCP_KEEPCNT, 4},
	};
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

static bool accept_one(struct listener *at)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof address;
	int fd = accept4(at->fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 && is_out_of_something(errno))
		refuse_one(at);
	if (fd < 0)
		return false; /* nobody waits, or who did has gone */
	if (at->is_tcp)
		set_tcp_options(fd);
	peers_admit(at->all->peers, fd, at->is_tcp, (struct sockaddr *)&address, size);
	return true;
}

static void on_clients(uv_poll_t *poll, int status, int events)
{
	struct listener *at = poll->data;
	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPT_AT_ONCE && accept_one(at); i++)
		;
}

static void listen_again(struct listeners *l)
{
	if (l->reserve < 0)
		l->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (unsigned i = 0; i < l->n; i++)
		uv_poll_start(&l->v[i].poll, UV_READABLE, on_clients);
}

/* ---- sockets ---- */

static int add_take(struct listeners *l, const struct listener *opened, struct error *e)
{
	int fd = opened->fd;
	if (l->n == LISTENERS_MAX) {
		fd_close(fd);
		return error_set(
			e, BLAME_REQUEST, 0, "more than %d sockets to listen on", LISTENERS_MAX);
	}
	struct listener *at = &l->v[l->n];
	*at = *opened;
	at->all = l;
	at->poll.data = at;
	int rc = uv_poll_init(l->loop, &at->poll, fd);
	if (rc < 0) {
		fd_close(fd);
		return error_set(e, BLAME_REQUEST, -rc, "cannot wait for clients");
	}
	l->n++;
	l->n_handles++;
	uv_poll_start(&at->poll, UV_READABLE, on_clients);
	return 0;
}

int listeners_add_path(struct listeners *l, const char *path, struct error *e)
{
	struct listener at = {.path = path, .made = true};
	int lock = listener_lock(path, e);
	if (lock < 0)
		return -1;
	if (listener_open_path(&at, path, e) < 0 || add_take(l, &at, e) < 0) {
		listener_unlock(lock, path);
		return -1;
	}
	l->lock = lock;
	l->lock_path = path;
	return 0;
}

int listeners_add_tcp(struct listeners *l, const char *address, struct error *e)
{
	struct listener at = {.is_tcp = true};
	return listener_open_tcp(&at, address, e) < 0 ? -1 : add_take(l, &at, e);
}

int listeners_add_inherited(struct listeners *l, bool tcp_allowed, struct error *e)
{
	int n = listener_count_inherited();
	for (int i = 0; i < n; i++) {
		struct listener at = {.fd = LISTENER_FIRST_INHERITED + i};
		if (listener_take_inherited(&at, tcp_allowed, e) < 0 || add_take(l, &at, e) < 0)
			return -1;
	}
	return n;
}

static unsigned port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = {.any = {.sa_family = AF_UNSPEC}};
	socklen_t size = sizeof address;
	if (getsockname(fd, &address.any, &size) < 0)
		return 0;
	return ntohs(
		address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

unsigned listeners_port(const struct listeners *l)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->v[i].is_tcp)
			return port_of(l->v[i].fd);
	return 0;
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
	struct listeners *l =
		handle->type == UV_TIMER ? handle->data : ((struct listener *)handle->data)->all;
	if (--l->n_handles == 0 && l->closed)
		l->closed(l->closed_data);
}

/* The descriptor is closed right behind its handle: a number that is used again must not be polled. */
void listeners_stop(struct listeners *l)
{
	uv_timer_stop(&l->pause);
	for (unsigned i = 0; i < l->n; i++) {
		struct listener *at = &l->v[i];
		if (at->fd < 0)
			continue;
		uv_close((uv_handle_t *)&at->poll, on_closed);
		listener_remove_path(at);
		at->fd = fd_close(at->fd);
	}
}

void listeners_close(struct listeners *l, void (*closed)(void *data), void *data)
{
	l->closed = closed;
	l->closed_data = data;
	listeners_stop(l);
	uv_close((uv_handle_t *)&l->pause, on_closed);
	l->reserve = fd_close(l->reserve);
	if (l->lock >= 0)
		listener_unlock(l->lock, l->lock_path);
	l->lock = -1;
}
