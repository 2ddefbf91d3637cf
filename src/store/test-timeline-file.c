/* SPDX-License-Identifier: MIT */
#include "store/timeline-file.h"

#include <errno.h>

#include "base/fd.h"
#include "store/test-state.h"

static struct timeline t, back; /* too large for a stack that is checked */

static void what_is_written_is_read(void **state)
{
	const struct test_state *s = *state;
	uint64_t size = 0;
	size_t bad = 7;
	memset(&t, 0, sizeof t);
	t.known = 1 << SERIES_PIDS;
	assert_int_equal(timeline_file_read(s->dir.fd, &back, &bad), -1);
	assert_int_equal(errno, ENOENT);
	for (uint64_t i = 1; i < 4; i++) { /* each time in place of the last */
		timeline_add(
			&t, &(struct timeline_point){.at_us = i, .v = {[SERIES_PIDS] = i * 2}});
		assert_int_equal(timeline_file_write(s->dir.fd, &t, &size), 0);
		assert_int_equal(timeline_file_read(s->dir.fd, &back, &bad), 0);
		assert_int_equal(bad, 0);
		assert_int_equal(back.n, i);
		assert_int_equal(back.v[i - 1].v[SERIES_PIDS], i * 2);
	}
	struct stat st;
	assert_int_equal(fstatat(s->dir.fd, TIMELINE_NAME, &st, 0), 0);
	assert_int_equal(st.st_size, size);
	assert_int_equal(st.st_mode & 0777, 0600);
}

/* Neither followed, nor waited for. */
static void what_is_no_file_is_refused(void **state)
{
	const struct test_state *s = *state;
	size_t bad;
	assert_int_equal(symlinkat("/etc/passwd", s->dir.fd, TIMELINE_NAME), 0);
	assert_int_equal(timeline_file_read(s->dir.fd, &back, &bad), -1);
	unlinkat(s->dir.fd, TIMELINE_NAME, 0);
	assert_int_equal(mkfifoat(s->dir.fd, TIMELINE_NAME, 0600), 0);
	assert_int_equal(timeline_file_read(s->dir.fd, &back, &bad), -1);
	unlinkat(s->dir.fd, TIMELINE_NAME, 0);
	assert_int_equal(mkdirat(s->dir.fd, TIMELINE_NAME, 0700), 0);
	assert_int_equal(timeline_file_read(s->dir.fd, &back, &bad), -1);
}

/* A file of a terabyte of zeros behind one good line costs a mebibyte. */
static void a_huge_file_is_bounded(void **state)
{
	static const char line[] = "{\"t_us\":1,\"pids\":3}\n";
	const struct test_state *s = *state;
	size_t bad = 0;
	cleanup_fd int fd = openat(s->dir.fd, TIMELINE_NAME, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, line, sizeof line - 1), sizeof line - 1);
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
	assert_int_equal(timeline_file_read(s->dir.fd, &back, &bad), 0);
	assert_int_equal(back.n, 1);
	assert_int_equal(bad, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(what_is_written_is_read),
		state_test(what_is_no_file_is_refused),
		state_test(a_huge_file_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
