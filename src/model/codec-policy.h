/* SPDX-License-Identifier: MIT */
#ifndef MODEL_CODEC_POLICY_H
#define MODEL_CODEC_POLICY_H

#include <stdbool.h>

#include "model/codec-document.h"
#include "model/policy.h"

/* How a document becomes (part of) a policy. */
struct policy_decoder {
	const struct document *document;
	struct arena *arena;
	enum limit_origin origin; /* of the limits that the document gives */
	bool optional; /* its binds need not exist */
};

/*
 * Lay the document @root over @policy. The key "extends" is the caller's. 0; or -1, e naming line
 * and column; @policy is then half changed.
 */
int policy_decode(struct policy *policy, const struct policy_decoder *decoder,
	const struct node *root, struct error *e);

#endif
