/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "model/verdict.h"
#include "store/lost.h"
#include "store/store-internal.h"

/*
 * Parameters ?1 to ?9 are the same in both: what is known at the start. A line may come twice, and
 * that of a begin after that of the end: then there is nothing new in it.
 */
static const char begin_sql[] =
	"INSERT INTO runs(id, key, policy, argv, argc, pid, started_us, log_dir, state)"
	" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT(id) DO NOTHING";
static const char end_sql[] =
	"INSERT INTO runs(id, key, policy, argv, argc, pid, started_us, log_dir, state,"
	" ended_us, cause, exit_status, disk_bytes, verdict, observation)"
	" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
	" ON CONFLICT(id) DO UPDATE SET state = ?9, ended_us = ?10, cause = ?11, exit_status = ?12,"
	" disk_bytes = ?13, verdict = ?14, observation = ?15";

static void bind_begin(sqlite3_stmt *stmt, const struct run_record *r)
{
	store_bind_text(stmt, 1, r->id);
	store_bind_text(stmt, 2, r->key);
	store_bind_text(stmt, 3, r->policy);
	sqlite3_bind_blob(stmt, 4, r->argv, (int)r->argv_size, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 5, (sqlite3_int64)r->argc);
	sqlite3_bind_int64(stmt, 6, (sqlite3_int64)r->pid);
	sqlite3_bind_int64(stmt, 7, (sqlite3_int64)r->started_us);
	store_bind_text(stmt, 8, r->log_dir);
	sqlite3_bind_int(stmt, 9, r->ended ? RUN_ENDED : RUN_ON);
}

static void bind_end(sqlite3_stmt *stmt, const struct run_record *r)
{
	sqlite3_bind_int64(stmt, 10, (sqlite3_int64)r->ended_us);
	store_bind_text(stmt, 11, r->cause);
	sqlite3_bind_int(stmt, 12, (int)r->exit_status);
	sqlite3_bind_int64(stmt, 13, (sqlite3_int64)r->disk_bytes);
	store_bind_text(stmt, 14, r->verdict);
	store_bind_text(stmt, 15, r->observation);
}

int store_run_statement(sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int store_put(struct store *s, const struct run_record *r)
{
	sqlite3_stmt **stmt = r->ended ? &s->end : &s->begin;
	int rc = *stmt ? SQLITE_OK : store_prepare(s, r->ended ? end_sql : begin_sql, stmt);
	if (rc != SQLITE_OK)
		return rc;
	bind_begin(*stmt, r);
	if (r->ended)
		bind_end(*stmt, r);
	return store_run_statement(*stmt);
}

/*
 * The rows of runs that are on, as far as the data base knows; at most so many at a time, the
 * oldest first, so that those without a holder are not crowded out for long.
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
	return store_run_statement(stmt);
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
