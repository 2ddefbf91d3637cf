/* SPDX-License-Identifier: MIT */
#include "model/codec-document.h"

#include <assert.h>
#include <ctype.h>
#include <libfyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

/*
 * libfyaml gives one event after the other, and the tree is built from them here: its own document
 * builder would have built a million levels before anything could be refused. Every limit is looked
 * at as an event arrives, so what a hostile text can cost is bounded by what stands before its first
 * fault.
 */

struct anchor {
	const char *name;
	struct node *node;
	bool complete; /* its node has ended: an alias inside it would have no end */
};

struct builder {
	const struct document *document;
	struct arena *arena;
	struct error *error;
	struct node *root;
	struct node *open[DOCUMENT_MAX_DEPTH]; /* the containers not yet ended, outermost first */
	struct anchor *open_anchor[DOCUMENT_MAX_DEPTH];
	const char *key[DOCUMENT_MAX_DEPTH]; /* read, its value still to come */
	struct place key_place[DOCUMENT_MAX_DEPTH];
	unsigned depth;
	struct anchor anchors[DOCUMENT_MAX_ANCHORS];
	size_t n_anchors, n_aliases;
	unsigned weight; /* of all nodes so far */
	bool started;
	struct place last; /* of the last event that had one */
};

static const char *const kind_texts[] = {
	[NODE_NULL] = "null",
	[NODE_BOOL] = "true or false",
	[NODE_NUMBER] = "a number",
	[NODE_STRING] = "a string",
	[NODE_LIST] = "a list",
	[NODE_MAP] = "a map",
};
static_assert(sizeof kind_texts / sizeof *kind_texts == NODE_COUNT_, "a text for each kind");

const char *node_kind_text(const struct node *node)
{
	return node->empty ? "empty" : kind_texts[node->kind];
}

const struct node_entry *node_find(const struct node *map, const char *key)
{
	if (map->kind != NODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++)
		if (strcmp(map->v[i].key, key) == 0)
			return &map->v[i];
	return NULL;
}

const char *document_clip(const char *text, char *out)
{
	static const char dots[] = "…";
	size_t n = strlen(text);
	if (n < DOCUMENT_CLIP_SIZE)
		return memcpy(out, text, n + 1);
	n = DOCUMENT_CLIP_SIZE - sizeof dots;
	while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80) /* not within a character */
		n--;
	memcpy(out, text, n);
	memcpy(out + n, dots, sizeof dots);
	return out;
}

int document_error(const struct document *document, struct place place, struct error *e,
	const char *format, ...)
{
	char text[ERROR_TEXT_SIZE];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return error_set(e, document->blame, 0, "%s line %u column %u: %s", document->label,
		place.line, place.column, text);
}

#define fail(b, place, ...) document_error((b)->document, (place), (b)->error, __VA_ARGS__)

static struct place place_of(struct builder *b, const struct fy_mark *mark)
{
	if (mark)
		b->last = (struct place){(unsigned)mark->line + 1, (unsigned)mark->column + 1};
	return b->last;
}

/* -1 and an error when @extra more nodes are too many. */
static int take_weight(struct builder *b, struct place place, unsigned extra)
{
	if (extra > DOCUMENT_MAX_NODES - b->weight)
		return fail(b, place, "more than %d values", DOCUMENT_MAX_NODES);
	b->weight += extra;
	return 0;
}

static struct node_entry *push_entry(struct builder *b, struct node *parent)
{
	if (parent->n == parent->room) {
		size_t room = parent->room ? parent->room * 2 : 8;
		struct node_entry *v = arena_calloc(b->arena, room, sizeof *v);
		if (parent->n > 0)
			memcpy(v, parent->v, parent->n * sizeof *v);
		parent->v = v;
		parent->room = room;
	}
	return &parent->v[parent->n++];
}

/* Put @node where the text has it: at the top, or as the next value of the innermost container. */
static int attach(struct builder *b, struct node *node, struct place place)
{
	if (b->depth == 0) {
		if (node->kind != NODE_MAP)
			return fail(
				b, place, "expected a map of keys, not %s", node_kind_text(node));
		b->root = node;
		return 0;
	}
	unsigned top = b->depth - 1;
	struct node_entry *entry = push_entry(b, b->open[top]);
	entry->key = b->key[top];
	entry->key_place = b->key_place[top];
	entry->node = node;
	b->key[top] = NULL;
	return 0;
}

static bool expects_key(const struct builder *b)
{
	return b->depth > 0 && b->open[b->depth - 1]->kind == NODE_MAP && !b->key[b->depth - 1];
}

static int take_key(struct builder *b, const char *text, struct place place)
{
	unsigned top = b->depth - 1;
	const struct node *map = b->open[top];
	char clip[DOCUMENT_CLIP_SIZE];
	if (strcmp(text, "<<") == 0)
		return fail(b, place, "merge keys ('<<') are not supported");
	const struct node_entry *twin = node_find(map, text);
	if (twin)
		return fail(b, place, "duplicate key '%s'; it was first given on line %u column %u",
			document_clip(text, clip), twin->key_place.line, twin->key_place.column);
	if (map->n == DOCUMENT_MAX_KEYS)
		return fail(b, place, "more than %d keys in one map", DOCUMENT_MAX_KEYS);
	b->key[top] = text;
	b->key_place[top] = place;
	return 0;
}

/* RFC 8259's number: no leading zero, no plus, no underscore, no hexadecimal. */
static bool is_number(const char *s)
{
	if (*s == '-')
		s++;
	size_t n = strspn(s, "0123456789");
	if (n == 0 || (s[0] == '0' && n > 1))
		return false;
	s += n;
	if (*s == '.') {
		n = strspn(++s, "0123456789");
		if (n == 0)
			return false;
		s += n;
	}
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '+' || *s == '-';
		n = strspn(s, "0123456789");
		if (n == 0)
			return false;
		s += n;
	}
	return *s == '\0';
}

static enum node_kind plain_kind(const char *text)
{
	if (*text == '\0' || strcmp(text, "null") == 0)
		return NODE_NULL;
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return NODE_BOOL;
	return is_number(text) ? NODE_NUMBER : NODE_STRING;
}

static const char *token_text(struct builder *b, struct fy_token *token)
{
	size_t size = 0;
	const char *text = token ? fy_token_get_text(token, &size) : NULL;
	return text ? arena_strndup(b->arena, text, size) : "";
}

/* The token's text, refused when an escape smuggled in a NUL, or half of a surrogate pair. */
static const char *scalar_text(struct builder *b, struct fy_token *token, struct place place)
{
	size_t size = 0;
	const char *text = token ? fy_token_get_text(token, &size) : NULL;
	if (!text)
		return "";
	if (memchr(text, '\0', size)) {
		fail(b, place, "a string may not contain a NUL character");
		return NULL;
	}
	if (!utf8_valid(text, size)) {
		fail(b, place, "a string is not valid UTF-8");
		return NULL;
	}
	return arena_strndup(b->arena, text, size);
}

static int add_anchor(
	struct builder *b, struct fy_token *token, struct node *node, struct anchor **ret)
{
	*ret = NULL;
	if (!token)
		return 0;
	if (b->n_anchors == DOCUMENT_MAX_ANCHORS)
		return fail(b, node->place, "more than %d anchors", DOCUMENT_MAX_ANCHORS);
	*ret = &b->anchors[b->n_anchors++];
	**ret = (struct anchor){.name = token_text(b, token), .node = node};
	return 0;
}

static struct node *node_new(struct builder *b, enum node_kind kind, struct place place)
{
	struct node *node = arena_new(b->arena, struct node);
	node->kind = kind;
	node->place = place;
	node->weight = 1;
	return node;
}

static int refuse_tag(struct builder *b, struct fy_token *tag)
{
	return fail(b, place_of(b, fy_token_start_mark(tag)),
		"tags ('!…') are not supported; quote a string that begins with '!'");
}

/* The parser's mark is behind an opening quote. */
static struct place scalar_place(struct builder *b, struct fy_event *event)
{
	struct place place = place_of(b, fy_event_start_mark(event));
	enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);
	bool quoted = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
	place.column -= quoted && place.column > 1;
	return place;
}

static int on_scalar(struct builder *b, struct fy_event *event)
{
	const struct fy_event_scalar_data *data = &event->scalar;
	struct place place = scalar_place(b, event);
	struct anchor *anchor;
	if (data->tag)
		return refuse_tag(b, data->tag);
	const char *text = scalar_text(b, data->value, place);
	if (!text)
		return -1;
	if (take_weight(b, place, 1) < 0)
		return -1;
	bool plain = fy_token_scalar_style(data->value) == FYSS_PLAIN;
	if (expects_key(b)) {
		if (data->anchor)
			return fail(b, place, "a key may not have an anchor");
		return take_key(b, text, place);
	}
	struct node *node = node_new(b, plain ? plain_kind(text) : NODE_STRING, place);
	node->text = text;
	node->empty = node->kind == NODE_NULL && *text == '\0';
	if (node->empty && b->depth > 0 && b->key[b->depth - 1])
		node->place = b->key_place[b->depth - 1]; /* there is nothing else to point at */
	if (add_anchor(b, data->anchor, node, &anchor) < 0)
		return -1;
	if (anchor)
		anchor->complete = true;
	return attach(b, node, place);
}

static int on_start(struct builder *b, struct fy_event *event)
{
	bool map = event->type == FYET_MAPPING_START;
	struct place place = place_of(b, fy_event_start_mark(event));
	struct fy_token *tag = map ? event->mapping_start.tag : event->sequence_start.tag;
	struct fy_token *anchor = map ? event->mapping_start.anchor : event->sequence_start.anchor;
	if (tag)
		return refuse_tag(b, tag);
	if (expects_key(b))
		return fail(b, place, "a key must be a string");
	if (b->depth == DOCUMENT_MAX_DEPTH)
		return fail(b, place, "nested more than %d levels deep", DOCUMENT_MAX_DEPTH);
	if (take_weight(b, place, 1) < 0)
		return -1;
	struct node *node = node_new(b, map ? NODE_MAP : NODE_LIST, place);
	node->height = 1;
	if (attach(b, node, place) < 0 ||
		add_anchor(b, anchor, node, &b->open_anchor[b->depth]) < 0)
		return -1;
	b->key[b->depth] = NULL;
	b->open[b->depth++] = node;
	return 0;
}

/* The innermost container has ended: its size is known now. */
static void on_end(struct builder *b)
{
	struct node *node = b->open[--b->depth];
	if (!node)
		return;
	if (b->open_anchor[b->depth])
		b->open_anchor[b->depth]->complete = true;
	for (size_t i = 0; i < node->n; i++) {
		const struct node *child = node->v[i].node;
		node->weight += child->weight + (node->kind == NODE_MAP);
		if (child->height >= node->height)
			node->height = child->height + 1;
	}
}

/* The last anchor of a name counts, as YAML has it. */
static const struct anchor *find_anchor(const struct builder *b, const char *name)
{
	for (size_t i = b->n_anchors; i-- > 0;)
		if (strcmp(b->anchors[i].name, name) == 0)
			return &b->anchors[i];
	return NULL;
}

static int on_alias(struct builder *b, struct fy_event *event)
{
	struct place place = place_of(b, fy_event_start_mark(event));
	place.column -= place.column > 1; /* the parser's mark is behind the '*' */
	const char *name = token_text(b, event->alias.anchor);
	char clip[DOCUMENT_CLIP_SIZE];
	if (expects_key(b))
		return fail(b, place, "a key may not be an alias");
	if (++b->n_aliases > DOCUMENT_MAX_ALIASES)
		return fail(b, place, "more than %d aliases", DOCUMENT_MAX_ALIASES);
	const struct anchor *anchor = find_anchor(b, name);
	if (!anchor)
		return fail(
			b, place, "no anchor '&%s' before its alias", document_clip(name, clip));
	if (!anchor->complete)
		return fail(b, place, "alias '*%s' stands within what it stands for",
			document_clip(name, clip));
	if (b->depth + anchor->node->height > DOCUMENT_MAX_DEPTH)
		return fail(b, place, "nested more than %d levels deep", DOCUMENT_MAX_DEPTH);
	if (take_weight(b, place, anchor->node->weight) < 0)
		return -1;
	return attach(b, anchor->node, place);
}

static int on_document(struct builder *b, struct fy_event *event)
{
	struct place place = place_of(b, fy_event_start_mark(event));
	if (b->started)
		return fail(b, place, "more than one document");
	b->started = true;
	return 0;
}

static int on_event(struct builder *b, struct fy_event *event)
{
	switch (event->type) {
	case FYET_DOCUMENT_START:
		return on_document(b, event);
	case FYET_SCALAR:
		return on_scalar(b, event);
	case FYET_ALIAS:
		return on_alias(b, event);
	case FYET_MAPPING_START:
	case FYET_SEQUENCE_START:
		return on_start(b, event);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		on_end(b);
		return 0;
	default:
		return 0;
	}
}

/* What the parser itself found wrong, in its words. */
static int parser_error(struct builder *b, struct fy_diag *diag)
{
	void *iterator = NULL;
	const struct fy_diag_error *first = fy_diag_errors_iterate(diag, &iterator);
	char text[200];
	if (!first || !first->msg)
		return fail(b, b->last, "this is neither YAML nor JSON");
	snprintf(text, sizeof text, "%s", first->msg);
	text[0] = (char)tolower((unsigned char)text[0]);
	struct place place = {(unsigned)first->line, (unsigned)first->column};
	return fail(b, place, "%s", text);
}

static int read_events(struct builder *b, struct fy_parser *parser, struct fy_diag *diag)
{
	struct fy_event *event;
	while ((event = fy_parser_parse(parser))) {
		int rc = on_event(b, event);
		fy_parser_event_free(parser, event);
		if (rc < 0)
			return -1;
	}
	if (fy_parser_get_stream_error(parser))
		return parser_error(b, diag);
	if (!b->root)
		return fail(b, ((struct place){1, 1}), "there is nothing in it");
	return 0;
}

static void diag_destroyp(struct fy_diag **diag)
{
	if (*diag)
		fy_diag_destroy(*diag);
}

static void parser_destroyp(struct fy_parser **parser)
{
	if (*parser)
		fy_parser_destroy(*parser);
}

static int read_text(struct builder *b, const char *text, size_t size)
{
	struct fy_diag_cfg to_nowhere;
	fy_diag_cfg_default(&to_nowhere);
	to_nowhere.fp = NULL;
	to_nowhere.level = FYET_ERROR;
	__attribute__((cleanup(diag_destroyp))) struct fy_diag *diag = fy_diag_create(&to_nowhere);
	if (!diag)
		return error_set(b->error, BLAME_US, 0, "cannot set up the YAML parser");
	fy_diag_set_collect_errors(diag, true);
	struct fy_parse_cfg config = {
		.flags = FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE | FYPCF_DISABLE_MMAP_OPT |
			FYPCF_SLOPPY_FLOW_INDENTATION,
		.diag = diag,
	};
	__attribute__((cleanup(parser_destroyp))) struct fy_parser *parser =
		fy_parser_create(&config);
	if (!parser || fy_parser_set_string(parser, text, size) < 0)
		return error_set(b->error, BLAME_US, 0, "cannot set up the YAML parser");
	return read_events(b, parser, diag);
}

int document_parse(const struct node **ret, struct arena *a, const struct document *document,
	const char *text, size_t size, struct error *e)
{
	struct builder b = {.document = document, .arena = a, .error = e, .last = {1, 1}};
	if (document_check_text(document, text, size, e) < 0 || read_text(&b, text, size) < 0)
		return -1;
	*ret = b.root;
	return 0;
}
