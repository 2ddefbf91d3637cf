/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_TEST_CHILD_H
#define KERNEL_TEST_CHILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * For tests of what cannot be undone (credentials, filters, namespaces): each is done by a child,
 * where REQUIRE() stands for assert_true() and _exit(NOT_HERE) for skip().
 */
#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			dprintf(STDERR_FILENO, "%s:%d: %s\n", __FILE__, __LINE__, #condition);     \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

enum { NOT_HERE = 77 };

static inline void in_child(void (*body)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NOT_HERE)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

#endif
