/* SPDX-License-Identifier: MIT */
#include <signal.h>

#include "cli/test-capture.h"
#include "model/verdict.h"

/* A run with a real verdict. */
static void add_judged_run(const struct test_state *t, const char *id)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct observation o = {.id = id,
		.policy = "default",
		.argv = test_argv,
		.argc = 3,
		.attempt = 1,
		.wait = WAIT_EXITED,
		.exit_code = 42,
		.started_us = 1700000000000000,
		.ended_us = 1700000001000000,
		.kernel = "6.1",
		.version = "0"};
	struct verdict v;
	struct run_begin b = test_begin(id);
	struct run_end end = test_end("exit_nonzero");
	struct store *s = open_store(t, STORE_WRITE);
	verdict_decide(&v, &o, &a);
	end.verdict = verdict_format_json(&v, &o, &a);
	end.observation = observation_format_json(&o, &a);
	put_run(s, &b, &end);
	store_close(s);
}

static void a_verdict_is_shown(void **state)
{
	struct captured c;
	char prefix[8];
	const char *id = test_id(1, 1);
	add_judged_run(*state, id);
	snprintf(prefix, sizeof prefix, "%.6s", id);
	CAPTURE(&c, cli_show, "show", prefix);
	assert_int_equal(c.status, 0);
	assert_non_null(strstr(c.out, "exit_nonzero"));
	assert_non_null(strstr(c.out, "42"));
	CAPTURE(&c, cli_show, "show", "--json", id);
	assert_int_equal(c.status, 0);
	assert_non_null(strstr(c.out, "\"cause\":\"exit_nonzero\""));
	assert_ptr_equal(strchr(c.out, '\n'), c.out + strlen(c.out) - 1);
}

static void a_run_that_is_on_is_shown(void **state)
{
	struct captured c;
	const char *id = test_id(1, 1);
	struct run_begin b = test_begin(id);
	struct test_state *t = *state;
	struct spool spool = SPOOL_INIT(&t->dir);
	assert_int_equal(spool_begin(&spool, &b, NULL), 0);
	CAPTURE(&c, cli_show, "show", id);
	assert_int_equal(c.status, 0);
	assert_non_null(strstr(c.out, "is on since"));
	assert_non_null(strstr(c.out, "sh -c 'exit 0'"));
	CAPTURE(&c, cli_show, "show", id, "--json");
	assert_non_null(strstr(c.out, "\"state\":\"running\""));
	spool_close(&spool); /* without an end: as good as killed */
	CAPTURE(&c, cli_show, "show", id);
	assert_int_equal(c.status, 0);
	assert_non_null(strstr(c.out, "supervisor_lost"));
	assert_non_null(strstr(c.out, "exit 0"));
	CAPTURE(&c, cli_show, "show", id, "--json");
	assert_non_null(strstr(c.out, "\"cause\":\"supervisor_lost\""));
}

static void misuse_is_one_line(void **state)
{
	struct test_state *t = *state;
	struct captured c;
	CAPTURE(&c, cli_show, "show");
	assert_non_null(strstr(c.err, "which run? usage: bulkhead show [options] ID"));
	CAPTURE(&c, cli_show, "show", "a", "b");
	assert_non_null(strstr(c.err, "'b' is one word too many"));
	CAPTURE(&c, cli_show, "show", "../../etc/passwd");
	assert_non_null(strstr(c.err, "no run '../../etc/passwd'"));
	assert_int_equal(c.status, 125);
	add_judged_run(t, test_id(1, 1));
	add_judged_run(t, test_id(1, 2));
	CAPTURE(&c, cli_show, "show", "0");
	assert_non_null(strstr(c.err, "more than one run begins with '0'"));
	assert_int_equal(c.status, 125);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(a_verdict_is_shown),
		state_test(a_run_that_is_on_is_shown),
		state_test(misuse_is_one_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
