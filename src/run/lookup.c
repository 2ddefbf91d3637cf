/* SPDX-License-Identifier: MIT */
#include "run/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "kernel/sys.h"

/* Beyond that a path is asked for as a whole. */
#define MAX_DIRS 64

enum {
	NOT_THERE = -1, /* or out of reach: nothing is below it */
	NOT_OPEN = -2, /* no descriptor to be had: its paths are asked for as a whole */
};

struct lookup_dir {
	const char *path; /* as asked for */
	size_t size;
	const char *real;
	int fd; /* or NOT_THERE, or NOT_OPEN */
};

void lookup_init(struct lookup *l, struct arena *a)
{
	*l = (struct lookup){.a = a};
}

void lookup_fini(struct lookup *l)
{
	for (unsigned i = 0; i < l->n; i++)
		fd_close(l->dirs[i].fd);
	l->n = 0;
}

static const char *real_path(struct lookup *l, const char *path)
{
	char buf[PATH_MAX];
	return realpath(path, buf) ? arena_strdup(l->a, buf) : NULL;
}

/* Opened as it is named if no link is in it, else by its real name. */
static void open_dir(struct lookup *l, struct lookup_dir *dir)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
	dir->real = dir->path;
	dir->fd = sys_openat2(AT_FDCWD, dir->path, &how, sizeof(how));
	if (dir->fd == -ELOOP) {
		dir->real = real_path(l, dir->path);
		dir->fd = dir->real ? sys_openat2(AT_FDCWD, dir->real, &how, sizeof(how)) : -ENOENT;
	}
	if (dir->fd < 0) {
		int why = dir->real ? -dir->fd : ENOENT;
		dir->fd = why == ENOENT || why == ENOTDIR || why == EACCES ? NOT_THERE : NOT_OPEN;
	}
}

/* The directory of @size bytes of @path; NULL when there are too many to be kept. */
static const struct lookup_dir *find_dir(struct lookup *l, const char *path, size_t size)
{
	if (!l->dirs)
		l->dirs = arena_calloc(l->a, MAX_DIRS, sizeof(*l->dirs));
	for (unsigned i = l->n; i-- > 0;) /* mostly the last one */
		if (l->dirs[i].size == size && memcmp(l->dirs[i].path, path, size) == 0)
			return &l->dirs[i];
	if (l->n == MAX_DIRS)
		return NULL;
	struct lookup_dir *dir = &l->dirs[l->n++];
	*dir = (struct lookup_dir){.path = arena_strndup(l->a, path, size), .size = size};
	open_dir(l, dir);
	return dir;
}

static bool look_at(struct lookup *l, const char *path, struct lookup_answer *ret)
{
	struct stat st;
	const char *real = real_path(l, path);
	if (!real || stat(real, &st) < 0)
		return false;
	*ret = (struct lookup_answer){.real = real, .is_dir = S_ISDIR(st.st_mode)};
	return true;
}

bool lookup(struct lookup *l, const char *path, struct lookup_answer *ret)
{
	struct stat st;
	const char *name = path_base(path);
	size_t size = (size_t)(name - path) - 1;
	const struct lookup_dir *dir =
		*name ? find_dir(l, size ? path : "/", size ? size : 1) : NULL;
	if (!dir || dir->fd == NOT_OPEN)
		return look_at(l, path, ret);
	if (dir->fd < 0 || fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (S_ISLNK(st.st_mode))
		return look_at(l, path, ret);
	bool same = dir->real == dir->path;
	*ret = (struct lookup_answer){.real = same ? path : path_join(l->a, dir->real, name),
		.is_dir = S_ISDIR(st.st_mode)};
	return true;
}
