/* SPDX-License-Identifier: MIT */
#include "store/spool.h"

#include <errno.h>

#include "base/fd.h"
#include "store/owner.h"
#include "store/spool-line.h"
#include "store/test-rows.h"

static size_t count_segments(const struct test_state *t)
{
	struct spool_segment segments[2 * SPOOL_SEGMENTS_MAX];
	return spool_list(&t->dir, segments, 2 * SPOOL_SEGMENTS_MAX);
}

static void lengthen_now(const struct test_state *t)
{
	cleanup_fd int fd = openat(t->dir.fd, SPOOL_NOW, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, SPOOL_SEGMENT_BYTES), 0);
}

static void a_run_is_two_lines(void **state)
{
	struct test_state *t = *state;
	struct run_begin b = test_begin(test_id(1, 1));
	struct run_end end = test_end("ok");
	char text[4096];
	assert_false(spool_waits(&t->dir));
	spool_run(&t->dir, &b, &end);
	assert_true(spool_waits(&t->dir));
	assert_int_equal(count_segments(t), 0);
	assert_true(file_read_text(t->dir.fd, SPOOL_NOW, text, sizeof text) > 0);
	unsigned records = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		struct run_record r;
		assert_int_equal(spool_line_decode(line, strlen(line), &r), SPOOL_LINE_RECORD);
		assert_int_equal(r.ended, records++ == 1);
		assert_string_equal(r.id, b.id);
		assert_int_equal(r.pid, getpid());
	}
	assert_int_equal(records, 2);
}

static void a_run_is_held_from_begin_to_end(void **state)
{
	struct test_state *t = *state;
	struct run_begin b = test_begin(test_id(1, 1));
	struct run_end end = test_end("ok");
	struct spool spool = SPOOL_INIT(&t->dir);
	assert_int_equal(spool_begin(&spool, &b, NULL), 0);
	cleanup_fd int asking = owner_open(t->dir.fd, false);
	assert_true(owner_alive(asking, b.id));
	assert_int_equal(spool_end(&spool, &b, &end, NULL), 0);
	assert_false(owner_alive(asking, b.id));
	spool_close(&spool);
}

static void a_full_one_is_turned_over(void **state)
{
	struct test_state *t = *state;
	struct run_begin b = test_begin(test_id(1, 1));
	struct run_end end = test_end("ok");
	spool_run(&t->dir, &b, &end);
	struct spool spool = SPOOL_INIT(&t->dir);
	lengthen_now(t);
	assert_int_equal(spool_begin(&spool, &b, NULL), 0);
	assert_true(spool.turned);
	assert_int_equal(count_segments(t), 1);
	assert_true(file_size(t->dir.fd, SPOOL_NOW) < SPOOL_SEGMENT_BYTES);
	spool_close(&spool);
	spool = SPOOL_INIT(&t->dir);
	assert_int_equal(spool_begin(&spool, &b, NULL), 0);
	assert_false(spool.turned);
	spool_close(&spool);
}

/* It is the last moment: somebody renames the file that we have open. */
static void what_was_written_too_late_is_written_again(void **state)
{
	struct test_state *t = *state;
	struct run_begin b = test_begin(test_id(1, 1));
	struct run_end end = test_end("ok");
	struct spool spool = SPOOL_INIT(&t->dir);
	assert_int_equal(spool_begin(&spool, &b, NULL), 0);
	assert_int_equal(spool_turn(&t->dir), 0);
	assert_int_equal(spool_end(&spool, &b, &end, NULL), 0);
	assert_true(file_size(t->dir.fd, SPOOL_NOW) > 0);
	assert_int_equal(count_segments(t), 1);
	/* Also if the whole spool is gone. */
	assert_int_equal(spool_begin(&spool, &b, NULL), 0);
	assert_int_equal(unlinkat(t->dir.fd, SPOOL_NOW, 0), 0);
	assert_int_equal(spool_end(&spool, &b, &end, NULL), 0);
	assert_true(file_size(t->dir.fd, SPOOL_NOW) > 0);
	spool_close(&spool);
}

static void an_empty_one_is_not_turned(void **state)
{
	struct test_state *t = *state;
	assert_int_equal(spool_turn(&t->dir), 0);
	assert_int_equal(mkdirat(t->dir.fd, SPOOL_DIR, 0700), 0);
	write_file(t->dir.fd, SPOOL_NOW, "", 0);
	assert_int_equal(spool_turn(&t->dir), 0);
	assert_int_equal(count_segments(t), 0);
	assert_false(spool_waits(&t->dir));
}

static void what_waits_is_bounded(void **state)
{
	struct test_state *t = *state;
	struct error e = ERROR_INIT;
	struct run_begin b = test_begin(test_id(1, 1));
	struct run_end end = test_end("ok");
	struct spool spool = SPOOL_INIT(&t->dir);
	assert_int_equal(mkdirat(t->dir.fd, SPOOL_DIR, 0700), 0);
	for (int i = 0; i < SPOOL_SEGMENTS_MAX; i++) {
		write_file(t->dir.fd, SPOOL_NOW, "\n", 1);
		assert_int_equal(spool_turn(&t->dir), 0);
	}
	assert_int_equal(count_segments(t), SPOOL_SEGMENTS_MAX);
	assert_int_equal(spool_begin(&spool, &b, &e), 0); /* there is room in the current one */
	spool_close(&spool);
	lengthen_now(t);
	spool = SPOOL_INIT(&t->dir);
	assert_int_equal(spool_begin(&spool, &b, &e), -1);
	assert_non_null(strstr(e.text, "is full of records"));
	assert_int_equal(e.blame, BLAME_HOST);
	assert_true(spool.turned); /* so somebody tries to make room */
	assert_int_equal(spool_end(&spool, &b, &end, &e), -1);
	assert_int_equal(count_segments(t), SPOOL_SEGMENTS_MAX);
	assert_int_equal(file_size(t->dir.fd, SPOOL_NOW), SPOOL_SEGMENT_BYTES);
	spool_close(&spool);
}

static void a_record_beyond_all_measure_is_refused(void **state)
{
	struct test_state *t = *state;
	struct error e = ERROR_INIT;
	struct run_begin b = test_begin(test_id(1, 1));
	struct run_end end = test_end("ok");
	struct spool spool = SPOOL_INIT(&t->dir);
	char *verdict = malloc(SPOOL_LINE_MAX + 1);
	assert_non_null(verdict);
	memset(verdict, 'v', SPOOL_LINE_MAX);
	verdict[SPOOL_LINE_MAX] = '\0';
	end.verdict = verdict;
	assert_int_equal(spool_end(&spool, &b, &end, &e), -1);
	assert_int_equal(e.errnum, EMSGSIZE);
	verdict[SPOOL_LINE_MAX - 4096] = '\0';
	assert_int_equal(spool_end(&spool, &b, &end, &e), 0);
	free(verdict);
	spool_close(&spool);
}

/* The end of a run is worth more than what explains it. */
static void an_observation_that_is_too_long_is_left_out(void **state)
{
	struct test_state *t = *state;
	struct run_begin b = test_begin(test_id(1, 1));
	struct run_end end = test_end("ok");
	struct spool spool = SPOOL_INIT(&t->dir);
	struct run_record r;
	char text[4096], *observation = malloc(SPOOL_LINE_MAX + 1);
	assert_non_null(observation);
	memset(observation, 'o', SPOOL_LINE_MAX);
	observation[SPOOL_LINE_MAX] = '\0';
	end.observation = observation;
	assert_int_equal(spool_end(&spool, &b, &end, NULL), 0);
	free(observation);
	spool_close(&spool);
	assert_true(file_read_text(t->dir.fd, SPOOL_NOW, text, sizeof text) > 0);
	char *line = strtok(text, "\n");
	assert_int_equal(spool_line_decode(line, strlen(line), &r), SPOOL_LINE_RECORD);
	assert_true(r.ended);
	assert_string_equal(r.verdict, end.verdict);
	assert_null(r.observation);
}

/* What somebody put in the way neither leads elsewhere nor lets us wait. */
static void what_is_no_file_is_not_written_to(void **state)
{
	struct test_state *t = *state;
	struct error e = ERROR_INIT;
	struct run_begin b = test_begin(test_id(1, 1));
	struct spool spool = SPOOL_INIT(&t->dir);
	write_file(t->dir.fd, "precious", "x", 1);
	assert_int_equal(mkdirat(t->dir.fd, SPOOL_DIR, 0700), 0);
	assert_int_equal(symlinkat("../precious", t->dir.fd, SPOOL_NOW), 0);
	assert_int_equal(spool_begin(&spool, &b, &e), -1);
	assert_int_equal(file_size(t->dir.fd, "precious"), 1);
	assert_int_equal(unlinkat(t->dir.fd, SPOOL_NOW, 0), 0);
	assert_int_equal(mkfifoat(t->dir.fd, SPOOL_NOW, 0600), 0);
	assert_int_equal(spool_begin(&spool, &b, &e), -1);
	cleanup_fd int reader = openat(t->dir.fd, SPOOL_NOW, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(spool_begin(&spool, &b, &e), -1);
	assert_int_equal(e.blame, BLAME_HOST);
	assert_int_equal(unlinkat(t->dir.fd, SPOOL_NOW, 0), 0);
	assert_int_equal(mkdirat(t->dir.fd, SPOOL_NOW, 0700), 0);
	assert_int_equal(spool_begin(&spool, &b, &e), -1);
	spool_close(&spool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(a_run_is_two_lines),
		state_test(a_run_is_held_from_begin_to_end),
		state_test(a_full_one_is_turned_over),
		state_test(what_was_written_too_late_is_written_again),
		state_test(an_empty_one_is_not_turned),
		state_test(what_waits_is_bounded),
		state_test(a_record_beyond_all_measure_is_refused),
		state_test(an_observation_that_is_too_long_is_left_out),
		state_test(what_is_no_file_is_not_written_to),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
