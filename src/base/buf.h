/* SPDX-License-Identifier: MIT */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A growing byte string, always NUL-terminated when data is not NULL. Appending cannot fail
 * (running out of memory ends the process, as in arena.h).
 */
struct buf {
	char *data;
	size_t size; /* without the NUL */
	size_t room;
};

#define BUF_INIT    ((struct buf){NULL, 0, 0})
#define cleanup_buf __attribute__((cleanup(buf_fini)))

void buf_fini(struct buf *b);
void buf_clear(struct buf *b);
void buf_add(struct buf *b, const void *data, size_t size);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The text so far; "" when nothing was added. */
const char *buf_str(const struct buf *b);
/*
 * Append @s for a person's terminal: control bytes and invalid UTF-8 become \xNN, so that a
 * hostile name cannot move the cursor or forge a line.
 */
void buf_put_visible(struct buf *b, const char *s, size_t size);
/* The same of one word of a command, as one would type it for a shell: quoted if it has to be. */
void buf_put_word(struct buf *b, const char *word);
/* True if @size bytes at @s are valid UTF-8 (RFC 3629) without NUL. */
bool utf8_valid(const char *s, size_t size);

#endif
