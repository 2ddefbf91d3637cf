/* SPDX-License-Identifier: MIT */
#include "store/state-dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "model/run-id.h"

#define RUN_DIR_MAX_FILES 64

/* $NAME/@below into @out, if the variable is set to an absolute path. */
static bool path_from_env(char *out, const char *name, const char *below)
{
	const char *value = getenv(name);
	if (!value || value[0] != '/')
		return false;
	return snprintf(out, PATH_MAX, "%s%s", value, below) < PATH_MAX;
}

static int choose_path(char *out, struct error *e)
{
	const char *asked = getenv("BULKHEAD_STATE");
	if (asked && *asked) {
		if (path_from_env(out, "BULKHEAD_STATE", ""))
			return 0;
		return error_set(e, BLAME_REQUEST, 0,
			"BULKHEAD_STATE must be an absolute path of at most %d bytes",
			PATH_MAX - 1);
	}
	if (geteuid() == 0) {
		strcpy(out, "/var/lib/bulkhead");
		return 0;
	}
	if (path_from_env(out, "XDG_STATE_HOME", "/bulkhead") ||
		path_from_env(out, "HOME", "/.local/state/bulkhead"))
		return 0;
	error_set(e, BLAME_REQUEST, 0, "no place for records: HOME is not set");
	return error_hint(e, "set BULKHEAD_STATE to a directory of yours");
}

/* mkdir -p. What cannot be made shows when the directory is opened. */
static void make_with_parents(const char *path)
{
	char part[PATH_MAX];
	size_t size = strlen(path);
	for (size_t i = 1; i <= size; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		mkdir(part, 0700);
	}
}

static int open_dir(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int open_or_make(const char *path, enum state_dir_mode mode)
{
	int fd = open_dir(path);
	if (fd >= 0 || errno != ENOENT || mode != STATE_DIR_CREATE)
		return fd;
	make_with_parents(path);
	return open_dir(path);
}

static int refuse_open(const char *path, struct error *e)
{
	int errnum = errno;
	struct stat st;
	if (errnum == ENOTDIR && lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
		error_set(e, BLAME_HOST, 0, "state directory '%s' is a symbolic link", path);
		return error_hint(e, "set BULKHEAD_STATE to the directory it points to");
	}
	error_set(e, BLAME_HOST, errnum, "cannot open the state directory '%s'", path);
	return error_hint(e, "set BULKHEAD_STATE to a directory of yours");
}

static int check_owner(int fd, const char *path, struct error *e)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return error_set(e, BLAME_HOST, errno, "state directory '%s'", path);
	if (st.st_uid != geteuid()) {
		error_set(e, BLAME_HOST, 0, "state directory '%s' belongs to uid %u", path,
			(unsigned)st.st_uid);
		return error_hint(e, "set BULKHEAD_STATE to a directory of yours");
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		error_set(e, BLAME_HOST, 0, "others may write into the state directory '%s'", path);
		return error_hint(e, "chmod go-w '%s'", path);
	}
	return 0;
}

void state_dir_real_path(const struct state_dir *dir, char ret[PATH_MAX])
{
	char link[64];
	snprintf(link, sizeof link, "/proc/self/fd/%d", dir->fd);
	ssize_t n = readlink(link, ret, PATH_MAX - 1);
	if (n > 0 && ret[0] == '/')
		ret[n] = '\0';
	else
		memcpy(ret, dir->path, strlen(dir->path) + 1);
}

int state_dir_open(struct state_dir *ret, enum state_dir_mode mode, struct error *e)
{
	char path[PATH_MAX] = "";
	if (choose_path(path, e) < 0)
		return -1;
	cleanup_fd int fd = open_or_make(path, mode);
	if (fd < 0 && (errno != ENOENT || mode == STATE_DIR_CREATE))
		return refuse_open(path, e);
	if (fd >= 0 && check_owner(fd, path, e) < 0)
		return -1;
	memcpy(ret->path, path, strlen(path) + 1);
	ret->fd = fd_take(&fd);
	return 0;
}

void state_dir_close(struct state_dir *dir)
{
	dir->fd = fd_close(dir->fd);
}

/* "runs/ID", or -1 with errno for what is no id (and might be a path). */
static int run_dir_name(char *out, size_t size, const char *id)
{
	if (!run_id_valid(id)) {
		errno = EINVAL;
		return -1;
	}
	snprintf(out, size, "runs/%s", id);
	return 0;
}

int run_dir_open(const struct state_dir *dir, const char *id)
{
	char name[32];
	if (run_dir_name(name, sizeof name, id) < 0)
		return -1;
	return openat(dir->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int make_run_dir(const struct state_dir *dir, const char *id)
{
	char name[32];
	if (run_dir_name(name, sizeof name, id) < 0)
		return -1;
	if (mkdirat(dir->fd, name, 0700) == 0)
		return 0;
	if (errno != ENOENT || (mkdirat(dir->fd, "runs", 0700) < 0 && errno != EEXIST))
		return -1;
	return mkdirat(dir->fd, name, 0700);
}

int run_dir_make(const struct state_dir *dir, const char *id, struct error *e)
{
	int fd = -1;
	if (make_run_dir(dir, id) == 0)
		fd = run_dir_open(dir, id);
	if (fd < 0)
		return error_set(e, BLAME_HOST, errno, "cannot make '%s/runs/%s'", dir->path, id);
	return fd;
}

int run_dir_write(int fd, const char *name, const void *data, size_t size)
{
	char temporary[64];
	/* Only the run's own supervisor writes here: no two can want the name at once. */
	if ((size_t)snprintf(temporary, sizeof temporary, ".%s.new", name) >= sizeof temporary) {
		errno = ENAMETOOLONG;
		return -1;
	}
	cleanup_fd int file =
		openat(fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file < 0)
		return -1;
	if (fd_write_all(file, data, size) == 0 && close(fd_take(&file)) == 0 &&
		renameat(fd, temporary, fd, name) == 0)
		return 0;
	int saved = errno;
	unlinkat(fd, temporary, 0);
	errno = saved;
	return -1;
}

/* Unlink what is in the directory @fd, which is closed. */
static void empty_dir_take(int fd)
{
	DIR *d = fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return;
	}
	struct dirent *entry;
	for (int n = 0; n < RUN_DIR_MAX_FILES && (entry = readdir(d)); n++)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(d), entry->d_name, 0);
	closedir(d);
}

int run_dir_remove(const struct state_dir *dir, const char *id)
{
	char name[32];
	if (run_dir_name(name, sizeof name, id) < 0)
		return -1;
	int fd = run_dir_open(dir, id);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	empty_dir_take(fd);
	return unlinkat(dir->fd, name, AT_REMOVEDIR);
}
