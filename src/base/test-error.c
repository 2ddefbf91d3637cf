/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/buf.h"

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(blame_name(BLAME_NONE), "none");
	assert_string_equal(blame_name(BLAME_REQUEST), "request");
	assert_string_equal(blame_name(BLAME_POLICY), "policy");
	assert_string_equal(blame_name(BLAME_HOST), "host");
	assert_string_equal(blame_name(BLAME_US), "bulkhead");
	assert_string_equal(blame_name((enum blame)99), "bulkhead");
	assert_string_equal(blame_name((enum blame) - 1), "bulkhead");
}

static void test_rises(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	errno = EBUSY;
	assert_int_equal(error_set(&e, BLAME_HOST, ENOENT, "cannot open '%s'", "/x"), -1);
	assert_int_equal(errno, EBUSY);
	assert_string_equal(e.text, "cannot open '/x': no such file or directory");
	assert_int_equal(error_wrap(&e, "policy '%s'", "p"), -1);
	assert_int_equal(error_hint(&e, "try %d", 7), -1);
	assert_int_equal(errno, EBUSY);
	assert_string_equal(
		e.text, "policy 'p': cannot open '/x': no such file or directory; try 7");
	assert_int_equal(e.blame, BLAME_HOST);
	assert_int_equal(e.errnum, ENOENT);
}

static void test_no_error_wanted(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, BLAME_US, 0, "x"), -1);
	assert_int_equal(error_wrap(NULL, "x"), -1);
	assert_int_equal(error_hint(NULL, "x"), -1);
}

static void test_parts_may_lie_in_the_error(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	error_set(&e, BLAME_US, 0, "inner");
	error_set(&e, BLAME_POLICY, 0, "outer (%s)", e.text);
	assert_string_equal(e.text, "outer (inner)");
	error_wrap(&e, "<%s>", e.text);
	assert_string_equal(e.text, "<outer (inner)>: outer (inner)");
}

static void test_percent_is_only_text(void **state)
{
	(void)state;
	struct error e = ERROR_INIT;
	error_set(&e, BLAME_REQUEST, 0, "'%s'", "%s%n");
	error_wrap(&e, "a");
	error_hint(&e, "b");
	assert_string_equal(e.text, "a: '%s%n'; b");
}

static void test_cut_at_the_end(void **state)
{
	(void)state;
	char text[3 * ERROR_TEXT_SIZE];
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	struct error e = ERROR_INIT;
	error_set(&e, BLAME_HOST, ENOENT, "%s", text);
	assert_int_equal(strlen(e.text), ERROR_TEXT_SIZE - 1);
	error_hint(&e, "never seen");
	assert_int_equal(strlen(e.text), ERROR_TEXT_SIZE - 1);
	assert_null(strstr(e.text, "never"));
	error_wrap(&e, "front");
	assert_memory_equal(e.text, "front: xxx", 10);
	assert_int_equal(strlen(e.text), ERROR_TEXT_SIZE - 1);
}

static void test_no_half_characters(void **state)
{
	(void)state;
	static const char *const characters[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x9a\xa2"};
	for (size_t c = 0; c < 3; c++) {
		for (size_t shift = 0; shift < 4; shift++) {
			char text[2 * ERROR_TEXT_SIZE] = "";
			memset(text, 'x', shift);
			while (strlen(text) < ERROR_TEXT_SIZE + 8)
				strcat(text, characters[c]);
			struct error e = ERROR_INIT;
			error_set(&e, BLAME_HOST, 0, "%s", text);
			assert_true(utf8_valid(e.text, strlen(e.text)));
			assert_in_range(strlen(e.text), ERROR_TEXT_SIZE - 4, ERROR_TEXT_SIZE - 1);
		}
	}
}

static void test_errno_text(void **state)
{
	(void)state;
	assert_string_equal(errno_text(EACCES), "permission denied");
	assert_string_equal(errno_text(ENOMEM), "cannot allocate memory");
	assert_string_equal(errno_text(EADV), "advertise error");
	assert_string_equal(errno_text(4711), "errno 4711");
	assert_string_equal(errno_text(-1), "errno -1");
	const char *a = errno_text(EPERM), *b = errno_text(EIO);
	assert_string_equal(a, "operation not permitted");
	assert_string_equal(b, "input/output error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_rises),
		cmocka_unit_test(test_no_error_wanted),
		cmocka_unit_test(test_parts_may_lie_in_the_error),
		cmocka_unit_test(test_percent_is_only_text),
		cmocka_unit_test(test_cut_at_the_end),
		cmocka_unit_test(test_no_half_characters),
		cmocka_unit_test(test_errno_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
