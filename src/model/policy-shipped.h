/* SPDX-License-Identifier: MIT */
#ifndef MODEL_POLICY_SHIPPED_H
#define MODEL_POLICY_SHIPPED_H

#include <stddef.h>

#include "model/policy.h"

/*
 * The policies built into the program: their text, and what it decodes to, so that a run with one
 * of them parses nothing. tools/embed-policies.c makes the table from policies/ at build time, and
 * while it does so is itself the one that has it.
 */
struct policy_shipped {
	const char *name;
	const char *text;
	size_t size;
	struct policy policy;
};

const struct policy_shipped *policy_shipped_table(size_t *ret_n);

#endif
