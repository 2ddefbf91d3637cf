/* SPDX-License-Identifier: MIT */
#ifndef MODEL_CODEC_ARGV_H
#define MODEL_CODEC_ARGV_H

#include "model/codec-fields.h"
#include "model/observation.h"

/*
 * The command, in a stored observation and in a verdict alike: "argv", and "argv_left_out" when that is not
 * all of it. A client may send 16 MiB of words, and a byte takes up to six in JSON; what is written of each
 * run, kept and sent on must not grow with that.
 */

/* So many bytes are written at most, before they are escaped, each word with the NUL that ends it. */
#define ARGV_WRITTEN_MAX ((size_t)64 << 10)

/*
 * Both members, into an object that is open. The words as they come, as far as they go; the last one may be
 * cut, between two characters. What was written before is not cut again.
 */
void observed_argv_write(struct json_writer *w, const struct observation *o);
/* Both of @root, each of which may be missing. 0; or -1 with the reader's error. */
int observed_argv_parse(struct fields_reader *r, struct observation *o, const json_t *root);

#endif
