/* SPDX-License-Identifier: MIT */
#ifndef STORE_TIMELINE_FILE_H
#define STORE_TIMELINE_FILE_H

#include "base/error.h"
#include "model/timeline.h"

#define TIMELINE_NAME "timeline.jsonl"

/*
 * Write @t as timeline.jsonl in the directory @dir of a run: whole, in place of an earlier one. The
 * size of the file in *ret_size. 0, or -1 with errno.
 */
int timeline_file_write(int dir, const struct timeline *t, uint64_t *ret_size);

/*
 * Read it, whatever is in it; at most TIMELINE_MAX_SIZE bytes are looked at. *ret_bad is the number of
 * lines that are none of ours. 0; or -1 with errno, ENOENT if there is none.
 */
int timeline_file_read(int dir, struct timeline *ret, size_t *ret_bad);

#endif
