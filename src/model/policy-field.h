/* SPDX-License-Identifier: MIT */
#ifndef MODEL_POLICY_FIELD_H
#define MODEL_POLICY_FIELD_H

#include "model/codec-policy.h"
#include "model/policy-keys.h"

/* One value on its way from the document into the policy. */
struct field {
	const struct policy_decoder *decoder;
	const struct policy_key *key;
	const char *name; /* "limits.memory" */
	void *target; /* the key's member of the policy */
	struct error *e;
};

/* Read @node as its key's kind of value into @f->target. 0; or -1 with e set. */
int field_decode(const struct field *f, const struct node *node);

#define field_fail(f, node, ...)                                                                   \
	document_error((f)->decoder->document, (node)->place, (f)->e, __VA_ARGS__)
/* "NAME must be EXPECTED, not 'abc'"; -1 */
int field_fail_kind(const struct field *f, const struct node *node, const char *expected);
/* True for an explicit null where the key allows it. */
bool field_is_none(const struct field *f, const struct node *node);
/* True for a string or a number, whose text has what was written. */
bool field_is_text(const struct node *node);
/* A string that is fit for the key; or NULL, e set. */
const char *field_item(const struct field *f, const struct node *node);

/* The kinds that are lists or maps (policy-field-lists.c). */
int field_decode_strings(const struct field *f, const struct node *node);
int field_decode_binds(const struct field *f, const struct node *node);
int field_decode_env(const struct field *f, const struct node *node);
int field_decode_rules(const struct field *f, const struct node *node);

#endif
