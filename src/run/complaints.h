/* SPDX-License-Identifier: MIT */
#ifndef RUN_COMPLAINTS_H
#define RUN_COMPLAINTS_H

#include <uv.h>

#include "base/error.h"

/*
 * What a program that nobody's run has anything of yet writes to its stderr. It is read as it comes, or whoever
 * writes would be held up by a full pipe; and forgotten, but for the last of it. It is a stranger's: one that
 * writes for ever is read so many times a second and so much at a time, and waits the rest of it.
 */
struct complaints;

/* The last so many bytes of it are kept, with a NUL. */
#define COMPLAINTS_KEPT 512
/* What is read at once at most: as much as a pipe holds. */
#define COMPLAINTS_A_TURN (64 << 10)

/* Takes @fd, the end of a pipe to be read from. NULL with @e, and it is closed. */
struct complaints *complaints_open_take(uv_loop_t *loop, int fd, struct error *e);
/*
 * The last of it, what is in the pipe now (one turn's, at most) included, without the newlines at its end. NULL
 * has none. Good until the next call.
 */
const char *complaints_last(struct complaints *c);
/* Read no more. @closed is called from the loop, with @data, when it is freed. */
void complaints_close(struct complaints *c, void (*closed)(void *data), void *data);

#endif
