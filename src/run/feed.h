/* SPDX-License-Identifier: MIT */
#ifndef RUN_FEED_H
#define RUN_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

/*
 * The stdin of a daemon's run: bytes that come now and then from somebody who must never be waited
 * for, to a program that reads when it likes. At most FEED_ROOM bytes are held for it; whoever has
 * more is told when there is room again.
 *
 *   EMPTY    no descriptor: nothing is taken (before feed_open_…, after the end, a reader gone)
 *   IDLE     nothing is held, nothing is waited for
 *   WAITING  something is held; the loop tells when the program has read
 */
#define FEED_ROOM ((size_t)64 * 1024)

struct feed {
	uv_loop_t *loop;
	uv_poll_t writable;
	bool writable_open; /* libuv knows the handle, which goes before the descriptor does */
	bool closing; /* and is letting go of it */
	bool terminal;
	bool ending; /* no more comes after what is held */
	bool reader_gone;
	int fd; /* our end, non-blocking; -1: EMPTY */
	char *held; /* NULL or FEED_ROOM bytes */
	size_t held_at, n_held;
	uv_close_cb closed; /* of feed_fini() */
	void *closed_data;
	void (*room)(void *data); /* some of what was held is gone, or all is over */
	void *data;
};

#define FEED_INIT ((struct feed){.fd = -1})

/* Make a pipe; *ret_child is the program's end, the caller's. 0, or -1 with errno. SIGPIPE is ignored. */
int feed_open(struct feed *f, uv_loop_t *loop, int *ret_child);
/* Into the terminal whose master @master is a copy of, non-blocking. 0, or -1 with errno, @master closed. */
int feed_open_terminal_take(struct feed *f, uv_loop_t *loop, int master);

/* How many of @size bytes were taken, all but what has no room; -1 with EPIPE: nobody reads any more. */
ssize_t feed_put(struct feed *f, const char *bytes, size_t size);
/*
 * After what is held comes the end of the file: for a terminal its end-of-file character, where it has one
 * at that moment. May be repeated.
 */
void feed_end(struct feed *f);
/* Now, whatever is held. */
void feed_close(struct feed *f);
/* After that: how often @closed will be called from the loop, with @data as the handle's data (0 or 1). */
unsigned feed_fini(struct feed *f, uv_close_cb closed, void *data);

#endif
