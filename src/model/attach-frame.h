/* SPDX-License-Identifier: MIT */
#ifndef MODEL_ATTACH_FRAME_H
#define MODEL_ATTACH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * The frames that both sides of an attached run send, once its HTTP connection has been upgraded to
 * bulkhead-attach/1 (docs/api.md):
 *
 *     byte 0  kind    bytes 1–3  0    bytes 4–7  size of the body, big-endian    then the body
 */

#define ATTACH_PROTOCOL  "bulkhead-attach/1"
#define ATTACH_HEAD_SIZE 8
#define ATTACH_BODY_MAX  ((size_t)65536)
#define ATTACH_JSON_MAX  ((size_t)16 << 20) /* VERDICT and PROBLEM */

enum attach_kind {
	/* from the client */
	ATTACH_STDIN = 1, /* bytes */
	ATTACH_STDIN_END, /* empty */
	ATTACH_RESIZE, /* rows, cols: two 16-bit numbers */
	ATTACH_SIGNAL, /* its number, 32 bits */
	ATTACH_CANCEL, /* empty */
	/* from the daemon */
	ATTACH_STDOUT = 17, /* bytes */
	ATTACH_STDERR,
	ATTACH_GAP, /* 64 bits: so many bytes stood here and were not kept */
	ATTACH_VERDICT, /* JSON; the last frame */
	ATTACH_PROBLEM, /* JSON */
};

enum attach_sender { ATTACH_CLIENT, ATTACH_DAEMON };

struct attach_head {
	enum attach_kind kind;
	size_t size; /* of the body that follows */
};

/* A head to send. @head must be one that attach_head_decode() takes from its sender. */
void attach_head_encode(const struct attach_head *head, unsigned char out[ATTACH_HEAD_SIZE]);
/* A frame: head and body. The body must be one that its kind can have. */
void attach_frame_put(struct buf *out, enum attach_kind kind, const void *body, size_t size);
/*
 * @size bytes of a stream (STDOUT, STDERR): one frame, or as many as it takes. What is read of a log may be
 * longer than anything a program's output is written down in.
 */
void attach_bytes_put(struct buf *out, enum attach_kind kind, const char *bytes, size_t size);
/*
 * A head that @sender has sent. False if it is none: a kind that is not the sender's, a size that
 * its kind cannot have, bytes that are not 0.
 */
bool attach_head_decode(struct attach_head *ret, enum attach_sender sender,
	const unsigned char bytes[ATTACH_HEAD_SIZE]);

/* The numbers in bodies: big-endian, of @size bytes (2, 4, 8). */
uint64_t attach_number_decode(const unsigned char *bytes, size_t size);
void attach_number_encode(uint64_t number, unsigned char *out, size_t size);

#endif
