/* SPDX-License-Identifier: MIT */
#ifndef STORE_STATE_DIR_H
#define STORE_STATE_DIR_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * The directory in which records are kept:
 *
 *   spool/                     records on their way into the data base (spool.h)
 *   spool.refused-ID           a part of it with damaged records in it
 *   state.db, -wal, -shm       one row for each run (store.h)
 *   state.db.corrupt-TIME      a damaged one that was put aside
 *   lock                       who is alive (owner.h), and who puts a damaged data base aside
 *   runs/ID/                   timeline.jsonl (timeline-file.h) of runs longer than 100 ms; exec.jsonl
 *                              (exec-log.h) of those under an exec policy; of those whose output was
 *                              kept: output.jsonl (output-log.h), verdict.json, observation.json
 *
 * It is $BULKHEAD_STATE, else /var/lib/bulkhead for root, else $XDG_STATE_HOME/bulkhead, else
 * ~/.local/state/bulkhead. What is kept tells what somebody ran and what came out, so it must
 * belong to the caller and be writable by nobody else; a link is refused, since whoever may write
 * in the directory above could have put it there.
 */
struct state_dir {
	int fd;
	char path[PATH_MAX]; /* absolute, as it was asked for */
};

#define STATE_DIR_INIT ((struct state_dir){.fd = -1})

enum state_dir_mode {
	STATE_DIR_READ, /* what does not exist is not made: fd is -1 then, and that is no error */
	STATE_DIR_CREATE, /* made, with what is missing above it, mode 0700 */
};

/* Open it. 0; or -1 with @e, which names the directory and the remedy. */
int state_dir_open(struct state_dir *ret, enum state_dir_mode mode, struct error *e);
void state_dir_close(struct state_dir *dir);
/*
 * For those who take a path only: that of the directory which was checked, as the kernel has it. It
 * has no links on the way that could be turned elsewhere. Where /proc does not tell, it is that
 * asked for.
 */
void state_dir_real_path(const struct state_dir *dir, char ret[PATH_MAX]);

/*
 * The directory runs/@id, made with mode 0700 if it is not there. The descriptor, or -1 with @e.
 * EEXIST in e->errnum when it was there before: ids are made by chance, take another.
 */
int run_dir_make(const struct state_dir *dir, const char *id, struct error *e);
/* The same directory, if it is there: the descriptor, or -1 with errno. */
int run_dir_open(const struct state_dir *dir, const char *id);
/*
 * Write the file @name in a run's directory so that it is there whole or not at all. Not synced:
 * what a power failure takes of it, it takes of the data base too. 0, or -1 with errno.
 */
int run_dir_write(int fd, const char *name, const void *data, size_t size);
/*
 * Remove runs/@id and the files in it. 0, also if it was not there, or -1 with errno. At most 64
 * files: nothing of ours has more.
 */
int run_dir_remove(const struct state_dir *dir, const char *id);

#endif
