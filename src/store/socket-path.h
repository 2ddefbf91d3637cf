/* SPDX-License-Identifier: MIT */
#ifndef STORE_SOCKET_PATH_H
#define STORE_SOCKET_PATH_H

#include "base/arena.h"
#include "base/error.h"

/*
 * Where the daemon listens when nothing else was said: $BULKHEAD_SOCKET, else /run/bulkhead.sock for root,
 * else $XDG_RUNTIME_DIR/bulkhead.sock. In @a, or borrowed of the environment; NULL with @e.
 */
const char *socket_path(struct arena *a, struct error *e);

#endif
