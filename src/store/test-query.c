/* SPDX-License-Identifier: MIT */
#include "store/test-rows.h"

static void without_a_data_base_there_are_no_runs(void **state)
{
	struct test_state *t = *state;
	struct run_row row;
	struct error e = ERROR_INIT;
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_store struct store *s = open_store(t, STORE_READ);
	assert_int_equal(count_runs(s, NULL, NULL), 0);
	assert_int_equal(store_find(s, "0", &a, &row, &e), -1);
	assert_string_equal(e.text, "no run '0'; bulkhead runs lists them");
	assert_int_equal(e.blame, BLAME_REQUEST);
	assert_int_equal(file_size(t->dir.fd, "state.db"), -1);
	assert_int_equal(file_size(t->dir.fd, "lock"), -1);
	struct state_dir nowhere = STATE_DIR_INIT;
	cleanup_store struct store *none = NULL;
	assert_int_equal(store_open(&none, &nowhere, STORE_READ, &e), 0);
	assert_int_equal(count_runs(none, NULL, NULL), 0);
}

static void the_newest_come_first(void **state)
{
	struct test_state *t = *state;
	struct run_row *rows;
	size_t n;
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	for (uint64_t i = 0; i < 20; i++)
		add_run(s, test_id(i, 1), i % 2 ? "odd" : NULL, i % 5 ? "ok" : "crash");
	assert_int_equal(store_list(s, &(struct run_filter){.limit = 3}, &a, &rows, &n, NULL), 0);
	assert_int_equal(n, 3);
	assert_string_equal(rows[0].id, test_id(19, 1));
	assert_string_equal(rows[2].id, test_id(17, 1));
	assert_int_equal(count_runs(s, NULL, NULL), 20);
	assert_int_equal(count_runs(s, "crash", NULL), 4);
	assert_int_equal(count_runs(s, NULL, "odd"), 10);
	assert_int_equal(count_runs(s, "crash", "odd"), 2);
	assert_int_equal(count_runs(s, "crash", "' OR 1 --"), 0);
}

static void expect_no(struct store *s, const char *prefix, const char *why)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct run_row row;
	struct error e = ERROR_INIT;
	assert_int_equal(store_find(s, prefix, &a, &row, &e), -1);
	if (strncmp(e.text, why, strlen(why)) != 0)
		fail_msg("'%s' is not '%s'", e.text, why);
}

static void the_beginning_of_an_id_is_enough(void **state)
{
	struct test_state *t = *state;
	struct run_row row;
	struct error e = ERROR_INIT;
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	const char *one = test_id(1ull << 40, 1), *two = test_id(1ull << 40, 2),
		   *three = test_id(3ull << 40, 1);
	add_run(s, one, NULL, "ok");
	add_run(s, two, NULL, "ok");
	add_run(s, three, NULL, "ok");
	char prefix[4] = {three[0], three[1], three[2], '\0'};
	assert_int_equal(store_find(s, prefix, &a, &row, &e), 0);
	assert_string_equal(row.id, three);
	assert_int_equal(store_find(s, two, &a, &row, &e), 0);
	assert_string_equal(row.id, two);
	prefix[1] = one[1];
	prefix[0] = one[0];
	prefix[2] = '\0';
	expect_no(s, prefix, "more than one run begins with '");
	expect_no(s, "", "no run ''");
	expect_no(s, "zzz", "no run 'zzz'");
	expect_no(s, "%", "no run '%'");
	expect_no(s, "\xff\x1b[2J", "no run '\\xff\\x1b[2J'");
	char huge[5000];
	memset(huge, '0', sizeof huge - 1);
	huge[sizeof huge - 1] = '\0';
	expect_no(s, huge, "no run '000000000000000000000000000000000000000000000000");
}

static void check_command(const char *const *argv, size_t argc, bool cut, const char *expected)
{
	cleanup_buf struct buf b = BUF_INIT;
	run_row_command(&(struct run_row){.argv = argv, .argc = argc, .argv_cut = cut}, &b);
	assert_string_equal(buf_str(&b), expected);
}

static void a_command_is_shown_as_one_types_it(void **state)
{
	(void)state;
	const char *const plain[] = {"python3", "-c", "print(1)", "", "it's"};
	const char *const hostile[] = {"\x1b]0;x\x07", "a\nb", "\xff", "caf\xc3\xa9"};
	check_command(plain, 5, false, "python3 -c 'print(1)' '' 'it'\\''s'");
	check_command(hostile, 4, true, "'\\x1b]0;x\\x07' 'a\\x0ab' '\\xff' 'caf\xc3\xa9' ...");
	check_command(NULL, 0, false, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(without_a_data_base_there_are_no_runs),
		state_test(the_newest_come_first),
		state_test(the_beginning_of_an_id_is_enough),
		state_test(a_command_is_shown_as_one_types_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
