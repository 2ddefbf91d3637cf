/* SPDX-License-Identifier: MIT */
#ifndef SERVER_LISTENER_OPEN_H
#define SERVER_LISTENER_OPEN_H

#include "server/listener.h"

/* How a socket to listen on is made; listener.h has what is done with it. */

/* Held as long as its socket is: PATH.lock. A descriptor; or -1 with @e, also when another holds it. */
int listener_lock(const char *path, struct error *e);
/* And remove PATH.lock. */
void listener_unlock(int fd, const char *path);
/* The descriptor, and what the file is known by, into @ret. 0, or -1 with @e. */
int listener_open_path(struct listener *ret, const char *path, struct error *e);
int listener_open_tcp(struct listener *ret, const char *address, struct error *e);
/* If nothing else is there by now. */
void listener_remove_path(struct listener *at);

/* sd_listen_fds(3). */
#define LISTENER_FIRST_INHERITED 3
/* How many systemd has opened for us; once: the variables that say so are removed. */
int listener_count_inherited(void);
/* What kind at->fd is; into *@at. 0, or -1 with @e. */
int listener_take_inherited(struct listener *at, bool tcp_allowed, struct error *e);

#endif
