/* SPDX-License-Identifier: MIT */
#include "kernel/task.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "kernel/test-child.h"

static void test_read_in_pieces(void **state)
{
	(void)state;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char out[64];
	assert_ptr_not_equal(p, MAP_FAILED);
	memset(p, 'a', page);
	p[1] = 'b';
	assert_int_equal(munmap(p + page, page), 0);
	uint64_t at = (uintptr_t)p;
	const struct task_piece pieces[] = {{at, 2}, {at + 1, 2}, {at + page, 8}, {at, 2}};
	assert_int_equal(task_read_pieces(getpid(), pieces, 2, out, 4), 4);
	assert_memory_equal(out, "abba", 4);
	assert_int_equal(task_read_pieces(getpid(), pieces, 4, out, 14), 4);
	assert_int_equal(task_read_pieces(getpid(), pieces + 2, 1, out, 8), -EFAULT);
	assert_int_equal(task_read_pieces(getpid(), pieces, TASK_READ_PIECES + 1, out, 8), -EINVAL);
	assert_int_equal(task_read(getpid(), at + page - 3, out, 16), 3);
	assert_int_equal(task_read(getpid(), UINT64_MAX, out, 16), -EFAULT);
	munmap(p, page);
}

static void test_ids(void **state)
{
	(void)state;
	cleanup_fd int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct task_ids by_either;
	assert_int_equal(task_ids(proc, getpid(), &by_either), 0);
	assert_int_equal(by_either.pid, getpid());
	assert_int_equal(by_either.parent, getppid());
	assert_int_equal(task_ids(proc, 0, &by_either), -ESRCH);
	assert_int_not_equal(task_ids(proc, 0x7fffffff, &by_either), 0);
}

/* Of a child in a pid namespace of its own, by a descriptor of that and by reading. */
static void find_inside(void)
{
	int proc = open("/proc", O_PATH | O_DIRECTORY);
	int pipe_fds[2];
	char byte, name[64];
	if (unshare(geteuid() == 0 ? CLONE_NEWPID : CLONE_NEWPID | CLONE_NEWUSER) != 0)
		_exit(NOT_HERE);
	REQUIRE(pipe(pipe_fds) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(pipe_fds[1]);
		(void)!read(pipe_fds[0], &byte, 1);
		_exit(0);
	}
	REQUIRE(pid > 1);
	snprintf(name, sizeof(name), "/proc/%d/ns/pid", pid);
	int ns = open(name, O_RDONLY);
	REQUIRE(ns >= 0);
	REQUIRE(task_inside_pid(proc, ns, pid) == 1);
	REQUIRE(task_inside_pid(proc, -1, pid) == 1);
	REQUIRE(task_inside_pid(proc, -1, getpid()) >= 1);
	close(pipe_fds[1]);
	REQUIRE(waitpid(pid, NULL, 0) == pid);
	REQUIRE(task_inside_pid(proc, -1, pid) == 0);
}

static void test_inside_pid(void **state)
{
	(void)state;
	in_child(find_inside);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_in_pieces),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_inside_pid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
