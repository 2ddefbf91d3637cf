/* SPDX-License-Identifier: MIT */
#include "warden/find.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/path.h"
#include "kernel/sys.h"

#define NAME_SIZE 48

/* "PID/what", for the descriptor of /proc; snprintf takes longer than the call it is for. */
static const char *proc_name(pid_t pid, const char *what, char out[NAME_SIZE])
{
	char digits[12];
	size_t n = 0, at = 0;
	unsigned rest = pid > 0 ? (unsigned)pid : 0;
	do
		digits[n++] = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	while (n > 0)
		out[at++] = digits[--n];
	out[at++] = '/';
	for (; *what && at < NAME_SIZE - 1; what++)
		out[at++] = *what;
	out[at] = '\0';
	return out;
}

/* A link of /proc that says where something is, in @a; NULL: nowhere. */
static const char *read_link(struct finder *f, pid_t pid, const char *what, struct arena *a)
{
	char name[NAME_SIZE], text[PATH_MAX];
	text[0] = '\0';
	ssize_t n = sys_readlinkat(f->proc, proc_name(pid, what, name), text, sizeof(text));
	if (n <= 0 || (size_t)n == sizeof(text) || text[0] != '/')
		return NULL;
	return arena_strndup(a, text, (size_t)n);
}

void finder_init(struct finder *f, int proc)
{
	*f = (struct finder){.proc = proc, .root = -1};
}

void finder_fini(struct finder *f)
{
	f->root = fd_close(f->root);
}

int finder_open_root(struct finder *f, pid_t pid)
{
	char name[NAME_SIZE];
	cleanup_arena struct arena a = ARENA_INIT;
	if (f->root >= 0)
		return 0;
	/* a root that is not its mount namespace's own shows in all names that the kernel tells */
	const char *path = read_link(f, pid, "root", &a);
	if (!path || strlen(path) >= sizeof(f->root_path))
		return -EXDEV;
	int fd = sys_openat(
		f->proc, proc_name(pid, "root", name), O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	f->root = fd;
	strcpy(f->root_path, strcmp(path, "/") == 0 ? "" : path);
	return 0;
}

/* @path as the kernel tells it → as the box has it; NULL: it is outside. */
static const char *inside(const struct finder *f, const char *path)
{
	size_t n = strlen(f->root_path);
	if (!path || n == 0)
		return path;
	if (strncmp(path, f->root_path, n) != 0)
		return NULL;
	return path[n] == '/' ? path + n : path[n] == '\0' ? "/" : NULL;
}

const char *find_cwd(struct finder *f, pid_t pid, struct arena *a)
{
	return inside(f, read_link(f, pid, "cwd", a));
}

const char *find_exe(struct finder *f, pid_t pid, struct arena *a)
{
	return inside(f, read_link(f, pid, "exe", a));
}

int find_exe_stat(struct finder *f, pid_t pid, struct stat *ret)
{
	char name[NAME_SIZE];
	return fstatat(f->proc, proc_name(pid, "exe", name), ret, 0) == 0 ? 0 : -errno;
}

/* If @path's next part, after slashes and dots, is @name: what follows it; else NULL. */
static const char *after(const char *path, const char *name)
{
	size_t n = strlen(name);
	while (path[0] == '/' || (path[0] == '.' && path[1] == '/'))
		path++;
	if (strncmp(path, name, n) != 0 || (path[n] != '/' && path[n] != '\0'))
		return NULL;
	return path + n;
}

/* What follows /proc/self or the like; NULL: it begins otherwise. */
static const char *after_self(const char *path)
{
	const char *rest = path[0] == '/' ? after(path, "proc") : NULL;
	if (!rest)
		return NULL;
	const char *own = after(rest, "self");
	if (!own)
		own = after(rest, "thread-self");
	return own;
}

/* One of the three links put into words; @path itself: it has none. NULL: it leads to what has no name. */
static const char *without_link(struct finder *f, pid_t pid, const char *path, struct arena *a)
{
	const char *own = after_self(path), *rest;
	if (!own)
		return path;
	if ((rest = after(own, "root")))
		return *rest ? rest : "/";
	if ((rest = after(own, "exe")) && !*rest)
		return find_exe(f, pid, a);
	if ((rest = after(own, "cwd"))) {
		const char *cwd = find_cwd(f, pid, a);
		return cwd ? arena_printf(a, "%s/%s", cwd, rest) : NULL;
	}
	return path;
}

/* @called as an absolute path of the box. */
static int absolute(struct finder *f, const struct place *place, const char *called,
	struct arena *a, const char **ret)
{
	char what[NAME_SIZE];
	const char *from;
	if (called[0] == '/') {
		*ret = called;
		return 0;
	}
	if (place->dir == AT_FDCWD) {
		from = find_cwd(f, place->pid, a);
	} else {
		snprintf(what, sizeof(what), "fd/%d", place->dir);
		from = inside(f, read_link(f, place->pid, what, a));
	}
	if (!from)
		return -ENOENT;
	*ret = path_join(a, from, called);
	return 0;
}

#define MAX_LINKS 8
#define MAX_RACES 32

static int open_in(int root, const char *path, bool follow, uint64_t resolve)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
	};
	int fd = -EAGAIN;
	/* EAGAIN: something was renamed while ".." was followed */
	for (unsigned i = 0; i < MAX_RACES && fd == -EAGAIN; i++)
		fd = sys_openat2(root, path, &how, sizeof(how));
	return fd;
}

/* Where the file behind @fd is, with all links followed. */
static const char *path_of(const struct finder *f, int fd, struct arena *a)
{
	char name[NAME_SIZE], text[PATH_MAX];
	text[0] = '\0';
	snprintf(name, sizeof(name), "self/fd/%d", fd);
	ssize_t n = sys_readlinkat(f->proc, name, text, sizeof(text));
	if (n <= 0 || (size_t)n == sizeof(text) || text[0] != '/')
		return NULL;
	return inside(f, arena_strndup(a, text, (size_t)n));
}

/* Is @path, absolute, its own shortest form? */
static bool is_normal(const char *path)
{
	for (; *path; path++)
		if (path[0] == '/' &&
			(path[1] == '/' || path[1] == '\0' ||
				(path[1] == '.' &&
					(path[2] == '/' || path[2] == '\0' || path[2] == '.'))))
			return false;
	return true;
}

/*
 * Most paths have no link in them: then the path is where the file is, which else would be asked of /proc, at
 * five times the price.
 */
static int open_and_tell(
	const struct finder *f, const char *path, bool follow, struct arena *a, struct found *ret)
{
	ret->fd = is_normal(path) ? open_in(f->root, path, follow, RESOLVE_NO_SYMLINKS) : -ELOOP;
	ret->path = path;
	if (ret->fd != -ELOOP)
		return ret->fd;
	ret->fd = open_in(f->root, path, follow, 0);
	ret->path = ret->fd < 0 ? NULL : path_of(f, ret->fd, a);
	return ret->fd;
}

/* As execve(2) would say of what is no regular file. */
static int look_at(struct found *found)
{
	if (fstat(found->fd, &found->st) < 0)
		return -errno;
	if (!S_ISREG(found->st.st_mode))
		return S_ISLNK(found->st.st_mode) ? -ELOOP : -EACCES;
	if (found->st.st_nlink == 0)
		found->path = NULL;
	return 0;
}

/* @path with what /proc says of the caller itself put into words; NULL: it leads nowhere that has a name. */
static const char *without_links(struct finder *f, pid_t pid, const char *path, struct arena *a)
{
	for (unsigned i = 0; i < MAX_LINKS; i++) {
		const char *next = without_link(f, pid, path, a);
		if (!next || next == path)
			return next;
		path = next;
	}
	return path;
}

int find_file(struct finder *f, const struct place *place, const char *called, struct arena *a,
	struct found *ret)
{
	const char *path;
	struct found found;
	int r = called[0] ? absolute(f, place, called, a, &path) : -ENOENT;
	if (r < 0)
		return r;
	path = without_links(f, place->pid, path, a);
	if (!path)
		return -ENOENT;
	r = open_and_tell(f, path, place->follow, a, &found);
	if (r < 0)
		return r;
	r = look_at(&found);
	if (r < 0) {
		fd_close(found.fd);
		return r;
	}
	*ret = found;
	return 0;
}

bool find_is_descriptor(const char *called)
{
	const char *rest = called[0] == '/' ? after(called, "dev") : NULL;
	if (rest && (after(rest, "fd") || after(rest, "stdin")))
		return true;
	rest = after_self(called);
	return rest && (after(rest, "fd") || after(rest, "map_files"));
}
