/* SPDX-License-Identifier: MIT */
#ifndef SERVER_PEERS_H
#define SERVER_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

#include "server/http.h"

/*
 * Who is connected. Each user has so many connections; when there are more, the one that has been idle
 * longest (no request of it is being worked on) gives way to a new one, so that ten thousand idle ones
 * keep nobody out.
 *
 *   peers_admit() → http_add() → IDLE ⇄ BUSY → closed
 *                                  └─► LEAVING ──┘      shut down to make room; not counted any more
 */
struct peer {
	struct peers *peers;
	uid_t uid;
	bool is_tcp; /* has to show the token with each request */
	int fd; /* libmicrohttpd's */
	enum { PEER_IDLE, PEER_BUSY, PEER_LEAVING } state;
	struct peer *next, *previous; /* in its state's list, the longest there first */

	uv_poll_t watch; /* of whether the client is there while nobody reads from it */
	bool watching;
	void (*gone)(void *data);
	void *gone_data;
};

/* The daemon's own user, root if that is another, and TCP. */
enum peer_class { PEER_OWN, PEER_ROOT, PEER_TCP, PEER_CLASS_COUNT_ };

struct peer_list {
	struct peer *first, *last;
};

struct peers {
	uv_loop_t *loop;
	struct http *http;
	unsigned max; /* of each class */
	unsigned n[PEER_CLASS_COUNT_];
	unsigned n_handles; /* that the loop still holds */
	struct peer_list idle[PEER_CLASS_COUNT_], busy, leaving;
	struct peer *arriving; /* between http_add() and its notice */
	uint64_t accepted_total, refused_total, evicted_total;
};

void peers_init(struct peers *p, uv_loop_t *loop, struct http *http, unsigned max);

/*
 * Take the connection @fd from a listener; closes it when it must not be or cannot be served, which the
 * client is told.
 */
void peers_admit(
	struct peers *p, int fd, bool is_tcp, const struct sockaddr *address, socklen_t size);
/* Tell a client that there is no room, and close. */
void peers_turn_away(struct peers *p, int fd);

/* The one that has been idle longest goes, if any is: there are no descriptors left. */
void peers_evict(struct peers *p);

/* For libmicrohttpd: @context is where the peer of a connection is kept. */
void peers_notice(void *peers, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode code);

/* A request of it is being worked on, or not any more. */
void peer_set_busy(struct peer *peer, bool busy);
/*
 * Call @gone, once, when the client has gone away, while its connection is suspended or its own
 * affair. A client on a Unix socket that has only shut down its sending half is still there.
 */
void peer_watch(struct peer *peer, void (*gone)(void *data), void *data);
void peer_watch_no_more(struct peer *peer);
/* End it soon, whatever it does. */
void peer_shut_down(struct peer *peer);
/* End all that no request is worked on of, or all. */
void peers_shut_down(struct peers *p, bool busy_too);
unsigned peers_count(const struct peers *p);

#endif
