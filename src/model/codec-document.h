/* SPDX-License-Identifier: MIT */
#ifndef MODEL_CODEC_DOCUMENT_H
#define MODEL_CODEC_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"

/*
 * A text in YAML or JSON as a tree of JSON's six kinds, each node with the place it was read from.
 * JSON is read as the YAML it is, so there is one parser and one set of refusals.
 *
 * Only what both languages agree on has a meaning of its own: true, false, null and JSON's numbers,
 * written plainly. Whatever else is written plainly is a string ("no", "on", "1_000", "010", "1:30"
 * too, which YAML 1.1 made into something else). Refused are tags, directives, merge keys, several
 * documents, duplicate and complex keys, and what is beyond the limits below.
 */

#define DOCUMENT_MAX_SIZE    ((size_t)1 << 20)
#define DOCUMENT_MAX_DEPTH   32 /* maps and lists within each other */
#define DOCUMENT_MAX_NODES   10000 /* with every alias counted as a copy of what it stands for */
#define DOCUMENT_MAX_KEYS    1000 /* of one map */
#define DOCUMENT_MAX_ALIASES 64
#define DOCUMENT_MAX_ANCHORS 64

enum node_kind {
	NODE_NULL,
	NODE_BOOL,
	NODE_NUMBER,
	NODE_STRING,
	NODE_LIST,
	NODE_MAP,
	NODE_COUNT_,
};

struct place {
	unsigned line, column; /* from 1; columns count characters */
};

struct node {
	enum node_kind kind;
	struct place place;
	bool empty; /* a null that was not written ("key:" and nothing more) */
	const char *text; /* of a scalar, as written but for quotes and escapes; no NUL in it */
	struct node_entry *v; /* of a list or map, in the order written */
	size_t n, room;
	unsigned height; /* levels of lists and maps, itself included; 0 for a scalar */
	unsigned weight; /* nodes, itself included, aliases counted as copies */
};

/* An aliased node is in several entries: what @node points to is shared, the entry is not. */
struct node_entry {
	const char *key; /* NULL in a list */
	struct place key_place;
	struct node *node;
};

/* A document that is being read, for messages: @label is, for instance, "policy 'x.yaml'". */
struct document {
	const char *label;
	enum blame blame;
};

/*
 * Read @text of @size bytes (which need not end in NUL). The root is in @a, and always a map.
 * 0; or -1, e saying "LABEL line L column C: what is wrong".
 */
int document_parse(const struct node **ret, struct arena *a, const struct document *document,
	const char *text, size_t size, struct error *e);

/* The part of document_parse() that needs no parser: size, bytes, directives. */
int document_check_text(
	const struct document *document, const char *text, size_t size, struct error *e);

/* Fill in e with "LABEL line L column C: …" and return -1. */
int document_error(const struct document *document, struct place place, struct error *e,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* "a string", "a list", … for a message. */
const char *node_kind_text(const struct node *node);
/* The value below @key of a map, or NULL. */
const struct node_entry *node_find(const struct node *map, const char *key);

#define DOCUMENT_CLIP_SIZE 96
/* @text, or its beginning and "…", so that a long one leaves room for the message; in @out. */
const char *document_clip(const char *text, char *out);

#endif
