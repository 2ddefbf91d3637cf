/* SPDX-License-Identifier: MIT */
#ifndef MODEL_TEST_POLICY_H
#define MODEL_TEST_POLICY_H

#include <stdio.h>
#include <string.h>

#include "model/policy.h"

/* Policies in memory, for the tests: what a path stands for. */
struct memory_file {
	const char *path, *text;
};

static inline int memory_read(void *data, struct arena *a, const char *path, const char **ret_path,
	const char **ret_text, size_t *ret_size, struct error *e)
{
	(void)a;
	for (const struct memory_file *f = data; f->path; f++)
		if (strcmp(f->path, path) == 0) {
			*ret_path = f->path;
			*ret_text = f->text;
			*ret_size = strlen(f->text);
			return 0;
		}
	return error_set(e, BLAME_REQUEST, 0, "no file '%s'", path);
}

/* Load @text as the file x.yaml. */
static inline int load_text(struct policy *ret, struct arena *a, const char *text, struct error *e)
{
	struct memory_file files[] = {{"x.yaml", text}, {NULL, NULL}};
	const struct policy_source source = {memory_read, files};
	return policy_load(ret, a, &source, "x.yaml", e);
}

#endif
