/* SPDX-License-Identifier: MIT */
#include "model/policy-field.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/parse.h"

/* "limits.memory must be a size such as 64M, not 'abc'" */
int field_fail_kind(const struct field *f, const struct node *node, const char *expected)
{
	char clip[DOCUMENT_CLIP_SIZE];
	const char *or_null = f->key->nullable ? ", or null for none" : "";
	if (node->empty)
		return field_fail(
			f, node, "%s has no value; it must be %s%s", f->name, expected, or_null);
	if (node->kind == NODE_STRING || node->kind == NODE_NUMBER)
		return field_fail(f, node, "%s must be %s%s, not '%s'", f->name, expected, or_null,
			document_clip(node->text, clip));
	return field_fail(f, node, "%s must be %s%s, not %s", f->name, expected, or_null,
		node_kind_text(node));
}

static int fail_range(const struct field *f, const struct node *node)
{
	char clip[DOCUMENT_CLIP_SIZE];
	return field_fail(
		f, node, "%s: '%s' is out of range", f->name, document_clip(node->text, clip));
}

static int fail_least(const struct field *f, const struct node *node)
{
	char clip[DOCUMENT_CLIP_SIZE], text[LIMIT_TEXT_SIZE];
	const struct limit_value least = {.set = true, .value = limit_least(f->key->limit)};
	return field_fail(f, node, "%s: '%s' is too little for any program to start; at least %s",
		f->name, document_clip(node->text, clip),
		limit_format(f->key->limit, &least, text));
}

bool field_is_text(const struct node *node)
{
	return node->kind == NODE_NUMBER || node->kind == NODE_STRING;
}

/* An explicit null; an empty value is more likely a mistake, and nothing may loosen by mistake. */
bool field_is_none(const struct field *f, const struct node *node)
{
	return f->key->nullable && node->kind == NODE_NULL && !node->empty;
}

static const char *const unit_texts[] = {
	[UNIT_BYTES] = "a size such as 64M or 2G",
	[UNIT_US] = "a duration such as 30s or 5m",
	[UNIT_COUNT] = "a whole number",
	[UNIT_MILLI_CPUS] = "a number of CPUs such as 2 or 0.5",
};

static int decode_limit(const struct field *f, const struct node *node)
{
	struct limit_value value = {.set = false}, *target = f->target;
	const char *expected = unit_texts[limit_unit(f->key->limit)];
	if (field_is_text(node)) {
		errno = 0;
		if (limit_parse(f->key->limit, node->text, &value) < 0)
			return errno == ERANGE ? fail_range(f, node)
					       : field_fail_kind(f, node, expected);
		if (value.set && value.value < limit_least(f->key->limit))
			return fail_least(f, node);
	} else if (!field_is_none(f, node)) {
		return field_fail_kind(f, node, expected);
	}
	value.origin = f->decoder->origin;
	*target = value;
	return 0;
}

typedef int (*parse_function)(const char *text, uint64_t *ret);

/* Any of the single numbers but limits, which have their own parser and their own ranges. */
static int decode_u64(
	const struct field *f, const struct node *node, parse_function parse, const char *expected)
{
	uint64_t value, *target = f->target;
	if (field_is_none(f, node)) {
		*target = 0;
		return 0;
	}
	if (!field_is_text(node))
		return field_fail_kind(f, node, expected);
	errno = 0;
	if (parse(node->text, &value) < 0)
		return errno == ERANGE ? fail_range(f, node) : field_fail_kind(f, node, expected);
	if (value < f->key->min || value > f->key->max)
		return fail_range(f, node);
	*target = value;
	return 0;
}

static int decode_size(const struct field *f, const struct node *node)
{
	return decode_u64(f, node, parse_size, unit_texts[UNIT_BYTES]);
}

static int decode_duration(const struct field *f, const struct node *node)
{
	return decode_u64(f, node, parse_duration, unit_texts[UNIT_US]);
}

static int parse_count(const char *text, uint64_t *ret)
{
	return parse_u64(text, UINT64_MAX, ret);
}

static int decode_number(const struct field *f, const struct node *node)
{
	return decode_u64(f, node, parse_count, unit_texts[UNIT_COUNT]);
}

/* CPUs and factors are both read in thousandths. */
static int decode_factor(const struct field *f, const struct node *node)
{
	return decode_u64(f, node, parse_cpus, "a factor such as 1.5");
}

static int decode_bool(const struct field *f, const struct node *node)
{
	bool *target = f->target;
	if (node->kind != NODE_BOOL)
		return field_fail_kind(f, node, "true or false");
	*target = strcmp(node->text, "true") == 0;
	return 0;
}

/* "none or host", "off, audit or enforce" */
static const char *list_choices(const struct field *f, const char *also)
{
	const char *const *v = f->key->choices;
	const char *text = v[0];
	for (size_t i = 1; v[i]; i++) {
		bool last = !v[i + 1] && !also;
		text = arena_printf(f->decoder->arena, "%s%s%s", text, last ? " or " : ", ", v[i]);
	}
	return also ? arena_printf(f->decoder->arena, "%s or %s", text, also) : text;
}

static int fail_choice(const struct field *f, const struct node *node, const char *also)
{
	field_fail_kind(f, node, list_choices(f, also));
	const char *near =
		node->kind == NODE_STRING ? nearest_name(node->text, f->key->choices) : NULL;
	return near ? error_hint(f->e, "did you mean '%s'?", near) : -1;
}

/* -1 when it is none of them. */
static int find_choice(const struct field *f, const struct node *node)
{
	if (node->kind != NODE_STRING)
		return -1;
	for (int i = 0; f->key->choices[i]; i++)
		if (strcmp(f->key->choices[i], node->text) == 0)
			return i;
	return -1;
}

static int decode_choice(const struct field *f, const struct node *node)
{
	int i = find_choice(f, node);
	unsigned *target = f->target; /* what all enums of struct policy are */
	if (i < 0)
		return fail_choice(f, node, NULL);
	*target = (unsigned)i;
	return 0;
}

static int decode_flag(const struct field *f, const struct node *node)
{
	int i = find_choice(f, node);
	bool *target = f->target;
	if (i < 0)
		return fail_choice(f, node, NULL);
	*target = i == 1;
	return 0;
}

static int decode_user(const struct field *f, const struct node *node)
{
	struct policy_user user = {0}, *target = f->target;
	int i = find_choice(f, node);
	if (i >= 0)
		user.mode = (enum user_mode)i;
	else if (field_is_text(node) && parse_user(node->text, &user.uid, &user.gid) == 0)
		user.mode = USER_ID;
	else
		return fail_choice(f, node, "UID[:GID]");
	*target = user;
	return 0;
}

/* A string that is fit for the key; or NULL, e set. */
const char *field_item(const struct field *f, const struct node *node)
{
	char clip[DOCUMENT_CLIP_SIZE];
	if (node->kind != NODE_STRING) {
		field_fail_kind(f, node, "a string (quote it if it is one)");
		return NULL;
	}
	const char *fault = policy_item_fault(f->key->item, node->text);
	if (!fault)
		return node->text;
	field_fail(f, node, "%s: '%s' %s", f->name, document_clip(node->text, clip), fault);
	return NULL;
}

static int decode_string(const struct field *f, const struct node *node)
{
	const char **target = f->target;
	if (field_is_none(f, node)) {
		*target = NULL;
		return 0;
	}
	const char *text = field_item(f, node);
	if (!text)
		return -1;
	if (*text == '\0')
		return field_fail(f, node, "%s may not be empty", f->name);
	*target = text;
	return 0;
}

static int (*const decoders[])(const struct field *f, const struct node *node) = {
	[KEY_LIMIT] = decode_limit,
	[KEY_SIZE] = decode_size,
	[KEY_DURATION] = decode_duration,
	[KEY_NUMBER] = decode_number,
	[KEY_FACTOR] = decode_factor,
	[KEY_BOOL] = decode_bool,
	[KEY_CHOICE] = decode_choice,
	[KEY_FLAG] = decode_flag,
	[KEY_STRING] = decode_string,
	[KEY_STRINGS] = field_decode_strings,
	[KEY_BINDS] = field_decode_binds,
	[KEY_USER] = decode_user,
	[KEY_ENV] = field_decode_env,
	[KEY_RULES] = field_decode_rules,
};
static_assert(sizeof decoders / sizeof *decoders == KEY_KIND_COUNT_, "a decoder for each kind");

int field_decode(const struct field *f, const struct node *node)
{
	return decoders[f->key->kind](f, node);
}
