/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "run/sampler.h"

#define MIB (1u << 20)

/* ---- real processes ---- */

struct family {
	pid_t init, payload;
	int ready; /* a byte for each member that has its memory */
	int hold; /* all end when it is closed */
};

static void hold_memory(size_t size, int ready, int hold)
{
	char byte = 0;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		_exit(1);
	memset(memory, 1, size);
	if (write(ready, &byte, 1) != 1)
		_exit(1);
	(void)!read(hold, &byte, 1);
	_exit(0);
}

/* A child with 16 MiB, and a daemon that has left it for init, with 8. */
static void be_payload(int ready, int hold)
{
	if (fork() == 0)
		hold_memory(16 * MIB, ready, hold);
	pid_t between = fork();
	if (between == 0) {
		if (fork() == 0) {
			setsid();
			hold_memory(8 * MIB, ready, hold);
		}
		_exit(0);
	}
	waitpid(between, NULL, 0);
	hold_memory(4 * MIB, ready, hold);
}

/* As in a box, the payload is no child of init's; but what it orphans is. */
static void start(struct family *f)
{
	int ready[2], hold[2], told[2];
	pid_t pid;
	assert_int_equal(pipe(ready) | pipe(hold) | pipe(told), 0);
	f->init = fork();
	if (f->init == 0) {
		close(hold[1]);
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		pid = fork();
		if (pid == 0)
			be_payload(ready[1], hold[0]);
		if (write(told[1], &pid, sizeof(pid)) != sizeof(pid))
			_exit(1);
		while (wait(NULL) > 0)
			;
		_exit(0);
	}
	close(ready[1]);
	close(hold[0]);
	assert_int_equal(read(told[0], &f->payload, sizeof(f->payload)), sizeof(f->payload));
	close(told[0]);
	close(told[1]);
	f->ready = ready[0];
	f->hold = hold[1];
	for (int i = 0; i < 3; i++) {
		char byte;
		assert_int_equal(read(f->ready, &byte, 1), 1);
	}
}

static void end(struct family *f)
{
	int status;
	close(f->hold);
	close(f->ready);
	assert_int_equal(waitpid(f->init, &status, 0), f->init);
	assert_int_equal(status, 0);
}

static void test_a_family_is_counted_and_nobody_else(void **state)
{
	struct family f, stranger;
	struct sampler s;
	uint64_t bytes = 0, with_less;
	(void)state;
	start(&f);
	start(&stranger);
	sampler_init(&s, f.init, f.payload);
	assert_int_equal(sampler_look(&s, &bytes), 0);
	assert_in_range(bytes, 28 * MIB, 45 * MIB);
	assert_int_equal(s.pids_peak, 3);
	assert_int_equal(s.peak_bytes, bytes);
	end(&stranger);

	/* a peak stays when what made it is gone */
	end(&f);
	assert_int_equal(sampler_look(&s, &with_less), 0);
	assert_int_equal(with_less, 0);
	assert_int_equal(s.peak_bytes, bytes);
	assert_int_equal(s.pids_peak, 3);
}

static void burn(clockid_t clock, long ms)
{
	struct timespec now;
	do
		clock_gettime(clock, &now);
	while (now.tv_sec * 1000 + now.tv_nsec / 1000000 < ms);
}

/* CPU time of those who have ended is their parent's, once it has waited for them. */
static void test_cpu_time_of_the_dead_counts(void **state)
{
	int ready[2], hold[2];
	struct sampler s;
	uint64_t bytes;
	char byte = 0;
	(void)state;
	assert_int_equal(pipe(ready) | pipe(hold), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(hold[1]);
		pid_t child = fork();
		if (child == 0) {
			burn(CLOCK_PROCESS_CPUTIME_ID, 150);
			_exit(0);
		}
		waitpid(child, NULL, 0);
		if (write(ready[1], &byte, 1) == 1)
			(void)!read(hold[0], &byte, 1);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	sampler_init(&s, 0, pid);
	assert_int_equal(sampler_look(&s, &bytes), 0);
	assert_in_range(s.cpu_us, 120000, 400000);
	close(hold[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(hold[0]);
	close(ready[0]);
	close(ready[1]);
}

/* An undumpable process hides its namespaces and descriptors, but not whose child it is. */
static void test_nobody_hides(void **state)
{
	int ready[2], hold[2];
	struct sampler s;
	uint64_t bytes;
	char byte;
	(void)state;
	assert_int_equal(pipe(ready) | pipe(hold), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(hold[1]);
		prctl(PR_SET_DUMPABLE, 0);
		prctl(PR_SET_NAME, ") S 1 (");
		hold_memory(32 * MIB, ready[1], hold[0]);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	sampler_init(&s, 0, pid);
	assert_int_equal(sampler_look(&s, &bytes), 0);
	assert_in_range(bytes, 32 * MIB, 40 * MIB);
	close(hold[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(hold[0]);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_family_is_counted_and_nobody_else),
		cmocka_unit_test(test_cpu_time_of_the_dead_counts),
		cmocka_unit_test(test_nobody_hides),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
