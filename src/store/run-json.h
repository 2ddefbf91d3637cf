/* SPDX-License-Identifier: MIT */
#ifndef STORE_RUN_JSON_H
#define STORE_RUN_JSON_H

#include "base/buf.h"
#include "store/store.h"

/* A run as a list has it, for programs: one JSON object and its newline, without the verdict. */
void run_row_put_json(const struct run_row *row, struct buf *out);
/* The same of a run that is in a state which the record does not know. */
void run_row_put_json_as(const struct run_row *row, const char *state, struct buf *out);

#endif
