/* SPDX-License-Identifier: MIT */
#ifndef SERVER_HISTORY_H
#define SERVER_HISTORY_H

#include "base/arena.h"
#include "base/buf.h"
#include "store/store.h"

struct server;

/*
 * What the record knows of runs, our own and others'. Each call opens the data base and takes in
 * what waits for that, so that it sees all there is: some milliseconds, at most SPOOL_SEGMENTS_MAX of them.
 * Locks of other processes are waited for 5 ms; then it is read as it is.
 */

/* The run of exactly this id. 0; or -1 with @e, ENOENT in e->errnum when there is none. */
int history_find(
	struct server *s, const char *id, struct arena *a, struct run_row *ret, struct error *e);
int history_list(struct server *s, const struct run_filter *filter, struct arena *a,
	struct run_row **ret, size_t *ret_n, struct error *e);
/* Append timeline.jsonl of a run, which may have none. 0, or -1 with @e. */
int history_timeline(struct server *s, const char *id, struct buf *out, struct error *e);
/*
 * Append what the run has executed, from the byte @from of its exec.jsonl on: {"execs":[…],"next":N,"more":BOOL}. At
 * most @limit of them, and no more than fit some MiB. 0, or -1 with @e.
 */
int history_execs(struct server *s, const char *id, uint64_t from, uint64_t limit, struct buf *out,
	struct error *e);
/*
 * The directory with the output of a run, ours or not: *ret_dir is -1 when there is none (yet). 0, or -1
 * with @e.
 */
int history_output(struct server *s, const char *id, int *ret_dir, struct error *e);

#endif
