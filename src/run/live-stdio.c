/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "run/engine-internal.h"

/* What a run reads from and writes to. */

#define DEFAULT_ROWS 24
#define DEFAULT_COLS 80
/* An empty pipe takes so much at once. */
#define PIPE_ROOM 65536

static void on_output(void *data, int stream, const char *bytes, size_t size, uint64_t at_us)
{
	struct body *b = data;
	const struct engine_hooks *hooks = &b->engine->hooks;
	uint64_t t_us = at_us > b->watch.started_us ? at_us - b->watch.started_us : 0;
	if (hooks->output)
		hooks->output(hooks->data, b->live, stream, bytes, size, t_us);
	live_changed(b->live);
}

static void on_output_limit(void *data)
{
	struct body *b = data;
	killer_kill_for_output(&b->watch, b->output.seen_bytes);
}

/* Only a limit that was asked for ends a run; the default one bounds what the record keeps. */
static uint64_t output_limit(const struct limits *limits)
{
	const struct limit_value *v = &limits->v[LIMIT_OUTPUT];
	return v->set && v->origin == ORIGIN_ASKED ? v->value : 0;
}

int live_open_output(struct body *b, struct error *e)
{
	struct output_hooks hooks = {b, on_output, on_output_limit, NULL};
	uv_loop_t *loop = b->engine->loop;
	if (b->live->has_terminal)
		output_open_terminal_for_log(&b->output, loop, &hooks);
	else if (output_open_for_log(&b->output, loop, &hooks, &b->stdio[1], e) < 0)
		return -1;
	b->output.limit = output_limit(&b->prepared.policy.limits);
	b->output.held = b->live->output_holders > 0; /* by who was attached while it was queued */
	return 0;
}

static void on_room(void *data)
{
	struct body *b = data;
	live_changed(b->live);
}

/* As a file that nobody can change: more than a pipe takes at once. */
static int open_large_text(const struct engine_request *request)
{
	int fd = memfd_sealed("stdin", request->stdin_text, request->stdin_size);
	if (fd >= 0)
		lseek(fd, 0, SEEK_SET);
	return fd;
}

/* All of it is there before the program is. */
static int open_text(const struct engine_request *request)
{
	ssize_t size = (ssize_t)request->stdin_size;
	int fds[2];
	if (size > PIPE_ROOM)
		return open_large_text(request);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	bool whole = write(fds[1], request->stdin_text, (size_t)size) == size;
	fd_close(fds[1]);
	if (whole)
		return fds[0];
	fd_close(fds[0]); /* a user with very many pipes gets small ones */
	return open_large_text(request);
}

int live_open_stdin(struct body *b, struct error *e)
{
	const struct engine_request *request = &b->request;
	int r = 0;
	if (b->live->has_terminal)
		return 0; /* comes with it */
	if (request->stdin_open) {
		b->feed.room = on_room;
		b->feed.data = b;
		r = feed_open(&b->feed, b->engine->loop, &b->stdio[0]);
	} else {
		b->stdio[0] = request->stdin_text ? open_text(request)
						  : fcntl(b->engine->null_fd, F_DUPFD_CLOEXEC, 3);
	}
	if (r < 0 || b->stdio[0] < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make the run's stdin");
	if (b->stdin_ends)
		feed_end(&b->feed);
	return 0;
}

void live_close_stdio(struct body *b)
{
	for (int i = 0; i < 3; i++)
		b->stdio[i] = fd_close(b->stdio[i]);
}

/* ---- a terminal ---- */

struct pty_look live_look(const struct body *b)
{
	const struct engine_request *r = &b->request;
	return (struct pty_look){.size = {.ws_row = r->rows ? r->rows : DEFAULT_ROWS,
					 .ws_col = r->cols ? r->cols : DEFAULT_COLS}};
}

void live_connect_terminal(struct body *b)
{
	int for_output = fcntl(b->pty.master, F_DUPFD_CLOEXEC, 3);
	int for_input = fcntl(b->pty.master, F_DUPFD_CLOEXEC, 3);
	struct error ignored = ERROR_INIT;
	b->feed.room = on_room;
	b->feed.data = b;
	/* without a descriptor for it the program has a terminal that nobody looks at */
	if (for_output >= 0)
		output_read_from_take(&b->output, for_output);
	if (for_input >= 0)
		feed_open_terminal_take(&b->feed, b->engine->loop, for_input);
	if (b->stdin_ends)
		feed_end(&b->feed);
	b->stdin_ends = false;
	live_resize(b->live, live_look(b).size.ws_row, live_look(b).size.ws_col, &ignored);
}
