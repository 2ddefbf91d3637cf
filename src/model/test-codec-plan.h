/* SPDX-License-Identifier: MIT */
#ifndef MODEL_TEST_CODEC_PLAN_H
#define MODEL_TEST_CODEC_PLAN_H

#include <jansson.h>

#include "model/plan.h"
#include "model/request.h"

/*
 * The golden table: each NAME.json in test/golden/plan is a request and a host, and NAME.expected
 * the plan that is made of them, as it is printed, with what is not printed below; or why there is
 * none. UPDATE_GOLDEN=1 writes the expectations anew; git shows what changed.
 *
 * A file that is left out of "files" does not exist for what is optional or hidden, and does for
 * what a request names; it is a directory unless its name has a dot inside.
 */

struct golden_case {
	const char *name;
	json_t *json, *request, *host, *files;
	struct arena *a;
	struct request asked;
	struct policy policy;
	struct host found;
	struct resolved resolved;
	struct plan_input input;
	struct plan plan;
};

extern const char golden_plans[]; /* the directory, with its slash */
bool golden_contains(const struct strv *list, const char *text);

/* @made: as plan_make() returned; *e, if it did not. */
typedef void golden_fn(struct golden_case *c, int made, const struct error *e);

/* Of all cases, in the order of their names; what is wrong with one fails the test. */
void golden_for_each(golden_fn *check);

#endif
