/* SPDX-License-Identifier: MIT */
#include "model/codec-argv.h"

#include <string.h>

#include "base/json-text.h"

#define ARGV_MAX ((size_t)1 << 20)

/* clang-format off */
static const struct field left_out_fields[] = {
	{"words", FIELD_U64, offsetof(struct argv_left_out, words), .max = INT64_MAX},
	{"bytes", FIELD_U64, offsetof(struct argv_left_out, bytes), .max = INT64_MAX},
	{NULL},
};
/* clang-format on */

/* How many of @size bytes at @word go into @room with a NUL behind them; no part of a character. */
static size_t fitting(const char *word, size_t size, size_t room)
{
	if (size < room || room == 0)
		return room == 0 ? 0 : size;
	size_t whole = utf8_prefix(word, room - 1);
	return utf8_is_cut(word + whole, room - 1 - whole) ? whole : room - 1;
}

/* A word of which nothing is there is left out; one that is cut is the last. */
static void put_word(
	struct json_writer *w, const char *word, size_t *room, struct argv_left_out *left)
{
	size_t size = strlen(word), kept = fitting(word, size, *room);
	if (*room == 0 || (kept == 0 && size > 0)) {
		left->words++;
		left->bytes += size + 1;
		*room = 0;
		return;
	}
	write_bytes(w, NULL, word, kept);
	left->bytes += size - kept;
	*room = kept < size ? 0 : *room - kept - 1;
}

void observed_argv_write(struct json_writer *w, const struct observation *o)
{
	struct argv_left_out left = o->argv_left_out;
	size_t room = ARGV_WRITTEN_MAX;
	write_array(w, "argv");
	for (size_t i = 0; i < o->argc; i++)
		put_word(w, o->argv[i], &room, &left);
	write_array_end(w);
	if (left.bytes > 0)
		fields_write(w, "argv_left_out", left_out_fields, &left);
}

static int parse_words(struct fields_reader *r, struct observation *o, const json_t *list)
{
	size_t n = json_array_size(list);

	if (!list)
		return 0;
	if (!json_is_array(list) || n > ARGV_MAX)
		return fields_wrong(r, "argv", "a list of strings");
	const char **argv = arena_calloc(r->a, n + 1, sizeof *argv);
	for (size_t i = 0; i < n; i++) {
		if (json_text_parse(json_array_get(list, i), r->a, &argv[i]) != 0)
			return fields_wrong(
				r, "argv", "a list of strings, each a string or {\"base64\": …}");
	}
	o->argv = argv;
	o->argc = n;
	return 0;
}

int observed_argv_parse(struct fields_reader *r, struct observation *o, const json_t *root)
{
	const json_t *left = json_object_get(root, "argv_left_out");
	if (left && fields_parse(r, left_out_fields, &o->argv_left_out, left) != 0)
		return error_wrap(r->e, "'argv_left_out'");
	return parse_words(r, o, json_object_get(root, "argv"));
}
