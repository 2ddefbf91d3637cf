/* SPDX-License-Identifier: MIT */
#include "model/policy-field.h"

#include <string.h>

#include "base/parse.h"

/*
 * Take what "!NAME" or "!*" stands for out of @list. Returns the indices that stay, in *@ret_keep
 * (a bool for each); or -1 when there is nothing of that name.
 */
static int take_out(
	const struct field *f, const struct node *node, const struct strv *list, bool *keep)
{
	const char *name = node->text + 1;
	char clip[DOCUMENT_CLIP_SIZE];
	bool all = strcmp(name, "*") == 0, found = all;
	for (size_t i = 0; i < list->n; i++) {
		bool hit = all || strcmp(list->v[i], name) == 0;
		keep[i] = !hit;
		found = found || hit;
	}
	if (found)
		return 0;
	field_fail(f, node, "%s: there is no '%s' to take out", f->name, document_clip(name, clip));
	const char *near = list->n > 0 ? nearest_name(name, list->v) : NULL;
	return near ? error_hint(f->e, "did you mean '!%s'?", near) : -1;
}

static bool is_removal(const struct field *f, const struct node *node)
{
	return f->key->inherits && node->kind == NODE_STRING && node->text[0] == '!';
}

static int remove_string(const struct field *f, const struct node *node)
{
	struct strv *list = f->target;
	bool *keep = arena_calloc(f->decoder->arena, list->n, sizeof *keep);
	if (take_out(f, node, list, keep) < 0)
		return -1;
	struct strv rest = {NULL, 0, 0};
	for (size_t i = 0; i < list->n; i++)
		if (keep[i])
			strv_push(f->decoder->arena, &rest, list->v[i]);
	*list = rest;
	return 0;
}

static bool strv_has(const struct strv *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i], text) == 0)
			return true;
	return false;
}

static int add_string(const struct field *f, const struct node *node)
{
	const char *text = field_item(f, node);
	if (!text)
		return -1;
	/* Only what is a set: a command's arguments may well repeat. */
	if (f->key->item != ITEM_TEXT && strv_has(f->target, text))
		return 0;
	strv_push(f->decoder->arena, f->target, text);
	return 0;
}

int field_decode_strings(const struct field *f, const struct node *node)
{
	struct strv *list = f->target;
	bool none = field_is_none(f, node);
	if (node->kind != NODE_LIST && !none)
		return field_fail_kind(f, node, "a list");
	if (!f->key->inherits)
		*list = (struct strv){NULL, 0, 0};
	for (size_t i = 0; i < node->n; i++) {
		const struct node *item = node->v[i].node;
		if ((is_removal(f, item) ? remove_string(f, item) : add_string(f, item)) < 0)
			return -1;
	}
	return 0;
}

static int remove_bind(const struct field *f, const struct node *node)
{
	struct bind_list *list = f->target;
	struct arena *a = f->decoder->arena;
	struct strv names = {NULL, 0, 0};
	for (size_t i = 0; i < list->n; i++)
		strv_push(a, &names, bind_rule_format(&list->v[i], a));
	bool *keep = arena_calloc(a, list->n, sizeof *keep);
	if (take_out(f, node, &names, keep) < 0)
		return -1;
	size_t n = 0;
	for (size_t i = 0; i < list->n; i++)
		if (keep[i])
			list->v[n++] = list->v[i];
	list->n = n;
	return 0;
}

/* The list has room: field_decode_binds() saw to it. */
static int add_bind(const struct field *f, const struct node *node)
{
	struct bind_list *list = f->target;
	const char *text = field_item(f, node);
	struct bind_rule rule;
	if (!text || bind_rule_parse(&rule, f->decoder->arena, text, f->e) < 0)
		return -1;
	rule.optional = f->decoder->optional;
	list->v[list->n++] = rule;
	return 0;
}

int field_decode_binds(const struct field *f, const struct node *node)
{
	struct bind_list *list = f->target;
	if (node->kind != NODE_LIST)
		return field_fail_kind(f, node, "a list");
	struct bind_rule *v = arena_calloc(f->decoder->arena, list->n + node->n, sizeof *v);
	if (list->n > 0)
		memcpy(v, list->v, list->n * sizeof *v);
	list->v = v;
	for (size_t i = 0; i < node->n; i++) {
		const struct node *item = node->v[i].node;
		if ((is_removal(f, item) ? remove_bind(f, item) : add_bind(f, item)) < 0)
			return -1;
	}
	return 0;
}

static int set_variable(const struct field *f, const struct node_entry *entry)
{
	struct policy_env *env = f->target;
	char clip[DOCUMENT_CLIP_SIZE];
	const struct node *node = entry->node;
	const char *fault = policy_item_fault(f->key->item, entry->key);
	if (fault)
		return document_error(f->decoder->document, entry->key_place, f->e,
			"%s: the name '%s' %s", f->name, document_clip(entry->key, clip), fault);
	if (!field_is_text(node))
		return field_fail(f, node, "%s: the value of '%s' must be a string; quote it",
			f->name, document_clip(entry->key, clip));
	if (policy_item_fault(ITEM_TEXT, node->text))
		return field_fail(f, node, "%s: the value of '%s' is too long", f->name,
			document_clip(entry->key, clip));
	size_t i = 0;
	while (i < env->n_set && strcmp(env->set[i].key, entry->key) != 0)
		i++;
	env->n_set += i == env->n_set;
	env->set[i] = (struct env_pair){entry->key, node->text};
	return 0;
}

int field_decode_env(const struct field *f, const struct node *node)
{
	struct policy_env *env = f->target;
	if (node->kind != NODE_MAP)
		return field_fail_kind(f, node, "a map of names and values");
	struct env_pair *set = arena_calloc(f->decoder->arena, env->n_set + node->n, sizeof *set);
	if (env->n_set > 0)
		memcpy(set, env->set, env->n_set * sizeof *set);
	env->set = set;
	for (size_t i = 0; i < node->n; i++)
		if (set_variable(f, &node->v[i]) < 0)
			return -1;
	return 0;
}

/* One of a rule's three keys. */
static int decode_rule_entry(
	const struct field *f, const struct node_entry *entry, struct exec_rule *rule)
{
	static const char *const names[] = {"allow", "deny", "hint", NULL};
	char clip[DOCUMENT_CLIP_SIZE];
	const char *text = entry->node->text;
	bool hint = strcmp(entry->key, "hint") == 0;
	if (!hint && strcmp(entry->key, "allow") != 0 && strcmp(entry->key, "deny") != 0) {
		document_error(f->decoder->document, entry->key_place, f->e,
			"unknown key '%s' in %s", document_clip(entry->key, clip), f->name);
		const char *near = nearest_name(entry->key, names);
		return near ? error_hint(f->e, "did you mean '%s'?", near) : -1;
	}
	if (entry->node->kind != NODE_STRING || *text == '\0')
		return field_fail(f, entry->node, "%s: '%s' must be a string, and not empty",
			f->name, entry->key);
	if (hint) {
		rule->hint = text;
		return 0;
	}
	if (rule->pattern)
		return document_error(f->decoder->document, entry->key_place, f->e,
			"%s: one rule both allows and denies; make two of it", f->name);
	rule->allow = entry->key[0] == 'a';
	rule->pattern = text;
	return 0;
}

static int decode_rule(const struct field *f, const struct node *node, struct exec_rule *ret)
{
	struct exec_rule rule = {0};
	if (node->kind != NODE_MAP)
		return field_fail_kind(f, node, "a list of {allow: COMMAND} and {deny: COMMAND}");
	for (size_t i = 0; i < node->n; i++)
		if (decode_rule_entry(f, &node->v[i], &rule) < 0)
			return -1;
	if (!rule.pattern)
		return field_fail(f, node, "%s: a rule needs 'allow' or 'deny'", f->name);
	*ret = rule;
	return 0;
}

/* New rules come before the inherited ones, so that they are found first. */
int field_decode_rules(const struct field *f, const struct node *node)
{
	struct policy_exec *exec = f->target;
	if (node->kind != NODE_LIST)
		return field_fail_kind(f, node, "a list of {allow: COMMAND} and {deny: COMMAND}");
	struct exec_rule *v = arena_calloc(f->decoder->arena, node->n + exec->n_rules, sizeof *v);
	size_t n = 0;
	bool drop = false;
	for (size_t i = 0; i < node->n; i++) {
		const struct node *item = node->v[i].node;
		if (item->kind == NODE_STRING && strcmp(item->text, "!*") == 0)
			drop = true;
		else if (decode_rule(f, item, &v[n++]) < 0)
			return -1;
	}
	if (exec->n_rules > 0 && !drop)
		memcpy(v + n, exec->rules, exec->n_rules * sizeof *v);
	exec->n_rules = n + (drop ? 0 : exec->n_rules);
	exec->rules = v;
	return 0;
}
