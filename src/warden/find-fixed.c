/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "base/fd.h"
#include "base/path.h"
#include "kernel/sys.h"
#include "warden/find.h"

/*
 * A name can change if any of its parts can: an entry of a directory that the box can write, unless something is
 * mounted on it, which can be neither renamed nor removed. Each part is looked at alone, from the root on; what lies behind us
 * is fixed and has no links, so that ".." is what stands before it.
 */

#define MAX_LINKS 40 /* as many as the kernel follows */

struct walk {
	const struct finder *f;
	struct arena *a;
	const char *at; /* the directory where we are; "" is the root */
	const char *rest; /* of the name */
	unsigned links;
};

static int open_here(const struct walk *w, const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
	};
	return sys_openat2(w->f->root, *path ? path : "/", &how, sizeof(how));
}

/* Are the entries of the directory where we are nobody's to change? Those of /proc change by themselves. */
static bool is_read_only(const struct walk *w)
{
	struct statfs fs;
	cleanup_fd int fd = open_here(w, w->at);
	return fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type != PROC_SUPER_MAGIC &&
		(fs.f_flags & ST_RDONLY);
}

static bool is_mount_point(int fd)
{
	struct statx st;
	return statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_TYPE, &st) == 0 &&
		(st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* The next part of the name, in the arena; "": there is none. */
static const char *next_part(struct walk *w)
{
	const char *part = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(part, "/");
	w->rest = part + n;
	return arena_strndup(w->a, part, n);
}

static void go_up(struct walk *w)
{
	const char *slash = strrchr(w->at, '/');
	w->at = slash ? arena_strndup(w->a, w->at, (size_t)(slash - w->at)) : "";
}

/* @fd is a link: where it leads to comes before the rest. */
static bool follow(struct walk *w, int fd)
{
	char text[PATH_MAX];
	text[0] = '\0';
	ssize_t n = sys_readlinkat(fd, "", text, sizeof(text));
	if (n <= 0 || (size_t)n == sizeof(text) || ++w->links > MAX_LINKS)
		return false;
	if (text[0] == '/')
		w->at = "";
	w->rest = arena_printf(w->a, "%.*s/%s", (int)n, text, w->rest);
	return true;
}

/* One part on. False: it can change, or leads nowhere. *ret_end gets what the last one is. */
static bool step(struct walk *w, const char *part, struct stat *ret_end)
{
	struct stat st;
	const char *path = arena_printf(w->a, "%s/%s", w->at, part);
	cleanup_fd int fd = open_here(w, path);
	if (fd < 0 || fstat(fd, &st) < 0 || (!is_read_only(w) && !is_mount_point(fd)))
		return false;
	if (S_ISLNK(st.st_mode))
		return follow(w, fd);
	w->at = path;
	*ret_end = st;
	return true;
}

bool find_is_fixed(
	const struct finder *f, const char *called, const struct stat *st, struct arena *a)
{
	struct walk w = {.f = f, .a = a, .at = "", .rest = called};
	struct stat end = {0};
	if (called[0] != '/')
		return false;
	for (const char *part = next_part(&w); *part; part = next_part(&w)) {
		if (strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0)
			go_up(&w);
		else if (!step(&w, part, &end))
			return false;
	}
	return end.st_dev == st->st_dev && end.st_ino == st->st_ino;
}
