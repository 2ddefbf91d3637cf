/* SPDX-License-Identifier: MIT */
#ifndef CLI_READ_STORE_H
#define CLI_READ_STORE_H

#include "base/buf.h"
#include "cli/options.h"
#include "store/store.h"

/* What the commands that look at records have in common: runs, show, logs. */
struct read_store {
	struct state_dir dir;
	struct store *store;
};

#define READ_STORE_INIT    ((struct read_store){.dir = STATE_DIR_INIT})
#define cleanup_read_store __attribute__((cleanup(read_store_close)))

/* Without a state directory there are no runs, and that is no error. 0; or -1 with @e. */
int read_store_open(struct read_store *ret, struct error *e);
void read_store_close(struct read_store *r);

/*
 * Read the command line of @command: its flags and values by @set, at most one operand (@ret_id NULL:
 * none), which is wanted. 0; 1 when --help was asked for, and shown with *ret_status; -1 with @e.
 */
int read_options(enum command command, int argc, char **argv,
	int (*set)(void *data, const char *name, const char *value, struct error *e), void *data,
	const char **ret_id, int *ret_status, struct error *e);

/* The same where the operand may be left out: *ret_id is NULL then. */
int read_options_or_none(enum command command, int argc, char **argv,
	int (*set)(void *data, const char *name, const char *value, struct error *e), void *data,
	const char **ret_id, int *ret_status, struct error *e);

/* Write @out to the descriptor @fd. 0; or -1 with @e. */
int write_out(int fd, const struct buf *out, struct error *e);

#endif
