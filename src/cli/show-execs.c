/* SPDX-License-Identifier: MIT */
#include "cli/show-execs.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "store/exec-log.h"

#define BLOCK_SIZE (64 << 10)

static int open_log(const struct read_store *records, const char *id, struct exec_log_reader **ret,
	struct error *e)
{
	cleanup_fd int dir = run_dir_open(&records->dir, id);

	if (dir >= 0 && exec_log_open(ret, dir, e) == 0)
		return 0;
	if (dir < 0 ? errno == ENOENT : e->errnum == ENOENT) {
		error_set(e, BLAME_REQUEST, 0, "run '%s' has no execs on record", id);
		return error_hint(e,
			"they are recorded under a policy with 'exec: {mode: audit}' or "
			"'enforce', and are removed when its output is");
	}
	return error_wrap(e, "the record of run '%s'", id);
}

/* What is still being written is no damage. */
static void tell_faults(const struct exec_log_reader *r)
{
	struct exec_log_faults f = exec_log_faults(r);

	if (f.damaged > 0)
		log_line("%" PRIu64 " line%s of the execs %s damaged and left out", f.damaged,
			f.damaged == 1 ? "" : "s", f.damaged == 1 ? "is" : "are");
}

static int fail_reading(struct error *e)
{
	return error_set(e, BLAME_HOST, errno, "cannot read the execs");
}

struct events {
	struct exec_event *v;
	size_t n, room;
};

static struct exec_event *next_place(struct events *events, struct arena *a)
{
	if (events->n == events->room) {
		size_t room = events->room ? events->room * 2 : 256;
		struct exec_event *v = arena_calloc(a, room, sizeof *v);
		for (size_t i = 0; i < events->n; i++)
			v[i] = events->v[i];
		events->v = v;
		events->room = room;
	}
	return &events->v[events->n];
}

const struct exec_tree *show_read_execs(
	const struct read_store *records, const char *id, struct arena *a, struct error *e)
{
	cleanup_exec_log struct exec_log_reader *r = NULL;
	struct exec_tree *t = arena_new(a, struct exec_tree);
	struct events events = {.n = 0};
	int found;

	if (open_log(records, id, &r, e) < 0)
		return NULL;
	while ((found = exec_log_next(r, next_place(&events, a), a)) > 0)
		events.n++;
	if (found < 0) {
		fail_reading(e);
		return NULL;
	}
	tell_faults(r);
	exec_tree_build(t, events.v, events.n, a);
	return t;
}

static int write_and_clear(struct buf *out, struct error *e)
{
	int r = write_out(STDOUT_FILENO, out, e);

	buf_clear(out);
	return r;
}

int show_execs_json(const struct read_store *records, const char *id, struct error *e)
{
	cleanup_exec_log struct exec_log_reader *r = NULL;
	cleanup_buf struct buf out = BUF_INIT;
	int found = 1;

	if (open_log(records, id, &r, e) < 0)
		return -1;
	while (found > 0) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct exec_event event;
		found = exec_log_next(r, &event, &a);
		if (found > 0)
			exec_event_format(&event, &out);
		if (out.size > BLOCK_SIZE && write_and_clear(&out, e) < 0)
			return -1;
	}
	if (found < 0)
		return fail_reading(e);
	tell_faults(r);
	return write_and_clear(&out, e);
}

void show_put_execs(struct buf *out, const char *id, const struct exec_tree *t,
	const struct observation *o, struct plot_style style)
{
	buf_printf(out, "execs of run %s%s: ", id, o ? "" : " so far");
	exec_tree_put_counts(out, t);
	buf_putc(out, '\n');
	exec_tree_put_text(out, t, o ? &o->exec : NULL, style);
}
