/* SPDX-License-Identifier: MIT */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>
#include <uv.h>

#include "base/error.h"
#include "server/peers.h"

/*
 * The sockets that clients come to. That of a daemon that lives is refused, that of one which has died is
 * replaced; a lock on PATH.lock, taken before, keeps two that start at once apart. What systemd hands
 * over (LISTEN_FDS) is used as it is.
 */
#define LISTENERS_MAX 4

struct listener {
	struct listeners *all;
	uv_poll_t poll;
	int fd;
	bool is_tcp;
	bool made; /* the socket file is ours: to be removed */
	dev_t dev;
	ino_t ino;
	struct timespec born; /* numbers of files are used again */
	const char *path; /* NULL: none */
};

struct listeners {
	uv_loop_t *loop;
	struct peers *peers;
	struct listener v[LISTENERS_MAX];
	unsigned n, n_handles;
	int lock; /* -1: none */
	const char *lock_path;
	int reserve; /* given up for a moment to refuse a client when there are no descriptors */
	uv_timer_t pause; /* when even that failed */
	void (*closed)(void *data);
	void *closed_data;
};

int listeners_open(struct listeners *l, uv_loop_t *loop, struct peers *peers, struct error *e);
/* Listen at @path, which is borrowed. 0, or -1 with @e. */
int listeners_add_path(struct listeners *l, const char *path, struct error *e);
/* "ADDR:PORT", "[ADDR6]:PORT", ":PORT" and "PORT" (on loopback). 0, or -1 with @e. */
int listeners_add_tcp(struct listeners *l, const char *address, struct error *e);
/* Those that systemd has opened for us. How many, or -1 with @e. TCP is refused without @tcp_allowed. */
int listeners_add_inherited(struct listeners *l, bool tcp_allowed, struct error *e);
/* No client is taken any more; the socket's file is removed if it is still ours. */
void listeners_stop(struct listeners *l);
void listeners_close(struct listeners *l, void (*closed)(void *data), void *data);
/* The port of the first TCP socket, 0 if there is none. */
unsigned listeners_port(const struct listeners *l);

#endif
