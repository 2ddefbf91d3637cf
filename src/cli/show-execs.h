/* SPDX-License-Identifier: MIT */
#ifndef CLI_SHOW_EXECS_H
#define CLI_SHOW_EXECS_H

#include "cli/read-store.h"
#include "model/exec-tree.h"

/*
 * The execs of run @id as a tree, in @a. NULL with @e if there are none on record. What is damaged is said on
 * stderr.
 */
const struct exec_tree *show_read_execs(
	const struct read_store *records, const char *id, struct arena *a, struct error *e);
/* Write the events to stdout, a line of JSON each, as they were recorded. 0, or -1 with @e. */
int show_execs_json(const struct read_store *records, const char *id, struct error *e);
/* For a person, with a line above that counts them; @o NULL: the run is on. */
void show_put_execs(struct buf *out, const char *id, const struct exec_tree *t,
	const struct observation *o, struct plot_style style);

#endif
