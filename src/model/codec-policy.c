/* SPDX-License-Identifier: MIT */
#include "model/codec-policy.h"

#include <string.h>

#include "base/parse.h"
#include "model/policy-field.h"

/* A document on its way into a policy. */
struct decoding {
	const struct policy_decoder *decoder;
	struct policy *policy;
	struct error *e;
};

static bool is_section(const char *name)
{
	for (size_t i = 0; policy_sections[i].name; i++)
		if (strcmp(policy_sections[i].name, name) == 0)
			return true;
	return false;
}

static void push_names(struct arena *a, struct strv *names, const char *section)
{
	for (size_t i = 0; i < policy_keys_count; i++) {
		const struct policy_key *key = &policy_keys[i];
		if (section ? key->section && strcmp(key->section, section) == 0 : !key->section)
			strv_push(a, names, key->name);
	}
	if (section)
		return;
	strv_push(a, names, "extends");
	for (size_t i = 0; policy_sections[i].name; i++)
		strv_push(a, names, policy_sections[i].name);
}

/* The section of a key that was written in the wrong place; "" for the top, NULL for nowhere. */
static const char *find_elsewhere(const char *name)
{
	for (size_t i = 0; i < policy_keys_count; i++)
		if (strcmp(policy_keys[i].name, name) == 0)
			return policy_keys[i].section ? policy_keys[i].section : "";
	return is_section(name) ? "" : NULL;
}

static int fail_unknown(
	const struct decoding *d, const char *section, const struct node_entry *entry)
{
	char clip[DOCUMENT_CLIP_SIZE];
	struct strv names = {NULL, 0, 0};
	push_names(d->decoder->arena, &names, section);
	document_error(d->decoder->document, entry->key_place, d->e, "unknown key '%s'",
		document_clip(entry->key, clip));
	const char *elsewhere = find_elsewhere(entry->key);
	if (elsewhere)
		return *elsewhere ? error_hint(d->e, "it belongs in '%s'", elsewhere)
				  : error_hint(d->e, "it belongs at the top level");
	const char *near = nearest_name(entry->key, names.v);
	return near ? error_hint(d->e, "did you mean '%s'?", near) : -1;
}

static int decode_entry(
	const struct decoding *d, const char *section, const struct node_entry *entry)
{
	const struct policy_key *key = policy_key_find(section, entry->key);
	if (!key)
		return fail_unknown(d, section, entry);
	struct field f = {
		.decoder = d->decoder,
		.key = key,
		.name = section ? arena_printf(d->decoder->arena, "%s.%s", section, key->name)
				: key->name,
		.target = policy_key_target(key, d->policy),
		.e = d->e,
	};
	return field_decode(&f, entry->node);
}

static int decode_section(const struct decoding *d, const struct node_entry *entry)
{
	const struct node *node = entry->node;
	if (node->kind != NODE_MAP)
		return document_error(d->decoder->document, node->place, d->e,
			node->empty ? "'%s' has nothing in it; leave it out"
				    : "'%s' must be a map of keys",
			entry->key);
	for (size_t i = 0; i < node->n; i++)
		if (decode_entry(d, entry->key, &node->v[i]) < 0)
			return -1;
	return 0;
}

int policy_decode(struct policy *policy, const struct policy_decoder *decoder,
	const struct node *root, struct error *e)
{
	const struct decoding d = {.decoder = decoder, .policy = policy, .e = e};
	for (size_t i = 0; i < root->n; i++) {
		const struct node_entry *entry = &root->v[i];
		int rc = 0;
		if (is_section(entry->key))
			rc = decode_section(&d, entry);
		else if (strcmp(entry->key, "extends") != 0)
			rc = decode_entry(&d, NULL, entry);
		if (rc < 0)
			return -1;
	}
	return 0;
}
