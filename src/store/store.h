/* SPDX-License-Identifier: MIT */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "store/retention.h"
#include "store/state-dir.h"

/*
 * Records of runs, in an SQLite data base in WAL mode that many processes use at once.
 *
 * A run writes into the spool (spool.h), which is cheap; rows are made of that by whoever takes it
 * in:
 *
 *   open → take_in → [settle_lost → tidy] → close          a run that has time, or found the spool full
 *   open_to_read → list, find → close                      who wants to see all there is
 *
 * No step waits for the disk but tidy: commits are not synced (a power failure may take the last
 * runs, never the order of the file), the log is written back only by tidy, and close leaves it as
 * it is.
 *
 * Nothing here is fatal: every failure is an error of BLAME_HOST, and what was not taken in stays
 * in the spool. A damaged data base is put aside under another name, which is said once on stderr,
 * and a new one begun.
 */
struct store;

enum store_mode {
	STORE_READ, /* changes nothing; without a data base there are no runs, and that is no error */
	STORE_WRITE, /* makes the data base if there is none; waits 2 s for a lock of another process */
	STORE_CASUAL, /* the same for who has other things to do: waits 5 ms */
};

/* @dir is borrowed until store_close(). 0; or -1 with @e. */
int store_open(
	struct store **ret, const struct state_dir *dir, enum store_mode mode, struct error *e);
/*
 * Open it so that every run is there that began before: what is in the spool is taken in. Where
 * that cannot be (a read-only or full disk), it is taken into a copy in memory, and nothing is
 * changed. @mode, STORE_WRITE or STORE_CASUAL, is how long other processes are waited for before
 * that; for STORE_CASUAL a data base that somebody else writes to is an error, EBUSY in e->errnum, for which it
 * can be tried again soon: a copy would take longer. 0; or -1 with @e.
 */
int store_open_to_read(
	struct store **ret, const struct state_dir *dir, enum store_mode mode, struct error *e);
void store_close(struct store *s); /* NULL is fine */
#define cleanup_store __attribute__((cleanup(store_closep)))
void store_closep(struct store **s);

enum take_in {
	TAKE_IN_FULL, /* at most two segments that are full: about 2 ms */
	TAKE_IN_SOME, /* at most eight, the one that is being written too */
	TAKE_IN_ALL,
	TAKE_IN_COUNT_,
};

/*
 * Make rows of what is in the spool, a transaction for each segment. May be killed at any point and
 * be done by many at once: a row that is there is not made again, and a segment is removed when its
 * rows are there for certain. What is in a segment and is no record is refused, and the segment put
 * aside, which is said on stderr. 0; or -1 with @e: the rest stays in the spool.
 */
int store_take_in(struct store *s, enum take_in how_much, struct error *e);

/*
 * Write the log back and remove what is too old, when it is time for that. @idle: there is time, so
 * the disk may be waited for; without it only when it can be put off no longer, about once in 200
 * runs. Who opened for STORE_CASUAL and is not idle is spared the looking for what no row knows.
 */
void store_tidy(struct store *s, const struct retention *r, bool idle);

/*
 * Give every run whose supervisor is gone the verdict supervisor_lost. *ret_n is how many; may be
 * NULL. Cheap when none is on: one look at an index. 0; or -1 with @e.
 */
int store_settle_lost(struct store *s, uint64_t now_us, unsigned *ret_n, struct error *e);

enum run_state {
	RUN_ON,
	RUN_ENDED,
	RUN_LOST, /* its supervisor is gone, whether that was settled already or not */
	RUN_STATE_COUNT_,
};

/* "running", "ended", "lost". */
const char *run_state_name(enum run_state state);

/* A row. Strings are in the arena that was given, and as hostile as the command that was run. */
struct run_row {
	enum run_state state;
	const char *id;
	const char *key; /* NULL: none */
	const char *policy;
	const char *const *argv;
	size_t argc;
	bool argv_cut; /* there were more words, or the last was longer */
	pid_t pid; /* of the supervisor, in its own pid namespace */
	uint64_t started_us;
	uint64_t ended_us; /* 0: not known */
	const char *cause; /* NULL while it is on */
	int exit_status; /* -1: not known */
	const char *log_dir;
	const char *verdict; /* JSON, NULL while it is on; both only from store_find() */
	const char *observation;
};

struct run_filter {
	const char *cause, *key; /* NULL: any */
	size_t limit; /* the newest so many; 0: all */
};

/*
 * The runs that pass @filter, the newest first. They are read before this returns, so that a
 * reader that waits for somebody holds no lock. 0; or -1 with @e.
 */
int store_list(struct store *s, const struct run_filter *filter, struct arena *a,
	struct run_row **ret, size_t *ret_n, struct error *e);

/*
 * The run whose id begins with @prefix, with verdict and observation. 0; or -1 with @e of
 * BLAME_REQUEST when there is none or more than one.
 */
int store_find(
	struct store *s, const char *prefix, struct arena *a, struct run_row *ret, struct error *e);

/* The words of a command as one would type them for a shell; only what a terminal may show. */
void run_row_command(const struct run_row *row, struct buf *out);

#endif
