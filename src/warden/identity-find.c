/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "warden/identity-parts.h"

/* Where the programs of the rules are in a box. */

#define USUAL_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define USUAL_DIRS 6
#define MAX_DIRS   512 /* of PATH; the usual ones have room beside them */

int identity_open_path(int root, const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
	return fd < 0 ? -errno : (int)fd;
}

const char *identity_path_of(int fd, struct arena *a)
{
	static const char deleted[] = " (deleted)";
	char link[64], text[4096];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, text, sizeof text - 1);
	if (n <= 0 || n == sizeof text - 1 || text[0] != '/')
		return NULL;
	text[n] = '\0';
	size_t tail = sizeof deleted - 1;
	if ((size_t)n > tail && strcmp(text + n - tail, deleted) == 0)
		return NULL;
	return arena_strndup(a, text, (size_t)n);
}

bool identity_writable(const struct identity *id, int fd, const char *path)
{
	struct statvfs fs;
	if (!path)
		return true;
	if (!id->spec.writable)
		return fstatvfs(fd, &fs) < 0 || !(fs.f_flag & ST_RDONLY);
	for (size_t i = 0; i < id->spec.n_writable; i++)
		if (path_is_below(path, id->spec.writable[i]))
			return true;
	return false;
}

struct strv identity_directories(const char *path, bool usual, struct arena *a)
{
	struct strv dirs = {0};
	const char *lists[] = {path ? path : USUAL_PATH, usual ? USUAL_PATH : ""};
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		for (const char *p = lists[i]; *p && dirs.n < MAX_DIRS + i * USUAL_DIRS;) {
			size_t n = strcspn(p, ":"), j = 0;
			const char *dir = arena_strndup(a, p, n);
			while (j < dirs.n && strcmp(dirs.v[j], dir) != 0)
				j++;
			if (*dir == '/' && j == dirs.n)
				strv_push(a, &dirs, dir);
			p += n + (p[n] == ':');
		}
	return dirs;
}

/* A directory that has been looked in; of two with the same inode only the first is. */
struct place {
	uint64_t dev, ino;
};

/* What becomes an identity's once everything could be looked at. */
struct search {
	const struct identity *id;
	int root; /* borrowed */
	struct arena arena;
	struct candidate *v;
	size_t n, room;
	struct place dirs[MAX_DIRS + USUAL_DIRS];
	size_t n_dirs;
	bool found[EXEC_MAX_PROGRAMS]; /* on PATH, as an allow rule means it */
};

bool identity_is_shortage(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

/* As identity_open_path(), but what cannot be opened by its own fault is -1. False: something has run out. */
static bool open_or_none(const struct search *s, const char *path, int *ret)
{
	int fd = identity_open_path(s->root, path);
	*ret = fd < 0 ? -1 : fd;
	return !identity_is_shortage(fd);
}

static bool is_new_place(struct search *s, int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
		return false;
	for (size_t i = 0; i < s->n_dirs; i++)
		if (s->dirs[i].dev == st.st_dev && s->dirs[i].ino == st.st_ino)
			return false;
	s->dirs[s->n_dirs++] = (struct place){st.st_dev, st.st_ino};
	return true;
}

static struct candidate *new_candidate(struct search *s)
{
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		struct candidate *v = arena_calloc(&s->arena, room, sizeof *v);
		if (s->n > 0)
			memcpy(v, s->v, s->n * sizeof *v);
		s->v = v;
		s->room = room;
	}
	return &s->v[s->n++];
}

/* @may_be_exact: an allow rule may mean it. False: something has run out. */
static bool add_candidate(struct search *s, size_t program, const char *path, bool may_be_exact)
{
	struct stat st;
	cleanup_fd int fd = -1;
	if (!open_or_none(s, path, &fd))
		return false;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return true;
	const char *real = identity_path_of(fd, &s->arena);
	bool writable = identity_writable(s->id, fd, real);
	bool exactly = may_be_exact && !writable && (st.st_mode & 0111);
	*new_candidate(s) = (struct candidate){
		.dev = st.st_dev,
		.ino = st.st_ino,
		.size = (uint64_t)st.st_size,
		.path = path,
		.real = real ? real : path,
		.program = (uint16_t)program,
		.writable = writable,
		.exactly = exactly,
	};
	s->found[program] = s->found[program] || exactly;
	return true;
}

static size_t n_programs(const struct search *s)
{
	size_t n = s->id->spec.n_programs;
	return n < EXEC_MAX_PROGRAMS ? n : EXEC_MAX_PROGRAMS;
}

/* One directory at a time is open, however many PATH has. @on_path: it is not only a usual one. */
static bool look_in(struct search *s, const char *dir, bool on_path)
{
	struct stat st;
	cleanup_fd int fd = -1;
	bool fine = open_or_none(s, dir, &fd);
	if (fd < 0 || !is_new_place(s, fd))
		return fine;
	for (size_t i = 0; i < n_programs(s) && fine; i++) {
		const char *name = s->id->spec.programs[i];
		if (*name == '/' || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		fine = add_candidate(
			s, i, path_join(&s->arena, dir, name), on_path && !s->found[i]);
	}
	return fine;
}

static bool look_everywhere(struct search *s)
{
	const char *path = s->id->spec.path;
	struct strv on_path = identity_directories(path, false, &s->arena);
	struct strv all = identity_directories(path, true, &s->arena);
	bool fine = true;
	for (size_t i = 0; i < n_programs(s) && fine; i++)
		if (s->id->spec.programs[i][0] == '/')
			fine = add_candidate(s, i, s->id->spec.programs[i], true);
	for (size_t i = 0; i < all.n && fine; i++)
		fine = look_in(s, all.v[i], i < on_path.n);
	return fine;
}

/* What was known is forgotten; @s is what is known now. */
static void adopt(struct identity *id, const struct search *s)
{
	arena_fini(&id->arena);
	id->arena = s->arena;
	id->v = s->v;
	id->n = s->n;
	memset(id->known, 0, IDENTITY_SETS * IDENTITY_WAYS * sizeof *id->known);
}

int identity_find(struct identity *id, int root)
{
	struct search s = {.id = id, .root = root, .arena = ARENA_INIT};
	cleanup_fd int copy = root == id->root ? -1 : fcntl(root, F_DUPFD_CLOEXEC, 0);
	if ((copy < 0 && root != id->root) || !look_everywhere(&s)) {
		arena_fini(&s.arena);
		return -EMFILE;
	}
	adopt(id, &s);
	if (copy >= 0) {
		fd_close(id->root);
		id->root = fd_take(&copy);
	}
	return 0;
}

/* ── What a wrapper would find ───────────────────────────────────────────────────────────────── */

/* A program that can be executed, as far as its mode says. */
static int open_program(int root, const char *path)
{
	struct stat st;
	int fd = identity_open_path(root, path);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111))
		return fd;
	close(fd);
	return -EACCES;
}

static int look_on_path(struct identity *id, int root, const char *name, struct arena *a)
{
	struct strv dirs = identity_directories(id->spec.path, false, a);
	int fd = -ENOENT;
	for (size_t i = 0; i < dirs.n && fd < 0; i++)
		fd = open_program(root, path_join(a, dirs.v[i], name));
	return fd;
}

int identity_look_up(struct identity *id, int root, const char *cwd, const char *name,
	struct arena *a, const char **ret_path)
{
	int fd;
	if (*name == '\0')
		return -ENOENT;
	if (!strchr(name, '/'))
		fd = look_on_path(id, root, name, a);
	else if (*name == '/')
		fd = identity_open_path(root, name);
	else
		fd = identity_open_path(root, path_join(a, cwd ? cwd : "/", name));
	if (fd >= 0)
		*ret_path = identity_path_of(fd, a);
	return fd;
}
