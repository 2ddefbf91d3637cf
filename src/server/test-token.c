/* SPDX-License-Identifier: MIT */
#include "server/token.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define TOKEN "0123456789abcdef"

static void test_right(void **state)
{
	(void)state;
	assert_true(token_is_right(TOKEN, "Bearer " TOKEN));
	assert_true(token_is_right(TOKEN, "bearer " TOKEN));
	assert_false(token_is_right(TOKEN, NULL));
	assert_false(token_is_right(TOKEN, ""));
	assert_false(token_is_right(TOKEN, TOKEN));
	assert_false(token_is_right(TOKEN, "Bearer "));
	assert_false(token_is_right(TOKEN, "Bearer 0123456789abcde"));
	assert_false(token_is_right(TOKEN, "Bearer 0123456789abcdeF"));
	assert_false(token_is_right(TOKEN, "Bearer " TOKEN "0"));
	assert_false(token_is_right(TOKEN, "Bearer " TOKEN TOKEN));
	assert_false(token_is_right(TOKEN, "Basic " TOKEN));
	assert_false(token_is_right(NULL, "Bearer "));
	assert_false(token_is_right("", "Bearer "));
}

static const char *read_file(
	struct arena *a, const char *text, size_t size, mode_t mode, struct error *e)
{
	char path[] = "/tmp/test-token-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	const char *token = token_read(path, a, e);
	unlink(path);
	return token;
}

static void refused(const char *text, size_t size, mode_t mode, const char *why)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	assert_null(read_file(&a, text, size, mode, &e));
	if (!strstr(e.text, why))
		fail_msg("'%s' is not in: %s", why, e.text);
}

static void test_file(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	char many[TOKEN_MAX + 2];
	(void)state;
	assert_string_equal(read_file(&a, TOKEN, 16, 0600, &e), TOKEN);
	assert_string_equal(read_file(&a, TOKEN "\n", 17, 0400, &e), TOKEN);
	refused(TOKEN, 16, 0640, "others can read");
	refused(TOKEN, 15, 0600, "15 characters");
	refused("", 0, 0600, "0 characters");
	refused(TOKEN " x", 18, 0600, "spaces");
	refused(TOKEN "\n\n", 18, 0600, "control");
	refused("0123456789abcdef\0g", 18, 0600, "control");
	memset(many, 'x', sizeof many);
	assert_non_null(read_file(&a, many, TOKEN_MAX, 0600, &e));
	refused(many, TOKEN_MAX + 1, 0600, "it must be");
	assert_null(token_read("/nonexistent", &a, &e));
	assert_null(token_read("/dev/null", &a, &e));
	assert_null(token_read("/", &a, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
