/* SPDX-License-Identifier: MIT */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "run/engine.h"
#include "server/http.h"
#include "server/listener.h"
#include "server/peers.h"
#include "store/state-dir.h"

/*
 * The HTTP side of the daemon: docs/api.md. All on one loop, with the engine; nothing blocks but for
 * looking into the record, which is bounded.
 */
struct exchange;
struct attachment;

#define SERVER_BODIES_MAX ((size_t)64 << 20) /* of all that are being received */

struct server_options {
	unsigned max_connections; /* of each user */
	const char *token; /* for TCP; NULL: none */
	const struct state_dir *state; /* borrowed */
};

struct server_figures {
	uint64_t requests_total, status_total[6]; /* by hundreds */
	uint64_t attached_total;
};

struct server {
	uv_loop_t *loop;
	struct engine *engine;
	struct server_options options;
	struct http http;
	struct peers peers;
	struct listeners listeners;
	struct exchange *exchanges;
	unsigned n_exchanges;
	struct attachment *attachments;
	unsigned n_attachments;
	size_t body_bytes;
	bool stopping;
	uint64_t since_us; /* realtime */
	struct server_figures figures;
	uv_timer_t linger; /* while the last answers are being read */
	bool lingering;
	void (*closed)(void *data);
	void *closed_data;
	unsigned closing;
};

int server_open(struct server *s, uv_loop_t *loop, struct engine *engine,
	const struct server_options *options, struct error *e);
/* From now on nothing that would begin something is taken: 503. Who listens goes on. */
void server_stopping(struct server *s);
/*
 * The engine has stopped: everybody who waits has been told. No client is taken any more; answers have
 * SERVER_LINGER_MS to be read. @closed is called when the loop holds nothing of it.
 */
#define SERVER_LINGER_MS 1000
void server_close(struct server *s, void (*closed)(void *data), void *data);
/* An exchange or attachment has ended. */
void server_less(struct server *s);

#endif
