/* SPDX-License-Identifier: MIT */
#ifndef RUN_PLAN_MEMFD_H
#define RUN_PLAN_MEMFD_H

#include <stddef.h>

#include "base/error.h"
#include "model/plan.h"

/*
 * A descriptor, the caller's, of a sealed memfd with the image of @plan (jail/plan-image.h): any
 * number of boxes may be made and entered by one. It was read back, so what is refused is refused
 * here. -1 with e: BLAME_REQUEST where the plan is too large, BLAME_HOST where no memory is to be had.
 */
int plan_memfd(const struct plan *plan, size_t *ret_bytes, struct error *e);

/* A sealed memfd of @size bytes at @data, to be read from its beginning; -1 with errno. */
int memfd_sealed(const char *name, const void *data, size_t size);

#endif
