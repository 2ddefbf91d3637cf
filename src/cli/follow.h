/* SPDX-License-Identifier: MIT */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include "base/arena.h"
#include "cli/attachment.h"
#include "cli/verdict-file.h"
#include "model/api-client.h"

/* What the daemon knows of the run @id, in @a. 0; or -1 with @e. */
int follow_look_up(struct api_run *ret, const char *id, struct arena *a, struct error *e);

/*
 * Attach to a run until it has ended, and tell how it did, as `bulkhead run` would: the verdict into
 * @file, the line on stderr, the exit status. 0 with *ret_status; -1 with @e.
 */
int follow_run(const struct attachment_request *request, struct verdict_file *file, struct arena *a,
	int *ret_status, struct error *e);

#endif
