/* SPDX-License-Identifier: MIT */
#ifndef STORE_TEST_ROWS_H
#define STORE_TEST_ROWS_H

/* For the unit tests of the store: rows to put in, and ways to look at them. */

#include "store/spool.h"
#include "store/store-internal.h"
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

static inline void take_in(struct store *s)
{
	struct error e = ERROR_INIT;
	if (store_take_in(s, TAKE_IN_ALL, &e) < 0)
		fail_msg("%s", e.text);
}

/* Begin a run that is on until @spool is closed, and take it in. */
static inline void begin_run(struct store *s, struct spool *spool, const struct run_begin *b)
{
	struct error e = ERROR_INIT;
	*spool = SPOOL_INIT(s->dir);
	if (spool_begin(spool, b, &e) < 0)
		fail_msg("%s", e.text);
	take_in(s);
}

static inline void spool_run(
	const struct state_dir *dir, const struct run_begin *b, const struct run_end *end)
{
	struct error e = ERROR_INIT;
	struct spool spool = SPOOL_INIT(dir);
	if (spool_begin(&spool, b, &e) < 0 || spool_end(&spool, b, end, &e) < 0)
		fail_msg("%s", e.text);
	spool_close(&spool);
}

/* Begin and end of a run, taken in. */
static inline void put_run(struct store *s, const struct run_begin *b, const struct run_end *end)
{
	spool_run(s->dir, b, end);
	take_in(s);
}

static inline void add_run(struct store *s, const char *id, const char *key, const char *cause)
{
	struct run_begin b = test_begin(id);
	struct run_end end = test_end(cause);
	b.key = key;
	put_run(s, &b, &end);
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
