/* SPDX-License-Identifier: MIT */
#include <pty.h>

#include "cli/test-capture.h"
#include "store/output-log.h"

static void fill_log(int dir)
{
	struct output_log *log;
	struct output_caps caps = OUTPUT_CAPS_DEFAULT;
	assert_int_equal(output_log_open(&log, dir, &caps, true, NULL), 0);
	assert_int_equal(output_log_write(log, 1, OUTPUT_STDOUT, "one\n", 4), 0);
	assert_int_equal(output_log_write(log, 2, OUTPUT_STDERR, "two\n", 4), 0);
	assert_int_equal(output_log_write(log, 3, OUTPUT_STDOUT, "\x1b[2J\xff\tx\n", 8), 0);
	output_log_close(log);
}

/* A run with a log in the state directory, or in @log_dir. */
static const char *add_logged_run(const struct test_state *t, const char *log_dir)
{
	const char *id = test_id(1, 1);
	struct run_begin b = test_begin(id);
	struct run_end end = test_end("ok");
	struct store *s = open_store(t, STORE_WRITE);
	b.log_dir = log_dir;
	put_run(s, &b, &end);
	store_close(s);
	int dir = log_dir ? open(log_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
			  : run_dir_make(&t->dir, id, NULL);
	fill_log(dir);
	close(dir);
	return id;
}

static void output_comes_out_where_it_went(void **state)
{
	struct captured c;
	const char *id = add_logged_run(*state, NULL);
	CAPTURE(&c, cli_logs, "logs", id);
	assert_int_equal(c.status, 0);
	assert_string_equal(c.out, "one\n\x1b[2J\xff\tx\n");
	assert_string_equal(c.err, "two\n");
	CAPTURE(&c, cli_logs, "logs", id, "--stream", "stderr");
	assert_string_equal(c.out, "");
	assert_string_equal(c.err, "two\n");
	CAPTURE(&c, cli_logs, "logs", "--json", "--stream=stdout", id);
	assert_string_equal(c.out,
		"{\"t_us\":1,\"stream\":\"stdout\",\"text\":\"one\\n\"}\n"
		"{\"t_us\":3,\"stream\":\"stdout\",\"base64\":\"G1sySv8JeAo=\"}\n");
	assert_string_equal(c.err, "");
}

static void a_log_elsewhere_is_found(void **state)
{
	struct test_state *t = *state;
	struct captured c;
	char dir[128];
	snprintf(dir, sizeof dir, "%s/elsewhere", t->path);
	assert_int_equal(mkdir(dir, 0700), 0);
	const char *id = add_logged_run(t, dir);
	CAPTURE(&c, cli_logs, "logs", id);
	assert_int_equal(c.status, 0);
	assert_string_equal(c.err, "two\n");
}

static void gaps_are_told(void **state)
{
	struct test_state *t = *state;
	struct captured c;
	const char *id = add_logged_run(t, NULL);
	int dir = run_dir_open(&t->dir, id);
	static const char text[] = "{\"dropped_bytes\":7}\nnonsense\n{\"t_us\"";
	write_file(dir, "output.jsonl", text, sizeof text - 1);
	close(dir);
	CAPTURE(&c, cli_logs, "logs", id);
	assert_string_equal(c.err,
		"bulkhead: 7 bytes of output were not kept here\n"
		"bulkhead: 9 bytes of the log are damaged here\n"
		"bulkhead: 7 bytes of a line that was cut off here were removed\n");
	CAPTURE(&c, cli_logs, "logs", id, "--json");
	assert_string_equal(c.out,
		"{\"dropped_bytes\":7}\n{\"damaged_bytes\":9}\n"
		"{\"repaired\":{\"removed_bytes\":7}}\n");
}

/* What `logs` with @option writes to a terminal. */
static void read_terminal(const char *id, const char *option, char *text, size_t size)
{
	int master, slave;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	int saved = dup(STDOUT_FILENO);
	assert_int_equal(dup2(slave, STDOUT_FILENO), STDOUT_FILENO);
	char *argv[] = {
		(char[]){"logs"}, (char[]){"--stream=stdout"}, strdup(id), strdup(option), NULL};
	int status = cli_logs(4, argv);
	restore(STDOUT_FILENO, saved);
	ssize_t n = read(master, text, size - 1);
	assert_true(n > 0 && status == 0);
	text[n] = '\0';
	free(argv[2]);
	free(argv[3]);
	close(master);
	close(slave);
}

static void a_terminal_is_not_made_to_obey(void **state)
{
	char text[256];
	const char *id = add_logged_run(*state, NULL);
	read_terminal(id, "--", text, sizeof text);
	assert_string_equal(text, "one\r\n\\x1b[2J\\xff\tx\r\n");
	read_terminal(id, "--raw", text, sizeof text);
	assert_string_equal(text, "one\r\n\x1b[2J\xff\tx\r\n");
}

static void misuse_is_one_line(void **state)
{
	struct test_state *t = *state;
	struct captured c;
	struct store *s = open_store(t, STORE_WRITE);
	add_run(s, test_id(5, 5), NULL, "ok");
	store_close(s);
	CAPTURE(&c, cli_logs, "logs", test_id(5, 5));
	assert_int_equal(c.status, 125);
	assert_non_null(strstr(c.err, "has no log; output is kept when"));
	CAPTURE(&c, cli_logs, "logs", "--stream", "stdin", "0");
	assert_non_null(strstr(c.err, "'--stream stdin': stdout or stderr"));
	CAPTURE(&c, cli_logs, "logs", "--raw", "--json", "0");
	assert_non_null(strstr(c.err, "'--raw' contradicts '--json'"));
	CAPTURE(&c, cli_logs, "logs", "zz");
	assert_non_null(strstr(c.err, "no run 'zz'"));
	assert_int_equal(c.status, 125);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(output_comes_out_where_it_went),
		state_test(a_log_elsewhere_is_found),
		state_test(gaps_are_told),
		state_test(a_terminal_is_not_made_to_obey),
		state_test(misuse_is_one_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
