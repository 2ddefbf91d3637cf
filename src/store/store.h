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
 *   open → begin → [tidy] → end → close
 *
 * Order and cost: open and begin belong behind the start of the payload (together about 0.4 ms of
 * its time); end is on the way out and costs some 10 µs, so all it needs was made ready by begin. No
 * step of these waits for the disk: commits are not synced (a power failure may take the last
 * runs, never the order of the file), the log is written back only by tidy, and close leaves it as it is.
 * A process that is about to exit may leave close out.
 *
 * Nothing here is fatal: every failure is an error of BLAME_HOST, and the caller says that the record is lost.
 * A lock held by another process is waited for at most 2 s. A damaged data base is put aside under
 * another name, which is said once on stderr, and a new one begun.
 */
struct store;

enum store_mode {
	STORE_READ, /* changes nothing; without a data base there are no runs, and that is no error */
	STORE_WRITE, /* makes the data base if there is none */
};

/* @dir is borrowed until store_close(). 0; or -1 with @e. */
int store_open(
	struct store **ret, const struct state_dir *dir, enum store_mode mode, struct error *e);
void store_close(struct store *s); /* NULL is fine */
#define cleanup_store __attribute__((cleanup(store_closep)))
void store_closep(struct store **s);

/* What is known of a run when it starts. */
struct run_begin {
	const char *id;
	const char *key; /* NULL: none */
	const char *policy;
	const char *const *argv; /* as much as fits into 4 KiB is kept */
	size_t argc;
	uint64_t started_us;
	const char *log_dir; /* where output.jsonl is, absolute; NULL: runs/ID, if anywhere */
};

struct run_end {
	uint64_t ended_us;
	const char *cause;
	int exit_status; /* of `bulkhead run` */
	const char *verdict; /* JSON */
	const char *observation; /* JSON, or NULL */
	uint64_t disk_bytes; /* what runs/ID takes */
};

/* Write the row of a run that is on, and hold it (owner.h). 0; or -1 with @e. */
int store_run_begin(struct store *s, const struct run_begin *b, struct error *e);
/*
 * Write how it ended; also when begin failed or was left out, then the whole row. Lets go of the
 * run. 0; or -1 with @e.
 */
int store_run_end(
	struct store *s, const struct run_begin *b, const struct run_end *end, struct error *e);

/*
 * Write the log back and remove what is too old, when it is time for that. @idle: the run has been
 * going on for a while (say 50 ms), so the disk may be waited for; without it only when it can be put
 * off no longer, about once in 100 runs. To be called after begin, never before end.
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
