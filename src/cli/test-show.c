/* SPDX-License-Identifier: MIT */
#include <signal.h>

#include "base/fd.h"
#include "cli/test-capture.h"
#include "model/verdict.h"
#include "store/exec-log.h"

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

/* Execs of a run: of a shell that was refused one, of which the last line is cut off. */
static void add_execs(const struct test_state *t, const char *id)
{
	static const char *sh[] = {"sh", "-c", "git push"}, *git[] = {"git", "push", "\x1b[2J"};
	static const struct exec_event events[] = {
		{.pid = 9, .enforced = true, .argv = {.v = sh, .n = 3}},
		{.t_us = 5,
			.pid = 10,
			.parent = 9,
			.outcome = EXEC_REFUSED,
			.enforced = true,
			.rule = "deny: git push",
			.argv = {.v = git, .n = 3}},
	};
	cleanup_buf struct buf lines = BUF_INIT;
	struct error e = ERROR_INIT;
	cleanup_fd int dir = run_dir_make(&t->dir, id, &e);
	cleanup_fd int fd = exec_log_create(dir);
	exec_event_format(&events[0], &lines);
	buf_puts(&lines, "damaged\n");
	exec_event_format(&events[1], &lines);
	buf_puts(&lines, "{\"t_us\":");
	assert_int_equal(fd_write_all(fd, lines.data, lines.size), 0);
}

static void execs_are_shown_as_a_tree(void **state)
{
	struct captured c;
	const char *id = test_id(1, 1);
	add_judged_run(*state, id);
	add_execs(*state, id);
	setenv("LC_ALL", "C.UTF-8", 1);
	CAPTURE(&c, cli_show, "show", "--execs", id);
	assert_int_equal(c.status, 0);
	assert_non_null(strstr(c.out, ": 1 started, 1 refused\n"));
	assert_non_null(strstr(c.out, "  0 s         sh -c 'git push'\n"));
	assert_non_null(strstr(
		c.out, "  5 us        └─ git push '\\x1b[2J'  refused by 'deny: git push'\n"));
	assert_non_null(strstr(c.err, "1 line of the execs is damaged"));
	setenv("LC_ALL", "C", 1);
	CAPTURE(&c, cli_show, "show", "--execs", id);
	assert_non_null(strstr(c.out, "  5 us        `- git push"));
	unsetenv("LC_ALL");
	CAPTURE(&c, cli_show, "show", "--html", id);
	assert_int_equal(c.status, 0);
	assert_non_null(strstr(c.out, "<h2>Executed</h2>"));
}

static void execs_are_shown_as_json(void **state)
{
	struct captured c;
	const char *id = test_id(1, 1);
	add_judged_run(*state, id);
	add_execs(*state, id);
	CAPTURE(&c, cli_show, "show", "--execs", "--json", id);
	assert_int_equal(c.status, 0);
	assert_non_null(strstr(c.out, "\"argv\":[\"sh\",\"-c\",\"git push\"]}\n{\"t_us\":5,"));
	assert_null(strstr(c.out, "damaged"));
	assert_null(strchr(c.out, '\x1b'));
}

static void a_run_without_execs_has_none_to_show(void **state)
{
	struct captured c;
	const char *id = test_id(1, 1);
	add_judged_run(*state, id);
	CAPTURE(&c, cli_show, "show", "--execs", id);
	assert_int_equal(c.status, 125);
	assert_non_null(strstr(c.err, "has no execs on record"));
	CAPTURE(&c, cli_show, "show", "--execs", "--json", id);
	assert_int_equal(c.status, 125);
	assert_non_null(strstr(c.err, "has no execs on record"));
	assert_string_equal(c.out, "");
	CAPTURE(&c, cli_show, "show", "--html", id);
	assert_int_equal(c.status, 0);
	assert_null(strstr(c.out, "<h2>Executed</h2>"));
	CAPTURE(&c, cli_show, "show", "--html", "--execs", id);
	assert_int_equal(c.status, 125);
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
		state_test(execs_are_shown_as_a_tree),
		state_test(execs_are_shown_as_json),
		state_test(a_run_without_execs_has_none_to_show),
		state_test(a_run_that_is_on_is_shown),
		state_test(misuse_is_one_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
