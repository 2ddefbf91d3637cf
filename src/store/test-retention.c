/* SPDX-License-Identifier: MIT */
#include "store/retention.h"

#include "base/fd.h"
#include "store/test-rows.h"

#define SECOND 1000000ull

/* @n runs of which the i-th began at second i, and the directory of each with one file in it. */
static void add_runs(const struct test_state *t, struct store *s, uint64_t n, uint64_t disk_bytes)
{
	struct error e = ERROR_INIT;
	for (uint64_t i = 0; i < n; i++) {
		struct run_begin b = test_begin(test_id(i * 1000, 1));
		struct run_end end = test_end("ok");
		b.started_us = i * SECOND;
		end.disk_bytes = disk_bytes;
		cleanup_fd int fd = run_dir_make(&t->dir, b.id, &e);
		assert_true(fd >= 0);
		write_file(fd, "output.jsonl", "x", 1);
		put_run(s, &b, &end);
	}
}

static unsigned count_dirs(const struct test_state *t)
{
	char path[128];
	unsigned n = 0;
	snprintf(path, sizeof path, "%s/runs", t->path);
	DIR *d = opendir(path);
	struct dirent *entry;
	assert_non_null(d);
	while ((entry = readdir(d)))
		n += entry->d_name[0] != '.';
	closedir(d);
	return n;
}

static const struct retention everything = {UINT64_MAX, 1000000, 1ull << 40, 4};

static void nothing_goes_below_the_bounds(void **state)
{
	struct test_state *t = *state;
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	assert_int_equal(retention_apply(s, &everything, 100 * SECOND), 0); /* also without a row */
	add_runs(t, s, 10, 1000);
	assert_int_equal(retention_apply(s, &everything, 100 * SECOND), 0);
	assert_int_equal(count_runs(s, NULL, NULL), 10);
	assert_int_equal(count_dirs(t), 10);
}

static void the_oldest_go_by_number_a_batch_at_a_time(void **state)
{
	struct test_state *t = *state;
	static const size_t left[] = {6, 3, 3};
	struct retention r = everything;
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	struct run_row row;
	r.max_runs = 3;
	add_runs(t, s, 10, 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(retention_apply(s, &r, 100 * SECOND), 0);
		assert_int_equal(count_runs(s, NULL, NULL), left[i]);
		assert_int_equal(count_dirs(t), left[i]);
	}
	assert_int_equal(store_find(s, test_id(9000, 1), &a, &row, NULL), 0);
	assert_int_equal(store_find(s, test_id(6000, 1), &a, &row, NULL), -1);
}

static void the_oldest_go_by_age(void **state)
{
	struct test_state *t = *state;
	struct retention r = everything;
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	r.max_age_us = 10 * SECOND;
	add_runs(t, s, 5, 0);
	assert_int_equal(retention_apply(s, &r, 12 * SECOND), 0);
	assert_int_equal(count_runs(s, NULL, NULL), 3);
	assert_int_equal(count_dirs(t), 3);
}

static void output_goes_by_size_and_the_row_stays(void **state)
{
	struct test_state *t = *state;
	struct retention r = everything;
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	r.max_bytes = 2500;
	add_runs(t, s, 5, 1000);
	assert_int_equal(retention_apply(s, &r, 10 * SECOND), 0);
	assert_int_equal(count_dirs(t), 2);
	assert_int_equal(count_runs(s, NULL, NULL), 5);
	assert_int_equal(retention_apply(s, &r, 10 * SECOND), 0);
	assert_int_equal(count_dirs(t), 2);
}

static void a_run_that_is_on_stays(void **state)
{
	struct test_state *t = *state;
	struct retention r = everything;
	struct error e = ERROR_INIT;
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	struct run_begin b = test_begin(test_id(0, 9));
	b.started_us = 0;
	struct spool on;
	begin_run(s, &on, &b);
	close(run_dir_make(&t->dir, b.id, &e));
	add_runs(t, s, 3, 0);
	r.max_age_us = SECOND;
	r.max_runs = 1;
	assert_int_equal(retention_apply(s, &r, 100 * SECOND), 0);
	assert_int_equal(count_runs(s, NULL, NULL), 1);
	assert_int_equal(count_dirs(t), 1);
	spool_close(&on);
}

static void set_time(int dir, const char *name, uint64_t us)
{
	struct timespec at = {.tv_sec = (time_t)(us / SECOND)};
	assert_int_equal(utimensat(dir, name, (struct timespec[2]){at, at}, 0), 0);
}

static void the_sweep_finds_what_no_row_knows(void **state)
{
	struct test_state *t = *state;
	struct error e = ERROR_INIT;
	struct retention r = RETENTION_DEFAULT;
	uint64_t now = time_realtime_us(), old = now - r.max_age_us - 2 * 24 * 3600 * SECOND;
	char name[64];
	snprintf(name, sizeof name, "runs/%s", test_id(1, 1));
	close(run_dir_make(&t->dir, test_id(1, 1), &e));
	close(run_dir_make(&t->dir, test_id(2, 1), &e));
	set_time(t->dir.fd, name, old);
	write_file(t->dir.fd, "state.db.corrupt-1", "x", 1);
	write_file(t->dir.fd, "state.db.corrupt-2", "x", 1);
	write_file(t->dir.fd, "spool.refused-1", "x", 1);
	set_time(t->dir.fd, "spool.refused-1", old);
	write_file(t->dir.fd, "state.db.new-1", "x", 1);
	write_file(t->dir.fd, "somebody's", "x", 1);
	set_time(t->dir.fd, "state.db.corrupt-1", old);
	set_time(t->dir.fd, "state.db.new-1", old);
	set_time(t->dir.fd, "somebody's", old);
	retention_sweep(&t->dir, &r, now);
	assert_int_equal(count_dirs(t), 1);
	assert_int_equal(file_size(t->dir.fd, "state.db.corrupt-1"), -1);
	assert_int_equal(file_size(t->dir.fd, "state.db.new-1"), -1);
	assert_int_equal(file_size(t->dir.fd, "spool.refused-1"), -1);
	assert_int_equal(file_size(t->dir.fd, "state.db.corrupt-2"), 1);
	assert_int_equal(file_size(t->dir.fd, "somebody's"), 1);
	/* Not again on the same day. */
	snprintf(name, sizeof name, "runs/%s", test_id(2, 1));
	set_time(t->dir.fd, name, old);
	retention_sweep(&t->dir, &r, now);
	assert_int_equal(count_dirs(t), 1);
	set_time(t->dir.fd, "swept", now - 25ull * 3600 * SECOND);
	retention_sweep(&t->dir, &r, now);
	assert_int_equal(count_dirs(t), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(nothing_goes_below_the_bounds),
		state_test(the_oldest_go_by_number_a_batch_at_a_time),
		state_test(the_oldest_go_by_age),
		state_test(output_goes_by_size_and_the_row_stays),
		state_test(a_run_that_is_on_stays),
		state_test(the_sweep_finds_what_no_row_knows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
