/* SPDX-License-Identifier: MIT */
#ifndef STORE_SPOOL_H
#define STORE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "model/run-id.h"
#include "store/state-dir.h"

/*
 * Where a run leaves its record: a line when it begins and one when it has ended (spool-line.h), at
 * the end of a file that all share, which costs some 10 µs each. Rows are made of them later, and
 * by others (store.h).
 *
 *   spool/now   the lines of late. Whoever opens it and finds it full renames it:
 *   spool/ID    a segment, which waits to be taken in. Nobody begins to write into it any more. The
 *               name is made like a run's id, so that segments sort by time.
 *
 * There is no lock between those who write and those who take in. The invariant instead: *a line is
 * written for certain if spool/now was still the same file after the write*. Then the write came
 * before the renaming, and who takes in reads after it. Else the line is written once more, into
 * the new spool/now: to be taken in twice changes nothing.
 *
 * A line that was cut short (kill -9, a full disk) is passed over. Nothing is synced: what a power
 * failure takes of the spool, it might have taken of the data base too.
 *
 * Bounded: a run whose record would be in a longer file than is good, while too many segments wait,
 * has no record.
 */
#define SPOOL_DIR           "spool"
#define SPOOL_NOW           SPOOL_DIR "/now"
#define SPOOL_REFUSED       "spool.refused-" /* and the name of the segment: put aside */
#define SPOOL_SEGMENT_BYTES (256 << 10) /* spool/now is full; about 60 runs */
#define SPOOL_SEGMENTS_MAX  64
#define SPOOL_LINE_MAX      (16 << 20) /* the words of the command are in it, whatever their length */
#define SPOOL_FILE_MAX      (64 << 20) /* what is larger is none of ours */
#define SPOOL_NAME_SIZE     (sizeof SPOOL_DIR + RUN_ID_SIZE)

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

/* The writing side. Files are opened when they are needed. */
struct spool {
	const struct state_dir *dir; /* borrowed */
	int lock; /* to hold our runs by, owner.h */
	int now;
	ino_t inode; /* of now */
	bool turned; /* we made a segment: it is on us to have it taken in */
};

#define SPOOL_INIT(state_dir) ((struct spool){.dir = (state_dir), .lock = -1, .now = -1})

/*
 * Hold the run (owner.h) and write down that it is on. 0; or -1 with @e, and the run is held if
 * possible.
 */
int spool_begin(struct spool *s, const struct run_begin *b, struct error *e);
/*
 * Write down how it ended, and all else too; also when begin failed. Without the observation if that is too
 * long: a run without an end would be a lost one. Lets go of the run. 0; or -1 with @e.
 */
int spool_end(
	struct spool *s, const struct run_begin *b, const struct run_end *end, struct error *e);
void spool_close(struct spool *s);

/* ---- the taking side ---- */

/* Make a segment of spool/now, if there is anything in it. 0; or -1 with errno. */
int spool_turn(const struct state_dir *dir);

/* The name of a segment below the state directory. */
struct spool_segment {
	char name[SPOOL_NAME_SIZE];
};

/* The segments, the oldest first, at most @max of them. How many; what cannot be listed is none. */
size_t spool_list(const struct state_dir *dir, struct spool_segment *ret, size_t max);

/* True if there is anything to take in. */
bool spool_waits(const struct state_dir *dir);

#endif
