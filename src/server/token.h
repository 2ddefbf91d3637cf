/* SPDX-License-Identifier: MIT */
#ifndef SERVER_TOKEN_H
#define SERVER_TOKEN_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"

#define TOKEN_MIN 16
#define TOKEN_MAX 1024

/*
 * The token in the file @path: its text without the newline at its end, TOKEN_MIN to TOKEN_MAX visible ASCII
 * characters. The file must be ours and nobody else's to read. In @a; NULL with @e.
 */
const char *token_read(const char *path, struct arena *a, struct error *e);

/*
 * True if @header, which may be NULL, is "Bearer TOKEN". How long it takes depends on the header
 * alone. Without a token nobody is let in.
 */
bool token_is_right(const char *token, const char *header);

#endif
