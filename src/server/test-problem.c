/* SPDX-License-Identifier: MIT */
#include "server/problem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_meanings(void **state)
{
	static const struct {
		enum blame blame;
		int errnum;
		unsigned status;
	} cases[] = {
		{BLAME_REQUEST, EINVAL, 400},
		{BLAME_REQUEST, 0, 400},
		{BLAME_POLICY, 0, 400},
		{BLAME_REQUEST, ENOENT, 404},
		{BLAME_REQUEST, EBUSY, 409},
		{BLAME_REQUEST, EPIPE, 409},
		{BLAME_REQUEST, ESHUTDOWN, 410},
		{BLAME_REQUEST, E2BIG, 413},
		{BLAME_REQUEST, EDQUOT, 422},
		{BLAME_REQUEST, EAGAIN, 429},
		{BLAME_US, 0, 500},
		{BLAME_HOST, ENOENT, 503},
		{BLAME_HOST, EMFILE, 503},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct error e = {.blame = cases[i].blame, .errnum = cases[i].errnum};
		enum problem problem = problem_of(&e);
		assert_int_equal(problem_status(problem), cases[i].status);
		assert_int_equal(problem_is_passing(problem),
			cases[i].status == 429 || cases[i].status == 503);
	}
}

static void test_text(void **state)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct error e = {.blame = BLAME_REQUEST, .text = "no \"run\" '\x1b[2J\xff'"};
	(void)state;
	problem_format(&out, PROBLEM_NOT_FOUND, &e, -1);
	assert_string_equal(buf_str(&out),
		"{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
		"\"error\":\"not_found\",\"blame\":\"request\","
		"\"detail\":\"no \\\"run\\\" '\\\\x1b[2J\\\\xff'\"}\n");
	buf_clear(&out);
	problem_format(&out, PROBLEM_BUSY, &e, 12);
	assert_non_null(strstr(buf_str(&out), "\"taken_bytes\":12}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meanings),
		cmocka_unit_test(test_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
