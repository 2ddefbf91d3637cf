/* SPDX-License-Identifier: MIT */
#include "server/history.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/fd.h"
#include "model/run-id.h"
#include "server/server.h"
#include "store/exec-log.h"
#include "store/timeline-file.h"

/* Of one answer: then it ends with the exec that it is at. */
#define EXECS_MAX_BYTES (1 << 20)

static int fail_unknown(struct error *e, const char *id)
{
	error_set(e, BLAME_REQUEST, 0, "no run '%s'", id);
	e->errnum = ENOENT;
	return -1;
}

static int open_store(struct server *s, struct store **ret, struct error *e)
{
	return store_open_to_read(ret, s->options.state, STORE_CASUAL, e);
}

int history_find(
	struct server *s, const char *id, struct arena *a, struct run_row *ret, struct error *e)
{
	cleanup_store struct store *store = NULL;
	if (!run_id_valid(id))
		return fail_unknown(e, id);
	if (open_store(s, &store, e) < 0)
		return -1;
	if (store_find(store, id, a, ret, e) == 0)
		return 0;
	return e->blame == BLAME_REQUEST ? fail_unknown(e, id) : -1;
}

int history_list(struct server *s, const struct run_filter *filter, struct arena *a,
	struct run_row **ret, size_t *ret_n, struct error *e)
{
	cleanup_store struct store *store = NULL;
	if (open_store(s, &store, e) < 0)
		return -1;
	return store_list(store, filter, a, ret, ret_n, e);
}

/* A run of ours is known without the data base. */
static int check_known(
	struct server *s, const char *id, struct run_row *row, struct arena *a, struct error *e)
{
	*row = (struct run_row){.log_dir = NULL};
	return engine_find_run(s->engine, id) ? 0 : history_find(s, id, a, row, e);
}

int history_timeline(struct server *s, const char *id, struct buf *out, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct run_row row;
	if (check_known(s, id, &row, &a, e) < 0)
		return -1;
	cleanup_fd int dir = run_dir_open(s->options.state, id);
	struct timeline *t = arena_new(&a, struct timeline);
	size_t bad;
	if (dir >= 0 && timeline_file_read(dir, t, &bad) == 0)
		timeline_format(t, out);
	return 0;
}

/* Up to @limit of them. True if there are more. -1 in errno when the disk fails. */
static int put_execs(struct exec_log_reader *r, uint64_t limit, struct buf *out, bool *ret_more)
{
	size_t start = out->size;
	int found = 1;
	for (uint64_t n = 0; found > 0 && n <= limit; n++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct exec_event event;
		uint64_t at = exec_log_tell(r);
		found = exec_log_next(r, &event, &a);
		*ret_more = found > 0 && (n == limit || out->size - start > EXECS_MAX_BYTES);
		if (*ret_more) {
			exec_log_seek(r, at);
			return 0;
		}
		if (found <= 0)
			break;
		if (n > 0)
			buf_putc(out, ',');
		exec_event_format(&event, out);
		out->data[--out->size] = '\0'; /* its newline */
	}
	return found;
}

static int put_page(
	struct exec_log_reader *r, uint64_t from, uint64_t limit, struct buf *out, struct error *e)
{
	bool more = false;
	buf_puts(out, "{\"execs\":[");
	if (r) {
		exec_log_seek(r, from);
		if (put_execs(r, limit, out, &more) < 0)
			return error_set(e, BLAME_HOST, errno, "cannot read the execs");
		from = exec_log_tell(r); /* before a line that is being written */
	}
	buf_printf(out, "],\"next\":%" PRIu64 ",\"more\":%s}\n", from, more ? "true" : "false");
	return 0;
}

int history_execs(struct server *s, const char *id, uint64_t from, uint64_t limit, struct buf *out,
	struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_exec_log struct exec_log_reader *r = NULL;
	struct run_row row;
	if (check_known(s, id, &row, &a, e) < 0)
		return -1;
	cleanup_fd int dir = run_dir_open(s->options.state, id);
	if (dir >= 0)
		exec_log_open(&r, dir, NULL);
	return put_page(r, from, limit, out, e);
}

int history_output(struct server *s, const char *id, int *ret_dir, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct run_row row;
	if (check_known(s, id, &row, &a, e) < 0)
		return -1;
	*ret_dir = row.log_dir ? open(row.log_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
			       : run_dir_open(s->options.state, id);
	return 0;
}
