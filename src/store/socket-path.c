/* SPDX-License-Identifier: MIT */
#include "store/socket-path.h"

#include <stdlib.h>
#include <unistd.h>

#define SYSTEM_SOCKET "/run/bulkhead.sock"
#define SOCKET_NAME   "bulkhead.sock"

const char *socket_path(struct arena *a, struct error *e)
{
	const char *named = getenv("BULKHEAD_SOCKET"), *dir = getenv("XDG_RUNTIME_DIR");
	if (named && *named)
		return named;
	if (geteuid() == 0)
		return SYSTEM_SOCKET;
	if (dir && *dir == '/') /* the XDG specification has others ignored */
		return arena_printf(a, "%s/" SOCKET_NAME, dir);
	error_set(e, BLAME_REQUEST, 0,
		"where is the daemon's socket? neither BULKHEAD_SOCKET nor XDG_RUNTIME_DIR is set");
	return NULL;
}
