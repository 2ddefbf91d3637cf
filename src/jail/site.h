/* SPDX-License-Identifier: MIT */
#ifndef JAIL_SITE_H
#define JAIL_SITE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Where a box is being built: its root, and descriptors of the directories that were used last, as
 * most steps come in runs in one directory (/dev). Raw system calls only; paths are the plan's
 * strings, which outlive a site. Functions return a descriptor or 0, or -errno; descriptors are
 * the site's own unless it is said otherwise.
 */
struct site_dir {
	const char *path; /* its first size bytes; NULL: none */
	size_t size;
	int fd;
};

struct site {
	int root; /* of the box so far */
	bool here; /* and that is our own root directory: a path is the same for us and for the box */
	struct site_dir source; /* of the host, as first seen */
	struct site_dir dir; /* of the box */
	const char *made; /* a file just made in dir, NULL: none */
	const char *empty_path[2];
	int empty[2]; /* what hides others */
};

void site_open(struct site *s, int root, bool here);
/* All but the root. */
void site_close(struct site *s);

/* A detached copy, the caller's, of what is at @path of the host; no symbolic link is followed. */
int site_grab(struct site *s, const char *path, bool recursive);
/*
 * The directory of the box that shall hold the last word of @path, which is put in @ret_name; it
 * is made where it is missing.
 */
int site_parent(struct site *s, const char *path, const char **ret_name);
/*
 * A detached copy, the caller's, of what is at @path of the box, where no symbolic link is at its
 * end, with all that is mounted in it.
 */
int site_copy(const struct site *s, const char *path);
/* Put the detached tree @fd, which stays the caller's, at @path of the box. */
long site_attach(struct site *s, int fd, const char *path);
/* The same, cheaper, where no symbolic link is at the end of @path. */
long site_put(struct site *s, int fd, const char *path);
/* Put a copy of the empty thing at @empty over @path of the box. */
long site_cover(struct site *s, const char *empty, const char *path);
/* @fd is the box's root from now on. */
void site_move(struct site *s, int fd);

#endif
