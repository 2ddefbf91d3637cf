/* SPDX-License-Identifier: MIT */
#ifndef MODEL_CODEC_OBSERVED_EXEC_H
#define MODEL_CODEC_OBSERVED_EXEC_H

#include "model/codec-fields.h"
#include "model/observation.h"

/* What an exec policy did, in a stored observation and in a verdict: the member "exec". */

void observed_exec_write(struct json_writer *w, const struct observed_exec *x);
/* NULL: there was none. 0; or -1 with the reader's error. */
int observed_exec_parse(struct fields_reader *r, struct observed_exec *ret, const json_t *object);

/* docs/verdict.md, "exec". */
void verdict_exec_write(struct json_writer *w, const struct observed_exec *x);

#endif
