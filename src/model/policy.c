/* SPDX-License-Identifier: MIT */
#include "model/policy.h"

#include <assert.h>
#include <string.h>

#include "base/parse.h"
#include "base/path.h"
#include "base/time.h"
#include "model/codec-policy.h"
#include "model/policy-keys.h"
#include "model/policy-shipped.h"

#define EXTENDS_MAX    8
#define SHIPPED_MAX    32
#define DEFAULT_POLICY "default"

static const char *const network_names[] = {[NETWORK_NONE] = "none", [NETWORK_HOST] = "host"};
static_assert(sizeof network_names / sizeof *network_names == NETWORK_COUNT_, "a name for each");

static const char *const exec_names[] = {
	[EXEC_OFF] = "off",
	[EXEC_AUDIT] = "audit",
	[EXEC_ENFORCE] = "enforce",
};
static_assert(sizeof exec_names / sizeof *exec_names == EXEC_COUNT_, "a name for each");

const char *network_mode_name(enum network_mode mode)
{
	return network_names[(unsigned)mode < NETWORK_COUNT_ ? mode : NETWORK_NONE];
}

const char *exec_mode_name(enum exec_mode mode)
{
	return exec_names[(unsigned)mode < EXEC_COUNT_ ? mode : EXEC_OFF];
}

bool policy_is_name(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
	return n > 0 && n <= 64 && text[n] == '\0' && text[0] != '-';
}

/* What `extends: null` starts from: nothing is limited, hidden, set or allowed beyond the box. */
static const struct policy nothing = {
	.limits = {.oom = OOM_GROUP, .grace_us = 2 * US_PER_SEC},
	.filesystem = {.root = "/", .cwd = CWD_READ},
	.network = NETWORK_NONE,
	.user = {.mode = USER_SELF},
	.exec = {.mode = EXEC_OFF, .default_allow = true, .builtin = true},
	.retry = {.attempts = 1,
		.backoff_us = US_PER_SEC,
		.max_backoff_us = 60 * US_PER_SEC,
		.grow_milli = 1500},
	.breaker = {.threshold = 5, .window_us = 600 * US_PER_SEC},
};

/* ---- shipped ---- */

static const struct policy_shipped *find_shipped(const char *name)
{
	size_t n;
	const struct policy_shipped *table = policy_shipped_table(&n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

const char *policy_shipped_text(const char *name, size_t *ret_size)
{
	const struct policy_shipped *shipped = find_shipped(name);
	if (!shipped)
		return NULL;
	*ret_size = shipped->size;
	return shipped->text;
}

const char *const *policy_shipped_names(void)
{
	static const char *names[SHIPPED_MAX + 1];
	size_t n;
	const struct policy_shipped *table = policy_shipped_table(&n);
	assert(n <= SHIPPED_MAX);
	for (size_t i = 0; i < n; i++)
		names[i] = table[i].name;
	return names;
}

static struct strv strv_copy(struct arena *a, const struct strv *list)
{
	struct strv copy = {NULL, 0, 0};
	if (list->n == 0)
		return copy;
	copy.room = list->n + 1;
	copy.n = list->n;
	copy.v = arena_calloc(a, copy.room, sizeof *copy.v);
	memcpy(copy.v, list->v, list->n * sizeof *copy.v);
	return copy;
}

/*
 * A copy of which any list may grow or lose entries. Only lists that are changed in place are
 * copied; the others are replaced as a whole, and strings are shared: they last as long as the
 * program.
 */
static void policy_copy(struct policy *ret, struct arena *a, const struct policy *from)
{
	*ret = *from;
	for (size_t i = 0; i < policy_keys_count; i++)
		if (policy_keys[i].kind == KEY_STRINGS) {
			struct strv *list = policy_key_target(&policy_keys[i], ret);
			*list = strv_copy(a, list);
		}
}

/* ---- loading ---- */

/* The files being read, each for the one before it: what it extends. */
struct loader {
	struct arena *arena;
	const struct policy_source *source;
	const char *paths[EXTENDS_MAX];
	unsigned depth;
};

/* A file that was read, on its way over what it extends. */
struct source_file {
	struct document document;
	const char *path;
	const struct node *root;
	bool from_client; /* who must not name files */
};

static int load_any(struct loader *l, struct policy *ret, const char *name, struct error *e);

static int load_shipped_by_name(struct loader *l, struct policy *ret, const char *name)
{
	const struct policy_shipped *shipped = policy_is_name(name) ? find_shipped(name) : NULL;
	if (!shipped)
		return -1;
	policy_copy(ret, l->arena, &shipped->policy);
	return 0;
}

/* Seen from the file that says it: a path that is not absolute starts where that file lies. */
static const char *extended_name(struct loader *l, const struct source_file *file, const char *name)
{
	const char *slash = file->path ? strrchr(file->path, '/') : NULL;
	if (policy_is_name(name) || name[0] == '/' || !slash)
		return name;
	return path_join(l->arena,
		arena_strndup(l->arena, file->path, (size_t)(slash - file->path) + 1), name);
}

static int load_extended(
	struct loader *l, struct policy *ret, const struct source_file *file, struct error *e)
{
	const struct node_entry *entry = node_find(file->root, "extends");
	const char *name = DEFAULT_POLICY;
	if (entry && entry->node->kind == NODE_NULL && !entry->node->empty) {
		*ret = nothing;
		return 0;
	}
	if (entry) {
		if (entry->node->kind != NODE_STRING || !*entry->node->text)
			return document_error(&file->document, entry->node->place, e,
				"extends must be the name or path of a policy, or null");
		if (file->from_client && !policy_is_name(entry->node->text))
			return document_error(&file->document, entry->node->place, e,
				"extends must be the name of a policy here, or null");
		name = extended_name(l, file, entry->node->text);
	}
	if (load_any(l, ret, name, e) == 0)
		return 0;
	if (e && entry) {
		if (e->blame == BLAME_REQUEST)
			e->blame = BLAME_POLICY;
		return error_wrap(e, "%s line %u column %u", file->document.label,
			entry->node->place.line, entry->node->place.column);
	}
	return -1;
}

static int load_text(struct loader *l, struct policy *ret, struct source_file *file,
	const char *text, size_t size, enum limit_origin origin, bool optional, struct error *e)
{
	if (document_parse(&file->root, l->arena, &file->document, text, size, e) < 0 ||
		load_extended(l, ret, file, e) < 0)
		return -1;
	const struct policy_decoder decoder = {
		.document = &file->document,
		.arena = l->arena,
		.origin = origin,
		.optional = optional,
	};
	return policy_decode(ret, &decoder, file->root, e);
}

/* A loop through names that differ (links) ends at EXTENDS_MAX all the same. */
static int enter(struct loader *l, const char *path, struct error *e)
{
	const char *plain = path_normalize(l->arena, "/", path);
	for (unsigned i = 0; i < l->depth; i++)
		if (strcmp(l->paths[i], plain) == 0)
			return error_set(e, BLAME_POLICY, 0, "policy '%s' extends itself", path);
	if (l->depth == EXTENDS_MAX)
		return error_set(
			e, BLAME_POLICY, 0, "more than %d policies extend each other", EXTENDS_MAX);
	l->paths[l->depth++] = plain;
	return 0;
}

static int fail_unknown(struct error *e, const char *name)
{
	error_set(e, BLAME_REQUEST, 0, "no policy '%.200s'", name);
	const char *near = nearest_name(name, policy_shipped_names());
	return near ? error_hint(e, "did you mean '%s'?", near) : -1;
}

static int load_file(struct loader *l, struct policy *ret, const char *name, struct error *e)
{
	struct source_file file = {.document.blame = BLAME_POLICY};
	const char *text;
	size_t size;
	if (l->source->read(l->source->data, l->arena, name, &file.path, &text, &size, e) < 0)
		return -1;
	file.document.label = arena_printf(l->arena, "policy '%s'", file.path);
	if (enter(l, file.path, e) < 0 ||
		load_text(l, ret, &file, text, size, ORIGIN_ASKED, false, e) < 0)
		return -1;
	l->depth--;
	return 0;
}

static int load_any(struct loader *l, struct policy *ret, const char *name, struct error *e)
{
	if (load_shipped_by_name(l, ret, name) == 0)
		return 0;
	return l->source ? load_file(l, ret, name, e) : fail_unknown(e, name);
}

int policy_load(struct policy *ret, struct arena *a, const struct policy_source *source,
	const char *name_or_path, struct error *e)
{
	struct loader l = {.arena = a, .source = source};
	struct policy policy;
	if (load_any(&l, &policy, name_or_path, e) < 0)
		return -1;
	policy.name = arena_strdup(a, name_or_path);
	if (policy_check(&policy, e) < 0)
		return error_wrap(e, "policy '%s'", policy.name);
	*ret = policy;
	return 0;
}

int policy_load_text(struct policy *ret, struct arena *a, const struct policy_source *source,
	const char *text, size_t size, struct error *e)
{
	struct loader l = {.arena = a, .source = source};
	struct source_file file = {
		.document = {.label = "policy '" POLICY_INLINE "'", .blame = BLAME_POLICY},
		.from_client = true,
	};
	struct policy policy;
	if (load_text(&l, &policy, &file, text, size, ORIGIN_ASKED, false, e) < 0)
		return -1;
	policy.name = POLICY_INLINE;
	if (policy_check(&policy, e) < 0)
		return error_wrap(e, "%s", file.document.label);
	*ret = policy;
	return 0;
}

int policy_load_shipped(struct policy *ret, struct arena *a, const char *name, const char *text,
	size_t size, struct error *e)
{
	struct loader l = {.arena = a};
	struct source_file file = {
		.document = {.label = arena_printf(a, "policy '%s'", name), .blame = BLAME_US},
	};
	bool is_default = strcmp(name, DEFAULT_POLICY) == 0;
	struct policy policy;
	if (load_text(&l, &policy, &file, text, size, is_default ? ORIGIN_DEFAULT : ORIGIN_ASKED,
		    true, e) < 0)
		return -1;
	policy.name = arena_strdup(a, name);
	if (policy_check(&policy, e) < 0)
		return error_wrap(e, "%s", file.document.label);
	*ret = policy;
	return 0;
}
