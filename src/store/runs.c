/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>

#include "model/verdict.h"
#include "store/lost.h"
#include "store/owner.h"
#include "store/store-internal.h"

#define ARGV_MAX 4096

/* Parameters ?1 to ?9 are the same in both: what is known at the start. */
static const char begin_sql[] =
	"INSERT INTO runs(id, key, policy, argv, argc, pid, started_us, log_dir, state)"
	" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
static const char end_sql[] =
	"INSERT INTO runs(id, key, policy, argv, argc, pid, started_us, log_dir, state,"
	" ended_us, cause, exit_status, disk_bytes, verdict, observation)"
	" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
	" ON CONFLICT(id) DO UPDATE SET state = ?9, ended_us = ?10, cause = ?11, exit_status = ?12,"
	" disk_bytes = ?13, verdict = ?14, observation = ?15";

/* The words with their NULs, one after the other, as far as they fit. */
static size_t join_argv(char out[ARGV_MAX], const char *const *argv, size_t argc)
{
	size_t used = 0;
	for (size_t i = 0; i < argc && used < ARGV_MAX; i++) {
		size_t size = strnlen(argv[i], ARGV_MAX) + 1;
		if (size > ARGV_MAX - used)
			size = ARGV_MAX - used;
		memcpy(out + used, argv[i], size);
		used += size;
	}
	return used;
}

static void bind_begin(sqlite3_stmt *stmt, const struct run_begin *b, enum run_state state)
{
	char argv[ARGV_MAX];
	size_t size = join_argv(argv, b->argv, b->argc);
	store_bind_text(stmt, 1, b->id);
	store_bind_text(stmt, 2, b->key);
	store_bind_text(stmt, 3, b->policy ? b->policy : "");
	sqlite3_bind_blob(stmt, 4, argv, (int)size, SQLITE_TRANSIENT);
	sqlite3_bind_int64(stmt, 5, (sqlite3_int64)b->argc);
	sqlite3_bind_int64(stmt, 6, getpid());
	sqlite3_bind_int64(stmt, 7, (sqlite3_int64)b->started_us);
	store_bind_text(stmt, 8, b->log_dir);
	sqlite3_bind_int(stmt, 9, state);
}

static void bind_end(sqlite3_stmt *stmt, const struct run_end *end)
{
	sqlite3_bind_int64(stmt, 10, (sqlite3_int64)end->ended_us);
	store_bind_text(stmt, 11, end->cause);
	sqlite3_bind_int(stmt, 12, end->exit_status);
	sqlite3_bind_int64(stmt, 13, (sqlite3_int64)end->disk_bytes);
	store_bind_text(stmt, 14, end->verdict);
	store_bind_text(stmt, 15, end->observation);
}

/* Compile both, so that run_end finds its own ready. */
static int prepare_both(struct store *s)
{
	int rc = s->begin ? SQLITE_OK : store_prepare(s, begin_sql, &s->begin);
	if (rc == SQLITE_OK && !s->end)
		rc = store_prepare(s, end_sql, &s->end);
	return rc;
}

/* Run to its end a statement that gives no rows, and make it ready for the next time. */
static int run_statement(sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int begin_once(struct store *s, const struct run_begin *b)
{
	int rc = prepare_both(s);
	if (rc != SQLITE_OK)
		return rc;
	bind_begin(s->begin, b, RUN_ON);
	return run_statement(s->begin);
}

int store_run_begin(struct store *s, const struct run_begin *b, struct error *e)
{
	/* Before there is a row that says so: a run without a holder is a lost one. */
	owner_hold(s->lock, b->id);
	int rc = begin_once(s, b);
	if (store_renewed(s, rc))
		rc = begin_once(s, b);
	return rc == SQLITE_OK ? 0 : store_fail(s, rc, e);
}

static int end_once(struct store *s, const struct run_begin *b, const struct run_end *end)
{
	int rc = prepare_both(s);
	if (rc != SQLITE_OK)
		return rc;
	bind_begin(s->end, b, RUN_ENDED);
	bind_end(s->end, end);
	return run_statement(s->end);
}

int store_run_end(
	struct store *s, const struct run_begin *b, const struct run_end *end, struct error *e)
{
	int rc = end_once(s, b, end);
	if (store_renewed(s, rc))
		rc = end_once(s, b, end);
	owner_release(s->lock, b->id);
	return rc == SQLITE_OK ? 0 : store_fail(s, rc, e);
}

/*
 * The rows of runs that are on, as far as the data base knows; at most so many at a time, the oldest first,
 * so that those without a holder are not crowded out for long.
 */
#define LOST_BATCH 256

struct lost_ids {
	struct run_row rows[LOST_BATCH];
	size_t n;
};

static int find_lost(struct store *s, struct arena *a, struct lost_ids *lost)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = store_prepare(s,
		"SELECT " RUN_ROW_COLUMNS " FROM runs WHERE state = 0 ORDER BY n LIMIT ?1", &stmt);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int(stmt, 1, LOST_BATCH);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct run_row *row = &lost->rows[lost->n];
		const char *id = (const char *)sqlite3_column_text(stmt, 0);
		if (!id || store_run_alive(s, id))
			continue;
		run_row_read(row, stmt, a);
		lost->n++;
	}
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int mark_lost(struct store *s, const struct run_row *row, uint64_t now_us, struct arena *a)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = store_prepare(s,
		"UPDATE runs SET state = ?2, cause = ?3, verdict = ?4, observation = ?5"
		" WHERE id = ?1 AND state = 0",
		&stmt);
	if (rc != SQLITE_OK)
		return rc;
	struct observation o;
	struct verdict v;
	lost_verdict(&v, &o, row, now_us);
	store_bind_text(stmt, 1, row->id);
	sqlite3_bind_int(stmt, 2, RUN_LOST);
	store_bind_text(stmt, 3, cause_name(v.cause));
	store_bind_text(stmt, 4, verdict_format_json(&v, &o, a));
	store_bind_text(stmt, 5, observation_format_json(&o, a));
	return run_statement(stmt);
}

int store_settle_lost(struct store *s, uint64_t now_us, unsigned *ret_n, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	if (ret_n)
		*ret_n = 0;
	if (!s->db)
		return 0;
	struct lost_ids *lost = arena_new(&a, struct lost_ids);
	int rc = find_lost(s, &a, lost);
	for (size_t i = 0; rc == SQLITE_OK && i < lost->n; i++)
		rc = mark_lost(s, &lost->rows[i], now_us, &a);
	if (rc != SQLITE_OK)
		return store_fail(s, rc, e);
	if (ret_n)
		*ret_n = (unsigned)lost->n;
	return 0;
}
