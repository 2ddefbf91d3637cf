/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "base/time.h"
#include "store/lost.h"
#include "store/owner.h"
#include "store/store-internal.h"

static const char *const state_names[] = {
	[RUN_ON] = "running",
	[RUN_ENDED] = "ended",
	[RUN_LOST] = "lost",
};
static_assert(
	sizeof state_names / sizeof *state_names == RUN_STATE_COUNT_, "a name for each state");

const char *run_state_name(enum run_state state)
{
	return (unsigned)state < RUN_STATE_COUNT_ ? state_names[state] : "unknown";
}

static void read_argv(struct run_row *row, sqlite3_stmt *stmt, int i, struct arena *a)
{
	const char *data = sqlite3_column_blob(stmt, i);
	size_t size = (size_t)sqlite3_column_bytes(stmt, i);
	struct strv words = {arena_new(a, const char *), 0, 1};
	for (size_t at = 0; data && at < size;) {
		size_t length = strnlen(data + at, size - at);
		strv_push(a, &words, arena_strndup(a, data + at, length));
		row->argv_cut = at + length == size;
		at += length + 1;
	}
	row->argv = words.v;
	row->argc = words.n;
	row->argv_cut |= (sqlite3_int64)words.n != sqlite3_column_int64(stmt, i + 1);
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

void run_row_read(struct run_row *row, sqlite3_stmt *stmt, struct arena *a)
{
	*row = (struct run_row){.exit_status = -1};
	row->id = or_empty(column_text(stmt, 0, a));
	row->key = column_text(stmt, 1, a);
	row->policy = or_empty(column_text(stmt, 2, a));
	read_argv(row, stmt, 3, a);
	row->pid = (pid_t)sqlite3_column_int64(stmt, 5);
	row->started_us = (uint64_t)sqlite3_column_int64(stmt, 6);
	row->log_dir = column_text(stmt, 7, a);
	row->state = (enum run_state)sqlite3_column_int(stmt, 8);
	row->ended_us = (uint64_t)sqlite3_column_int64(stmt, 9);
	row->cause = column_text(stmt, 10, a);
	if (sqlite3_column_type(stmt, 11) == SQLITE_INTEGER)
		row->exit_status = sqlite3_column_int(stmt, 11);
}

/* A run that nobody holds is lost, also before a start of bulkhead has settled it. */
static void look_whether_lost(struct store *s, struct run_row *row)
{
	if (row->state != RUN_ON || store_run_alive(s, row->id))
		return;
	row->state = RUN_LOST;
	row->cause = cause_name(CAUSE_SUPERVISOR_LOST);
}

struct row_list {
	struct run_row *v;
	size_t n, room;
};

static struct run_row *add_row(struct row_list *list, struct arena *a)
{
	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		struct run_row *v = arena_calloc(a, room, sizeof *v);
		if (list->n)
			memcpy(v, list->v, list->n * sizeof *v);
		list->v = v;
		list->room = room;
	}
	return &list->v[list->n++];
}

/* A lost run that is not settled yet has no cause in the data base, so the filter is also ours. */
static bool passes(const struct run_row *row, const struct run_filter *filter)
{
	return !filter->cause || (row->cause && strcmp(row->cause, filter->cause) == 0);
}

static int list_rows(
	struct store *s, const struct run_filter *filter, struct arena *a, struct row_list *list)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = store_prepare(s,
		filter->key ? "SELECT " RUN_ROW_COLUMNS " FROM runs WHERE key = ?1"
			      " AND (?2 IS NULL OR cause = ?2 OR state = 0) ORDER BY n DESC"
			    : "SELECT " RUN_ROW_COLUMNS " FROM runs"
			      " WHERE (?2 IS NULL OR cause = ?2 OR state = 0) ORDER BY n DESC",
		&stmt);
	if (rc != SQLITE_OK)
		return rc;
	if (filter->key)
		store_bind_text(stmt, 1, filter->key);
	store_bind_text(stmt, 2, filter->cause);
	while ((!filter->limit || list->n < filter->limit) &&
		(rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct run_row row;
		run_row_read(&row, stmt, a);
		look_whether_lost(s, &row);
		if (passes(&row, filter))
			*add_row(list, a) = row;
	}
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int store_list(struct store *s, const struct run_filter *filter, struct arena *a,
	struct run_row **ret, size_t *ret_n, struct error *e)
{
	struct row_list list = {NULL, 0, 0};
	int rc = s->db ? list_rows(s, filter, a, &list) : SQLITE_OK;
	if (rc != SQLITE_OK)
		return store_fail(s, rc, e);
	*ret = list.v;
	*ret_n = list.n;
	return 0;
}

#define ID_SHOWN_MAX 64

static int refuse_prefix(const char *prefix, const char *first, const char *second, struct error *e)
{
	cleanup_buf struct buf shown = BUF_INIT;
	buf_put_visible(&shown, prefix, strnlen(prefix, ID_SHOWN_MAX));
	if (!first) {
		error_set(e, BLAME_REQUEST, 0, "no run '%s'", buf_str(&shown));
		return error_hint(e, "bulkhead runs lists them");
	}
	error_set(e, BLAME_REQUEST, 0, "more than one run begins with '%s': %s, %s",
		buf_str(&shown), first, second);
	return error_hint(e, "give more of the id");
}

static int find_rows(struct store *s, const char *prefix, struct arena *a, struct row_list *list)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	/* Text is compared as bytes; \xff is above every byte of an id. */
	int rc = store_prepare(s,
		"SELECT " RUN_ROW_COLUMNS ", verdict, observation FROM runs"
		" WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 2",
		&stmt);
	if (rc != SQLITE_OK)
		return rc;
	store_bind_text(stmt, 1, prefix);
	store_bind_text(stmt, 2, arena_printf(a, "%s\xff", prefix));
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct run_row *row = add_row(list, a);
		run_row_read(row, stmt, a);
		row->verdict = column_text(stmt, RUN_ROW_N_COLUMNS, a);
		row->observation = column_text(stmt, RUN_ROW_N_COLUMNS + 1, a);
	}
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Give a lost run that nobody has settled yet the verdict that it is going to have. */
static void judge_lost(struct run_row *row, struct arena *a)
{
	if (row->state != RUN_LOST || row->verdict)
		return;
	struct observation o;
	struct verdict v;
	lost_verdict(&v, &o, row, time_realtime_us());
	row->verdict = verdict_format_json(&v, &o, a);
	row->observation = observation_format_json(&o, a);
}

int store_find(
	struct store *s, const char *prefix, struct arena *a, struct run_row *ret, struct error *e)
{
	struct row_list list = {NULL, 0, 0};
	bool sane = *prefix && strlen(prefix) <= ID_SHOWN_MAX && utf8_valid(prefix, strlen(prefix));
	int rc = s->db && sane ? find_rows(s, prefix, a, &list) : SQLITE_OK;
	if (rc != SQLITE_OK)
		return store_fail(s, rc, e);
	if (list.n != 1)
		return refuse_prefix(
			prefix, list.n ? list.v[0].id : NULL, list.n ? list.v[1].id : NULL, e);
	*ret = list.v[0];
	look_whether_lost(s, ret);
	judge_lost(ret, a);
	return 0;
}

void run_row_command(const struct run_row *row, struct buf *out)
{
	for (size_t i = 0; i < row->argc; i++) {
		if (i > 0)
			buf_putc(out, ' ');
		buf_put_word(out, row->argv[i]);
	}
	if (row->argv_cut)
		buf_puts(out, " ...");
}
