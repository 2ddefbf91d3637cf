/* SPDX-License-Identifier: MIT */
#include <signal.h>

#include "model/verdict.h"
#include "store/test-rows.h"

static struct run_row find(struct store *s, struct arena *a, const char *id)
{
	struct run_row row;
	struct error e = ERROR_INIT;
	if (store_find(s, id, a, &row, &e) < 0)
		fail_msg("%s", e.text);
	return row;
}

static void a_run_is_on_and_then_has_ended(void **state)
{
	struct test_state *t = *state;
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	cleanup_store struct store *reader = open_store(t, STORE_READ);
	struct run_begin b = test_begin(test_id(1, 1));
	struct run_end end = test_end("exit_nonzero");
	b.key = "nightly";
	b.log_dir = "/somewhere";
	end.exit_status = 42;
	struct spool spool;
	begin_run(s, &spool, &b);
	struct run_row row = find(reader, &a, b.id);
	assert_int_equal(row.state, RUN_ON);
	assert_null(row.cause);
	assert_null(row.verdict);
	assert_int_equal(row.exit_status, -1);
	assert_int_equal(row.pid, getpid());
	assert_int_equal(spool_end(&spool, &b, &end, NULL), 0);
	take_in(s);
	spool_close(&spool);
	row = find(reader, &a, b.id);
	assert_int_equal(row.state, RUN_ENDED);
	assert_string_equal(row.cause, "exit_nonzero");
	assert_int_equal(row.exit_status, 42);
	assert_string_equal(row.verdict, TEST_VERDICT);
	assert_string_equal(row.observation, "{}");
	assert_string_equal(row.key, "nightly");
	assert_string_equal(row.policy, "default");
	assert_string_equal(row.log_dir, "/somewhere");
	assert_int_equal(row.started_us, b.started_us);
	assert_int_equal(row.ended_us, end.ended_us);
	assert_int_equal(count_runs(reader, NULL, NULL), 1);
}

static void end_alone_writes_the_whole_row(void **state)
{
	struct test_state *t = *state;
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	struct run_begin b = test_begin(test_id(1, 1));
	struct run_end end = test_end("ok");
	struct spool spool = SPOOL_INIT(&t->dir);
	assert_int_equal(spool_end(&spool, &b, &end, NULL), 0);
	spool_close(&spool);
	take_in(s);
	struct run_row row = find(s, &a, b.id);
	assert_int_equal(row.state, RUN_ENDED);
	assert_int_equal(row.argc, 3);
	assert_string_equal(row.argv[2], "exit 0");
	assert_null(row.argv[3]);
}

static void words_of_any_size_are_taken(void **state)
{
	struct test_state *t = *state;
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	static char long_word[200000];
	memset(long_word, 'x', sizeof long_word - 1);
	const char *many[6001];
	for (size_t i = 0; i < 6000; i++)
		many[i] = "";
	many[6000] = NULL;
	const char *const cases[][4] = {{"a", long_word, "b", NULL}, {"", "", "", NULL},
		{"\xff\n\x1b[2J", "caf\xc3\xa9", "'", NULL}};
	static const size_t kept[] = {2, 3, 3};
	struct run_end end = test_end("ok");
	struct run_row row;
	for (size_t i = 0; i < 3; i++) {
		struct run_begin b = test_begin(test_id(i, 1));
		b.argv = cases[i];
		put_run(s, &b, &end);
		row = find(s, &a, b.id);
		assert_int_equal(row.argc, kept[i]);
		assert_int_equal(row.argv_cut, i == 0);
		assert_int_equal(strncmp(row.argv[1], cases[i][1], strlen(row.argv[1])), 0);
	}
	struct run_begin b = test_begin(test_id(9, 1));
	b.argv = many;
	b.argc = 6000;
	put_run(s, &b, &end);
	row = find(s, &a, b.id);
	assert_int_equal(row.argc, 4096);
	assert_true(row.argv_cut);
	b = test_begin(test_id(10, 1));
	b.argc = 0;
	put_run(s, &b, &end);
	row = find(s, &a, b.id);
	assert_int_equal(row.argc, 0);
	assert_null(row.argv[0]);
	assert_false(row.argv_cut);
}

/* A supervisor that begins the run @data and is killed. */
struct victim_run {
	struct test_state *t;
	const char *id;
};

static int begin_and_die(void *data)
{
	struct victim_run *v = data;
	struct spool spool = SPOOL_INIT(&v->t->dir);
	struct run_begin b = test_begin(v->id);
	b.key = "lost one";
	if (spool_begin(&spool, &b, NULL) < 0)
		return CHILD_WRONG;
	return raise(SIGKILL);
}

static void a_run_whose_supervisor_died_is_lost(void **state)
{
	struct test_state *t = *state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct victim_run v = {t, test_id(1, 1)};
	struct run_begin living = test_begin(test_id(2, 2));
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	unsigned n;
	assert_int_equal(in_child(begin_and_die, &v), 128 + SIGKILL);
	struct spool on;
	begin_run(s, &on, &living);
	/* One that only looks sees it too, and changes nothing. */
	cleanup_store struct store *reader = open_store(t, STORE_READ);
	assert_int_equal(find(reader, &a, v.id).state, RUN_LOST);
	assert_non_null(strstr(find(reader, &a, v.id).verdict, "supervisor_lost"));
	assert_int_equal(count_runs(reader, "supervisor_lost", NULL), 1);
	assert_int_equal(store_settle_lost(s, 1700000000000000, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(store_settle_lost(s, 1700000001000000, &n, NULL), 0);
	assert_int_equal(n, 0);
	struct run_row row = find(reader, &a, v.id);
	assert_int_equal(row.state, RUN_LOST);
	assert_string_equal(row.cause, "supervisor_lost");
	assert_int_equal(row.exit_status, -1);
	assert_non_null(strstr(row.verdict, "2023-11-14T22:13:20"));
	assert_non_null(strstr(row.verdict, "lost one"));
	struct observation o;
	assert_int_equal(
		observation_parse_json(&o, row.observation, strlen(row.observation), &a, NULL), 0);
	assert_int_equal(find(reader, &a, living.id).state, RUN_ON);
	spool_close(&on);
}

static void a_run_that_only_seemed_lost_ends_all_the_same(void **state)
{
	struct test_state *t = *state;
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	struct run_begin b = test_begin(test_id(1, 1));
	struct run_end end = test_end("ok");
	struct spool spool;
	begin_run(s, &spool, &b);
	assert_int_equal(unlinkat(t->dir.fd, "lock", 0), 0); /* somebody tidied up too well */
	cleanup_store struct store *other = open_store(t, STORE_WRITE);
	unsigned n;
	assert_int_equal(store_settle_lost(other, time_realtime_us(), &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(spool_end(&spool, &b, &end, NULL), 0);
	spool_close(&spool);
	take_in(s);
	assert_string_equal(find(other, &a, b.id).cause, "ok");
	assert_int_equal(find(other, &a, b.id).state, RUN_ENDED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(a_run_is_on_and_then_has_ended),
		state_test(end_alone_writes_the_whole_row),
		state_test(words_of_any_size_are_taken),
		state_test(a_run_whose_supervisor_died_is_lost),
		state_test(a_run_that_only_seemed_lost_ends_all_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
