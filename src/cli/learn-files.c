/* SPDX-License-Identifier: MIT */
#include "cli/learn-files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "kernel/mount.h"

#define USUAL_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

int learn_files_open(struct learn_files *f, const struct resolved *resolved,
	const struct strv *envp, struct error *e)
{
	const char *root = resolved->root ? resolved->root : "/";

	*f = (struct learn_files){.resolved = resolved, .path = USUAL_PATH};
	for (size_t i = 0; i < envp->n; i++)
		if (strncmp(envp->v[i], "PATH=", 5) == 0)
			f->path = envp->v[i] + 5;
	f->root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return f->root < 0 ? error_set(e, BLAME_HOST, errno, "cannot look at '%s'", root) : 0;
}

void learn_files_close(struct learn_files *f)
{
	f->root = fd_close(f->root);
}

static const struct resolved_path *find(const struct resolved_list *list, const char *path)
{
	const struct resolved_path *best = NULL;

	for (size_t i = 0; i < list->n; i++)
		if (path_is_below(path, list->v[i].dest) &&
			(!best || strlen(list->v[i].dest) > strlen(best->dest)))
			best = &list->v[i];
	return best;
}

/* What no rule can be about: whatever stands there was put there by whoever it is to hold. */
static bool is_writable(const struct learn_files *f, const char *path)
{
	const struct resolved_path *read = find(&f->resolved->read, path);
	const struct resolved_path *write = find(&f->resolved->write, path);

	if (path_is_below(path, "/dev") || path_is_below(path, "/proc") ||
		(find(&f->resolved->tmpfs, path) && !read))
		return true;
	return write && !(read && strlen(read->dest) > strlen(write->dest));
}

/* The file that the box has, or had, at @path. 0; or -1 in errno. */
static int look(const struct learn_files *f, const char *path, struct arena *a, struct stat *ret)
{
	const struct resolved_path *bind = find(&f->resolved->read, path);

	if (bind)
		return stat(path_join(a, bind->source, path + strlen(bind->dest)), ret);
	int fd = mount_point(f->root, path);
	if (fd < 0) {
		errno = -fd;
		return -1;
	}
	int r = fstat(fd, ret);
	fd_close(fd);
	return r;
}

static bool same_file(const struct stat *x, const struct stat *y)
{
	return x->st_dev == y->st_dev && x->st_ino == y->st_ino;
}

/* The first on PATH that the box cannot write is what a rule with the name alone means. */
static bool is_on_path(
	const struct learn_files *f, const char *name, const struct stat *file, struct arena *a)
{
	for (const char *dir = f->path; *dir;) {
		size_t n = strcspn(dir, ":");
		const char *path = path_join(a, arena_strndup(a, dir, n), name);
		struct stat st;
		if (*path == '/' && n > 0 && !is_writable(f, path) && look(f, path, a, &st) == 0 &&
			S_ISREG(st.st_mode) && (st.st_mode & 0111))
			return same_file(&st, file);
		dir += n + (dir[n] == ':');
	}
	return false;
}

bool learn_files_about(void *data, const char *program, const struct exec_event *event,
	struct arena *a, const char **ret_why)
{
	const struct learn_files *f = data;
	struct stat file, named;

	if (*event->executable != '/') {
		*ret_why = "it has no path";
		return false;
	}
	if (is_writable(f, event->executable)) {
		*ret_why = "the box can write the file, so that it may be anything";
		return false;
	}
	if (look(f, event->executable, a, &file) < 0) {
		*ret_why = arena_printf(a, "its file is gone: %s", errno_text(errno));
		return false;
	}
	if (!strchr(program, '/'))
		return is_on_path(f, program, &file, a);
	return look(f, program, a, &named) == 0 && same_file(&file, &named);
}
