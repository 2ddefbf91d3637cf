/* SPDX-License-Identifier: MIT */
#include "run/policy-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/parse.h"
#include "base/path.h"
#include "model/codec-document.h"

#define SUFFIX ".yaml"

struct strv policy_file_dirs(struct arena *a)
{
	struct strv dirs = {NULL, 0, 0};
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	if (config && config[0] == '/') /* the XDG specification has others ignored */
		strv_push(a, &dirs, path_join(a, config, "bulkhead/policies"));
	else if (home && home[0] == '/')
		strv_push(a, &dirs, path_join(a, home, ".config/bulkhead/policies"));
	strv_push(a, &dirs, POLICY_SYSTEM_DIR);
	return dirs;
}

static int compare(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static bool is_shipped(const char *name)
{
	size_t size;
	return policy_shipped_text(name, &size) != NULL;
}

struct strv policy_file_names(struct arena *a, const char *dir)
{
	struct strv names = {NULL, 0, 0};
	DIR *d = opendir(dir);
	for (struct dirent *entry; d && (entry = readdir(d));) {
		size_t n = strlen(entry->d_name), suffix = strlen(SUFFIX);
		if (n <= suffix || strcmp(entry->d_name + n - suffix, SUFFIX) != 0)
			continue;
		const char *name = arena_strndup(a, entry->d_name, n - suffix);
		if (policy_is_name(name) && !is_shipped(name))
			strv_push(a, &names, name);
	}
	if (d)
		closedir(d);
	if (names.n > 0)
		qsort(names.v, names.n, sizeof *names.v, compare);
	return names;
}

/* Not blocking on a FIFO that nobody writes to, and not taking a terminal for our own. */
static int open_file(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static int check_kind(int fd, const char *path, struct error *e)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return error_set(e, BLAME_HOST, errno, "cannot read policy '%s'", path);
	if (!S_ISREG(st.st_mode))
		return error_set(e, BLAME_REQUEST, S_ISDIR(st.st_mode) ? EISDIR : 0,
			S_ISDIR(st.st_mode) ? "cannot read policy '%s'"
					    : "policy '%s' is not a regular file",
			path);
	if (st.st_size > (off_t)DOCUMENT_MAX_SIZE)
		return error_set(e, BLAME_POLICY, 0, "policy '%s' is larger than 1 MiB", path);
	return 0;
}

/*
 * All of it, by the limit and not by what fstat(2) said: the file may be growing, or one of /proc.
 * NUL bytes inside are the decoder's to refuse.
 */
static int read_all(int fd, struct arena *a, const char *path, const char **ret_text,
	size_t *ret_size, struct error *e)
{
	size_t room = 4096, size = 0;
	char *text = arena_alloc(a, room);
	for (;;) {
		ssize_t n = read(fd, text + size, room - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(e, BLAME_HOST, errno, "cannot read policy '%s'", path);
		if (n == 0)
			break;
		size += (size_t)n;
		if (size > DOCUMENT_MAX_SIZE)
			return error_set(
				e, BLAME_POLICY, 0, "policy '%s' is larger than 1 MiB", path);
		if (size == room) {
			char *larger = arena_alloc(a, room * 4);
			memcpy(larger, text, size);
			text = larger;
			room *= 4;
		}
	}
	*ret_text = text;
	*ret_size = size;
	return 0;
}

/* -1 with errno ENOENT and e untouched: there is no such file. */
static int read_path(struct arena *a, const char *path, const char **ret_path,
	const char **ret_text, size_t *ret_size, struct error *e)
{
	cleanup_fd int fd = open_file(path);
	if (fd < 0) {
		int errnum = errno;
		bool missing = errnum == ENOENT || errnum == ENOTDIR;
		if (!missing)
			error_set(e, errnum == EACCES ? BLAME_REQUEST : BLAME_HOST, errnum,
				"cannot open policy '%s'", path);
		errno = missing ? ENOENT : errnum;
		return -1;
	}
	errno = 0;
	if (check_kind(fd, path, e) < 0 || read_all(fd, a, path, ret_text, ret_size, e) < 0) {
		errno = EINVAL;
		return -1;
	}
	*ret_path = arena_strdup(a, path);
	return 0;
}

static int fail_unknown(struct arena *a, const char *name, const struct strv *dirs, struct error *e)
{
	struct strv names = {NULL, 0, 0};
	for (const char *const *shipped = policy_shipped_names(); *shipped; shipped++)
		strv_push(a, &names, *shipped);
	for (size_t i = 0; i < dirs->n; i++) {
		struct strv more = policy_file_names(a, dirs->v[i]);
		for (size_t j = 0; j < more.n; j++)
			strv_push(a, &names, more.v[j]);
	}
	error_set(e, BLAME_REQUEST, 0, "no policy is called '%s'", name);
	if (e)
		e->errnum = ENOENT; /* for those who act on it: its words would add nothing */
	const char *near = nearest_name(name, names.v);
	if (near)
		return error_hint(e, "did you mean '%s'?", near);
	return error_hint(e, "see 'bulkhead policy list', or give the path of a file");
}

static int read_named(struct arena *a, const char *name, const char **ret_path,
	const char **ret_text, size_t *ret_size, struct error *e)
{
	struct strv dirs = policy_file_dirs(a);
	for (size_t i = 0; i < dirs.n; i++) {
		const char *path = path_join(a, dirs.v[i], arena_printf(a, "%s" SUFFIX, name));
		if (read_path(a, path, ret_path, ret_text, ret_size, e) == 0)
			return 0;
		if (errno != ENOENT)
			return -1;
	}
	return fail_unknown(a, name, &dirs, e);
}

int policy_file_read(void *data, struct arena *a, const char *name_or_path, const char **ret_path,
	const char **ret_text, size_t *ret_size, struct error *e)
{
	(void)data;
	if (policy_is_name(name_or_path))
		return read_named(a, name_or_path, ret_path, ret_text, ret_size, e);
	if (read_path(a, name_or_path, ret_path, ret_text, ret_size, e) == 0)
		return 0;
	if (errno != ENOENT)
		return -1;
	return error_set(e, BLAME_REQUEST, ENOENT, "cannot open policy '%.200s'", name_or_path);
}

const struct policy_source policy_files = {.read = policy_file_read};
