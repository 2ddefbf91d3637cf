/* SPDX-License-Identifier: MIT */
#include "warden/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "warden/identity-parts.h"

#define BLOCK (64 << 10)

struct identity *identity_new(const struct identity_spec *spec)
{
	struct identity *id = calloc(1, sizeof *id);
	if (!id)
		out_of_memory();
	id->spec = *spec;
	id->root = -1;
	id->known = calloc((size_t)IDENTITY_SETS * IDENTITY_WAYS, sizeof *id->known);
	if (!id->known)
		out_of_memory();
	return id;
}

void identity_free(struct identity *id)
{
	if (!id)
		return;
	fd_close(id->root);
	arena_fini(&id->arena);
	free(id->known);
	free(id);
}

/* ── Content ─────────────────────────────────────────────────────────────────────────────────── */

int identity_open_to_read(int fd)
{
	char link[64];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	int reading = open(link, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return reading < 0 ? -errno : reading;
}

/* @size bytes from @offset on, through short reads. */
static bool read_block(int fd, char *ret, size_t size, uint64_t offset)
{
	for (size_t n = 0; n < size;) {
		ssize_t got = pread(fd, ret + n, size - n, (off_t)(offset + n));
		if (got <= 0)
			return false;
		n += (size_t)got;
	}
	return true;
}

/* What cannot be compared counts as the same: it might be, and who hides it has a reason. */
static bool same_content(int x, int y, uint64_t size)
{
	static char a[BLOCK], b[BLOCK];
	for (uint64_t at = 0; at < size; at += BLOCK) {
		size_t n = size - at < BLOCK ? (size_t)(size - at) : BLOCK;
		if (!read_block(x, a, n, at) || !read_block(y, b, n, at))
			return true;
		if (memcmp(a, b, n) != 0)
			return false;
	}
	return true;
}

/* Is the file behind @fd, of the same size, a copy of @candidate? *sure becomes false if that could not be found out now. */
static bool is_copy(
	const struct identity *id, const struct candidate *candidate, int fd, bool *sure)
{
	struct stat st;
	cleanup_fd int path = identity_open_path(id->root, candidate->path);
	if (identity_is_shortage(path)) {
		*sure = false;
		return true;
	}
	if (path < 0 || fstat(path, &st) < 0 || st.st_ino != candidate->ino ||
		st.st_dev != candidate->dev || (uint64_t)st.st_size != candidate->size)
		return false;
	cleanup_fd int other = identity_open_to_read(path);
	*sure = *sure && !identity_is_shortage(other);
	if (other < 0 || fd < 0)
		return true;
	return same_content(fd, other, candidate->size);
}

/* ── One file ────────────────────────────────────────────────────────────────────────────────── */

static void set(struct exec_programs *programs, size_t i)
{
	programs->bits[i / 64] |= 1ull << (i % 64);
}

static bool is_same_file(const struct candidate *candidate, const struct stat *st)
{
	return candidate->ino == st->st_ino && candidate->dev == st->st_dev;
}

/* All programs that @candidate is another name of are the copy, too. */
static void set_all(const struct identity *id, const struct candidate *candidate,
	struct exec_programs *programs)
{
	for (size_t i = 0; i < id->n; i++)
		if (id->v[i].ino == candidate->ino && id->v[i].dev == candidate->dev)
			set(programs, id->v[i].program);
}

static bool has(const struct exec_programs *programs, size_t i)
{
	return programs->bits[i / 64] >> (i % 64) & 1;
}

static void find_programs(
	const struct identity *id, const struct stat *st, int reading, struct known_file *ret)
{
	for (size_t i = 0; i < id->n; i++) {
		const struct candidate *c = &id->v[i];
		if (is_same_file(c, st)) {
			set(&ret->is, c->program);
			if (c->exactly)
				set(&ret->exactly, c->program);
		} else if (c->size == (uint64_t)st->st_size && c->size > 0 && !c->writable &&
			!has(&ret->is, c->program) && is_copy(id, c, reading, &ret->used)) {
			set_all(id, c, &ret->is);
		}
	}
}

static int64_t in_ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static void examine(const struct identity *id, int fd, const struct stat *st, const char *path,
	struct known_file *ret)
{
	bool regular = S_ISREG(st->st_mode);
	cleanup_fd int reading = regular ? identity_open_to_read(fd) : -1;
	*ret = (struct known_file){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.ctime_ns = in_ns(&st->st_ctim),
		.mtime_ns = in_ns(&st->st_mtim),
		.used = !identity_is_shortage(reading),
		.loader = path && identity_is_loader_name(path),
	};
	if (regular)
		find_programs(id, st, reading, ret);
	ssize_t n = reading < 0 ? -1 : pread(reading, ret->head, sizeof ret->head, 0);
	if (n < 0 && reading >= 0)
		ret->used = false;
	if (n > 0) {
		ret->head_size = (uint16_t)n;
		ret->loader = ret->loader || identity_is_loader(reading, ret->head, (size_t)n);
	}
}

/* ── What is known already ───────────────────────────────────────────────────────────────────── */

static struct known_file *set_of(const struct identity *id, const struct stat *st)
{
	uint64_t hash = (st->st_ino ^ st->st_dev << 20) * 0x9e3779b97f4a7c15ull;
	return id->known + (hash >> 56) % IDENTITY_SETS * IDENTITY_WAYS;
}

static bool is_known(const struct known_file *file, const struct stat *st)
{
	return file->used && file->ino == st->st_ino && file->dev == st->st_dev &&
		file->size == (uint64_t)st->st_size && file->ctime_ns == in_ns(&st->st_ctim) &&
		file->mtime_ns == in_ns(&st->st_mtim);
}

/* Another file is now where a program was: the host has been updated. */
static bool is_replaced(const struct identity *id, const struct stat *st, const char *path)
{
	bool replaced = false;
	for (size_t i = 0; i < id->n; i++) {
		if (is_same_file(&id->v[i], st))
			return false;
		replaced = replaced || strcmp(id->v[i].real, path) == 0;
	}
	return replaced;
}

static const struct known_file *look(
	struct identity *id, int fd, const struct stat *st, const char *path)
{
	struct known_file *v = set_of(id, st);
	for (size_t i = 0; i < IDENTITY_WAYS; i++)
		if (is_known(&v[i], st))
			return &v[i];
	bool outdated = is_replaced(id, st, path) && identity_find(id, id->root) < 0;
	struct known_file *it = &v[id->turn++ % IDENTITY_WAYS];
	examine(id, fd, st, path, it);
	if (outdated) {
		/* which program it is cannot be told: as good as one that cannot be read */
		it->used = false;
		it->head_size = 0;
	}
	return it;
}

void identity_tell(struct identity *id, int fd, const struct stat *st, const char *called,
	const char *path, struct exec_file *ret, const unsigned char **ret_head,
	size_t *ret_head_size)
{
	const struct known_file *it = &id->fresh;
	bool writable = identity_writable(id, fd, path);
	if (writable)
		examine(id, fd, st, path, &id->fresh);
	else
		it = look(id, fd, st, path);
	*ret = (struct exec_file){
		.called = called,
		.path = path,
		.is = it->is,
		.exactly = it->exactly,
		.writable = writable,
		.loader = it->loader || (called && identity_is_loader_name(called)),
	};
	if (ret_head) {
		*ret_head = it->head_size > 0 ? it->head : NULL;
		*ret_head_size = it->head_size;
	}
}
