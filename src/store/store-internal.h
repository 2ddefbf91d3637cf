/* SPDX-License-Identifier: MIT */
#ifndef STORE_STORE_INTERNAL_H
#define STORE_STORE_INTERNAL_H

#include <sqlite3.h>

#include "store/spool-line.h"
#include "store/store.h"

/* What the files of the store share; for nobody else. */

struct store {
	const struct state_dir *dir;
	char path[PATH_MAX]; /* of the directory, for SQLite */
	enum store_mode mode;
	bool casual; /* other processes are waited for 5 ms, not 2 s */
	bool copied; /* db is a copy in memory: of what is outside nothing is changed */
	sqlite3 *db; /* NULL: there is no data base (STORE_READ only) */
	int lock; /* the file of owner.h, to ask after runs; -1: not opened yet */
	ino_t inode; /* of the data base when it was opened */
	int wal_pages;
	uint64_t busy_since, busy_max_us;
	sqlite3_stmt *begin, *end; /* of store_put(); NULL: not compiled yet */
};

/* Compile @sql. An SQLite result code. */
int store_prepare(struct store *s, const char *sql, sqlite3_stmt **ret);
/* ?@i is @s, which must stay until the statement has run; NULL is NULL. */
void store_bind_text(sqlite3_stmt *stmt, int i, const char *s);
#define cleanup_stmt __attribute__((cleanup(stmt_finalizep)))
void stmt_finalizep(sqlite3_stmt **stmt);

/*
 * Write the row of @r; one that is there is never made less. An SQLite result code.
 * SQLITE_MISMATCH, _CONSTRAINT and _TOOBIG are @r's own fault.
 */
int store_put(struct store *s, const struct run_record *r);

/*
 * Run to its end a statement that gives no rows, and make it ready for the next time. A result
 * code.
 */
int store_run_statement(sqlite3_stmt *stmt);

/* store_open(), STORE_READ too with the patience of one who has other things to do. */
int store_open_as(struct store **ret, const struct state_dir *dir, enum store_mode mode,
	bool casual, struct error *e);

/* Go on in memory with a copy of the data base, or without one with an empty one. A result code. */
int store_copy(struct store *s);

/* Fill in @e for the result code @rc of something done to the data base. Returns -1. */
int store_fail(struct store *s, int rc, struct error *e);

/*
 * If @rc says that the data base is damaged, put it aside and begin a new one. True when there is
 * now another one, in which the work can be tried again; once only.
 */
bool store_renewed(struct store *s, int rc);

/* False if nobody holds the run @id. */
bool store_run_alive(struct store *s, const char *id);

/* Column @i as a string in @a; NULL for NULL. */
const char *column_text(sqlite3_stmt *stmt, int i, struct arena *a);

/*
 * The columns of a row as run_row_read() reads them, into @a; state is as the data base has it.
 */
#define RUN_ROW_COLUMNS                                                                            \
	"id, key, policy, argv, argc, pid, started_us, log_dir, state, ended_us, cause, "          \
	"exit_status"
#define RUN_ROW_N_COLUMNS 12
void run_row_read(struct run_row *row, sqlite3_stmt *stmt, struct arena *a);

#endif
