/* SPDX-License-Identifier: MIT */
#include "jail/site.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <string.h>

#include "kernel/mount.h"
#include "kernel/sys.h"

#define SITE_DIR_NONE ((struct site_dir){.fd = -1})

static void close_fd(int *fd)
{
	if (*fd >= 0)
		sys_close(*fd);
	*fd = -1;
}

static void forget(struct site_dir *dir)
{
	close_fd(&dir->fd);
	*dir = SITE_DIR_NONE;
}

void site_open(struct site *s, int root, bool here)
{
	*s = (struct site){.root = root,
		.here = here,
		.source = SITE_DIR_NONE,
		.dir = SITE_DIR_NONE,
		.empty = {-1, -1}};
}

static void forget_box(struct site *s)
{
	forget(&s->dir);
	s->made = NULL;
	for (int i = 0; i < 2; i++) {
		close_fd(&s->empty[i]);
		s->empty_path[i] = NULL;
	}
}

void site_close(struct site *s)
{
	forget_box(s);
	forget(&s->source);
}

void site_move(struct site *s, int fd)
{
	forget_box(s);
	sys_close(s->root);
	s->root = fd;
	s->here = false;
}

/* How many bytes of @path are the directory of its last word; that word in @ret_name. */
static size_t split(const char *path, const char **ret_name)
{
	const char *name = path;
	for (const char *p = path; *p; p++)
		if (*p == '/' && p[1])
			name = p + 1;
	*ret_name = name;
	return (size_t)(name - path);
}

static bool is_dir(const struct site_dir *dir, const char *path, size_t size)
{
	return dir->path && dir->size == size && memcmp(dir->path, path, size) == 0;
}

/* ---- the host ---- */

static int open_source(const char *path, size_t size)
{
	char text[4096];
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
	if (size >= sizeof(text))
		return -ENAMETOOLONG;
	memcpy(text, path, size);
	text[size] = 0;
	return sys_openat2(AT_FDCWD, text, &how, sizeof(how));
}

int site_grab(struct site *s, const char *path, bool recursive)
{
	const char *name;
	size_t size = split(path, &name);
	if (size == 0 || !*name)
		return mount_copy(path, recursive);
	if (!is_dir(&s->source, path, size)) {
		forget(&s->source);
		int fd = open_source(path, size);
		if (fd < 0)
			return fd;
		s->source = (struct site_dir){.path = path, .size = size, .fd = fd};
	}
	return mount_copy_in(s->source.fd, name, recursive);
}

/* ---- the box ---- */

/* A link in a foreign root stays inside it, but then it is the whole way from there: refused. */
static int enter(int at, const char *name)
{
	int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = sys_openat(at, name, flags, 0);
	if (fd != -ENOENT)
		return fd;
	int r = sys_mkdirat(at, name, 0755);
	return r == 0 ? sys_openat(at, name, flags, 0) : r;
}

/* The directory that is the first @size bytes of @path; the caller's. */
static int open_way(int root, const char *path, size_t size)
{
	const char *end = path + size;
	int at = mount_point(root, "/");
	while (at >= 0) {
		while (path < end && *path == '/')
			path++;
		if (path == end)
			return at;
		char name[256];
		size_t n = 0;
		while (path + n < end && path[n] != '/')
			n++;
		int next = -ENAMETOOLONG;
		if (n < sizeof(name)) {
			memcpy(name, path, n);
			name[n] = 0;
			next = enter(at, name);
		}
		sys_close(at);
		at = next;
		path += n;
	}
	return at;
}

int site_parent(struct site *s, const char *path, const char **ret_name)
{
	size_t size = split(path, ret_name);
	if (is_dir(&s->dir, path, size))
		return s->dir.fd;
	forget(&s->dir);
	s->made = NULL;
	int fd = open_way(s->root, path, size);
	if (fd >= 0)
		s->dir = (struct site_dir){.path = path, .size = size, .fd = fd};
	return fd;
}

/* True if what is mounted at @path hides the directory from those who look from the root. */
static bool is_above(const char *path, const struct site_dir *dir)
{
	size_t size = strlen(path);
	return dir->path && size <= dir->size && memcmp(dir->path, path, size) == 0 &&
		(size == dir->size || dir->path[size] == '/' || path[size - 1] == '/');
}

int site_copy(const struct site *s, const char *path)
{
	if (s->here)
		return mount_copy_in(AT_FDCWD, path, true);
	int point = mount_point(s->root, path);
	if (point < 0)
		return point;
	int fd = mount_copy_at(point, true);
	sys_close(point);
	return fd;
}

static long attach_at_point(const struct site *s, int fd, const char *path)
{
	int point = mount_point(s->root, path);
	if (point < 0)
		return point;
	long r = mount_attach(fd, point);
	sys_close(point);
	return r;
}

static long attached(struct site *s, const char *path, long r)
{
	s->made = NULL;
	if (is_above(path, &s->dir))
		forget(&s->dir);
	return r;
}

long site_attach(struct site *s, int fd, const char *path)
{
	const char *name;
	bool made = s->made && strcmp(s->made, path) == 0;
	split(path, &name);
	return attached(s, path,
		made ? mount_attach_in(fd, s->dir.fd, name) : attach_at_point(s, fd, path));
}

long site_put(struct site *s, int fd, const char *path)
{
	return attached(s, path,
		s->here ? mount_attach_in(fd, AT_FDCWD, path) : attach_at_point(s, fd, path));
}

static int open_empty(struct site *s, const char *path)
{
	int i = 0;
	while (i < 2 && s->empty_path[i] && strcmp(s->empty_path[i], path) != 0)
		i++;
	if (i == 2)
		return -EINVAL; /* the plan has one of either kind */
	if (!s->empty_path[i]) {
		int fd = mount_point(s->root, path);
		if (fd < 0)
			return fd;
		s->empty_path[i] = path;
		s->empty[i] = fd;
	}
	return s->empty[i];
}

long site_cover(struct site *s, const char *empty, const char *path)
{
	int what = open_empty(s, empty);
	if (what == -ENOENT)
		return -ESTALE; /* not what has nothing to hide says */
	int fd = what < 0 ? what : mount_copy_at(what, false);
	if (fd < 0)
		return fd;
	long r = site_put(s, fd, path);
	sys_close(fd);
	return r;
}
