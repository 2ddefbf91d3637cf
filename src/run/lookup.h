/* SPDX-License-Identifier: MIT */
#ifndef RUN_LOOKUP_H
#define RUN_LOOKUP_H

#include <stdbool.h>

#include "base/arena.h"

/*
 * Where paths of the host lead, many of them in the same few directories, most of which do not
 * exist: each directory is opened once, and what is in it is asked for relative to it, so that a
 * path costs one system call or none. The answers are those of one moment; nothing is kept open
 * after lookup_fini().
 */
struct lookup {
	struct arena *a; /* of the answers */
	struct lookup_dir *dirs;
	unsigned n;
};

struct lookup_answer {
	const char *real; /* without symbolic links */
	bool is_dir;
};

void lookup_init(struct lookup *l, struct arena *a);
void lookup_fini(struct lookup *l);

/*
 * What the absolute, normalized @path leads to, symbolic links followed. False: nothing, or nothing
 * that we may reach.
 */
bool lookup(struct lookup *l, const char *path, struct lookup_answer *ret);

#endif
