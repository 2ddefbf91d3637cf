/* SPDX-License-Identifier: MIT */
#ifndef SERVER_DAEMON_H
#define SERVER_DAEMON_H

#include "base/error.h"
#include "server/settings.h"

/*
 * Be the daemon until a signal ends it: the loop, and on it the listening sockets, the records, the
 * engine with its zygote, in this order; taken down the other way round.
 *
 *   RUNNING ──TERM, INT──► STOPPING ──engine has stopped──► LINGERING ──answers read──► closed
 *                              └─ again: KILL to all that is left
 *
 * 0; or -1 with @e: it could not begin.
 */
int daemon_run(const struct settings *settings, struct arena *a, struct error *e);

#endif
