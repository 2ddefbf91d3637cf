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
#define MAX_DIRS   64

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
		for (const char *p = lists[i]; *p && dirs.n < MAX_DIRS;) {
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

/* A directory that is looked in; of two with the same inode only the first is. */
struct place {
	const char *path;
	int fd;
	uint64_t dev, ino;
	bool on_path; /* not only a usual one */
};

struct search {
	struct identity *id;
	struct place dirs[MAX_DIRS];
	size_t n_dirs;
};

static void add_place(struct search *s, const char *path, bool on_path)
{
	struct stat st;
	int fd = identity_open_path(s->id->root, path);
	bool usable = fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
	for (size_t i = 0; usable && i < s->n_dirs; i++)
		usable = s->dirs[i].dev != st.st_dev || s->dirs[i].ino != st.st_ino;
	if (usable)
		s->dirs[s->n_dirs++] = (struct place){path, fd, st.st_dev, st.st_ino, on_path};
	else if (fd >= 0)
		close(fd);
}

static void add_places(struct search *s)
{
	const char *path = s->id->spec.path;
	struct strv on_path = identity_directories(path, false, &s->id->arena);
	struct strv all = identity_directories(path, true, &s->id->arena);
	for (size_t i = 0; i < all.n; i++)
		add_place(s, all.v[i], i < on_path.n);
}

static struct candidate *new_candidate(struct identity *id)
{
	if (id->n == id->room) {
		size_t room = id->room ? 2 * id->room : 64;
		struct candidate *v = arena_calloc(&id->arena, room, sizeof *v);
		if (id->n > 0)
			memcpy(v, id->v, id->n * sizeof *v);
		id->v = v;
		id->room = room;
	}
	return &id->v[id->n++];
}

/* True: @path is a file that an allow rule may mean. */
static bool add_candidate(struct identity *id, size_t program, const char *path, bool may_be_exact)
{
	struct stat st;
	cleanup_fd int fd = identity_open_path(id->root, path);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	const char *real = identity_path_of(fd, &id->arena);
	bool writable = identity_writable(id, fd, real);
	*new_candidate(id) = (struct candidate){
		.dev = st.st_dev,
		.ino = st.st_ino,
		.size = (uint64_t)st.st_size,
		.path = path,
		.real = real ? real : path,
		.program = (uint16_t)program,
		.writable = writable,
		.exactly = may_be_exact && !writable && (st.st_mode & 0111),
	};
	return id->v[id->n - 1].exactly;
}

static void find_program(struct search *s, size_t program)
{
	const char *name = s->id->spec.programs[program];
	bool found = false;
	struct stat st;
	if (*name == '/') {
		add_candidate(s->id, program, name, true);
		return;
	}
	for (size_t i = 0; i < s->n_dirs; i++) {
		const struct place *dir = &s->dirs[i];
		if (fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		const char *path = path_join(&s->id->arena, dir->path, name);
		if (add_candidate(s->id, program, path, dir->on_path && !found))
			found = true;
	}
}

static void forget(struct identity *id)
{
	arena_fini(&id->arena);
	id->arena = ARENA_INIT;
	id->v = NULL;
	id->n = id->room = 0;
	memset(id->known, 0, IDENTITY_SETS * IDENTITY_WAYS * sizeof *id->known);
}

void identity_find(struct identity *id, int root)
{
	struct search s = {.id = id};
	int copy = fcntl(root, F_DUPFD_CLOEXEC, 0);
	forget(id);
	fd_close(id->root);
	id->root = copy;
	if (copy < 0)
		return;
	add_places(&s);
	for (size_t i = 0; i < id->spec.n_programs && i < EXEC_MAX_PROGRAMS; i++)
		find_program(&s, i);
	for (size_t i = 0; i < s.n_dirs; i++)
		close(s.dirs[i].fd);
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
