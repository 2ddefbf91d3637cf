/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_CONTROL_H
#define WARDEN_CONTROL_H

#include <stdbool.h>

#include "base/error.h"
#include "kernel/packet.h"
#include "model/policy.h"
#include "warden/wire.h"

/*
 * The warden's end of its sockets. Records are the supervisor's own, and are looked at as if they were not; what comes by a
 * run socket is from a process that is a stranger soon.
 */

/* Is it a START or RUN with all that belongs to it? 0 or -1 with @e. */
int control_check(const struct warden_record *record, const struct packet *packet, struct error *e);

/* READY, or with @e REFUSED. 0 or -errno. */
int control_answer(int socket, const struct error *e);

/* The rules that came with START: read from a sealed memfd. 0 or -1 with @e. */
int control_read_rules(
	int fd, uint64_t size, struct arena *a, struct policy_exec *ret, struct error *e);

/* What the payload sends: one byte, its listener, and perhaps its terminal. 0 or -errno (EPROTO: something else). */
int control_receive_listener(int socket, int *ret_listener, int *ret_stderr);

#endif
