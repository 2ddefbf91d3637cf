/* SPDX-License-Identifier: MIT */
#ifndef MODEL_CODEC_JSON_H
#define MODEL_CODEC_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* What the codecs of verdict and observation share. Without memory the process ends (arena.h). */

/* Set @key of @object; takes @value. */
void json_put_take(json_t *object, const char *key, json_t *value);
void json_push_take(json_t *array, json_t *value);
/* JSON's integers are signed: what is above INT64_MAX is that. */
json_t *json_u64(uint64_t value);
/* The text; {"base64": "…"} if it is not UTF-8; null for NULL. */
json_t *json_text(const char *s);
/* The text, with \xNN for what is not UTF-8; null for NULL. */
json_t *json_visible(const char *s);
/* Back from json_text(): in @a, without NUL inside. 0, or -1 if @value is no such thing. */
int json_text_parse(const json_t *value, struct arena *a, const char **ret);
/* The bytes of {"base64": "…"}, NUL too, with one behind them. 0, or -1 if @value is no such thing. */
int json_bytes_parse(const json_t *value, struct arena *a, const char **ret, size_t *ret_size);
/* One line and its newline, in @a; takes @value. */
const char *json_line_take(json_t *value, struct arena *a);
/* The same for a person: a member per line. */
const char *json_pretty_take(json_t *value, struct arena *a);

#endif
