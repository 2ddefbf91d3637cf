/* SPDX-License-Identifier: MIT */
#include "store/exec-log.h"

#include <errno.h>

#include "base/fd.h"
#include "store/record.h"
#include "store/test-state.h"

#define GOOD "{\"t_us\":7,\"outcome\":\"started\",\"argc\":1,\"argv\":[\"x\"]}\n"

static void put(int dir, const char *text, size_t size)
{
	cleanup_fd int fd =
		openat(dir, EXEC_LOG_NAME, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, size), 0);
}

/* How many events there are; what was passed over in *ret_faults. */
static size_t count(int dir, struct exec_log_faults *ret_faults)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	cleanup_exec_log struct exec_log_reader *r = NULL;
	struct exec_event event;
	size_t n = 0;
	int found;
	assert_int_equal(exec_log_open(&r, dir, &e), 0);
	while ((found = exec_log_next(r, &event, &a)) > 0)
		n++;
	assert_int_equal(found, 0);
	*ret_faults = exec_log_faults(r);
	return n;
}

static void what_is_written_is_read(void **state)
{
	const struct test_state *s = *state;
	struct exec_log_faults faults;
	struct stat st;
	cleanup_buf struct buf line = BUF_INIT;
	cleanup_fd int fd = exec_log_create(s->dir.fd);
	char byte;
	assert_true(fd >= 0);
	for (unsigned i = 0; i < 5000; i++) { /* more than is read at once */
		buf_clear(&line);
		exec_event_format(&(struct exec_event){.t_us = i, .cwd = "/somewhere"}, &line);
		lseek(fd, 0, SEEK_SET); /* changes nothing: it is appended */
		assert_int_equal(write(fd, line.data, line.size), line.size);
	}
	assert_int_equal(count(s->dir.fd, &faults), 5000);
	assert_int_equal(faults.damaged + faults.torn, 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(read(fd, &byte, 1), -1);
	assert_int_equal(exec_log_create(s->dir.fd), -1);
	assert_int_equal(errno, EEXIST);
}

static void damage_is_counted(void **state)
{
	static const struct {
		const char *text;
		size_t n, damaged, torn;
	} rows[] = {
		{"", 0, 0, 0},
		{GOOD GOOD, 2, 0, 0},
		{GOOD "{\"t_us\":", 1, 0, 8}, /* killed in the middle of it */
		{GOOD "{\"t_us\":\n" GOOD, 2, 1, 0}, /* no room, then room again */
		{GOOD "\n" GOOD, 2, 0, 0},
		{"\xff\n\x1b[2J\n" GOOD "null\n", 1, 3, 0},
	};
	const struct test_state *s = *state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct exec_log_faults faults;
		put(s->dir.fd, rows[i].text, strlen(rows[i].text));
		assert_int_equal(count(s->dir.fd, &faults), rows[i].n);
		assert_int_equal(faults.damaged, rows[i].damaged);
		assert_int_equal(faults.torn, rows[i].torn);
		unlinkat(s->dir.fd, EXEC_LOG_NAME, 0);
	}
}

/* A part at a time: from where the last one ended, or from anywhere. */
static void one_may_begin_anywhere(void **state)
{
	const struct test_state *s = *state;
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_exec_log struct exec_log_reader *r = NULL;
	struct error e = ERROR_INIT;
	struct exec_event event;
	uint64_t size = strlen(GOOD);
	put(s->dir.fd, GOOD GOOD GOOD "{", 3 * size + 1);
	assert_int_equal(exec_log_open(&r, s->dir.fd, &e), 0);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_int_equal(exec_log_next(r, &event, &a), 1);
		assert_int_equal(exec_log_tell(r), i * size);
	}
	assert_int_equal(exec_log_next(r, &event, &a), 0);
	assert_int_equal(exec_log_tell(r), 3 * size); /* what is torn may yet become a line */
	exec_log_seek(r, size);
	assert_int_equal(exec_log_next(r, &event, &a), 1);
	assert_int_equal(exec_log_tell(r), 2 * size);
	exec_log_seek(r, 5);
	assert_int_equal(exec_log_next(r, &event, &a), 1);
	assert_int_equal(exec_log_faults(r).damaged, 1);
	exec_log_seek(r, UINT64_MAX);
	assert_int_equal(exec_log_next(r, &event, &a), 0);
}

/* A line longer than any of ours is passed over, once, and what follows is read. */
static void a_long_line_costs_little(void **state)
{
	const struct test_state *s = *state;
	struct exec_log_faults faults;
	cleanup_arena struct arena a = ARENA_INIT;
	char *filler = arena_alloc(&a, 3 << 20);
	memset(filler, 'x', 3 << 20);
	for (size_t size = EXEC_EVENT_MAX_LINE - 1; size <= 3 << 20; size *= 2) {
		put(s->dir.fd, GOOD, strlen(GOOD));
		put(s->dir.fd, filler, size);
		put(s->dir.fd, "\n" GOOD, 1 + strlen(GOOD));
		assert_int_equal(count(s->dir.fd, &faults), 2);
		assert_int_equal(faults.damaged, 1);
		assert_int_equal(faults.torn, 0);
		unlinkat(s->dir.fd, EXEC_LOG_NAME, 0);
	}
}

/* A terabyte of zeros: no more is looked at than a log may have. */
static void a_huge_file_is_bounded(void **state)
{
	const struct test_state *s = *state;
	struct exec_log_faults faults;
	put(s->dir.fd, GOOD, strlen(GOOD));
	cleanup_fd int fd = openat(s->dir.fd, EXEC_LOG_NAME, O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
	assert_int_equal(count(s->dir.fd, &faults), 1);
	assert_int_equal(faults.damaged, 1);
}

/* Neither followed, nor waited for. */
static void what_is_no_file_is_refused(void **state)
{
	const struct test_state *s = *state;
	struct exec_log_reader *r = NULL;
	struct error e = ERROR_INIT;
	assert_int_equal(exec_log_open(&r, s->dir.fd, &e), -1);
	assert_int_equal(e.errnum, ENOENT);
	assert_int_equal(symlinkat("/etc/passwd", s->dir.fd, EXEC_LOG_NAME), 0);
	assert_int_equal(exec_log_open(&r, s->dir.fd, &e), -1);
	assert_int_equal(exec_log_create(s->dir.fd), -1);
	unlinkat(s->dir.fd, EXEC_LOG_NAME, 0);
	assert_int_equal(mkfifoat(s->dir.fd, EXEC_LOG_NAME, 0600), 0);
	assert_int_equal(exec_log_open(&r, s->dir.fd, &e), -1);
	unlinkat(s->dir.fd, EXEC_LOG_NAME, 0);
	assert_int_equal(mkdirat(s->dir.fd, EXEC_LOG_NAME, 0700), 0);
	assert_int_equal(exec_log_open(&r, s->dir.fd, &e), -1);
	assert_null(r);
}

static void begin(struct record *r, struct observation *o, bool wanted)
{
	static const char *const argv[] = {"x"};
	*o = (struct observation){.id = test_id(time_realtime_us() / 1000, wanted),
		.policy = "default",
		.argv = argv,
		.argc = 1};
	record_init(r, NULL, o, wanted);
}

static void end(struct record *r, struct observation *o)
{
	cleanup_arena struct arena a = ARENA_INIT;
	const struct verdict v = {.cause = CAUSE_OK};
	o->kernel = o->version = "";
	record_begin(r);
	record_end(r, &v, o, "{}\n", &a);
	record_close(r);
	state_dir_close(&r->own.state);
}

/* It counts for what is kept, and goes with the rest of the run. */
static void a_run_has_one(void **state)
{
	const struct test_state *s = *state;
	struct error e = ERROR_INIT;
	struct exec_log_faults faults;
	struct observation o;
	struct record r;
	begin(&r, &o, true);
	int fd = record_open_execs(&r);
	assert_true(fd >= 0);
	assert_int_equal(record_open_execs(&r), fd);
	assert_true(fcntl(fd, F_GETFL) & O_APPEND);
	assert_int_equal(write(fd, GOOD, strlen(GOOD)), strlen(GOOD));
	end(&r, &o);
	assert_int_equal(r.execs, -1);
	cleanup_fd int dir = run_dir_open(&s->dir, o.id);
	assert_int_equal(count(dir, &faults), 1);

	cleanup_store struct store *store = NULL;
	const struct retention none = {.max_age_us = UINT64_MAX,
		.max_runs = 100,
		.max_bytes = strlen(GOOD) - 1,
		.batch = 8};
	assert_int_equal(store_open(&store, &s->dir, STORE_WRITE, &e), 0);
	assert_int_equal(store_take_in(store, TAKE_IN_ALL, &e), 0);
	assert_int_equal(retention_apply(store, &none, time_realtime_us()), 0);
	assert_int_equal(run_dir_open(&s->dir, o.id), -1);
	assert_int_equal(errno, ENOENT);
}

static void a_run_without_a_record_has_none(void **state)
{
	const struct test_state *s = *state;
	struct observation o;
	struct record r;
	begin(&r, &o, false);
	assert_int_equal(record_open_execs(&r), -1);
	end(&r, &o);
	assert_int_equal(run_dir_open(&s->dir, o.id), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(what_is_written_is_read),
		state_test(damage_is_counted),
		state_test(one_may_begin_anywhere),
		state_test(a_long_line_costs_little),
		state_test(a_huge_file_is_bounded),
		state_test(what_is_no_file_is_refused),
		state_test(a_run_has_one),
		state_test(a_run_without_a_record_has_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
