/* SPDX-License-Identifier: MIT */
#ifndef BASE_JSON_TEXT_H
#define BASE_JSON_TEXT_H

#include <stddef.h>

#include "base/buf.h"

/*
 * Bytes as JSON and back, for what is written line by line while a program runs: no tree is
 * built. Control characters, DEL and C1 are escaped, so that a file with such lines can be shown on a terminal.
 */

/* How many of @size bytes at @s are valid UTF-8; NUL is, here. */
size_t utf8_prefix(const char *s, size_t size);

/*
 * True if @size bytes at @s are the beginning of a UTF-8 character that is longer than that, and
 * not a wrong one.
 */
bool utf8_is_cut(const char *s, size_t size);

/* @s, which must be valid UTF-8, as a JSON string with its quotes. */
void json_put_string(struct buf *out, const char *s, size_t size);

/* The same, or {"base64":"..."} if it is not valid UTF-8. */
void json_put_bytes(struct buf *out, const char *s, size_t size);

/* RFC 4648 section 4, with padding. */
void base64_put(struct buf *out, const char *s, size_t size);
/* Append what the @size characters at @s stand for. 0, or -1 if they are not base64. */
int base64_get(struct buf *out, const char *s, size_t size);

#endif
