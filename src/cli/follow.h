/* SPDX-License-Identifier: MIT */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include "base/arena.h"
#include "cli/attachment.h"
#include "cli/verdict-file.h"

/*
 * Attach to a run until it has ended, and tell how it did, as `bulkhead run` would: the verdict into
 * @file, the line on stderr, the exit status. 0 with *ret_status; -1 with @e.
 */
int follow_run(const struct attachment_request *request, struct verdict_file *file, struct arena *a,
	int *ret_status, struct error *e);

#endif
