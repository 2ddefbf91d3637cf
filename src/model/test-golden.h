/* SPDX-License-Identifier: MIT */
#ifndef MODEL_TEST_GOLDEN_H
#define MODEL_TEST_GOLDEN_H

/* For unit tests: the observations of test/golden/verdict. */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/verdict.h"

static const char golden[] = TEST_GOLDEN "/verdict/";

static inline char *read_file(struct arena *a, const char *path, size_t *ret_size)
{
	FILE *f = fopen(path, "r");
	if (!f)
		return NULL;
	size_t room = 1 << 20;
	char *text = arena_alloc(a, room);
	*ret_size = fread(text, 1, room - 1, f);
	fclose(f);
	return text;
}

static inline int is_observation(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');
	return dot && strcmp(dot, ".json") == 0;
}

typedef void golden_fn(const char *name, const struct observation *o, struct arena *a);

static inline void load(const char *name, struct observation *o, struct arena *a)
{
	struct error e = ERROR_INIT;
	size_t size = 0;
	const char *text = read_file(a, arena_printf(a, "%s%s.json", golden, name), &size);

	assert_non_null(text);
	if (observation_parse_json(o, text, size, a, &e) != 0)
		fail_msg("%s: %s", name, e.text);
}

static inline void for_each_golden(golden_fn *check)
{
	struct dirent **entries;
	int n = scandir(golden, &entries, is_observation, alphasort);

	assert_true(n >= 60);
	for (int i = 0; i < n; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct observation o;
		char *name = arena_strndup(
			&a, entries[i]->d_name, strlen(entries[i]->d_name) - strlen(".json"));
		load(name, &o, &a);
		check(name, &o, &a);
		free(entries[i]);
	}
	free(entries);
}

#endif
