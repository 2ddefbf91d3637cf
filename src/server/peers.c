/* SPDX-License-Identifier: MIT */
#include "server/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"

void peers_init(struct peers *p, uv_loop_t *loop, struct http *http, unsigned max)
{
	*p = (struct peers){.loop = loop, .http = http, .max = max};
}

/* ---- lists ---- */

static enum peer_class class_of(const struct peer *peer)
{
	if (peer->is_tcp)
		return PEER_TCP;
	return peer->uid == geteuid() ? PEER_OWN : PEER_ROOT;
}

static struct peer_list *list_of(struct peer *peer)
{
	if (peer->state == PEER_IDLE)
		return &peer->peers->idle[class_of(peer)];
	return peer->state == PEER_BUSY ? &peer->peers->busy : &peer->peers->leaving;
}

static void enter(struct peer *peer)
{
	struct peer_list *list = list_of(peer);
	peer->next = NULL;
	peer->previous = list->last;
	*(list->last ? &list->last->next : &list->first) = peer;
	list->last = peer;
}

static void leave(struct peer *peer)
{
	struct peer_list *list = list_of(peer);
	*(peer->previous ? &peer->previous->next : &list->first) = peer->next;
	*(peer->next ? &peer->next->previous : &list->last) = peer->previous;
}

static void set_state(struct peer *peer, int state)
{
	leave(peer);
	peer->state = state;
	enter(peer);
}

void peer_set_busy(struct peer *peer, bool busy)
{
	if (peer->state != PEER_LEAVING)
		set_state(peer, busy ? PEER_BUSY : PEER_IDLE);
}

/* ---- coming ---- */

/* The length is that of the body behind it. Nobody waits for the client to read it. */
#define REFUSAL(status, title, error, blame, detail, more)                                         \
	"HTTP/1.1 " #status " " title "\r\nContent-Type: application/problem+json\r\n" more        \
	"Connection: close\r\n\r\n"                                                                \
	"{\"type\":\"about:blank\",\"title\":\"" title "\",\"status\":" #status                    \
	",\"error\":\"" error "\",\"blame\":\"" blame "\",\"detail\":\"" detail "\"}\n"

static void refuse(struct peers *p, int fd, const char *answer)
{
	p->refused_total++;
	if (send(fd, answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		shutdown(fd, SHUT_WR);
	fd_close(fd);
}

void peers_turn_away(struct peers *p, int fd)
{
	refuse(p, fd,
		REFUSAL(503, "Service Unavailable", "unavailable", "host",
			"no room for one more connection", "Retry-After: 1\r\n"));
}

/* In how many pid namespaces a process has a number, from ours on; 0 if that cannot be told. */
static unsigned depth_of(pid_t pid)
{
	char path[48], text[4096];
	unsigned n = 0;
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	if (pid <= 0 || file_read_text(AT_FDCWD, path, text, sizeof text) < 0)
		return 0;
	const char *numbers = strstr(text, "\nNSpid:");
	if (!numbers)
		return 0;
	for (const char *c = numbers + strlen("\nNSpid:"); *c && *c != '\n'; c++)
		n += *c == '\t';
	return n;
}

/* Since Linux 6.5: that the number was not somebody else's meanwhile. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
static bool is_alive_still(int peer_pidfd)
{
	return peer_pidfd < 0 || fd_poll_now(peer_pidfd, POLLIN) == 0;
}

static bool is_scarcity(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM;
}

/*
 * A program in a box has our user's id, or root's, and may reach the socket where its files do. But each
 * box has a pid namespace of its own, which anybody may see, and what cannot be seen is taken for one.
 * 0; EACCES for who is in one; or EMFILE, ENFILE, ENOMEM: there is nothing to find out with. Who is dead
 * is not served: some kernels say so, others give no descriptor of him; his number may be anybody's by now.
 */
static int check_in_no_box(int fd, pid_t pid)
{
	cleanup_fd int pidfd = -1;
	socklen_t size = sizeof pidfd;
	errno = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0) {
		pidfd = -1;
		if (errno != ENOPROTOOPT) /* only that is an older kernel */
			return is_scarcity(errno) ? errno : EACCES;
	}
	unsigned theirs = depth_of(pid);
	unsigned ours = theirs > 0 ? depth_of(getpid()) : 0;
	if (ours == 0 && is_scarcity(errno))
		return errno;
	return ours > 0 && ours == theirs && is_alive_still(pidfd) ? 0 : EACCES;
}

/* 0 or an errno, as above. */
static int check_may_speak(int fd, uid_t *ret_uid)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return EACCES;
	*ret_uid = peer.uid;
	if (peer.uid == 0 && geteuid() != 0) /* no box of ours can have that */
		return 0;
	return peer.uid == geteuid() ? check_in_no_box(fd, peer.pid) : EACCES;
}

/* Its peer is forgotten when libmicrohttpd has seen the end, in this turn of the loop. */
void peer_shut_down(struct peer *peer)
{
	if (peer->state == PEER_LEAVING)
		return;
	peer->peers->n[class_of(peer)]--;
	set_state(peer, PEER_LEAVING);
	shutdown(peer->fd, SHUT_RDWR);
	http_kick(peer->peers->http);
}

static bool evict(struct peers *p, enum peer_class class)
{
	if (!p->idle[class].first)
		return false;
	p->evicted_total++;
	peer_shut_down(p->idle[class].first);
	return true;
}

void peers_evict(struct peers *p)
{
	for (int i = PEER_CLASS_COUNT_ - 1; i >= 0; i--)
		if (evict(p, (enum peer_class)i))
			return;
}

static struct peer *new_peer(struct peers *p, uid_t uid, bool is_tcp, int fd)
{
	struct peer *peer = calloc(1, sizeof *peer);
	if (!peer)
		out_of_memory();
	*peer = (struct peer){.peers = p, .uid = uid, .is_tcp = is_tcp, .fd = fd};
	return peer;
}

void peers_admit(
	struct peers *p, int fd, bool is_tcp, const struct sockaddr *address, socklen_t size)
{
	struct peer peer = {.uid = geteuid(), .is_tcp = is_tcp};
	int fault = is_tcp ? 0 : check_may_speak(fd, &peer.uid);
	if (is_scarcity(fault)) {
		peers_turn_away(p, fd);
		return;
	}
	if (fault) {
		refuse(p, fd,
			REFUSAL(403, "Forbidden", "forbidden", "request",
				"this daemon serves its own user and root, and nobody in a box",
				""));
		return;
	}
	enum peer_class class = class_of(&peer);
	if (p->n[class] >= p->max && !evict(p, class)) {
		peers_turn_away(p, fd);
		return;
	}
	p->arriving = new_peer(p, peer.uid, is_tcp, fd);
	if (http_add(p->http, fd, address, size) < 0) {
		/* it has closed the descriptor, and told of nothing, or of the beginning and the end */
		p->refused_total++;
		free(p->arriving);
	}
	p->arriving = NULL;
}

/* ---- while it is there ---- */

void peer_watch_no_more(struct peer *peer)
{
	peer->gone = NULL;
	if (peer->watching)
		uv_poll_stop(&peer->watch);
}

static void on_gone(uv_poll_t *watch, int status, int events)
{
	struct peer *peer = watch->data;
	void (*gone)(void *) = peer->gone;
	(void)status;
	(void)events;
	peer_watch_no_more(peer);
	if (gone)
		gone(peer->gone_data);
}

void peer_watch(struct peer *peer, void (*gone)(void *data), void *data)
{
	if (!peer->watching) {
		/* where it cannot be watched its going is noticed by what is written to it */
		if (uv_poll_init(peer->peers->loop, &peer->watch, peer->fd) < 0)
			return;
		peer->watch.data = peer;
		peer->watching = true;
		peer->peers->n_handles++;
	}
	peer->gone = gone;
	peer->gone_data = data;
	/*
	 * Priority data never comes on a Unix socket, but its hang-up is always told: when both halves are
	 * closed. TCP does not tell the one from the other.
	 */
	uv_poll_start(&peer->watch, peer->is_tcp ? UV_DISCONNECT : UV_PRIORITIZED, on_gone);
}

/* ---- going ---- */

static void on_watch_closed(uv_handle_t *handle)
{
	struct peer *peer = handle->data;
	peer->peers->n_handles--;
	free(peer);
}

static void forget(struct peer *peer)
{
	leave(peer);
	if (peer->state != PEER_LEAVING)
		peer->peers->n[class_of(peer)]--;
	if (peer->watching) {
		peer_watch_no_more(peer);
		uv_close((uv_handle_t *)&peer->watch, on_watch_closed);
	} else {
		free(peer);
	}
}

void peers_notice(void *peers, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	struct peers *p = peers;
	(void)connection;
	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (p->arriving == *context) /* it could not be added after all */
			p->arriving = NULL;
		forget(*context);
		return;
	}
	*context = p->arriving;
	p->arriving->state = PEER_IDLE;
	p->n[class_of(p->arriving)]++;
	p->accepted_total++;
	enter(p->arriving);
}

static void shut_down_list(struct peer_list *list)
{
	while (list->first)
		peer_shut_down(list->first);
}

void peers_shut_down(struct peers *p, bool busy_too)
{
	for (int i = 0; i < PEER_CLASS_COUNT_; i++)
		shut_down_list(&p->idle[i]);
	if (busy_too)
		shut_down_list(&p->busy);
}

unsigned peers_count(const struct peers *p)
{
	unsigned n = 0;
	for (int i = 0; i < PEER_CLASS_COUNT_; i++)
		n += p->n[i];
	return n;
}
