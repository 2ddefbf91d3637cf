/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include <errno.h>
#include <sqlite3.h>

#include "base/fd.h"
#include "store/test-rows.h"

/* The file below the state directory whose name begins with @prefix; "" if there is none. */
static void find_file(const struct test_state *t, const char *prefix, char out[256])
{
	DIR *d = opendir(t->path);
	struct dirent *entry;
	assert_non_null(d);
	out[0] = '\0';
	while ((entry = readdir(d)))
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			strcpy(out, entry->d_name);
	closedir(d);
}

static void sql(const struct test_state *t, const char *text)
{
	char path[128];
	sqlite3 *db;
	snprintf(path, sizeof path, "%s/state.db", t->path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void files_are_private(void **state)
{
	struct test_state *t = *state;
	static const char *const names[] = {"state.db", "state.db-wal", "state.db-shm", "lock"};
	mode_t before = umask(0);
	struct store *s = open_store(t, STORE_WRITE);
	add_run(s, test_id(1, 1), NULL, "ok");
	store_close(s);
	umask(before);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct stat st;
		assert_int_equal(fstatat(t->dir.fd, names[i], &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	struct stat st;
	assert_int_equal(fstatat(t->dir.fd, "spool", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	char name[256];
	find_file(t, "state.db.", name);
	assert_string_equal(name, "");
}

static void nothing_is_lost_without_close(void **state)
{
	struct test_state *t = *state;
	struct store *s = open_store(t, STORE_WRITE);
	add_run(s, test_id(1, 1), NULL, "ok");
	cleanup_store struct store *other = open_store(t, STORE_READ);
	assert_int_equal(count_runs(other, NULL, NULL), 1);
	store_close(s);
	assert_int_equal(count_runs(other, NULL, NULL), 1);
}

/* @damage is done to a data base with one run; then there is one with another run, and the damaged one. */
static void check_put_aside(struct test_state *t, void (*damage)(struct test_state *t))
{
	char name[256];
	struct store *s = open_store(t, STORE_WRITE);
	add_run(s, test_id(1, 1), NULL, "ok");
	store_close(s);
	damage(t);
	s = open_store(t, STORE_WRITE);
	add_run(s, test_id(2, 2), NULL, "ok");
	assert_int_equal(count_runs(s, NULL, NULL), 1);
	store_close(s);
	find_file(t, "state.db.corrupt-", name);
	assert_string_not_equal(name, "");
}

static void write_garbage(struct test_state *t)
{
	char page[8192];
	memset(page, 0x5a, sizeof page);
	write_file(t->dir.fd, "state.db", page, sizeof page);
}

static void write_nothing(struct test_state *t)
{
	write_file(t->dir.fd, "state.db", "", 0);
	unlinkat(t->dir.fd, "state.db-wal", 0);
}

/* The first page stays, so only writing the row meets the damage. */
static void spoil_pages(struct test_state *t)
{
	char zeros[1024] = {0};
	sql(t, "PRAGMA wal_checkpoint(TRUNCATE)");
	cleanup_fd int fd = openat(t->dir.fd, "state.db", O_WRONLY | O_CLOEXEC);
	memset(zeros, 0xa5, sizeof zeros);
	for (off_t at = 1024; at < file_size(t->dir.fd, "state.db"); at += 1024)
		assert_int_equal(pwrite(fd, zeros, sizeof zeros, at), 1024);
}

static void a_damaged_data_base_is_put_aside(void **state)
{
	check_put_aside(*state, write_garbage);
}

static void an_empty_file_is_put_aside(void **state)
{
	check_put_aside(*state, write_nothing);
}

static void damage_met_later_is_put_aside(void **state)
{
	check_put_aside(*state, spoil_pages);
}

/* Many find the damage at once: none may take the new data base for the damaged one. */
static int open_and_add(void *data)
{
	struct test_state *t = data;
	struct error e = ERROR_INIT;
	struct store *s;
	struct run_begin b = test_begin(test_id(time_realtime_us(), (uint64_t)getpid()));
	struct run_end end = test_end("ok");
	spool_run(&t->dir, &b, &end);
	if (store_open(&s, &t->dir, STORE_WRITE, &e) < 0)
		return CHILD_CANNOT; /* the one that puts it aside is not ready yet */
	int r = store_take_in(s, TAKE_IN_ALL, &e);
	store_close(s);
	return r == 0 ? CHILD_OK : CHILD_CANNOT;
}

static void one_of_many_puts_it_aside(void **state)
{
	struct test_state *t = *state;
	pid_t pids[6];
	size_t fine = 0;
	write_garbage(t);
	for (size_t i = 0; i < 6; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(open_and_add(t));
	}
	for (size_t i = 0; i < 6; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		fine += status == 0;
	}
	assert_true(fine >= 1);
	/* Whoever failed has left its record in the spool. */
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	take_in(s);
	assert_int_equal(count_runs(s, NULL, NULL), 6);
}

static void a_reader_leaves_a_damaged_one_alone(void **state)
{
	struct test_state *t = *state;
	struct error e = ERROR_INIT;
	struct store *s = NULL;
	write_garbage(t);
	assert_int_equal(store_open(&s, &t->dir, STORE_READ, &e), -1);
	assert_non_null(strstr(e.text, "not a database"));
	assert_int_equal(e.blame, BLAME_HOST);
	assert_int_equal(file_size(t->dir.fd, "state.db"), 8192);
}

static void one_of_a_newer_version_is_refused(void **state)
{
	struct test_state *t = *state;
	struct error e = ERROR_INIT;
	struct store *s = NULL;
	store_close(open_store(t, STORE_WRITE));
	sql(t, "PRAGMA user_version = 1000");
	assert_int_equal(store_open(&s, &t->dir, STORE_WRITE, &e), -1);
	if (!strstr(e.text, "is of another version of bulkhead"))
		fail_msg("%s", e.text);
	assert_true(file_size(t->dir.fd, "state.db") > 0);
}

static void a_lock_is_waited_for_but_not_for_ever(void **state)
{
	struct test_state *t = *state;
	struct error e = ERROR_INIT;
	char path[128];
	sqlite3 *holder;
	cleanup_store struct store *s = open_store(t, STORE_WRITE);
	cleanup_store struct store *casual = open_store(t, STORE_CASUAL);
	struct run_begin b = test_begin(test_id(1, 1));
	struct run_end end = test_end("ok");
	snprintf(path, sizeof path, "%s/state.db", t->path);
	assert_int_equal(sqlite3_open(path, &holder), SQLITE_OK);
	assert_int_equal(sqlite3_exec(holder, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	spool_run(&t->dir, &b, &end);
	uint64_t before = time_monotonic_us();
	assert_int_equal(store_take_in(casual, TAKE_IN_ALL, &e), -1);
	assert_non_null(strstr(e.text, "another process has had it locked for 5 ms"));
	uint64_t between = time_monotonic_us();
	assert_true(between - before < US_PER_SEC);
	assert_int_equal(store_take_in(s, TAKE_IN_ALL, &e), -1);
	uint64_t took = time_monotonic_us() - between;
	assert_non_null(strstr(e.text, "another process has had it locked for 2 s"));
	assert_true(took >= 2 * US_PER_SEC && took < 10 * US_PER_SEC);
	sqlite3_close(holder);
	assert_int_equal(count_runs(s, NULL, NULL), 0);
	assert_int_equal(store_take_in(s, TAKE_IN_ALL, &e), 0);
	assert_int_equal(count_runs(s, NULL, NULL), 1);
}

/* Fill the tmpfs on which the state directory is, but for @left bytes. */
static bool fill_disk(int dir, off_t left)
{
	char block[4096] = {0};
	int fd = openat(dir, "ballast", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, block, sizeof block) == sizeof block)
		;
	struct stat st;
	bool ok = fstat(fd, &st) == 0 && ftruncate(fd, st.st_size - left) == 0;
	close(fd);
	return ok;
}

#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "line %d: not " #condition " (%s)\n", __LINE__, e.text);   \
			return CHILD_WRONG;                                                        \
		}                                                                                  \
	} while (0)

static int with_a_full_disk(void *data)
{
	struct test_state *t = data;
	struct error e = ERROR_INIT;
	struct state_dir dir = STATE_DIR_INIT;
	struct store *s, *late;
	struct run_begin b = test_begin(test_id(1, 1));
	struct run_end end = test_end("ok");
	if (!mount_small(t->path, "1m"))
		return CHILD_CANNOT;
	EXPECT(state_dir_open(&dir, STATE_DIR_CREATE, &e) == 0);
	EXPECT(fill_disk(dir.fd, 0));
	EXPECT(store_open(&s, &dir, STORE_WRITE, &e) < 0);
	EXPECT(e.errnum == ENOSPC && e.blame == BLAME_HOST);
	EXPECT(unlinkat(dir.fd, "ballast", 0) == 0);
	EXPECT(store_open(&s, &dir, STORE_WRITE, &e) == 0);
	struct spool spool = SPOOL_INIT(&dir);
	static char verdict[200000];
	memset(verdict, 'v', sizeof verdict - 1);
	end.verdict = verdict;
	EXPECT(spool_begin(&spool, &b, &e) == 0);
	EXPECT(fill_disk(dir.fd, 0));
	EXPECT(spool_end(&spool, &b, &end, &e) < 0);
	EXPECT(e.errnum == ENOSPC && e.blame == BLAME_HOST);
	/* With room for the spool, but not for the data base, readers miss nothing. */
	EXPECT(unlinkat(dir.fd, "ballast", 0) == 0 && fill_disk(dir.fd, 250000));
	EXPECT(spool_end(&spool, &b, &end, &e) == 0);
	EXPECT(store_take_in(s, TAKE_IN_ALL, &e) < 0);
	EXPECT(e.errnum == ENOSPC);
	EXPECT(count_runs(s, NULL, NULL) == 0);
	EXPECT(store_open_to_read(&late, &dir, STORE_WRITE, &e) == 0);
	EXPECT(count_runs(late, "ok", NULL) == 1);
	store_close(late);
	store_tidy(s, &RETENTION_DEFAULT, true);
	/* All works again when there is room. */
	EXPECT(unlinkat(dir.fd, "ballast", 0) == 0);
	EXPECT(store_take_in(s, TAKE_IN_ALL, &e) == 0);
	store_close(s);
	spool_close(&spool);
	EXPECT(store_open(&late, &dir, STORE_READ, &e) == 0);
	EXPECT(count_runs(late, "ok", NULL) == 1);
	store_close(late);
	return CHILD_OK;
}

static void a_full_disk_is_said(void **state)
{
	expect_child_ok(in_child(with_a_full_disk, *state));
}

static int with_a_read_only_disk(void *data)
{
	struct test_state *t = data;
	struct error e = ERROR_INIT;
	struct state_dir dir = STATE_DIR_INIT;
	struct store *s;
	struct run_begin b = test_begin(test_id(2, 2));
	struct run_end end = test_end("ok");
	if (!mount_small(t->path, "4m"))
		return CHILD_CANNOT;
	EXPECT(state_dir_open(&dir, STATE_DIR_CREATE, &e) == 0);
	EXPECT(store_open(&s, &dir, STORE_WRITE, &e) == 0);
	add_run(s, test_id(1, 1), NULL, "ok");
	store_close(s);
	spool_run(&dir, &b, &end);
	state_dir_close(&dir);
	EXPECT(mount(NULL, t->path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
	EXPECT(state_dir_open(&dir, STATE_DIR_CREATE, &e) == 0);
	EXPECT(store_open(&s, &dir, STORE_WRITE, &e) < 0);
	EXPECT(e.errnum == EROFS && e.blame == BLAME_HOST);
	/* Records can still be read. */
	EXPECT(store_open(&s, &dir, STORE_READ, &e) == 0);
	EXPECT(count_runs(s, NULL, NULL) == 1);
	store_close(s);
	EXPECT(store_open_to_read(&s, &dir, STORE_WRITE, &e) == 0);
	EXPECT(count_runs(s, NULL, NULL) == 2);
	store_close(s);
	EXPECT(store_open_to_read(&s, &dir, STORE_CASUAL, &e) == 0);
	EXPECT(count_runs(s, NULL, NULL) == 2);
	store_close(s);
	struct spool spool = SPOOL_INIT(&dir);
	EXPECT(spool_begin(&spool, &b, &e) < 0 && e.errnum == EROFS);
	EXPECT(spool_end(&spool, &b, &end, &e) < 0 && e.errnum == EROFS);
	spool_close(&spool);
	return CHILD_OK;
}

static void a_read_only_disk_is_said_and_read(void **state)
{
	expect_child_ok(in_child(with_a_read_only_disk, *state));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(files_are_private),
		state_test(nothing_is_lost_without_close),
		state_test(a_damaged_data_base_is_put_aside),
		state_test(an_empty_file_is_put_aside),
		state_test(damage_met_later_is_put_aside),
		state_test(one_of_many_puts_it_aside),
		state_test(a_reader_leaves_a_damaged_one_alone),
		state_test(one_of_a_newer_version_is_refused),
		state_test(a_lock_is_waited_for_but_not_for_ever),
		state_test(a_full_disk_is_said),
		state_test(a_read_only_disk_is_said_and_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
