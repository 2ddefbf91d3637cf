/* SPDX-License-Identifier: MIT */
#ifndef STORE_TEST_ROWS_H
#define STORE_TEST_ROWS_H

/* For the unit tests of the store: rows to put in, and ways to look at them. */

#include "store/store.h"
#include "store/test-state.h"

#define TEST_VERDICT "{\"cause\":\"ok\"}\n"

static inline struct store *open_store(const struct test_state *t, enum store_mode mode)
{
	struct error e = ERROR_INIT;
	struct store *s = NULL;
	if (store_open(&s, &t->dir, mode, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static const char *const test_argv[] = {"sh", "-c", "exit 0", NULL};

static inline struct run_begin test_begin(const char *id)
{
	return (struct run_begin){.id = id,
		.policy = "default",
		.argv = test_argv,
		.argc = 3,
		.started_us = time_realtime_us()};
}

static inline struct run_end test_end(const char *cause)
{
	return (struct run_end){.ended_us = time_realtime_us(),
		.cause = cause,
		.verdict = TEST_VERDICT,
		.observation = "{}"};
}

/* begin and end of the run @id. */
static inline void add_run(struct store *s, const char *id, const char *key, const char *cause)
{
	struct error e = ERROR_INIT;
	struct run_begin b = test_begin(id);
	struct run_end end = test_end(cause);
	b.key = key;
	if (store_run_begin(s, &b, &e) < 0 || store_run_end(s, &b, &end, &e) < 0)
		fail_msg("%s", e.text);
}

static inline size_t count_runs(struct store *s, const char *cause, const char *key)
{
	struct arena a = ARENA_INIT;
	struct run_row *rows;
	struct error e = ERROR_INIT;
	size_t n;
	if (store_list(s, &(struct run_filter){.cause = cause, .key = key}, &a, &rows, &n, &e) < 0)
		fail_msg("%s", e.text);
	arena_fini(&a);
	return n;
}

#endif
