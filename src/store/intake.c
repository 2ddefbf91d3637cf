/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "store/spool.h"
#include "store/store-internal.h"

/* Segments that one look takes in; more than there should ever be. */
#define ALL_MAX (2 * SPOOL_SEGMENTS_MAX)

static const struct {
	size_t max;
	bool turn; /* spool/now too */
} amounts[TAKE_IN_COUNT_] = {
	[TAKE_IN_FULL] = {2, false},
	[TAKE_IN_SOME] = {8, true},
	[TAKE_IN_ALL] = {ALL_MAX, true},
};

/* What a segment turned out to be. */
struct segment {
	const char *name;
	char *text; /* NULL: it cannot be read, or is none of ours */
	size_t size;
	unsigned damaged; /* lines */
};

/*
 * Up to the size that it has now. What is written later is not meant to be read here: its writer
 * finds that out and writes it once more.
 */
static ssize_t read_up_to(int fd, char *out, size_t size)
{
	size_t used = 0;
	while (used < size) {
		ssize_t n = read(fd, out + used, size - used);
		if (n < 0 && errno != EINTR)
			return -1;
		if (n == 0)
			break;
		used += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)used;
}

/* 0; or -1 when it is not there any more. */
static int read_segment(struct segment *ret, const struct state_dir *dir, struct arena *a)
{
	struct stat st;
	cleanup_fd int fd = openat(
		dir->fd, ret->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return -1;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > SPOOL_FILE_MAX)
		return 0;
	char *text = arena_alloc(a, (size_t)st.st_size + 1);
	ssize_t n = read_up_to(fd, text, (size_t)st.st_size);
	if (n < 0)
		return 0;
	ret->text = text;
	ret->size = (size_t)n;
	return 0;
}

/* True if @rc is about the row, and would be the same the next time. */
static bool is_its_own_fault(int rc)
{
	rc &= 0xff;
	return rc == SQLITE_CONSTRAINT || rc == SQLITE_MISMATCH || rc == SQLITE_TOOBIG;
}

static int put_line(struct store *s, struct segment *segment, char *line, size_t size)
{
	struct run_record record;
	int rc = SQLITE_OK;
	switch (spool_line_decode(line, size, &record)) {
	case SPOOL_LINE_RECORD:
		rc = store_put(s, &record);
		if (!is_its_own_fault(rc))
			break;
		rc = SQLITE_OK;
		__attribute__((fallthrough));
	case SPOOL_LINE_DAMAGED:
		segment->damaged++;
		break;
	case SPOOL_LINE_EMPTY:
	case SPOOL_LINE_CUT: /* what it was about is lost, and nothing else */
		break;
	}
	return rc;
}

static int put_lines(struct store *s, struct segment *segment)
{
	char *at = segment->text, *end = at + segment->size;
	int rc = SQLITE_OK;
	segment->damaged = 0;
	while (rc == SQLITE_OK && at < end) {
		char *lf = memchr(at, '\n', (size_t)(end - at));
		char *next = lf ? lf : end;
		rc = put_line(s, segment, at, (size_t)(next - at));
		at = next + 1;
	}
	return rc;
}

static int exec(struct store *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL);
}

/* All of a segment or nothing of it, so that it is never half taken in when it goes. */
static int put_segment(struct store *s, struct segment *segment)
{
	int rc = exec(s, "BEGIN IMMEDIATE");
	if (rc != SQLITE_OK)
		return rc;
	rc = put_lines(s, segment);
	if (rc == SQLITE_OK)
		rc = exec(s, "COMMIT");
	if (rc != SQLITE_OK && !sqlite3_get_autocommit(s->db))
		exec(s, "ROLLBACK");
	return rc;
}

static void put_aside(const struct store *s, const struct segment *segment)
{
	char aside[64];
	snprintf(aside, sizeof aside, SPOOL_REFUSED "%s", segment->name + sizeof SPOOL_DIR);
	if (renameat(s->dir->fd, segment->name, s->dir->fd, aside) < 0)
		return;
	if (segment->text)
		log_error("'%s/%s' has %u damaged records: put aside as '%s'", s->dir->path,
			segment->name, segment->damaged, aside);
	else
		log_error("'%s/%s' cannot be read: put aside as '%s'", s->dir->path, segment->name,
			aside);
}

static int take_segment(struct store *s, const char *name)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct segment segment = {.name = name};
	if (read_segment(&segment, s->dir, &a) < 0)
		return SQLITE_OK; /* somebody else was faster */
	int rc = segment.text ? put_segment(s, &segment) : SQLITE_OK;
	if (rc != SQLITE_OK || s->copied)
		return rc;
	if (!segment.text || segment.damaged)
		put_aside(s, &segment);
	else
		unlinkat(s->dir->fd, name, 0); /* taken in again if that fails: no harm */
	return SQLITE_OK;
}

static int take_all(struct store *s, enum take_in how_much)
{
	struct spool_segment segments[ALL_MAX];
	int rc = SQLITE_OK;
	if (amounts[how_much].turn && !s->copied && spool_turn(s->dir) < 0)
		return errno == ENOSPC || errno == EDQUOT ? SQLITE_FULL : SQLITE_READONLY;
	size_t n = spool_list(s->dir, segments, amounts[how_much].max);
	for (size_t i = 0; rc == SQLITE_OK && i < n; i++)
		rc = take_segment(s, segments[i].name);
	if (rc == SQLITE_OK && s->copied)
		rc = take_segment(s, SPOOL_NOW);
	return rc;
}

int store_take_in(struct store *s, enum take_in how_much, struct error *e)
{
	int rc = take_all(s, how_much);
	if (store_renewed(s, rc))
		rc = take_all(s, how_much);
	return rc == SQLITE_OK ? 0 : store_fail(s, rc, e);
}

/* ---- reading all there is ---- */

static int take_in_if_possible(
	struct store **ret, const struct state_dir *dir, enum store_mode mode, struct error *e)
{
	cleanup_store struct store *s = NULL;
	if (store_open(&s, dir, mode, e) < 0 || store_take_in(s, TAKE_IN_ALL, e) < 0) {
		log_verbose("records stay in the spool: %s", e->text);
		return -1;
	}
	*ret = s;
	s = NULL;
	return 0;
}

int store_open_to_read(
	struct store **ret, const struct state_dir *dir, enum store_mode mode, struct error *e)
{
	cleanup_store struct store *s = NULL;
	struct error why = ERROR_INIT;
	bool casual = mode == STORE_CASUAL, waits = dir->fd >= 0 && spool_waits(dir);
	if (waits && take_in_if_possible(ret, dir, mode, &why) == 0)
		return 0;
	if (casual && why.errnum == EBUSY) {
		if (e)
			*e = why;
		return -1;
	}
	if (store_open_as(&s, dir, STORE_READ, casual, e) < 0)
		return -1;
	int rc = waits ? store_copy(s) : SQLITE_OK;
	if (rc == SQLITE_OK && waits)
		rc = take_all(s, TAKE_IN_ALL);
	if (rc != SQLITE_OK)
		return store_fail(s, rc, e);
	*ret = s;
	s = NULL;
	return 0;
}
