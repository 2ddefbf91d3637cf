/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_CONTROL_H
#define WARDEN_CONTROL_H

#include <stdbool.h>

#include "base/error.h"
#include "model/policy.h"
#include "warden/wire.h"

/*
 * The warden's end of its sockets. Records are the supervisor's own, and are looked at as if they were not; what comes by a
 * run socket is from a process that is a stranger soon. Descriptors are close-on-exec, and all closed
 * where a packet is refused.
 */
struct control_packet {
	size_t size; /* 0: end of file */
	unsigned n_fds;
	int fds[WARDEN_MAX_FDS];
};

/*
 * One packet of at most @size bytes. Does not wait. 0, or -errno: EAGAIN (none), EPROTO (too long, too many descriptors),
 * EMFILE.
 */
int control_receive(int socket, void *data, size_t size, struct control_packet *ret);
void control_close_fds(struct control_packet *packet);

/* Is it a START or RUN with all that belongs to it? 0 or -1 with @e. */
int control_check(
	const struct warden_record *record, const struct control_packet *packet, struct error *e);

/* READY, or with @e REFUSED. 0 or -errno. */
int control_answer(int socket, const struct error *e);

/* The rules that came with START: read from a sealed memfd. 0 or -1 with @e. */
int control_read_rules(
	int fd, uint64_t size, struct arena *a, struct policy_exec *ret, struct error *e);

/* What the payload sends: one byte, its listener, and perhaps its terminal. 0 or -errno (EPROTO: something else). */
int control_receive_listener(int socket, int *ret_listener, int *ret_stderr);

#endif
