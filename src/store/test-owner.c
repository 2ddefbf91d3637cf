/* SPDX-License-Identifier: MIT */
#include "store/owner.h"

#include <signal.h>

#include "base/fd.h"
#include "store/test-state.h"

static void a_held_run_is_alive(void **state)
{
	struct test_state *t = *state;
	cleanup_fd int held = owner_open(t->dir.fd, true), asking = owner_open(t->dir.fd, false);
	assert_true(held >= 0 && asking >= 0);
	assert_false(owner_alive(asking, "a"));
	assert_int_equal(owner_hold(held, "a"), 0);
	assert_int_equal(owner_hold(held, "b"), 0);
	assert_true(owner_alive(asking, "a"));
	assert_true(owner_alive(asking, "b"));
	assert_false(owner_alive(asking, "c"));
	owner_release(held, "a");
	assert_false(owner_alive(asking, "a"));
	assert_true(owner_alive(asking, "b"));
}

static void asking_does_not_let_go(void **state)
{
	struct test_state *t = *state;
	cleanup_fd int held = owner_open(t->dir.fd, true);
	assert_int_equal(owner_hold(held, "a"), 0);
	for (int i = 0; i < 3; i++) {
		cleanup_fd int asking = owner_open(t->dir.fd, false);
		assert_true(owner_alive(asking, "a"));
	}
}

static void without_a_file_it_cannot_be_told(void **state)
{
	(void)state;
	assert_true(owner_alive(-1, "a"));
}

static void a_killed_holder_is_gone(void **state)
{
	struct test_state *t = *state;
	int ready[2];
	char byte;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = owner_open(t->dir.fd, true);
		if (fd < 0 || owner_hold(fd, "a") < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	cleanup_fd int asking = owner_open(t->dir.fd, false);
	assert_true(owner_alive(asking, "a"));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(owner_alive(asking, "a"));
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(a_held_run_is_alive),
		state_test(asking_does_not_let_go),
		state_test(without_a_file_it_cannot_be_told),
		state_test(a_killed_holder_is_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
