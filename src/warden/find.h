/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_FIND_H
#define WARDEN_FIND_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/arena.h"

/*
 * Which file a path is for a task in a box, without going through /proc's links: those lead out of the box, or to
 * what has no name. "self" in a path would be us; so the three links of it that say something about
 * names are put into words first: /proc/self/root, /proc/self/cwd, /proc/self/exe.
 */
struct finder {
	int proc; /* a descriptor of our /proc; borrowed */
	int root; /* of the box, O_PATH; -1: not opened yet */
	char root_path
		[64]; /* "" or how names begin that the kernel tells us of files below that root */
};

void finder_init(struct finder *f, int proc);
void finder_fini(struct finder *f);
/* Open the root of @pid, in a box of which all have the same. 0 or -errno. Does nothing the second time. */
int finder_open_root(struct finder *f, pid_t pid);

struct found {
	int fd; /* O_PATH; the caller's */
	struct stat st;
	const char *path; /* in the box, no links; NULL: it has none there */
};

/*
 * @called as @pid would execute it, relative to @dir (AT_FDCWD or a descriptor of its). @follow: a link as its last part
 * too. Strings in @a. 0; or -errno, as execve(2) would have it: ENOENT, ENOTDIR, EACCES (also: no
 * regular file), ELOOP, EAGAIN (renamed all the time), EMFILE.
 */
struct place {
	pid_t pid;
	int dir;
	bool follow;
};
int find_file(struct finder *f, const struct place *place, const char *called, struct arena *a,
	struct found *ret);

/* Is @called by its text one of the names under which /proc has the caller's own descriptors? */
bool find_is_descriptor(const char *called);

/*
 * Will @called lead to the file @st in the box at any later time? True only for an absolute name of which each part, of
 * links that it leads through too, is an entry of a directory on a read-only mount, or a mount point. Uses @a.
 */
bool find_is_fixed(
	const struct finder *f, const char *called, const struct stat *st, struct arena *a);

/* The working directory of @pid in the box, in @a; NULL: it has none there. */
const char *find_cwd(struct finder *f, pid_t pid, struct arena *a);
/* What /proc/PID/exe says, in @a; NULL: nothing. */
const char *find_exe(struct finder *f, pid_t pid, struct arena *a);
/* The file that @pid runs. 0 or -errno. */
int find_exe_stat(struct finder *f, pid_t pid, struct stat *ret);

#endif
