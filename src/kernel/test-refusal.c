/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "kernel/cgroup.h"
#include "kernel/refusal.h"

/* Limits really met, by children in a v2 group of the test's own. */

#define MIB (1ul << 20)
#define ALL (1u << REFUSAL_ADDRESS_SPACE | 1u << REFUSAL_FILE_SIZE)

static char group[96];

/* In whichever of the usual places the v2 hierarchy is. */
static int make_group(void **state)
{
	static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	(void)state;
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		char file[96];
		snprintf(file, sizeof(file), "%s/cgroup.procs", mounts[i]);
		if (access(file, W_OK) < 0)
			continue;
		snprintf(group, sizeof(group), "%s/test-refusal-%d", mounts[i], (int)getpid());
		if (mkdir(group, 0755) == 0)
			return 0;
	}
	group[0] = 0;
	return 0;
}

static int remove_group(void **state)
{
	(void)state;
	if (!group[0])
		return 0;
	/* a child that is reaped may not be gone from its group yet: its events tell when */
	int dir = cgroup_open(group);
	int events = dir < 0 ? -1 : cgroup_open_file(dir, "cgroup.events", O_RDONLY);
	char text[CGROUP_TEXT_SIZE];
	while (cgroup_reread(events, text, sizeof(text)) > 0 && strstr(text, "populated 1") &&
		cgroup_wait_change(events, 5000) > 0)
		;
	fd_close(events);
	fd_close(dir);
	return rmdir(group);
}

static void begin(struct refusal_trace *t)
{
	struct error e = ERROR_INIT;
	struct stat st;
	if (!group[0] || stat(group, &st) < 0)
		skip();
	if (refusal_open(t, st.st_ino, ALL, getpid(), &e) < 0) {
		assert_int_not_equal(geteuid(), 0);
		skip();
	}
}

static void enter(void)
{
	char file[128];
	snprintf(file, sizeof(file), "%s/cgroup.procs", group);
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(99);
	close(fd);
}

static void limit(int resource, rlim_t value)
{
	if (setrlimit(resource, &(struct rlimit){value, value}) < 0)
		_exit(98);
}

/* Run @act in a child in the group, or outside, or in a child of a child. */
static void child(void (*act)(void), bool inside, bool grandchild)
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (inside)
			enter();
		if (grandchild && (pid = fork()) != 0) {
			waitpid(pid, &status, 0);
			_exit(0);
		}
		act();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) < 98);
}

/* What is mapped already, up to the next megabyte: with a sanitizer that is a lot. */
static unsigned long used(void)
{
	char text[64] = "";
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (read(fd, text, sizeof(text) - 1) <= 0)
		_exit(97);
	close(fd);
	return (strtoul(text, NULL, 10) * (unsigned long)sysconf(_SC_PAGESIZE) + MIB) / MIB * MIB;
}

static bool maps(unsigned long size)
{
	return mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) !=
		MAP_FAILED;
}

static void map_too_much(void)
{
	limit(RLIMIT_AS, used() + 512 * MIB);
	if (maps(1024 * MIB) || maps(700 * MIB))
		_exit(97);
}

/* Up to the last megabytes, with no room left in which to align it. */
static void map_enough(void)
{
	limit(RLIMIT_AS, used() + 512 * MIB);
	if (!maps(4 * MIB) || !maps(506 * MIB))
		_exit(97);
}

static void map_without_limit(void)
{
	if (!maps(1024 * MIB))
		_exit(97);
}

/* As those do who want EFBIG and not be killed. */
static void write_too_much(void)
{
	signal(SIGXFSZ, SIG_IGN);
	limit(RLIMIT_FSIZE, 10);
	int fd = memfd_create("file", MFD_CLOEXEC);
	if (write(fd, "0123456789", 10) != 10 || write(fd, "x", 1) >= 0 || errno != EFBIG)
		_exit(97);
}

static void raise_it(void)
{
	raise(SIGXFSZ);
}

static uint64_t count(const struct refusal_trace *t, enum refusal_limit of, int leader)
{
	struct refusal_record r;
	assert_int_equal(refusal_read(t, of, leader, &r), 0);
	return r.count;
}

static void test_mappings(void **state)
{
	struct refusal_trace t;
	struct refusal_record r;
	(void)state;
#ifdef __SANITIZE_ADDRESS__
	print_message("skipped: the sanitizer's own mappings are beyond any limit\n");
	skip();
#endif
	begin(&t);
	uint64_t before = time_monotonic_us();
	child(map_enough, true, false);
	child(map_without_limit, true, false);
	child(map_too_much, false, false);
	assert_int_equal(count(&t, REFUSAL_ADDRESS_SPACE, 1), 0);
	child(map_too_much, true, false);
	assert_int_equal(refusal_read(&t, REFUSAL_ADDRESS_SPACE, 1, &r), 0);
	assert_int_equal(r.count, 2);
	assert_in_range(r.asked, 700 * MIB, 702 * MIB);
	uint64_t room = r.limit - r.used * (uint64_t)sysconf(_SC_PAGESIZE);
	assert_in_range(room, 508 * MIB, 514 * MIB);
	assert_in_range(r.time_ns / 1000, before, time_monotonic_us());
	assert_memory_equal(r.comm, "test-kernel-ref", 15);
	assert_int_equal(count(&t, REFUSAL_ADDRESS_SPACE, 0), 0);
	refusal_close(&t);
}

static void test_others_are_told_apart(void **state)
{
	struct refusal_trace t;
	(void)state;
	begin(&t);
	child(map_too_much, true, true);
	child(write_too_much, true, true);
	for (int i = 0; i < REFUSAL_LIMIT_COUNT_; i++)
		assert_int_equal(count(&t, i, 1), 0);
	assert_int_equal(count(&t, REFUSAL_ADDRESS_SPACE, 0), 2);
	assert_int_equal(count(&t, REFUSAL_FILE_SIZE, 0), 1);
	refusal_close(&t);
}

static void test_writes(void **state)
{
	struct refusal_trace t;
	struct refusal_record r;
	(void)state;
	begin(&t);
	child(write_too_much, false, false);
	child(raise_it, true, false);
	assert_int_equal(count(&t, REFUSAL_FILE_SIZE, 1), 0);
	child(write_too_much, true, false);
	assert_int_equal(refusal_read(&t, REFUSAL_FILE_SIZE, 1, &r), 0);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.asked, 0);
	assert_int_equal(count(&t, REFUSAL_ADDRESS_SPACE, 1), 0);
	refusal_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mappings),
		cmocka_unit_test(test_others_are_told_apart),
		cmocka_unit_test(test_writes),
	};
	return cmocka_run_group_tests(tests, make_group, remove_group);
}
