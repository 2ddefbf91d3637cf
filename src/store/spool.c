/* SPDX-License-Identifier: MIT */
#include "store/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "store/owner.h"
#include "store/spool-line.h"

/*
 * How often in a row spool/now may be renamed just when we write; each time needs 256 KiB by
 * others.
 */
#define MAX_TRIES  8

#define OPEN_FLAGS (O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

/* ---- writing ---- */

static int open_file(const struct state_dir *dir)
{
	int fd = openat(dir->fd, SPOOL_NOW, OPEN_FLAGS, 0600);
	if (fd < 0 && errno == ENOENT &&
		(mkdirat(dir->fd, SPOOL_DIR, 0700) == 0 || errno == EEXIST))
		fd = openat(dir->fd, SPOOL_NOW, OPEN_FLAGS, 0600);
	return fd;
}

/* Open spool/now. *ret_size is what is in it. 0; or -1 with errno. */
static int open_now(struct spool *s, off_t *ret_size)
{
	struct stat st;
	cleanup_fd int fd = open_file(s->dir);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	s->inode = st.st_ino;
	s->now = fd_take(&fd);
	*ret_size = st.st_size;
	return 0;
}

/* The same, and see to it that it does not get too long. */
static int open_with_room(struct spool *s)
{
	struct spool_segment waiting[SPOOL_SEGMENTS_MAX];
	off_t size;
	if (open_now(s, &size) < 0)
		return -1;
	if (size < SPOOL_SEGMENT_BYTES)
		return 0;
	s->now = fd_close(s->now);
	s->turned = true;
	if (spool_list(s->dir, waiting, SPOOL_SEGMENTS_MAX) == SPOOL_SEGMENTS_MAX) {
		errno = EDQUOT;
		return -1;
	}
	/* Of many that find it full one succeeds, or another renames a new one: that is no harm. */
	if (spool_turn(s->dir) < 0)
		return -1;
	return open_now(s, &size);
}

static bool is_still_now(const struct spool *s)
{
	struct stat st;
	return fstatat(s->dir->fd, SPOOL_NOW, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		st.st_ino == s->inode;
}

/*
 * All in one write(2), so that no other line comes between its parts. Not so with a part of it: it
 * is not gone on with.
 */
static int write_line(int fd, const struct buf *line)
{
	ssize_t n;
	do
		n = write(fd, line->data, line->size);
	while (n < 0 && errno == EINTR);
	if (n >= 0 && (size_t)n < line->size)
		errno = ENOSPC;
	return n == (ssize_t)line->size ? 0 : -1;
}

static int append(struct spool *s, const struct buf *line)
{
	for (int i = 0; i < MAX_TRIES; i++) {
		if (s->now < 0 && open_with_room(s) < 0)
			return -1;
		if (write_line(s->now, line) < 0)
			return -1;
		if (is_still_now(s))
			return 0;
		s->now = fd_close(s->now);
	}
	errno = EBUSY;
	return -1;
}

/* The words with their NULs, one after the other, as far as they fit. */
static size_t join_argv(char out[RUN_ARGV_MAX], const char *const *argv, size_t argc)
{
	size_t used = 0;
	for (size_t i = 0; i < argc && used < RUN_ARGV_MAX; i++) {
		size_t size = strnlen(argv[i], RUN_ARGV_MAX) + 1;
		if (size > RUN_ARGV_MAX - used)
			size = RUN_ARGV_MAX - used;
		memcpy(out + used, argv[i], size);
		used += size;
	}
	return used;
}

static void fill_end(struct run_record *r, const struct run_end *end)
{
	r->ended = true;
	r->ended_us = end->ended_us;
	r->cause = end->cause;
	r->exit_status = (uint64_t)end->exit_status;
	r->disk_bytes = end->disk_bytes;
	r->verdict = end->verdict;
	r->observation = end->observation;
}

static int put(struct spool *s, const struct run_begin *b, const struct run_end *end)
{
	char argv[RUN_ARGV_MAX];
	cleanup_buf struct buf line = BUF_INIT;
	struct run_record r = {
		.id = b->id,
		.key = b->key,
		.policy = b->policy ? b->policy : "",
		.argv = argv,
		.argv_size = join_argv(argv, b->argv, b->argc),
		.argc = b->argc,
		.pid = (uint64_t)getpid(),
		.started_us = b->started_us,
		.log_dir = b->log_dir,
	};
	if (end)
		fill_end(&r, end);
	spool_line_encode(&line, &r);
	if (line.size > SPOOL_LINE_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	return append(s, &line);
}

static int refuse(const struct spool *s, struct error *e)
{
	int errnum = errno;
	if (errnum != EDQUOT)
		return error_set(e, BLAME_HOST, errnum, "'%s/" SPOOL_NOW "'", s->dir->path);
	error_set(e, BLAME_HOST, errnum, "'%s/" SPOOL_DIR "' is full of records", s->dir->path);
	return error_hint(e, "bulkhead runs takes them in, or says what is wrong");
}

int spool_begin(struct spool *s, const struct run_begin *b, struct error *e)
{
	if (s->lock < 0)
		s->lock = owner_open(s->dir->fd, true);
	/* Before there is a record that says so: a run without a holder is a lost one. */
	if (s->lock < 0 || owner_hold(s->lock, b->id) < 0)
		return error_set(e, BLAME_HOST, errno, "'%s/lock'", s->dir->path);
	return put(s, b, NULL) == 0 ? 0 : refuse(s, e);
}

int spool_end(
	struct spool *s, const struct run_begin *b, const struct run_end *end, struct error *e)
{
	int r = put(s, b, end);
	if (r < 0 && errno == EMSGSIZE && end->observation) {
		struct run_end shorter = *end;
		shorter.observation = NULL;
		r = put(s, b, &shorter);
	}
	if (r < 0)
		refuse(s, e);
	if (s->lock >= 0)
		owner_release(s->lock, b->id);
	return r;
}

void spool_close(struct spool *s)
{
	s->now = fd_close(s->now);
	s->lock = fd_close(s->lock);
}

/* ---- taking ---- */

static void segment_name(struct spool_segment *ret, const char *id)
{
	snprintf(ret->name, sizeof ret->name, SPOOL_DIR "/%.*s", RUN_ID_SIZE - 1, id);
}

/* Another name each time, also for one process in one millisecond. */
static void name_segment(struct spool_segment *ret)
{
	static uint64_t count;
	uint64_t random = 0;
	char id[RUN_ID_SIZE];
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
		random = time_monotonic_us() * 0x9e3779b97f4a7c15ull ^ (uint64_t)getpid();
	run_id_format(time_realtime_us() / 1000, random + count++, id);
	segment_name(ret, id);
}

int spool_turn(const struct state_dir *dir)
{
	struct spool_segment segment;
	struct stat st;
	if (fstatat(dir->fd, SPOOL_NOW, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	if (st.st_size == 0)
		return 0;
	name_segment(&segment);
	if (renameat2(dir->fd, SPOOL_NOW, dir->fd, segment.name, RENAME_NOREPLACE) == 0)
		return 0;
	return errno == ENOENT ? 0 : -1;
}

static int compare(const void *a, const void *b)
{
	return strcmp(
		((const struct spool_segment *)a)->name, ((const struct spool_segment *)b)->name);
}

size_t spool_list(const struct state_dir *dir, struct spool_segment *ret, size_t max)
{
	size_t n = 0;
	cleanup_fd int fd =
		openat(dir->fd, SPOOL_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return 0;
	fd_take(&fd);
	struct dirent *entry;
	while (n < max && (entry = readdir(d)))
		if (run_id_valid(entry->d_name))
			segment_name(&ret[n++], entry->d_name);
	closedir(d);
	qsort(ret, n, sizeof *ret, compare);
	return n;
}

bool spool_waits(const struct state_dir *dir)
{
	struct stat st;
	struct spool_segment first;
	return (fstatat(dir->fd, SPOOL_NOW, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0) ||
		spool_list(dir, &first, 1) > 0;
}
