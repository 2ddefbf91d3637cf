/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <time.h>

#include "base/fd.h"
#include "store/spool.h"
#include "store/test-rows.h"

static size_t count_segments(const struct test_state *t)
{
	struct spool_segment segments[SPOOL_SEGMENTS_MAX];
	return spool_list(&t->dir, segments, SPOOL_SEGMENTS_MAX);
}

/* The entries of the state directory whose names begin with @prefix. */
static unsigned count_files(const struct test_state *t, const char *prefix)
{
	unsigned n = 0;
	DIR *d = opendir(t->path);
	struct dirent *entry;
	assert_non_null(d);
	while ((entry = readdir(d)))
		n += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	closedir(d);
	return n;
}

static void spool_one(const struct test_state *t, uint64_t number)
{
	struct run_begin b = test_begin(test_id(number, 1));
	struct run_end end = test_end("ok");
	spool_run(&t->dir, &b, &end);
}

static void append_to_now(const struct test_state *t, const void *bytes, size_t size)
{
	cleanup_fd int fd = openat(t->dir.fd, SPOOL_NOW, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
}

static void what_was_taken_in_is_gone_from_the_spool(void **state)
{
	struct test_state *t = *state;
	for (uint64_t i = 0; i < 5; i++)
		spool_one(t, i);
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	assert_int_equal(count_runs(s, NULL, NULL), 0);
	take_in(s);
	assert_int_equal(count_runs(s, "ok", NULL), 5);
	assert_false(spool_waits(&t->dir));
	take_in(s);
	assert_int_equal(count_runs(s, NULL, NULL), 5);
}

/* As after a kill between the commit and the removal of the segment. */
static void twice_is_as_good_as_once(void **state)
{
	struct test_state *t = *state;
	char text[8192];
	spool_one(t, 1);
	ssize_t size = file_read_text(t->dir.fd, SPOOL_NOW, text, sizeof text);
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	for (int i = 0; i < 3; i++) {
		take_in(s);
		assert_int_equal(count_runs(s, "ok", NULL), 1);
		write_file(t->dir.fd, SPOOL_NOW, text, (size_t)size);
	}
	/* The line of the begin alone, after that of the end, takes nothing back. */
	char *end = strstr(text + 1, "\nrun1");
	write_file(t->dir.fd, SPOOL_NOW, text, (size_t)(end - text));
	take_in(s);
	assert_int_equal(count_runs(s, "ok", NULL), 1);
}

static void as_much_as_was_asked_for(void **state)
{
	struct test_state *t = *state;
	struct error e = ERROR_INIT;
	for (uint64_t i = 0; i < 10; i++) {
		spool_one(t, i);
		assert_int_equal(spool_turn(&t->dir), 0);
	}
	spool_one(t, 10);
	cleanup_store struct store *s = open_store(t, STORE_CASUAL);
	assert_int_equal(store_take_in(s, TAKE_IN_FULL, &e), 0);
	assert_int_equal(count_runs(s, NULL, NULL), 2);
	assert_int_equal(count_segments(t), 8);
	assert_int_equal(store_take_in(s, TAKE_IN_SOME, &e), 0);
	assert_int_equal(count_runs(s, NULL, NULL), 10);
	assert_int_equal(count_segments(t), 1);
	assert_int_equal(store_take_in(s, TAKE_IN_ALL, &e), 0);
	assert_int_equal(count_runs(s, NULL, NULL), 11);
	assert_false(spool_waits(&t->dir));
}

static void a_cut_line_costs_no_other(void **state)
{
	struct test_state *t = *state;
	char text[8192];
	spool_one(t, 1);
	ssize_t size = file_read_text(t->dir.fd, SPOOL_NOW, text, sizeof text);
	assert_true(size > 0);
	spool_one(t, 2);
	append_to_now(t, text, (size_t)size / 2);
	spool_one(t, 3);
	append_to_now(t, text, (size_t)size - 2);
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	take_in(s);
	assert_int_equal(count_runs(s, "ok", NULL), 3);
	assert_int_equal(count_files(t, SPOOL_REFUSED), 0);
	assert_false(spool_waits(&t->dir));
}

static void damage_is_put_aside_and_the_rest_taken(void **state)
{
	struct test_state *t = *state;
	char junk[5000];
	spool_one(t, 1);
	for (size_t i = 0; i < sizeof junk; i++)
		junk[i] = (char)(i * 7 + i / 251);
	append_to_now(t, junk, sizeof junk);
	spool_one(t, 2);
	char zeros[4096] = {0};
	append_to_now(t, zeros, sizeof zeros);
	spool_one(t, 3);
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	take_in(s);
	assert_int_equal(count_runs(s, "ok", NULL), 3);
	assert_int_equal(count_files(t, SPOOL_REFUSED), 1);
	assert_false(spool_waits(&t->dir));
	take_in(s);
	assert_int_equal(count_files(t, SPOOL_REFUSED), 1);
}

static void what_cannot_be_read_is_put_aside(void **state)
{
	struct test_state *t = *state;
	char name[SPOOL_NAME_SIZE];
	spool_one(t, 1);
	snprintf(name, sizeof name, SPOOL_DIR "/%s", test_id(1, 1));
	assert_int_equal(mkdirat(t->dir.fd, name, 0700), 0);
	snprintf(name, sizeof name, SPOOL_DIR "/%s", test_id(2, 1));
	assert_int_equal(mkfifoat(t->dir.fd, name, 0600), 0);
	snprintf(name, sizeof name, SPOOL_DIR "/%s", test_id(3, 1));
	assert_int_equal(symlinkat("/etc/passwd", t->dir.fd, name), 0);
	snprintf(name, sizeof name, SPOOL_DIR "/%s", test_id(4, 1));
	write_file(t->dir.fd, name, "", 0);
	cleanup_fd int fd = openat(t->dir.fd, name, O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)SPOOL_FILE_MAX + 1), 0);
	write_file(t->dir.fd, SPOOL_DIR "/somebody's", "x", 1);
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	take_in(s);
	assert_int_equal(count_runs(s, "ok", NULL), 1);
	assert_int_equal(count_files(t, SPOOL_REFUSED), 4);
	assert_false(spool_waits(&t->dir));
	assert_int_equal(file_size(t->dir.fd, SPOOL_DIR "/somebody's"), 1);
}

static void readers_see_all_there_is(void **state)
{
	struct test_state *t = *state;
	struct error e = ERROR_INIT;
	struct store *s = NULL;
	assert_int_equal(store_open_to_read(&s, &t->dir, STORE_WRITE, &e), 0);
	assert_int_equal(count_runs(s, NULL, NULL), 0);
	store_close(s);
	assert_int_equal(count_files(t, "state.db"), 0);
	spool_one(t, 1);
	assert_int_equal(store_open_to_read(&s, &t->dir, STORE_WRITE, &e), 0);
	assert_int_equal(count_runs(s, NULL, NULL), 1);
	store_close(s);
	struct run_begin b = test_begin(test_id(2, 1));
	struct spool on = SPOOL_INIT(&t->dir);
	assert_int_equal(spool_begin(&on, &b, NULL), 0);
	assert_int_equal(store_open_to_read(&s, &t->dir, STORE_WRITE, &e), 0);
	assert_int_equal(count_runs(s, NULL, NULL), 2);
	assert_int_equal(count_runs(s, "supervisor_lost", NULL), 0);
	spool_close(&on);
	assert_int_equal(count_runs(s, "supervisor_lost", NULL), 1);
	store_close(s);
}

/* Who has other things to do neither waits for another process that writes, nor copies everything. */
static void a_casual_reader_does_not_wait(void **state)
{
	struct test_state *t = *state;
	struct error e = ERROR_INIT;
	struct store *s = NULL;
	sqlite3 *other = NULL;
	char path[PATH_MAX + 16];
	spool_one(t, 1);
	assert_int_equal(store_open_to_read(&s, &t->dir, STORE_CASUAL, &e), 0);
	store_close(s);
	snprintf(path, sizeof path, "%s/state.db", t->path);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	/* With nothing to take in there is nothing to wait for. */
	assert_int_equal(store_open_to_read(&s, &t->dir, STORE_CASUAL, &e), 0);
	assert_int_equal(count_runs(s, NULL, NULL), 1);
	store_close(s);
	spool_one(t, 2);
	uint64_t from = time_monotonic_us();
	assert_int_equal(store_open_to_read(&s, &t->dir, STORE_CASUAL, &e), -1);
	assert_true(time_monotonic_us() - from < US_PER_SEC);
	assert_int_equal(e.blame, BLAME_HOST);
	assert_int_equal(e.errnum, EBUSY);
	assert_int_equal(sqlite3_close_v2(other), SQLITE_OK);
	assert_int_equal(store_open_to_read(&s, &t->dir, STORE_CASUAL, &e), 0);
	assert_int_equal(count_runs(s, NULL, NULL), 2);
	store_close(s);
}

/* ---- many at once, some of them killed ---- */

#define N_WRITERS 8
#define N_RUNS    200

struct writer {
	struct test_state *t;
	unsigned number;
};

/* A segment is full after some fifty of these. */
static char long_verdict[4096];

/* As in real life, each run opens everything anew. */
static int write_runs(void *data)
{
	struct writer *w = data;
	struct error e = ERROR_INIT;
	for (unsigned i = 0; i < N_RUNS; i++) {
		struct spool spool = SPOOL_INIT(&w->t->dir);
		struct run_begin b = test_begin(test_id(i, w->number));
		struct run_end end = test_end("ok");
		cleanup_store struct store *s = NULL;
		char key[16];
		snprintf(key, sizeof key, "w%u", w->number);
		b.key = key;
		end.verdict = long_verdict;
		if (spool_begin(&spool, &b, &e) < 0 || spool_end(&spool, &b, &end, &e) < 0) {
			fprintf(stderr, "%s\n", e.text);
			return CHILD_WRONG;
		}
		spool_close(&spool);
		/* That it is locked for longer than 5 ms is no fault: another time. */
		if ((spool.turned || i % 20 == 0) &&
			store_open(&s, &w->t->dir, STORE_CASUAL, &e) == 0 &&
			store_take_in(s, i % 20 == 0 ? TAKE_IN_SOME : TAKE_IN_FULL, &e) == 0)
			store_tidy(s, &RETENTION_DEFAULT, i % 20 == 0);
	}
	return CHILD_OK;
}

static __attribute__((noreturn)) void take_in_for_ever(struct test_state *t)
{
	for (;;) {
		cleanup_store struct store *s = NULL;
		if (store_open(&s, &t->dir, STORE_WRITE, NULL) == 0)
			store_take_in(s, TAKE_IN_ALL, NULL);
	}
}

static void start_writers(struct test_state *t, pid_t pids[N_WRITERS])
{
	memset(long_verdict, 'v', sizeof long_verdict - 1);
	for (unsigned i = 0; i < N_WRITERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(write_runs(&(struct writer){t, i}));
	}
}

static void expect_all(struct test_state *t)
{
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	take_in(s);
	assert_int_equal(count_runs(s, NULL, NULL), N_WRITERS * N_RUNS);
	assert_int_equal(count_runs(s, "ok", NULL), N_WRITERS * N_RUNS);
	assert_int_equal(count_runs(s, "ok", "w3"), N_RUNS);
	assert_false(spool_waits(&t->dir));
	assert_int_equal(count_files(t, SPOOL_REFUSED), 0);
	assert_int_equal(count_files(t, "state.db.corrupt-"), 0);
}

static void many_write_at_once_and_nothing_is_lost(void **state)
{
	struct test_state *t = *state;
	pid_t pids[N_WRITERS];
	start_writers(t, pids);
	for (unsigned i = 0; i < N_WRITERS; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	expect_all(t);
	/* The log was begun anew again and again. */
	off_t wal = file_size(t->dir.fd, "state.db-wal");
	if (wal > 24 << 20)
		fail_msg("the log has %lld bytes", (long long)wal);
}

/* True when the writer has ended; how is checked. */
static bool has_ended(pid_t pid)
{
	int status;
	pid_t r = waitpid(pid, &status, WNOHANG);
	if (r == pid)
		assert_int_equal(status, 0);
	return r == pid;
}

static void who_takes_in_may_be_killed_at_any_point(void **state)
{
	struct test_state *t = *state;
	pid_t pids[N_WRITERS];
	unsigned left = N_WRITERS;
	start_writers(t, pids);
	for (long round = 0; left > 0; round++) {
		pid_t taker = fork();
		assert_true(taker >= 0);
		if (taker == 0)
			take_in_for_ever(t);
		struct timespec a_while = {.tv_nsec = 300000 + round * 7919 % 4000 * 1000};
		nanosleep(&a_while, NULL);
		assert_int_equal(kill(taker, SIGKILL), 0);
		assert_int_equal(waitpid(taker, NULL, 0), taker);
		if (has_ended(pids[left - 1]))
			left--;
	}
	expect_all(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(what_was_taken_in_is_gone_from_the_spool),
		state_test(twice_is_as_good_as_once),
		state_test(as_much_as_was_asked_for),
		state_test(a_cut_line_costs_no_other),
		state_test(damage_is_put_aside_and_the_rest_taken),
		state_test(what_cannot_be_read_is_put_aside),
		state_test(readers_see_all_there_is),
		state_test(a_casual_reader_does_not_wait),
		state_test(many_write_at_once_and_nothing_is_lost),
		state_test(who_takes_in_may_be_killed_at_any_point),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
