/* SPDX-License-Identifier: MIT */
#ifndef MODEL_CODEC_WRITER_H
#define MODEL_CODEC_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

/*
 * JSON written member by member, without a tree of it: verdict and observation are put into words
 * while somebody waits for them. What is begun must be ended, and a key is for members of objects only:
 * it is NULL for what stands in an array, or alone. Keys are our own words and need no escapes.
 */
struct json_writer {
	struct buf out;
	bool follows; /* a comma comes before the next one */
};

#define JSON_WRITER_INIT ((struct json_writer){{NULL, 0, 0}, false})

void write_object(struct json_writer *w, const char *key);
void write_object_end(struct json_writer *w);
void write_array(struct json_writer *w, const char *key);
void write_array_end(struct json_writer *w);

void write_null(struct json_writer *w, const char *key);
void write_bool(struct json_writer *w, const char *key, bool value);
/* JSON's integers are signed: what is above INT64_MAX is that. */
void write_u64(struct json_writer *w, const char *key, uint64_t value);
void write_u64_or_null(struct json_writer *w, const char *key, bool known, uint64_t value);
/* The text; {"base64":"…"} if it is not UTF-8; null for NULL. */
void write_text(struct json_writer *w, const char *key, const char *s);
/* The same of @size bytes. */
void write_bytes(struct json_writer *w, const char *key, const char *s, size_t size);
/* The text, with \xNN for what is not UTF-8; null for NULL. */
void write_visible(struct json_writer *w, const char *key, const char *s);

/* All of it as one line with its newline, in @a; nothing is left of @w. */
const char *write_line_take(struct json_writer *w, struct arena *a);

#endif
