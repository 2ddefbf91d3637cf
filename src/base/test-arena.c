/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_zeroed_and_aligned(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	unsigned char *last = NULL;
	for (size_t size = 0; size < 3000; size += 7) {
		unsigned char *p = arena_alloc(&a, size);
		assert_non_null(p);
		assert_ptr_not_equal(p, last);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
		last = p;
	}
}

static void test_size(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	assert_int_equal(arena_size(&a), 0);
	for (size_t used = 0; used < 1 << 20; used += 1000) {
		arena_alloc(&a, 1000);
		assert_in_range(arena_size(&a), used + 1000, used + (256 << 10));
	}
	arena_alloc(&a, 10 << 20);
	assert_in_range(arena_size(&a), 11 << 20, 12 << 20);
	arena_reset(&a);
	assert_in_range(arena_size(&a), 0, 256 << 10);
}

static void test_large_and_small_together(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	char *small = arena_strdup(&a, "stays");
	char *large = arena_alloc(&a, 10 << 20);
	memset(large, 'x', 10 << 20);
	char *after = arena_strdup(&a, "after");
	assert_string_equal(small, "stays");
	assert_string_equal(after, "after");
	arena_fini(&a);
	assert_null(a.head);
	arena_fini(&a); /* twice does no harm */
}

static void test_text(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	assert_null(arena_strdup(&a, NULL));
	assert_null(arena_strndup(&a, NULL, 3));
	assert_string_equal(arena_strdup(&a, ""), "");
	assert_string_equal(arena_strndup(&a, "abc", 2), "ab");
	assert_string_equal(arena_strndup(&a, "abc", SIZE_MAX), "abc");
	const char open_ended[2] = {'x', 'y'};
	assert_string_equal(arena_strndup(&a, open_ended, 2), "xy");
	assert_string_equal(arena_printf(&a, "%s", ""), "");
	assert_string_equal(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
	char *wide = arena_printf(&a, "%100000d", 1);
	assert_int_equal(strlen(wide), 100000);
}

static void test_strv(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct strv list = {0};
	for (size_t i = 0; i < 1000; i++) {
		strv_push(&a, &list, arena_printf(&a, "%zu", i));
		assert_null(list.v[list.n]);
	}
	assert_int_equal(list.n, 1000);
	assert_string_equal(list.v[0], "0");
	assert_string_equal(list.v[999], "999");
}

static void test_reset(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	arena_reset(&a);
	assert_null(a.head);
	char *first = arena_strdup(&a, "first");
	for (unsigned i = 0; i < 1000; i++)
		arena_alloc(&a, 1000);
	arena_alloc(&a, 1 << 20); /* of more than ordinary size */
	arena_reset(&a);
	assert_non_null(a.head);
	char *next = arena_alloc(&a, 1000);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(next[i], 0);
	void *kept = a.head;
	for (unsigned i = 0; i < 1000; i++) {
		arena_reset(&a);
		arena_alloc(&a, 1000);
		assert_ptr_equal(a.head, kept);
	}
	(void)first;
}

static void too_large(void)
{
	struct arena a = ARENA_INIT;
	arena_alloc(&a, SIZE_MAX);
}

static void larger_than_memory(void)
{
	struct arena a = ARENA_INIT;
	arena_alloc(&a, PTRDIFF_MAX);
}

static void product_overflows(void)
{
	struct arena a = ARENA_INIT;
	arena_calloc(&a, SIZE_MAX / 2, 3);
}

/* Ends with 125 and one line, in a child of ours. */
static void assert_dies(void (*function)(void))
{
	int pipes[2], status;
	char text[64] = "";
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pipes[1], STDERR_FILENO);
		function();
		_exit(0);
	}
	close(pipes[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 125);
	assert_true(read(pipes[0], text, sizeof text - 1) > 0);
	assert_string_equal(text, "bulkhead: out of memory\n");
	close(pipes[0]);
}

static void test_out_of_memory(void **state)
{
	(void)state;
	assert_dies(too_large);
	assert_dies(larger_than_memory);
	assert_dies(product_overflows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zeroed_and_aligned),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_large_and_small_together),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_strv),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
