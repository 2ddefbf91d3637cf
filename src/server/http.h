/* SPDX-License-Identifier: MIT */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include <microhttpd.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/error.h"

/*
 * libmicrohttpd inside the loop of somebody else: its epoll descriptor is polled, its nearest time-out
 * is a timer, and it has no thread and no listening socket of its own. It works when its
 * descriptor is readable, when its timer is due, and before the loop waits after http_kick(). When
 * nothing happens it does nothing.
 */
struct http {
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	uv_timer_t timer;
	uv_prepare_t prepare;
	bool kicked;
	unsigned open_handles;
	void (*closed)(void *data);
	void *closed_data;
};

/* What libmicrohttpd calls, and what each is given first. */
struct http_calls {
	MHD_AccessHandlerCallback serve;
	MHD_RequestCompletedCallback completed;
	MHD_NotifyConnectionCallback connection;
	void *server, *peers;
};

#define HTTP_HEADERS_MAX (16 << 10)
#define HTTP_IDLE_S      60

/* @max: connections. 0, or -1 with @e. */
int http_open(struct http *h, uv_loop_t *loop, const struct http_calls *calls, unsigned max,
	struct error *e);
/* There is something to do that no descriptor tells: a response, a connection resumed. */
void http_kick(struct http *h);
/* Serve @fd from now on, which is libmicrohttpd's then. 0; or -1 with errno, and it is closed. */
int http_add(struct http *h, int fd, const struct sockaddr *address, socklen_t size);
/*
 * All connections end. None may be suspended or upgraded any more. @closed is called when the loop
 * holds nothing of it.
 */
void http_close(struct http *h, void (*closed)(void *data), void *data);

#endif
