/* SPDX-License-Identifier: MIT */
#ifndef RUN_OUTPUT_H
#define RUN_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"

/*
 * The payload's stdout and stderr when they are captured: read from a pipe each, counted, handed to
 * the log and passed on to the caller's own.
 *
 * A caller that reads slowly slows the payload as a plain pipe would, and one that has gone away ends the
 * stream for the payload, as a plain pipe would; neither stops the supervisor, which never
 * blocks in a write to a pipe or terminal. Nothing is held for longer than one buffer per stream.
 */
struct output;

struct output_stream {
	struct output *owner;
	int number; /* 1 or 2: the stream, and the caller's descriptor that it goes to */
	int fd; /* read end of the payload's pipe or master of its terminal, -1 when it has ended */
	bool sink_open; /* the caller still wants it */
	/*
	 * An epoll that watches the caller's descriptor, or -1 for a file, which is always writable. libuv is
	 * not given the descriptor itself: it would make it non-blocking for the caller too.
	 */
	int sink_epoll;
	/*
	 * A second, non-blocking description of the caller's pipe or terminal, or -1 where it may not
	 * be opened: then it is written to in pieces that fit as a rule.
	 */
	int sink_fd;
	bool sink_is_socket;
	size_t pending_at, pending;
	uv_poll_t readable, writable;
	bool readable_open, writable_open; /* libuv knows the handle */
	int ended; /* what was read from, kept for as long as libuv knows the handle; -1: nothing */
	char *buffer;
};

struct output_hooks {
	void *data;
	/* What the payload wrote; before it is passed on. @at_us is monotonic. */
	void (*seen)(void *data, int stream, const char *bytes, size_t size, uint64_t at_us);
	/* There was more than the limit; called once. What is within it is passed on. */
	void (*limit_reached)(void *data);
	/* The caller reads a stream no more; may be NULL. */
	void (*lost)(void *data);
};

struct output {
	uv_loop_t *loop;
	struct output_hooks hooks;
	struct output_stream stream[2];
	uint64_t limit; /* bytes; 0: none */
	uint64_t seen_bytes;
	uint64_t last_us; /* monotonic: when there last was any, or when somebody made us wait */
	bool limit_told;
	bool held; /* nothing is read for now */
	bool for_log_only; /* there is no caller: it goes nowhere but to hooks.seen */
};

/*
 * Make the pipes. ret_child[0] and ret_child[1] are the payload's stdout and stderr, to be closed
 * once it has them. -1 with e, nothing left.
 */
int output_open(struct output *o, uv_loop_t *loop, const struct output_hooks *hooks,
	int ret_child[2], struct error *e);
/* The same without a caller who wants it: it is for hooks.seen alone, and holds up nobody. */
int output_open_for_log(struct output *o, uv_loop_t *loop, const struct output_hooks *hooks,
	int ret_child[2], struct error *e);
/*
 * For a payload with a terminal, whose output is one stream: it is read from there, once
 * output_read_from_take() has given the master, and goes to the caller's stdout.
 */
int output_open_terminal(
	struct output *o, uv_loop_t *loop, const struct output_hooks *hooks, struct error *e);
/* And that for hooks.seen alone. */
void output_open_terminal_for_log(
	struct output *o, uv_loop_t *loop, const struct output_hooks *hooks);
/* Begin to read from @master. 0, or -1 with errno and @master closed. */
int output_read_from_take(struct output *o, int master);
/* Read no more: what the payload still writes is lost. */
void output_stop_reading(struct output *o);
/*
 * Read nothing for now, and again: what the payload writes waits in its pipe, as it would for a
 * caller who does not read. Nothing to do for one that is all zero, never opened.
 */
void output_hold(struct output *o, bool held);
/* Begin to read. */
void output_start(struct output *o);
/* True while a stream waits for the caller to read, or is held. */
bool output_is_blocked(const struct output *o);
/*
 * The payload's processes are gone: read what is left in the pipes (at most what a pipe holds),
 * pass it on within @timeout_ms, and close. Writers outside the box are not waited for. Nothing to do
 * for what was never opened (all zero).
 */
void output_close(struct output *o, int timeout_ms);
/*
 * After output_close(): take the handles off a loop that goes on. Returns how often @closed will be called
 * from there, each with @data as the data of the handle; until then @o may not go away.
 */
unsigned output_fini(struct output *o, uv_close_cb closed, void *data);

#endif
