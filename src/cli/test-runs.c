/* SPDX-License-Identifier: MIT */
#include "cli/test-capture.h"

static void without_records_the_table_is_empty(void **state)
{
	(void)state;
	struct captured c;
	CAPTURE(&c, cli_runs, "runs");
	assert_int_equal(c.status, 0);
	assert_int_equal(strncmp(c.out, "ID  ", 4), 0);
	assert_ptr_equal(strchr(c.out, '\n'), c.out + strlen(c.out) - 1);
	CAPTURE(&c, cli_runs, "runs", "--json");
	assert_string_equal(c.out, "");
	assert_int_equal(c.status, 0);
}

static void add_known_run(const struct test_state *t, const char *id, const char *const *argv)
{
	struct store *s = open_store(t, STORE_WRITE);
	struct run_begin b = test_begin(id);
	struct run_end end = test_end("exit_nonzero");
	b.key = "k\xff";
	b.argv = argv;
	b.started_us = 1700000000000000;
	end.ended_us = b.started_us + 1500000;
	end.exit_status = 42;
	put_run(s, &b, &end);
	store_close(s);
}

static void a_run_is_a_line(void **state)
{
	struct captured c;
	char expected[512];
	const char *id = test_id(1, 1);
	add_known_run(*state, id, (const char *const[]){"sh", "\x1b[2J\n", "c", NULL});
	CAPTURE(&c, cli_runs, "runs");
	snprintf(expected, sizeof expected,
		"%s  2023-11-14 22:13:20      42  exit_nonzero           1.5 s  sh '\\x1b[2J\\x0a' "
		"c\n",
		id);
	assert_string_equal(strchr(c.out, '\n') + 1, expected);
	CAPTURE(&c, cli_runs, "runs", "--json");
	snprintf(expected, sizeof expected,
		"{\"id\":\"%s\",\"state\":\"ended\",\"key\":{\"base64\":\"a/"
		"8=\"},\"policy\":\"default\","
		"\"argv\":[\"sh\",\"\\u001b[2J\\n\",\"c\"],\"argv_complete\":true,"
		"\"cause\":\"exit_nonzero\",\"exit_status\":42,"
		"\"started\":\"2023-11-14T22:13:20.000000Z\",\"ended\":\"2023-11-14T22:13:21."
		"500000Z\"}\n",
		id);
	assert_string_equal(c.out, expected);
}

static unsigned count_lines(const char *s)
{
	unsigned n = 0;
	for (; *s; s++)
		n += *s == '\n';
	return n;
}

static void filters_choose(void **state)
{
	struct captured c;
	struct store *s = open_store(*state, STORE_WRITE);
	for (uint64_t i = 0; i < 60; i++)
		add_run(s, test_id(i, 1), i % 2 ? "odd" : NULL, i % 3 ? "ok" : "crash");
	store_close(s);
	CAPTURE(&c, cli_runs, "runs");
	assert_int_equal(count_lines(c.out), 51);
	CAPTURE(&c, cli_runs, "runs", "--limit", "0");
	assert_int_equal(count_lines(c.out), 61);
	CAPTURE(&c, cli_runs, "runs", "--json", "--cause=crash", "--key", "odd");
	assert_int_equal(count_lines(c.out), 10);
	CAPTURE(&c, cli_runs, "runs", "--limit=2", "--cause", "crash");
	assert_int_equal(count_lines(c.out), 3);
}

static void misuse_is_one_line(void **state)
{
	(void)state;
	static const struct {
		const char *words[4], *says;
	} cases[] = {
		{{"runs", "--limit", "many"}, "'--limit many': not a number"},
		{{"runs", "--limit", "-1"}, "'--limit -1': not a number"},
		{{"runs", "--cause", "oom"}, "'oom' is no cause"},
		{{"runs", "--cause", "memory_limits"}, "did you mean 'memory_limit'?"},
		{{"runs", "x"}, "'x' is one word too many; usage: bulkhead runs [options] (blame"},
		{{"runs", "--raw"}, "unknown option '--raw'"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct captured c;
		capture(&c, cli_runs, cases[i].words);
		assert_int_equal(c.status, 125);
		assert_string_equal(c.out, "");
		assert_int_equal(count_lines(c.err), 1);
		if (!strstr(c.err, cases[i].says))
			fail_msg("'%s' does not say '%s'", c.err, cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(without_records_the_table_is_empty),
		state_test(a_run_is_a_line),
		state_test(filters_choose),
		state_test(misuse_is_one_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
