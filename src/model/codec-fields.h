/* SPDX-License-Identifier: MIT */
#ifndef MODEL_CODEC_FIELDS_H
#define MODEL_CODEC_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/codec-json.h"
#include "model/codec-writer.h"

/*
 * A struct as a JSON object by one table of its fields, which both writes and reads it, so that the
 * two cannot part. Reading is strict: unknown members, wrong types and numbers out of range are
 * refused; a member that is missing leaves its field as it is.
 */

enum field_kind {
	FIELD_U64,
	FIELD_U32, /* any four-byte integer, 0…max */
	FIELD_BOOL,
	FIELD_ENUM,
	FIELD_TEXT, /* const char *, NULL is null */
	FIELD_COMM, /* char[17] */
	FIELD_STRUCT, /* fields, in place */
	FIELD_LIST, /* an array of at most max structs, their number at count */
	FIELD_SKIP, /* read and written by somebody else: the tables have no kind for it */
};

struct names {
	const char *(*at)(int);
	int count;
};

struct field {
	const char *key;
	enum field_kind kind;
	size_t offset;
	uint64_t max;
	bool optional; /* null when the bool at known is false */
	size_t known;
	size_t count; /* offset of a list's size_t */
	size_t stride;
	const struct names *names;
	const struct field *fields; /* of a struct or of each in a list; ends with key NULL */
};

/* clang-format off */
#define FIELD_ELSEWHERE(name) {.key = name, .kind = FIELD_SKIP}
/* clang-format on */

/* The struct at @base as an object. */
void fields_write(
	struct json_writer *w, const char *key, const struct field *fields, const void *base);
/* Its members only, for an object that has more of them. */
void fields_write_members(struct json_writer *w, const struct field *fields, const void *base);

struct fields_reader {
	struct arena *a; /* where texts go */
	struct error *e;
};

/* 0; or -1, e naming the member (BLAME_REQUEST); then what is at @base may be half-read. */
int fields_parse(
	struct fields_reader *r, const struct field *fields, void *base, const json_t *object);
/* Fill in e with "'KEY' must be EXPECTED" and return -1. */
int fields_wrong(struct fields_reader *r, const char *key, const char *expected);

#endif
