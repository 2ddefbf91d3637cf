/* SPDX-License-Identifier: MIT */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>

#include "base/arena.h"

/* Paths as text only: nothing here looks at a file system. */

/*
 * Make @path absolute against @cwd (absolute itself) and drop ".", "//" and "..", textually.
 * "/.." is "/". The result has no trailing slash except "/" itself.
 */
char *path_normalize(struct arena *a, const char *cwd, const char *path);
/* "~" and "~/x" become @home and @home/x; anything else, or @home NULL, is returned as it is. */
const char *path_expand_home(struct arena *a, const char *home, const char *path);
/* True if normalized @path is @dir or below it. */
bool path_is_below(const char *path, const char *dir);
/* DIR/NAME without a doubled slash between them; DIR when @name is empty, NAME when @dir is. */
char *path_join(struct arena *a, const char *dir, const char *name);
/* What follows the last slash ("" after a trailing one); @path if it has none. */
const char *path_base(const char *path);

#endif
