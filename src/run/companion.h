/* SPDX-License-Identifier: MIT */
#ifndef RUN_COMPANION_H
#define RUN_COMPANION_H

#include <limits.h>

#include "base/error.h"

/*
 * Where a program that comes with this one is: @name beside it (a build tree), else in
 * ../libexec/bulkhead as seen from there (installed). -1 with @e (BLAME_HOST): neither is there.
 */
int companion_find(const char *name, char ret_path[PATH_MAX], struct error *e);

#endif
