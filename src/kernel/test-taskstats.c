/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/taskstats.h"

/* ---- messages, as the kernel makes them until a case spoils them ---- */

struct message {
	struct nlmsghdr head;
	struct genlmsghdr generic;
	struct nlattr nest, pid_head;
	uint32_t pid;
	struct nlattr stats_head;
	struct taskstats stats;
} __attribute__((packed));

static void make(struct message *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->head.nlmsg_len = sizeof(*ret);
	ret->head.nlmsg_type = NLMSG_MIN_TYPE + 15;
	ret->generic.cmd = TASKSTATS_CMD_NEW;
	ret->nest.nla_type = TASKSTATS_TYPE_AGGR_PID;
	ret->nest.nla_len = sizeof(*ret) - offsetof(struct message, nest);
	ret->pid_head = (struct nlattr){NLA_HDRLEN + sizeof(ret->pid), TASKSTATS_TYPE_PID};
	ret->pid = 77;
	ret->stats_head = (struct nlattr){NLA_HDRLEN + sizeof(ret->stats), TASKSTATS_TYPE_STATS};
	ret->stats.hiwater_vm = 2048;
	ret->stats.ac_exitcode = 7 << 8;
}

static bool parse(const struct message *m)
{
	struct taskstats_end end;
	return taskstats_parse(m, sizeof(*m), 77, &end);
}

static void test_parse(void **state)
{
	struct taskstats_end end;
	struct message m;
	(void)state;
	make(&m);
	assert_true(taskstats_parse(&m, sizeof(m), 77, &end));
	assert_int_equal(end.virtual_peak_bytes, 2 << 20);
	assert_int_equal(end.wait_status, 7 << 8);
	assert_false(taskstats_parse(&m, sizeof(m), 78, &end));
}

/* What is wrong is not believed: lengths too small, too large, other kinds, a peak that overflows. */
static void test_spoilt(void **state)
{
	struct message m;
	(void)state;
	make(&m);
	m.head.nlmsg_len = UINT32_MAX;
	assert_false(parse(&m));
	make(&m);
	m.head.nlmsg_len = 19;
	assert_false(parse(&m));
	make(&m);
	m.head.nlmsg_type = NLMSG_ERROR;
	assert_false(parse(&m));
	make(&m);
	m.nest.nla_len = 0;
	assert_false(parse(&m));
	make(&m);
	m.nest.nla_len = UINT16_MAX;
	assert_false(parse(&m));
	make(&m);
	m.pid_head.nla_len = NLA_HDRLEN + 3;
	assert_false(parse(&m));
	make(&m);
	m.stats_head.nla_len = UINT16_MAX;
	assert_false(parse(&m));
	make(&m);
	m.stats_head.nla_len = NLA_HDRLEN + 8;
	assert_false(parse(&m));
	make(&m);
	m.stats.hiwater_vm = UINT64_MAX / 1024 + 1;
	assert_false(parse(&m));
}

/* Cut anywhere, in a block of just that size so that a byte too far is seen by a sanitizer. */
static void test_cut_short(void **state)
{
	struct message m;
	struct taskstats_end end;
	(void)state;
	make(&m);
	for (size_t size = 0; size < sizeof(m); size++) {
		void *copy = malloc(size ? size : 1);
		assert_non_null(copy);
		memcpy(copy, &m, size);
		assert_false(taskstats_parse(copy, size, 77, &end));
		free(copy);
	}
}

static void test_every_byte_of_the_heads_spoilt(void **state)
{
	struct taskstats_end end;
	struct message m;
	(void)state;
	for (size_t at = 0; at < offsetof(struct message, stats); at++)
		for (int value = 0; value < 256; value++) {
			make(&m);
			((unsigned char *)&m)[at] = (unsigned char)value;
			if (taskstats_parse(&m, sizeof(m), 77, &end))
				assert_int_equal(m.pid, 77);
		}
}

/* ---- this kernel's ---- */

#define PEAK ((size_t)300 << 20)

/* What a child of ours begins with: little, but for a sanitizer's terabytes. */
static uint64_t own_peak(void)
{
	char status[4096];
	assert_true(file_read_text(AT_FDCWD, "/proc/self/status", status, sizeof(status)) > 0);
	const char *line = strstr(status, "\nVmPeak:");
	assert_non_null(line);
	return strtoull(line + strlen("\nVmPeak:"), NULL, 10) * 1024;
}

static pid_t large_child(void)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		void *p = mmap(NULL, PEAK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED || munmap(p, PEAK) < 0)
			_exit(1);
		_exit(7);
	}
	return pid;
}

static int open_here(void)
{
	int fd = taskstats_open();
	if (fd < 0) {
		print_message("no taskstats here: %s\n", strerror(-fd));
		skip();
	}
	return fd;
}

static void expect_end(int fd, pid_t pid)
{
	struct taskstats_end end;
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(taskstats_end(fd, pid, &end));
	assert_true(end.virtual_peak_bytes >= PEAK);
	assert_true(end.virtual_peak_bytes < own_peak() + 2 * PEAK);
	assert_int_equal(end.wait_status, 7 << 8);
	assert_false(taskstats_end(fd, pid, &end));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_peak_of_a_zombie(void **state)
{
	(void)state;
	cleanup_fd int fd = open_here();
	expect_end(fd, large_child());
}

/* More exits of others than the queue holds: nothing of ours is lost. */
static void test_others_are_kept_out(void **state)
{
	int go[2];
	char byte;
	(void)state;
	cleanup_fd int fd = open_here();
	assert_int_equal(pipe(go), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		void *p = mmap(NULL, PEAK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		_exit(p == MAP_FAILED ? 1 : 7);
	}
	assert_int_equal(taskstats_only(fd, pid), 0);
	for (int i = 0; i < 600; i++) {
		pid_t other = fork();
		if (other == 0)
			_exit(0);
		assert_int_equal(waitpid(other, NULL, 0), other);
	}
	assert_int_equal(write(go[1], "x", 1), 1);
	expect_end(fd, pid);
	close(go[0]);
	close(go[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_spoilt),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_every_byte_of_the_heads_spoilt),
		cmocka_unit_test(test_peak_of_a_zombie),
		cmocka_unit_test(test_others_are_kept_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
