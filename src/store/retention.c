/* SPDX-License-Identifier: MIT */
#include "store/retention.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "model/run-id.h"
#include "store/spool.h"
#include "store/store-internal.h"

#define DAY_US (24 * 3600 * US_PER_SEC)

/* Its time of modification is when runs/ was last swept. */
#define STAMP "swept"

/* Entries that a sweep looks at, and removes, at most; more waits for another day. */
#define SWEEP_MAX_SEEN    20000
#define SWEEP_MAX_REMOVED 256

/* A data base that is being made is in place after some ms. */
#define HALF_MADE_MAX_US (3600 * US_PER_SEC)

struct old_run {
	sqlite3_int64 n, number; /* number: see the query */
	const char *id;
};

struct old_runs {
	struct old_run *v;
	size_t n;
};

/* Read all of n, id, number of @sql, whose ?1 is how many at most, so that no lock is kept. */
static int read_old(
	struct store *s, const char *sql, unsigned batch, struct arena *a, struct old_runs *ret)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	if (store_prepare(s, sql, &stmt) != SQLITE_OK)
		return -1;
	sqlite3_bind_int64(stmt, 1, batch);
	ret->v = arena_calloc(a, batch, sizeof *ret->v);
	ret->n = 0;
	int rc;
	while (ret->n < batch && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct old_run *run = &ret->v[ret->n++];
		run->n = sqlite3_column_int64(stmt, 0);
		run->id = column_text(stmt, 1, a);
		run->number = sqlite3_column_int64(stmt, 2);
	}
	return ret->n == batch || rc == SQLITE_DONE ? 0 : -1;
}

static int read_number(struct store *s, const char *sql, uint64_t *ret)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	if (store_prepare(s, sql, &stmt) != SQLITE_OK || sqlite3_step(stmt) != SQLITE_ROW)
		return -1;
	*ret = (uint64_t)sqlite3_column_int64(stmt, 0);
	return 0;
}

/* Do @sql to the rows up to @last. */
static int change_up_to(struct store *s, const char *sql, sqlite3_int64 last)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	if (store_prepare(s, sql, &stmt) != SQLITE_OK)
		return -1;
	sqlite3_bind_int64(stmt, 1, last);
	return sqlite3_step(stmt) == SQLITE_DONE ? 0 : -1;
}

/*
 * Rows go only at the old end, so how far n is behind the newest says how many are newer: nothing is
 * counted. The directory goes first: one without a row is found by nobody but the sweep.
 */
static int remove_rows(struct store *s, const struct retention *r, uint64_t now_us, struct arena *a)
{
	struct old_runs old;
	uint64_t newest, oldest_us = now_us > r->max_age_us ? now_us - r->max_age_us : 0;
	if (read_number(s, "SELECT max(n) FROM runs", &newest) < 0 ||
		read_old(s,
			"SELECT n, id, started_us FROM runs WHERE state <> 0 ORDER BY n LIMIT ?1",
			r->batch, a, &old) < 0)
		return -1;
	sqlite3_int64 last = 0;
	for (size_t i = 0; i < old.n; i++) {
		const struct old_run *run = &old.v[i];
		if ((uint64_t)run->n + r->max_runs > newest && (uint64_t)run->number >= oldest_us)
			break;
		run_dir_remove(s->dir, run->id);
		last = run->n;
	}
	return last ? change_up_to(s, "DELETE FROM runs WHERE n <= ?1 AND state <> 0", last) : 0;
}

/* Kept output beyond max_bytes goes, and its row stays. */
static int remove_output(struct store *s, const struct retention *r, struct arena *a)
{
	struct old_runs old;
	uint64_t bytes;
	if (read_number(s, "SELECT sum(disk_bytes) FROM runs WHERE disk_bytes > 0", &bytes) < 0)
		return -1;
	if (bytes <= r->max_bytes)
		return 0;
	if (read_old(s,
		    "SELECT n, id, disk_bytes FROM runs WHERE disk_bytes > 0 ORDER BY n LIMIT ?1",
		    r->batch, a, &old) < 0)
		return -1;
	sqlite3_int64 last = 0;
	for (size_t i = 0; i < old.n && bytes > r->max_bytes; i++) {
		run_dir_remove(s->dir, old.v[i].id);
		bytes -= (uint64_t)old.v[i].number;
		last = old.v[i].n;
	}
	return change_up_to(
		s, "UPDATE runs SET disk_bytes = 0 WHERE disk_bytes > 0 AND n <= ?1", last);
}

int retention_apply(struct store *s, const struct retention *r, uint64_t now_us)
{
	cleanup_arena struct arena a = ARENA_INIT;
	if (remove_rows(s, r, now_us, &a) < 0)
		return -1;
	return remove_output(s, r, &a);
}

static uint64_t modified_us(const struct stat *st)
{
	return (uint64_t)st->st_mtim.tv_sec * US_PER_SEC + (uint64_t)st->st_mtim.tv_nsec / 1000;
}

/* True if the file @name was modified longer than @age_us ago. */
static bool older_than(int dir, const char *name, uint64_t age_us, uint64_t now_us)
{
	struct stat st;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return modified_us(&st) + age_us < now_us;
}

/* True once a day, for one process. */
static bool sweep_is_due(const struct state_dir *dir, uint64_t now_us)
{
	struct stat st;
	if (fstatat(dir->fd, STAMP, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		modified_us(&st) + DAY_US > now_us)
		return false;
	cleanup_fd int fd = openat(
		dir->fd, STAMP, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
	return fd >= 0 && futimens(fd, NULL) == 0;
}

static DIR *open_listing(int dir, const char *name)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (d)
		fd_take(&fd);
	return d;
}

static void sweep_runs(const struct state_dir *dir, const struct retention *r, uint64_t now_us)
{
	DIR *d = open_listing(dir->fd, "runs");
	struct dirent *entry;
	unsigned removed = 0;
	for (unsigned n = 0; d && n < SWEEP_MAX_SEEN && (entry = readdir(d)); n++) {
		if (!run_id_valid(entry->d_name) ||
			!older_than(dirfd(d), entry->d_name, r->max_age_us + DAY_US, now_us))
			continue;
		run_dir_remove(dir, entry->d_name);
		if (++removed == SWEEP_MAX_REMOVED)
			break;
	}
	if (d)
		closedir(d);
}

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static void sweep_top(const struct state_dir *dir, const struct retention *r, uint64_t now_us)
{
	DIR *d = open_listing(dir->fd, ".");
	struct dirent *entry;
	for (unsigned n = 0; d && n < SWEEP_MAX_SEEN && (entry = readdir(d)); n++) {
		const char *name = entry->d_name;
		uint64_t age =
			starts_with(name, "state.db.corrupt-") || starts_with(name, SPOOL_REFUSED)
			? r->max_age_us
			: starts_with(name, "state.db.new-") ? HALF_MADE_MAX_US
							     : UINT64_MAX;
		if (age != UINT64_MAX && older_than(dir->fd, name, age, now_us))
			unlinkat(dir->fd, name, 0);
	}
	if (d)
		closedir(d);
}

void retention_sweep(const struct state_dir *dir, const struct retention *r, uint64_t now_us)
{
	if (!sweep_is_due(dir, now_us))
		return;
	sweep_runs(dir, r, now_us);
	sweep_top(dir, r, now_us);
}
