/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/time.h"
#include "store/owner.h"
#include "store/store-internal.h"

#define DB_NAME "state.db"

/* How long a lock of another process is waited for. */
#define BUSY_MAX_US        (2 * US_PER_SEC)
#define BUSY_MAX_CASUAL_US 5000
#define BUSY_MAX_TIDY_US   5000 /* for emptying the log: there will be another time */
#define BUSY_MAX_LARGE_US  200000 /* for emptying one that has grown large */

/*
 * Pages in the log from which it is written back. The log is read whole by the next process that
 * opens the data base while no other has it open, about 0.8 µs a page, and a segment of the spool
 * is about a hundred.
 */
#define WAL_PAGES_IDLE   100
#define WAL_PAGES_URGENT 400
#define WAL_PAGES_LARGE  2000

/*
 * Step n leads from user_version n to n + 1; a new data base takes all of them. A step that was
 * ever released is never changed.
 *
 * n follows the order of begins, so the newest are found without an index by time. The partial
 * indices have rows only for what is looked for: runs that are on, that have a key, that use
 * disk space, and so cost most runs nothing.
 */
static const char *const migrations[] = {
	"CREATE TABLE runs("
	" n INTEGER PRIMARY KEY,"
	" id TEXT NOT NULL UNIQUE,"
	" key TEXT,"
	" policy TEXT NOT NULL,"
	" argv BLOB NOT NULL," /* words, each with its NUL; without the last NUL it was cut */
	" argc INTEGER NOT NULL,"
	" pid INTEGER NOT NULL,"
	" started_us INTEGER NOT NULL,"
	" log_dir TEXT,"
	" state INTEGER NOT NULL," /* enum run_state */
	" ended_us INTEGER,"
	" cause TEXT,"
	" exit_status INTEGER,"
	" disk_bytes INTEGER NOT NULL DEFAULT 0,"
	" verdict TEXT,"
	" observation TEXT);"
	"CREATE INDEX runs_on ON runs(state) WHERE state = 0;"
	"CREATE INDEX runs_key ON runs(key) WHERE key IS NOT NULL;"
	"CREATE INDEX runs_disk ON runs(n, disk_bytes) WHERE disk_bytes > 0;",
};
#define SCHEMA_VERSION ((int)(sizeof migrations / sizeof *migrations))

/* SQLite's own handler sleeps at least 1 ms; a commit here takes 0.05. */
static int wait_for_lock(void *data, int tries)
{
	struct store *s = data;
	uint64_t now = time_monotonic_us();
	if (tries == 0)
		s->busy_since = now;
	if (now - s->busy_since > s->busy_max_us)
		return 0;
	/* 30, 60, … 1920 µs; the clock's low bits keep two waiters from keeping step. */
	long us = (30l << (tries < 6 ? tries : 6)) + (long)(now & 31);
	nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
	return 1;
}

static int note_wal_pages(void *data, sqlite3 *db, const char *name, int pages)
{
	struct store *s = data;
	(void)db;
	(void)name;
	s->wal_pages = pages;
	return SQLITE_OK;
}

static uint64_t usual_patience(const struct store *s)
{
	return s->casual ? BUSY_MAX_CASUAL_US : BUSY_MAX_US;
}

static void configure_sqlite(void)
{
	static bool done;
	if (done)
		return;
	done = true;
	/* One thread: no mutexes. Nobody asks how much memory is in use: no counting. */
	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int store_prepare(struct store *s, const char *sql, sqlite3_stmt **ret)
{
	return sqlite3_prepare_v2(s->db, sql, -1, ret, NULL);
}

void store_bind_text(sqlite3_stmt *stmt, int i, const char *s)
{
	if (s)
		sqlite3_bind_text(stmt, i, s, -1, SQLITE_STATIC);
	else
		sqlite3_bind_null(stmt, i);
}

void stmt_finalizep(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}

const char *column_text(sqlite3_stmt *stmt, int i, struct arena *a)
{
	const void *data = sqlite3_column_blob(stmt, i);
	if (sqlite3_column_type(stmt, i) == SQLITE_NULL)
		return NULL;
	return arena_strndup(a, data ? data : "", (size_t)sqlite3_column_bytes(stmt, i));
}

static int exec(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int read_version(struct store *s, int *ret)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int rc = store_prepare(s, "PRAGMA user_version", &stmt);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
	*ret = sqlite3_column_int(stmt, 0);
	return SQLITE_OK;
}

/* What SQLite's codes mean to a person: an errno, or a text where there is none. */
static int rc_errno(struct store *s, int rc)
{
	int system = s->db ? sqlite3_system_errno(s->db) : 0;
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_READONLY:
		return EROFS;
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR:
		return system ? system : EIO;
	case SQLITE_NOMEM:
		return ENOMEM;
	default:
		return 0;
	}
}

static int fail_locked(const struct store *s, struct error *e)
{
	error_set(e, BLAME_HOST, 0, "'%s/" DB_NAME "': another process has had it locked for %s",
		s->dir->path, s->casual ? "5 ms" : "2 s");
	if (e)
		e->errnum = EBUSY;
	return -1;
}

int store_fail(struct store *s, int rc, struct error *e)
{
	int errnum = rc_errno(s, rc);
	if (errnum)
		return error_set(e, BLAME_HOST, errnum, "'%s/" DB_NAME "'", s->dir->path);
	if ((rc & 0xff) == SQLITE_BUSY)
		return fail_locked(s, e);
	if (rc == SQLITE_SCHEMA) /* only check_version() says so */
		return error_set(e, BLAME_HOST, 0,
			"'%s/" DB_NAME "' is of another version of bulkhead", s->dir->path);
	return error_set(
		e, BLAME_HOST, 0, "'%s/" DB_NAME "': %s", s->dir->path, sqlite3_errstr(rc));
}

static void close_db(struct store *s)
{
	sqlite3_finalize(s->begin);
	sqlite3_finalize(s->end);
	sqlite3_close(s->db);
	s->begin = s->end = NULL;
	s->db = NULL;
}

/* Bring an older data base up to date, or a new one into being. */
static int migrate(sqlite3 *db, int from)
{
	char version[48];
	snprintf(version, sizeof version, "PRAGMA user_version = %d", SCHEMA_VERSION);
	int rc = exec(db, "BEGIN IMMEDIATE");
	for (int i = from; rc == SQLITE_OK && i < SCHEMA_VERSION; i++)
		rc = exec(db, migrations[i]);
	if (rc == SQLITE_OK)
		rc = exec(db, version);
	if (rc == SQLITE_OK)
		rc = exec(db, "COMMIT");
	return rc;
}

/*
 * A new data base is made under another name and put in place whole, so that no process ever
 * finds half of one, and of two that make one at a time the first wins. It is not synced: there is
 * nothing in it yet, and an empty file that a power failure leaves counts as damaged.
 */
static int create_file(const char *path)
{
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	if (rc == SQLITE_OK)
		rc = exec(db, "PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL");
	if (rc == SQLITE_OK)
		rc = migrate(db, 0);
	if (rc == SQLITE_OK) /* closing does that too, but does not say that the disk was full */
		rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	int closed = sqlite3_close(db);
	return rc == SQLITE_OK ? closed : rc;
}

static int put_in_place(const struct state_dir *dir, const char *name)
{
	if (renameat2(dir->fd, name, dir->fd, DB_NAME, RENAME_NOREPLACE) == 0 || errno == EEXIST)
		return SQLITE_OK;
	return SQLITE_CANTOPEN;
}

static void remove_files(const struct state_dir *dir, const char *name)
{
	static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		char file[128];
		snprintf(file, sizeof file, "%s%s", name, ends[i]);
		unlinkat(dir->fd, file, 0);
	}
}

static int create_db(const struct store *s)
{
	const struct state_dir *dir = s->dir;
	char path[PATH_MAX + 64], name[64];
	uint64_t salt;
	if (getrandom(&salt, sizeof salt, 0) != (ssize_t)sizeof salt)
		return SQLITE_IOERR;
	snprintf(name, sizeof name, DB_NAME ".new-%016" PRIx64, salt);
	snprintf(path, sizeof path, "%s/%s", s->path, name);
	/* SQLite gives the log the mode of the data base, which it would make readable to all. */
	cleanup_fd int fd = openat(dir->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == ENOSPC || errno == EDQUOT   ? SQLITE_FULL
			: errno == EROFS || errno == EACCES ? SQLITE_READONLY
							    : SQLITE_CANTOPEN;
	int rc = create_file(path);
	if (rc == SQLITE_OK)
		rc = put_in_place(dir, name);
	remove_files(dir, name);
	return rc;
}

static int connect_db(struct store *s)
{
	char path[PATH_MAX + 16];
	int flags = s->mode == STORE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	snprintf(path, sizeof path, "%s/" DB_NAME, s->path);
	int rc = sqlite3_open_v2(path, &s->db, flags, NULL);
	if (rc == SQLITE_OK && s->mode != STORE_READ && sqlite3_db_readonly(s->db, "main") == 1)
		rc = SQLITE_READONLY; /* it opens what it can, and says so later */
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_busy_handler(s->db, wait_for_lock, s);
	sqlite3_wal_hook(s->db, note_wal_pages, s); /* in place of the automatic checkpoint */
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return exec(s->db, "PRAGMA synchronous = NORMAL");
}

int store_copy(struct store *s)
{
	sqlite3 *copy = NULL;
	int rc = sqlite3_open(":memory:", &copy);
	if (rc == SQLITE_OK && s->db) {
		sqlite3_backup *b = sqlite3_backup_init(copy, "main", s->db, "main");
		sqlite3_backup_step(b, -1);
		rc = b ? sqlite3_backup_finish(b) : SQLITE_NOMEM;
	} else if (rc == SQLITE_OK) {
		rc = migrate(copy, 0);
	}
	close_db(s);
	s->db = copy;
	s->copied = true;
	return rc;
}

/* Make it fit for this version of the program. */
static int check_version(struct store *s)
{
	int version = 0;
	int rc = read_version(s, &version);
	if (rc != SQLITE_OK)
		return rc;
	if (version == 0)
		return SQLITE_NOTADB; /* never seen in place but as an empty file */
	if (version < SCHEMA_VERSION && s->mode != STORE_READ)
		return migrate(s->db, version);
	return version == SCHEMA_VERSION ? SQLITE_OK : SQLITE_SCHEMA;
}

static int open_once(struct store *s)
{
	struct stat st;
	if (fstatat(s->dir->fd, DB_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return SQLITE_CANTOPEN;
		if (s->mode == STORE_READ)
			return SQLITE_OK;
		int rc = create_db(s);
		if (rc != SQLITE_OK)
			return rc;
		if (fstatat(s->dir->fd, DB_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return SQLITE_CANTOPEN;
	}
	if (!S_ISREG(st.st_mode)) /* opening a FIFO would wait for somebody at its other end */
		return SQLITE_CANTOPEN;
	s->inode = st.st_ino;
	int rc = connect_db(s);
	return rc == SQLITE_OK ? check_version(s) : rc;
}

/*
 * Rename the damaged data base. Its log goes first: with a new data base the old one's log would be
 * taken for its own. The lock and the inode see to it that of many processes which meet the
 * damage one does this, and that a new data base is never taken for the damaged one.
 */
static bool put_aside(struct store *s)
{
	struct stat st;
	char aside[64], wal[72];
	cleanup_fd int lock = owner_open(s->dir->fd, true);
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
		return false;
	if (fstatat(s->dir->fd, DB_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == s->inode) {
		snprintf(aside, sizeof aside, DB_NAME ".corrupt-%" PRIu64, time_realtime_us());
		snprintf(wal, sizeof wal, "%s-wal", aside);
		renameat(s->dir->fd, DB_NAME "-wal", s->dir->fd, wal);
		unlinkat(s->dir->fd, DB_NAME "-shm", 0);
		if (renameat(s->dir->fd, DB_NAME, s->dir->fd, aside) == 0)
			log_error("'%s/" DB_NAME
				  "' is damaged: put aside as '%s', a new one is begun",
				s->dir->path, aside);
	}
	return true;
}

bool store_renewed(struct store *s, int rc)
{
	if (((rc & 0xff) != SQLITE_CORRUPT && (rc & 0xff) != SQLITE_NOTADB) ||
		s->mode == STORE_READ)
		return false;
	close_db(s);
	return put_aside(s) && open_once(s) == SQLITE_OK;
}

int store_open(
	struct store **ret, const struct state_dir *dir, enum store_mode mode, struct error *e)
{
	return store_open_as(ret, dir, mode, mode == STORE_CASUAL, e);
}

int store_open_as(struct store **ret, const struct state_dir *dir, enum store_mode mode,
	bool casual, struct error *e)
{
	configure_sqlite();
	struct store *s = calloc(1, sizeof *s);
	if (!s)
		out_of_memory();
	s->dir = dir;
	s->mode = mode;
	s->casual = casual;
	s->busy_max_us = usual_patience(s);
	s->lock = -1;
	if (dir->fd >= 0) {
		state_dir_real_path(dir, s->path);
		int rc = open_once(s);
		if (rc != SQLITE_OK && !store_renewed(s, rc)) {
			store_fail(s, rc, e);
			store_close(s);
			return -1;
		}
	}
	*ret = s;
	return 0;
}

bool store_run_alive(struct store *s, const char *id)
{
	if (s->lock < 0)
		s->lock = owner_open(s->dir->fd, false);
	if (s->lock < 0)
		return errno != ENOENT; /* without the file there is nobody who holds anything */
	return owner_alive(s->lock, id);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	close_db(s);
	fd_close(s->lock);
	free(s);
}

void store_closep(struct store **s)
{
	store_close(*s);
}

/*
 * Write the log back into the data base, for which the disk is waited for twice, and see to it that
 * it is begun anew: that needs a moment in which nobody reads in it, which among many busy
 * processes does not come by itself. Then write something, since the first write into the emptied
 * log waits for the disk too, and must not be that of a run which took no time for it. False if
 * another process is at it.
 */
static bool write_back(struct store *s)
{
	if (sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) !=
		SQLITE_OK)
		return false;
	s->busy_max_us = s->wal_pages < WAL_PAGES_LARGE ? BUSY_MAX_TIDY_US : BUSY_MAX_LARGE_US;
	int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
	if (rc == SQLITE_OK)
		exec(s->db, "UPDATE runs SET pid = pid WHERE n = (SELECT max(n) FROM runs)");
	s->busy_max_us = usual_patience(s);
	return true;
}

void store_tidy(struct store *s, const struct retention *r, bool idle)
{
	int due = idle ? WAL_PAGES_IDLE : WAL_PAGES_URGENT;
	if (!s->db || s->mode == STORE_READ || s->wal_pages < due || !write_back(s))
		return;
	uint64_t now = time_realtime_us();
	retention_apply(s, r, now);
	if (idle || s->mode == STORE_WRITE)
		retention_sweep(s->dir, r, now);
}
