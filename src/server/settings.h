/* SPDX-License-Identifier: MIT */
#ifndef SERVER_SETTINGS_H
#define SERVER_SETTINGS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "run/engine.h"

/* The command line of bulkheadd: one table, from which its parser and its --help are made. */
struct settings {
	const char *socket, *listen, *token_file, *state; /* NULL: not given */
	uint64_t max_connections;
	uint64_t max_runs, max_boxes, max_queue;
	uint64_t memory_bytes; /* 0: the host's */
	struct strv pools;
	bool quiet, verbose, help, version;
};

/* Strings are those of @argv, and of @a. 0, or -1 with @e. */
int settings_parse(struct settings *ret, struct arena *a, int argc, char **argv, struct error *e);
void settings_put_help(struct buf *out);
struct engine_options settings_engine(const struct settings *s);

#endif
