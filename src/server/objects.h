/* SPDX-License-Identifier: MIT */
#ifndef SERVER_OBJECTS_H
#define SERVER_OBJECTS_H

#include "base/buf.h"
#include "run/engine.h"
#include "store/store.h"

/* The JSON objects of docs/api.md, as text and without a newline behind them. */

void object_put_run(struct buf *out, const struct live *live);
/* The same for a run that is only in the record. */
void object_put_row(struct buf *out, const struct run_row *row);
/* As a list of runs has it. */
void object_put_listed_run(struct buf *out, const struct live *live);
void object_put_listed_row(struct buf *out, const struct run_row *row);
void object_put_box(struct buf *out, const struct box *box);

/* ,"NAME":"VALUE" or null */
void object_put_member(struct buf *out, const char *name, const char *value);

#endif
