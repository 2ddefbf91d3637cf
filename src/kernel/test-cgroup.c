/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "kernel/cgroup.h"

/* The parsers, and the reading and writing of files, on an ordinary directory. */

static char top[] = "/tmp/bulkhead-test-cgroup-XXXXXX";

static int make_top(void **state)
{
	(void)state;
	strcpy(top + sizeof(top) - 7, "XXXXXX");
	return mkdtemp(top) == NULL ? -1 : 0;
}

static int remove_top(void **state)
{
	(void)state;
	static const char *const files[] = {"file", "link", "cgroup.procs", "big"};
	cleanup_fd int dir = cgroup_open(top);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlinkat(dir, files[i], 0);
	return rmdir(top);
}

static void put(int dir, const char *name, const char *text, size_t size)
{
	cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, size), 0);
}

static void test_numbers(void **state)
{
	static const char *const bad[] = {
		"", "\n", "max", "-1", "+1", " 1", "1 ", "0x10", "1\n\n", "18446744073709551616"};
	uint64_t value = 7;
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(cgroup_text_u64(bad[i], &value), -1);
		assert_int_equal(errno, EBADMSG);
		assert_int_equal(value, 7);
	}
	assert_int_equal(cgroup_text_u64("0\n", &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(cgroup_text_u64("18446744073709551615", &value), 0);
	assert_true(value == UINT64_MAX);
}

static void test_keys(void **state)
{
	static const char text[] = "low 1\noom 2\noom_kill 3\noom_group_kill 4\nbad x\n";
	uint64_t value = 7;
	(void)state;
	assert_int_equal(cgroup_text_key(text, "oom", &value), 0);
	assert_int_equal(value, 2);
	assert_int_equal(cgroup_text_key(text, "oom_kill", &value), 0);
	assert_int_equal(value, 3);
	assert_int_equal(cgroup_text_key(text, "kill", &value), -1);
	assert_int_equal(errno, ENODATA);
	assert_int_equal(cgroup_text_key(text, "bad", &value), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(cgroup_text_key("", "oom", &value), -1);
	assert_int_equal(cgroup_text_key("oom", "oom", &value), -1);
	assert_int_equal(cgroup_text_key("oom ", "oom", &value), -1);
	assert_int_equal(value, 3);
	assert_int_equal(cgroup_text_key("oom 5", "oom", &value), 0);
	assert_int_equal(value, 5);
}

static void test_words(void **state)
{
	(void)state;
	assert_true(cgroup_text_has_word("cpu memory pids\n", "memory"));
	assert_true(cgroup_text_has_word("memory", "memory"));
	assert_false(cgroup_text_has_word("cpuset memory2\n", "memory"));
	assert_false(cgroup_text_has_word("cpuset\n", "cpu"));
	assert_false(cgroup_text_has_word("", "memory"));
	assert_false(cgroup_text_has_word("  \n", ""));
}

static void test_pressure(void **state)
{
	static const char text[] = "some avg10=0.00 avg60=0.00 avg300=0.00 total=123\n"
				   "full avg10=0.00 avg60=0.00 avg300=0.00 total=45\n";
	uint64_t us = 7;
	(void)state;
	assert_int_equal(cgroup_text_pressure(text, "full", &us), 0);
	assert_int_equal(us, 45);
	assert_int_equal(cgroup_text_pressure(text, "some", &us), 0);
	assert_int_equal(us, 123);
	assert_int_equal(cgroup_text_pressure("some avg10=0\nfull total=9\n", "some", &us), -1);
	assert_int_equal(cgroup_text_pressure("some total=\n", "some", &us), -1);
	assert_int_equal(cgroup_text_pressure("", "some", &us), -1);
	assert_int_equal(us, 123);
}

static void test_io(void **state)
{
	(void)state;
	assert_int_equal(
		cgroup_text_io("8:0 rbytes=10 wbytes=1 rios=3\n8:16 rbytes=5 wbytes=2\n", "rbytes"),
		15);
	assert_int_equal(
		cgroup_text_io("8:0 xrbytes=10 rbytes= rbytes=x rbytes=1x\n", "rbytes"), 0);
	assert_true(
		cgroup_text_io("a rbytes=18446744073709551615 rbytes=2", "rbytes") == UINT64_MAX);
	assert_int_equal(cgroup_text_io("", "rbytes"), 0);
}

static void test_names_stay_inside(void **state)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "/etc", "../x"};
	uint64_t value;
	(void)state;
	cleanup_fd int dir = cgroup_open(top);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(cgroup_make(dir, bad[i]), -1);
		assert_int_equal(cgroup_remove(dir, bad[i]), -1);
		assert_int_equal(cgroup_open_at(dir, bad[i]), -1);
		assert_int_equal(cgroup_write(dir, bad[i], "1"), -1);
		assert_int_equal(cgroup_read_u64(dir, bad[i], &value), -1);
		assert_int_equal(errno, EINVAL);
		assert_false(cgroup_has_file(dir, bad[i]));
	}
}

static void test_links_are_refused(void **state)
{
	uint64_t value;
	(void)state;
	cleanup_fd int dir = cgroup_open(top);
	put(dir, "file", "5\n", 2);
	assert_int_equal(symlinkat("file", dir, "link"), 0);
	assert_int_equal(cgroup_read_u64(dir, "file", &value), 0);
	assert_int_equal(value, 5);
	assert_int_equal(cgroup_read_u64(dir, "link", &value), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(cgroup_write(dir, "link", "6"), -1);
	assert_int_equal(cgroup_open_at(dir, "link"), -1);
}

static void test_reads_are_bounded(void **state)
{
	char text[16], big[8192];
	(void)state;
	memset(big, 'x', sizeof(big));
	cleanup_fd int dir = cgroup_open(top);
	put(dir, "big", big, 15);
	assert_int_equal(cgroup_read(dir, "big", text, sizeof(text)), 15);
	assert_int_equal(text[15], '\0');
	put(dir, "big", big, 16);
	assert_int_equal(cgroup_read(dir, "big", text, sizeof(text)), -1);
	assert_int_equal(errno, EFBIG);
	uint64_t value;
	put(dir, "big", big, sizeof(big));
	assert_int_equal(cgroup_read_u64(dir, "big", &value), -1);
	assert_int_equal(errno, EFBIG);
}

static void test_process_lists(void **state)
{
	static const char *const bad[] = {"1\nx\n", "-1\n", "99999999999999999999\n", "1 2\n"};
	pid_t pids[3];
	(void)state;
	cleanup_fd int dir = cgroup_open(top);
	put(dir, "cgroup.procs", "", 0);
	assert_int_equal(cgroup_has_procs(dir), 0);
	assert_int_equal(cgroup_procs(dir, pids, 3), 0);
	put(dir, "cgroup.procs", "12\n0\n7\n9\n", 9);
	assert_int_equal(cgroup_has_procs(dir), 1);
	assert_int_equal(cgroup_procs(dir, pids, 3), 3);
	assert_int_equal(pids[0], 12);
	assert_int_equal(pids[1], 0);
	assert_int_equal(pids[2], 7);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(dir, "cgroup.procs", bad[i], strlen(bad[i]));
		assert_int_equal(cgroup_procs(dir, pids, 3), -1);
		assert_int_equal(errno, EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_pressure),
		cmocka_unit_test(test_io),
		cmocka_unit_test_setup_teardown(test_names_stay_inside, make_top, remove_top),
		cmocka_unit_test_setup_teardown(test_links_are_refused, make_top, remove_top),
		cmocka_unit_test_setup_teardown(test_reads_are_bounded, make_top, remove_top),
		cmocka_unit_test_setup_teardown(test_process_lists, make_top, remove_top),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
