/* SPDX-License-Identifier: MIT */
#ifndef STORE_EXEC_LOG_H
#define STORE_EXEC_LOG_H

#include "base/arena.h"
#include "base/error.h"
#include "model/exec-event.h"

#define EXEC_LOG_NAME "exec.jsonl"
/* What does not fit is counted by who writes, and said in the verdict. */
#define EXEC_LOG_MAX_BYTES ((uint64_t)64 << 20)

/*
 * Make exec.jsonl in the directory @dir of a run: mode 0600, opened to append only, so that who writes
 * can neither read nor change what was written. The descriptor; or -1 with errno, EEXIST if it is there.
 */
int exec_log_create(int dir);

/*
 * Reading it, whatever is in it: of a run that is on, of one whose writer was killed, or of one that
 * something else has written over. Bounded: no more is looked at than a log may have.
 */
struct exec_log_reader;

struct exec_log_faults {
	uint64_t damaged; /* lines that are no events */
	uint64_t
		torn; /* bytes behind the last newline: a line that is being written, or was cut off */
};

/* 0; or -1 with @e, ENOENT in e->errnum if there is no log. */
int exec_log_open(struct exec_log_reader **ret, int dir, struct error *e);
/* The same of a file: takes @fd, which is read from its beginning. */
struct exec_log_reader *exec_log_open_fd_take(int fd);
/* The next event, its strings in @a. 1; 0 at the end; -1 with errno when the disk fails. */
int exec_log_next(struct exec_log_reader *r, struct exec_event *ret, struct arena *a);
/*
 * Where the next line begins, and to begin there: for who reads a part at a time. Any place will do: of a
 * line that is begun in its middle the rest is a damaged one.
 */
uint64_t exec_log_tell(const struct exec_log_reader *r);
void exec_log_seek(struct exec_log_reader *r, uint64_t at);
/* What has been passed over so far; torn is told at the end. */
struct exec_log_faults exec_log_faults(const struct exec_log_reader *r);
void exec_log_close(struct exec_log_reader *r); /* NULL is fine */
#define cleanup_exec_log __attribute__((cleanup(exec_log_closep)))
void exec_log_closep(struct exec_log_reader **r);

#endif
