/* SPDX-License-Identifier: MIT */
#include "server/settings.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/parse.h"

enum kind { KIND_FLAG, KIND_TEXT, KIND_LIST, KIND_NUMBER, KIND_SIZE };

#define AT(member) offsetof(struct settings, member)

static const struct option {
	const char *name;
	enum kind kind;
	size_t at;
	uint64_t min, max, usual;
	const char *metavar, *help;
} options[] = {
	{"socket", KIND_TEXT, AT(socket), .metavar = "PATH", .help = "listen at this Unix socket"},
	{"listen", KIND_TEXT, AT(listen), .metavar = "ADDR:PORT",
		.help = "listen on TCP too, on loopback without ADDR"},
	{"token-file", KIND_TEXT, AT(token_file), .metavar = "FILE",
		.help = "what clients on TCP have to show"},
	{"state", KIND_TEXT, AT(state), .metavar = "DIR", .help = "keep records there"},
	{"max-runs", KIND_NUMBER, AT(max_runs), 1, 100000, 256, "N", "runs at the same time"},
	{"max-boxes", KIND_NUMBER, AT(max_boxes), 1, 100000, 1024, "N",
		"boxes at the same time, those of single runs included"},
	{"max-queue", KIND_NUMBER, AT(max_queue), 0, 100000, 256, "N",
		"runs of each user that wait"},
	{"max-connections", KIND_NUMBER, AT(max_connections), 1, 100000, 1024, "N",
		"connections of each user"},
	{"memory", KIND_SIZE, AT(memory_bytes), 1 << 20, INT64_MAX, 0, "SIZE",
		"what memory limits may promise together"},
	{"pool", KIND_LIST, AT(pools), .metavar = "POLICY",
		.help = "keep boxes of this policy ready; may be repeated"},
	{"quiet", KIND_FLAG, AT(quiet), .help = "say nothing but errors"},
	{"verbose", KIND_FLAG, AT(verbose), .help = "say what is done"},
	{"help", KIND_FLAG, AT(help), .help = "show this"},
	{"version", KIND_FLAG, AT(version), .help = "show the version"},
};
#define N_OPTIONS (sizeof options / sizeof *options)

static void *field(struct settings *s, const struct option *o)
{
	return (char *)s + o->at;
}

static int take_number(
	struct settings *s, const struct option *o, const char *value, struct error *e)
{
	uint64_t n;
	int rc = o->kind == KIND_SIZE ? parse_size(value, &n) : parse_u64(value, UINT64_MAX, &n);
	if (rc < 0 || n < o->min || n > o->max)
		return error_set(e, BLAME_REQUEST, 0,
			"'--%s %.64s': must be %s from %" PRIu64 " to %" PRIu64, o->name, value,
			o->kind == KIND_SIZE ? "a size" : "a number", o->min, o->max);
	*(uint64_t *)field(s, o) = n;
	return 0;
}

static int take_value(struct settings *s, struct arena *a, const struct option *o,
	const char *value, struct error *e)
{
	if (!*value)
		return error_set(e, BLAME_REQUEST, 0, "'--%s': %s is empty", o->name, o->metavar);
	if (o->kind == KIND_TEXT)
		*(const char **)field(s, o) = value;
	else if (o->kind == KIND_LIST)
		strv_push(a, field(s, o), value);
	else
		return take_number(s, o, value, e);
	return 0;
}

static const struct option *find_option(const char *name, size_t size)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (strlen(options[i].name) == size && memcmp(options[i].name, name, size) == 0)
			return &options[i];
	return NULL;
}

static int refuse_word(const char *word, struct error *e)
{
	const char *names[N_OPTIONS + 1] = {NULL};
	for (size_t i = 0; i < N_OPTIONS; i++)
		names[i] = options[i].name;
	error_set(e, BLAME_REQUEST, 0, "unknown option or word '%.64s'", word);
	const char *near = strncmp(word, "--", 2) == 0 ? nearest_name(word + 2, names) : NULL;
	return near ? error_hint(e, "did you mean '--%s'?", near) : -1;
}

/* One word, or two: how many. */
static int take_word(struct settings *s, struct arena *a, char **word, struct error *e)
{
	const char *name = strcmp(word[0], "-h") == 0 ? "help"
		: strncmp(word[0], "--", 2) == 0      ? word[0] + 2
						      : "";
	const char *equals = strchr(name, '=');
	const struct option *o = find_option(name, equals ? (size_t)(equals - name) : strlen(name));
	if (!o || (o->kind == KIND_FLAG && equals))
		return refuse_word(word[0], e);
	if (o->kind == KIND_FLAG) {
		*(bool *)field(s, o) = true;
		return 1;
	}
	if (!equals && !word[1])
		return error_set(e, BLAME_REQUEST, 0, "'--%s' needs %s", o->name, o->metavar);
	if (take_value(s, a, o, equals ? equals + 1 : word[1], e) < 0)
		return -1;
	return equals ? 1 : 2;
}

static int check(const struct settings *s, struct error *e)
{
	if (s->listen && !s->token_file) {
		error_set(e, BLAME_REQUEST, 0, "'--listen' needs a '--token-file'");
		return error_hint(e, "who reaches the port could run programs as you");
	}
	return 0;
}

int settings_parse(struct settings *ret, struct arena *a, int argc, char **argv, struct error *e)
{
	*ret = (struct settings){.socket = NULL};
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (options[i].kind == KIND_NUMBER)
			*(uint64_t *)field(ret, &options[i]) = options[i].usual;
	for (int i = 1, n; i < argc; i += n) {
		n = take_word(ret, a, argv + i, e);
		if (n < 0)
			return -1;
	}
	return check(ret, e);
}

void settings_put_help(struct buf *out)
{
	buf_puts(out,
		"Usage: bulkheadd [options]\n\n"
		"Keep boxes, run commands in them, and say of each why it ended: HTTP and JSON\n"
		"over a Unix socket.\n\nOptions:\n");
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option *o = &options[i];
		int room = 28 - (int)strlen(o->name) - 1;
		buf_printf(
			out, "  --%s %-*s%s", o->name, room, o->metavar ? o->metavar : "", o->help);
		if (o->kind == KIND_NUMBER)
			buf_printf(out, " (default: %" PRIu64 ")", o->usual);
		buf_putc(out, '\n');
	}
}

struct engine_options settings_engine(const struct settings *s)
{
	struct engine_options o = ENGINE_OPTIONS_DEFAULT;
	o.max_runs = (unsigned)s->max_runs;
	o.max_boxes = (unsigned)s->max_boxes;
	o.max_queue = (unsigned)s->max_queue;
	o.memory_bytes = s->memory_bytes;
	return o;
}
