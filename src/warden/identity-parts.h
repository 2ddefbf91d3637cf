/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_IDENTITY_PARTS_H
#define WARDEN_IDENTITY_PARTS_H

#include <stdint.h>

#include "warden/identity.h"

/* What the files of identity share. */

/* A file that one of the programs, by its index, may be. */
struct candidate {
	uint64_t dev, ino, size;
	const char *path; /* below the root, as it was looked for */
	const char *real; /* the same, links followed */
	uint16_t program;
	bool writable;
	bool exactly; /* what an allow rule means */
};

#define IDENTITY_SETS 256
#define IDENTITY_WAYS 4

/* A file that the box cannot write, as it was found. Not used: nobody is to rely on it, for not all could be looked at. */
struct known_file {
	uint64_t dev, ino, size;
	int64_t ctime_ns, mtime_ns;
	struct exec_programs is, exactly;
	bool used, loader;
	uint16_t head_size;
	unsigned char head[IDENTITY_HEAD];
};

struct identity {
	struct identity_spec spec;
	struct arena arena; /* of what identity_find() found */
	int root; /* -1: nothing was looked for yet */
	struct candidate *v;
	size_t n;
	struct known_file *known; /* IDENTITY_SETS * IDENTITY_WAYS */
	unsigned turn; /* which way of a set is given up next */
	struct known_file fresh; /* of the last file that is not kept */
};

/* True: the box can write what @fd is, which is at @path in it (NULL: not known). */
bool identity_writable(const struct identity *id, int fd, const char *path);
/* Where @fd is, in @a; NULL: nowhere (deleted, or no path at all). */
const char *identity_path_of(int fd, struct arena *a);
/* Is @r an -errno that says nothing of the file: descriptors or memory have run out? */
bool identity_is_shortage(int r);
/* O_PATH, below @root whatever links say; or -errno. */
int identity_open_path(int root, const char *path);
/* The same file for reading; only of a regular one. -errno. */
int identity_open_to_read(int fd);

/* True: the ELF file @fd is a dynamic loader; @head are its first bytes. */
bool identity_is_loader(int fd, const unsigned char *head, size_t size);
/* True for what loaders are called: ld-linux-x86-64.so.2, ld-musl-…, ld.so. */
bool identity_is_loader_name(const char *path);

/* Each directory of the PATH @path and, if @usual, the usual ones, absolute, each once by its text; in @a. */
struct strv identity_directories(const char *path, bool usual, struct arena *a);

#endif
