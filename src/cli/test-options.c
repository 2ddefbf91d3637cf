/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/options.h"

#define MAX_ARGS 64

/* The words of @line, parted at spaces; '' is an empty one. argv[0] is "run". */
static int split(struct arena *a, const char *line, char **argv)
{
	char *text = arena_strdup(a, line), *save = NULL;
	int argc = 0;

	argv[argc++] = arena_strdup(a, "run");
	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		assert_true(argc < MAX_ARGS - 1);
		argv[argc++] = strcmp(w, "''") == 0 ? arena_strdup(a, "") : w;
	}
	argv[argc] = NULL;
	return argc;
}

static int parse(struct request *r, struct arena *a, const char *line, struct error *e)
{
	char *argv[MAX_ARGS];
	int argc = split(a, line, argv);

	return options_parse_run(r, a, argc, argv, e);
}

static void parse_ok(struct request *r, struct arena *a, const char *line)
{
	struct error e = ERROR_INIT;

	if (parse(r, a, line, &e) != 0)
		fail_msg("%s: %s", line, e.text);
}

/* A value that each kind of option takes. */
static const char *sample_of(const struct option_spec *o)
{
	static const char *const by_unit[] = {
		[UNIT_BYTES] = "64M",
		[UNIT_US] = "30s",
		[UNIT_COUNT] = "64",
		[UNIT_MILLI_CPUS] = "1.5",
	};
	static const char *const by_kind[OPTION_KIND_COUNT_] = {
		[OPTION_GRACE] = "3s",
		[OPTION_POLICY] = "strict",
		[OPTION_DIR] = "/srv",
		[OPTION_FILE] = "/srv/learned.yaml",
		[OPTION_KEY] = "nightly build",
		[OPTION_BOX] = "01j",
		[OPTION_VERDICT] = "fd:3",
		[OPTION_BIND] = "/srv:/mnt",
		[OPTION_HIDE] = "~/.ssh",
		[OPTION_TMPFS] = "/var/tmp",
		[OPTION_ENV] = "A=b=c",
		[OPTION_UNSET] = "AWS_*",
	};

	if (o->choices)
		return o->choices[1];
	return o->kind == OPTION_LIMIT ? by_unit[limit_unit((enum limit)o->field)]
				       : by_kind[o->kind];
}

/* Parse one option in one form, followed by a command. */
static int parse_form(struct request *r, struct arena *a, const struct option_spec *o, bool joined,
	struct error *e)
{
	char *argv[5] = {arena_strdup(a, "run")};
	int argc = 1;

	if (!option_takes_value(o)) {
		argv[argc++] = arena_printf(a, "--%s", o->name);
	} else if (joined) {
		argv[argc++] = arena_printf(a, "--%s=%s", o->name, sample_of(o));
	} else {
		argv[argc++] = arena_printf(a, "--%s", o->name);
		argv[argc++] = arena_strdup(a, sample_of(o));
	}
	argv[argc++] = arena_strdup(a, "true");
	return options_parse_run(r, a, argc, argv, e);
}

/* Every option of the table, with its value behind a '=' and as a word of its own, says the same. */
static void test_both_forms(void **state)
{
	(void)state;
	for_each_option (o, COMMAND_RUN) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct request apart, joined;
		struct error e = ERROR_INIT;

		memset(&apart, 0, sizeof(apart));
		memset(&joined, 0, sizeof(joined));
		if (o->kind == OPTION_HELP)
			continue;
		if (parse_form(&apart, &a, o, false, &e) < 0 ||
			parse_form(&joined, &a, o, true, &e) < 0)
			fail_msg("--%s: %s", o->name, e.text);
		assert_int_equal(apart.argv.n, 1);
		assert_int_equal(joined.argv.n, 1);
		assert_memory_equal(apart.limits, joined.limits, sizeof(apart.limits));
		assert_int_equal(apart.env.n_set, joined.env.n_set);
		assert_int_equal(apart.read.n + apart.write.n, joined.read.n + joined.write.n);
	}
}

/* The table and the model must agree on what the option of a limit is called. */
static void test_limit_names(void **state)
{
	unsigned found = 0;

	(void)state;
	for_each_option (o, COMMAND_RUN)
		if (o->kind == OPTION_LIMIT) {
			assert_string_equal(o->name, limit_option((enum limit)o->field) + 2);
			found |= 1u << o->field;
		}
	assert_int_equal(found, (1u << LIMIT_COUNT_) - 1);
}

static void test_table_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < option_table_size; i++) {
		const struct option_spec *o = &option_table[i];

		assert_non_null(o->help);
		assert_true(o->commands != 0);
		assert_true(strlen(o->name) + (o->metavar ? strlen(o->metavar) : 0) < 60);
		for (size_t j = 0; j < i; j++)
			if (o->commands & option_table[j].commands) {
				assert_string_not_equal(o->name, option_table[j].name);
				assert_true(!o->letter || o->letter != option_table[j].letter);
			}
	}
}

static void test_values(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct request r;

	(void)state;
	parse_ok(&r, &a,
		"--memory 64M --swap 0 --cpus 1.5 --pids unlimited --timeout 90 --grace 0 --oom "
		"process "
		"--user 1000:100 --net host -t --key k --best-effort --verbose --no-record "
		"--log d --verdict v.json --root / --workdir w --policy p -- cmd");
	assert_int_equal(r.limits[LIMIT_MEMORY].value, 64 << 20);
	assert_true(r.limits[LIMIT_MEMORY].set);
	assert_int_equal(r.limits[LIMIT_MEMORY].origin, ORIGIN_ASKED);
	assert_true(r.limits[LIMIT_SWAP].set);
	assert_int_equal(r.limits[LIMIT_SWAP].value, 0);
	assert_int_equal(r.limits[LIMIT_CPUS].value, 1500);
	assert_true(r.limit_given[LIMIT_PIDS]);
	assert_false(r.limits[LIMIT_PIDS].set);
	assert_false(r.limit_given[LIMIT_NOFILE]);
	assert_int_equal(r.limits[LIMIT_TIMEOUT].value, 90000000);
	assert_true(r.grace_given);
	assert_int_equal(r.grace_us, 0);
	assert_true(r.oom_given);
	assert_int_equal(r.oom, OOM_PROCESS);
	assert_true(r.user_given);
	assert_int_equal(r.user.mode, USER_ID);
	assert_int_equal(r.user.uid, 1000);
	assert_int_equal(r.user.gid, 100);
	assert_true(r.network_given);
	assert_int_equal(r.network, NETWORK_HOST);
	assert_true(r.tty && r.best_effort && r.verbose && r.no_record && !r.quiet);
	assert_string_equal(r.key, "k");
	assert_string_equal(r.log_dir, "d");
	assert_string_equal(r.verdict, "v.json");
	assert_string_equal(r.root, "/");
	assert_string_equal(r.workdir, "w");
	assert_string_equal(r.policy, "p");
}

static void test_lists(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct request r;

	(void)state;
	assert_int_equal(setenv("TEST_OPTIONS", "here", 1), 0);
	unsetenv("TEST_OPTIONS_NOT");
	parse_ok(&r, &a,
		"--read /a --read /b:/c --write c --write xy:/z --hide a --hide b "
		"--tmpfs c "
		"--env A= --env TEST_OPTIONS --env TEST_OPTIONS_NOT --unset *_KEY --unset LD_* "
		"cmd");
	assert_int_equal(r.read.n, 2);
	assert_string_equal(r.read.v[0].source, "/a");
	assert_null(r.read.v[0].dest);
	assert_string_equal(r.read.v[1].source, "/b");
	assert_string_equal(r.read.v[1].dest, "/c");
	assert_string_equal(r.write.v[0].source, "c");
	assert_null(r.write.v[0].dest);
	assert_string_equal(r.write.v[1].source, "xy");
	assert_string_equal(r.write.v[1].dest, "/z");
	assert_int_equal(r.hide.n, 2);
	assert_int_equal(r.tmpfs.n, 1);
	assert_int_equal(r.env.n_set, 2);
	assert_string_equal(r.env.set[0].value, "");
	assert_string_equal(r.env.set[1].key, "TEST_OPTIONS");
	assert_string_equal(r.env.set[1].value, "here");
	assert_int_equal(r.env.unset.n, 2);
}

static void test_where_options_end(void **state)
{
	static const struct {
		const char *line;
		size_t argc;
		const char *first;
	} cases[] = {
		{"true", 1, "true"},
		{"true --memory 1G -h", 4, "true"},
		{"--quiet -- --memory 1G", 2, "--memory"},
		{"-- -- x", 2, "--"},
		{"--quiet - x", 2, "-"},
		{"--key=-- true", 1, "true"},
		{"--key=--memory true", 1, "true"},
		{"--key -5 true", 1, "true"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct request r;

		parse_ok(&r, &a, cases[i].line);
		assert_int_equal(r.argv.n, cases[i].argc);
		assert_string_equal(r.argv.v[0], cases[i].first);
		assert_null(r.argv.v[r.argv.n]);
	}
}

/* Every refusal, word for word. */
static const struct {
	const char *line, *text;
} refusals[] = {
	{"", "no command to run; usage: bulkhead run [options] [--] COMMAND [ARG...]"},
	{"--quiet --", "no command to run; usage: bulkhead run [options] [--] COMMAND [ARG...]"},
	{"-- ''", "the command to run is empty"},
	{"--memry 1G x", "unknown option '--memry'; did you mean '--memory'?"},
	{"--mem 1G x", "unknown option '--mem'; did you mean '--memory'?"},
	{"--mem=1G x", "unknown option '--mem=1G'; did you mean '--memory'?"},
	{"--network=host x", "unknown option '--network=host'; did you mean '--net'?"},
	{"--frobnicate x", "unknown option '--frobnicate'; see 'bulkhead run --help'"},
	{"--json x", "unknown option '--json'; see 'bulkhead run --help'"},
	{"-x x", "unknown option '-x'; see 'bulkhead run --help'"},
	{"-th x", "unknown option '-th'; see 'bulkhead run --help'"},
	{"--=1 x", "unknown option '--=1'; see 'bulkhead run --help'"},
	{"--quiet=1 x", "'--quiet' takes no value"},
	{"--quiet= x", "'--quiet' takes no value"},
	{"--memory", "'--memory' needs a value: SIZE"},
	{"--memory --pids 3 x",
		"'--memory' needs a value: SIZE; write '--memory=--pids' if '--pids' is meant"},
	{"--policy -- x",
		"'--policy' needs a value: NAME|FILE; write '--policy=--' if '--' is meant"},
	{"--memory 1G --memory 2G x", "'--memory' is given twice"},
	{"--tty -t x", "'--tty' is given twice"},
	{"--net none --net host x", "'--net' is given twice"},
	{"--memory 12X x", "'--memory 12X': not a size, such as 64M, 2G, 1.5GiB"},
	{"--memory= x", "'--memory': not a size, such as 64M, 2G, 1.5GiB"},
	{"--memory -1 x", "'--memory -1': not a size, such as 64M, 2G, 1.5GiB"},
	{"--memory 0 x", "'--memory 0': must be from 1M to 8 EiB, or 'unlimited'"},
	{"--memory 64 x", "'--memory 64': must be at least 1M: no program can start with less"},
	{"--memory 99999999T x", "'--memory 99999999T': must be from 1M to 8 EiB, or 'unlimited'"},
	{"--swap x x", "'--swap x': not a size, such as 64M, 2G, 1.5GiB"},
	{"--cpus 0 x", "'--cpus 0': must be from 0.01 to 8192, or 'unlimited'"},
	{"--cpus two x", "'--cpus two': not a number of CPUs, such as 2 or 0.5"},
	{"--pids 0 x", "'--pids 0': must be from 1 to 4194304, or 'unlimited'"},
	{"--pids 1.5 x", "'--pids 1.5': not a whole number"},
	{"--pids 4194305 x", "'--pids 4194305': must be from 1 to 4194304, or 'unlimited'"},
	{"--timeout 0 x", "'--timeout 0': must be from 1ms to 292 years, or 'unlimited'"},
	{"--timeout 5us x", "'--timeout 5us': must be at least 1ms: nothing can run in less"},
	{"--timeout soon x", "'--timeout soon': not a duration, such as 500ms, 30s, 5m, 1h30m"},
	{"--cpu-time 0 x", "'--cpu-time 0': must be from 1ms to 292 years, or 'unlimited'"},
	{"--idle-timeout 0 x", "'--idle-timeout 0': must be from 1ms to 292 years, or 'unlimited'"},
	{"--output-limit lots x", "'--output-limit lots': not a size, such as 64M, 2G, 1.5GiB"},
	{"--file-size lots x", "'--file-size lots': not a size, such as 64M, 2G, 1.5GiB"},
	{"--tmp-size 1 x",
		"'--tmp-size 1': must be at least 4K: a page is the least that a file takes"},
	{"--nofile 3 x",
		"'--nofile 3': must be at least 4: a program needs three and one for its "
		"libraries"},
	{"--address-space 1K x",
		"'--address-space 1K': must be at least 1M: no program can start with less"},
	{"--grace x x", "'--grace x': not a duration, such as 500ms, 30s, 5m, 1h30m"},
	{"--grace 2h x", "'--grace 2h': more than 1h: what does not end in that time never will"},
	{"--oom groups x", "'--oom groups': must be group|process; did you mean 'group'?"},
	{"--oom 5 x", "'--oom 5': must be group|process"},
	{"--net bridge x", "'--net bridge': must be none|host"},
	{"--user bob x", "'--user bob': must be self|isolated|UID[:GID]"},
	{"--user 4294967295 x", "'--user 4294967295': must be self|isolated|UID[:GID]"},
	{"--user isolate x",
		"'--user isolate': must be self|isolated|UID[:GID]; did you mean 'isolated'?"},
	{"--policy= x", "'--policy': NAME|FILE is empty"},
	{"--root= x", "'--root': may not be empty"},
	{"--workdir= x", "'--workdir': may not be empty"},
	{"--log= x", "'--log': may not be empty"},
	{"--key= x", "'--key': KEY is empty"},
	{"--key=a\tb x", "'--key a\\x09b': has a control character"},
	{"--key=a\xff x", "'--key a\\xff': not UTF-8"},
	{"--verdict= x", "'--verdict': FILE|fd:N is empty"},
	{"--verdict fd: x", "'--verdict fd:': not the number of a file descriptor"},
	{"--verdict fd:-1 x", "'--verdict fd:-1': not the number of a file descriptor"},
	{"--verdict fd:0 x", "'--verdict fd:0': standard input cannot be written to"},
	{"--read= x", "'--read': may not be empty"},
	{"--write :/x x", "'--write :/x': lacks a path beside its ':'"},
	{"--write a:b x", "'--write a:b': must have an absolute path after its ':'"},
	{"--write a:/b:/c x", "'--write a:/b:/c': has more than one ':'; PATH:DEST is meant"},
	{"--read ~joe/x x",
		"'--read ~joe/x': names another user's home, which is not looked up; write its "
		"path"},
	{"--hide a*b x", "'--hide a*b': may have a '*' only as its last character"},
	{"--hide= x", "'--hide': may not be empty"},
	{"--tmpfs= x", "'--tmpfs': may not be empty"},
	{"--env= x", "'--env': may not be empty"},
	{"--env =v x", "'--env =v': may not be empty"},
	{"--env A=1 --env A=2 x", "'--env A=2': the variable was given before"},
	{"--env BULKHEAD=1 x", "'--env BULKHEAD=1': is set by bulkhead itself, to the run's id"},
	{"--unset= x", "'--unset': may not be empty"},
	{"--unset A=1 x", "'--unset A=1': may not contain '='"},
	{"--unset * x", "'--unset *': would match every name; env.clear or --clear-env does that"},
	{"--unset A*B x", "'--unset A*B': may have a '*' only at the beginning and at the end"},
	{"--quiet --verbose x", "'--quiet' contradicts '--verbose'"},
	{"--clear-env --unset A x",
		"'--clear-env' contradicts '--unset': nothing is left to remove"},
	{"--env A=1 --unset A x", "'--env A' contradicts '--unset A'"},
	{"--hi\x1b[2Jde x", "unknown option '--hi\\x1b[2Jde'; see 'bulkhead run --help'"},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct error e = ERROR_INIT;
		struct request r;

		if (parse(&r, &a, refusals[i].line, &e) != -1)
			fail_msg("taken: %s", refusals[i].line);
		assert_string_equal(e.text, refusals[i].text);
		assert_int_equal(e.blame, BLAME_REQUEST);
	}
}

/* A long argument is cut, between two characters, and leaves room for the reason. */
static void test_long_argument(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	char shown[OPTION_SHOWN_SIZE];
	char *argv[] = {arena_strdup(&a, "run"), arena_strdup(&a, "--memory"), NULL,
		arena_strdup(&a, "x"), NULL};
	struct error e = ERROR_INIT;
	struct request r;

	(void)state;
	argv[2] = arena_alloc(&a, (128 << 10) + 1);
	memset(argv[2], '\x80', 128 << 10);
	assert_int_equal(options_parse_run(&r, &a, 4, argv, &e), -1);
	assert_true(strlen(e.text) < 400);
	assert_non_null(strstr(e.text, "\\x80...': not a size"));
	memset(argv[2], 'a', 63);
	memcpy(argv[2] + 63, "\xc3\xa9\xc3\xa9", 5);
	option_shown(argv[2], shown);
	assert_string_equal(shown + 61, "aa...");
}

static void test_help(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	struct request r;

	(void)state;
	assert_int_equal(parse(&r, &a, "--memory 1G --help", &e), 1);
	assert_int_equal(parse(&r, &a, "-h", &e), 1);
	assert_int_equal(parse(&r, &a, "true -h", &e), 0);
}

static void test_plan_json(void **state)
{
	char *argv[] = {(char[]){"plan"}, (char[]){"--json"}, (char[]){"true"}, NULL};
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	struct request r;
	bool json;

	(void)state;
	assert_int_equal(options_parse_plan(&r, &json, &a, 3, argv, &e), 0);
	assert_true(json);
	assert_int_equal(r.argv.n, 1);
	argv[1] = argv[0];
	assert_int_equal(options_parse_plan(&r, &json, &a, 3, argv, &e), 0);
	assert_false(json);
	assert_int_equal(r.argv.n, 2);
}

/* Commands that do not start a program take options behind their operands, too. */
static void test_operands(void **state)
{
	char *argv[] = {(char[]){"runs"}, (char[]){"a"}, (char[]){"--json"}, (char[]){"--"},
		(char[]){"--json"}, NULL};
	const struct option_spec *o;
	const char *value;
	struct error e = ERROR_INIT;
	struct option_scan s;

	(void)state;
	option_scan_init(&s, COMMAND_RUNS, 5, argv);
	assert_int_equal(option_scan(&s, &o, &value, &e), SCAN_OPERAND);
	assert_string_equal(value, "a");
	assert_int_equal(option_scan(&s, &o, &value, &e), SCAN_OPTION);
	assert_string_equal(o->name, "json");
	assert_int_equal(option_scan(&s, &o, &value, &e), SCAN_OPERAND);
	assert_string_equal(value, "--json");
	assert_int_equal(option_scan(&s, &o, &value, &e), SCAN_END);
	argv[2] = (char[]){"--memory"};
	option_scan_init(&s, COMMAND_RUNS, 5, argv);
	assert_int_equal(option_scan(&s, &o, &value, &e), SCAN_OPERAND);
	assert_int_equal(option_scan(&s, &o, &value, &e), SCAN_ERROR);
	assert_string_equal(e.text, "unknown option '--memory'; see 'bulkhead runs --help'");
}

static int parse_words(struct request *r, struct arena *a, enum command command,
	const char *const *words, struct error *e)
{
	char *argv[16];
	int argc = 0;

	while (words[argc]) {
		argv[argc] = arena_strdup(a, words[argc]);
		argc++;
	}
	return command == COMMAND_EXEC   ? options_parse_exec(r, a, argc, argv, e)
		: command == COMMAND_RUN ? options_parse_run(r, a, argc, argv, e)
					 : options_parse_box(r, a, argc, argv, e);
}

/* The first word is the box, the second ends the options, wherever they stand. */
static void test_exec(void **state)
{
	static const char *const lines[][10] = {
		{"exec", "BOX", "ls", "--memory", "1G"},
		{"exec", "--memory", "64M", "BOX", "ls", "--memory", "1G"},
		{"exec", "BOX", "--memory", "64M", "--", "ls", "--memory", "1G"},
		{"exec", "--", "BOX", "ls", "--memory", "1G"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct request r;
		struct error e = ERROR_INIT;

		assert_int_equal(parse_words(&r, &a, COMMAND_EXEC, lines[i], &e), 0);
		assert_string_equal(r.box, "BOX");
		assert_int_equal(r.argv.n, 3);
		assert_string_equal(r.argv.v[0], "ls");
		assert_string_equal(r.argv.v[2], "1G");
		assert_int_equal(r.limit_given[LIMIT_MEMORY], i == 1 || i == 2);
	}
}

static void test_misuse_of_boxes(void **state)
{
	static const struct {
		enum command command;
		const char *words[10];
		const char *why;
	} bad[] = {
		{COMMAND_EXEC, {"exec"}, "which box?"},
		{COMMAND_EXEC, {"exec", "--"}, "which box?"},
		{COMMAND_EXEC, {"exec", ""}, "the ID of the box is empty"},
		{COMMAND_EXEC, {"exec", "b"}, "no command to run"},
		{COMMAND_EXEC, {"exec", "b", "--"}, "no command to run"},
		{COMMAND_EXEC, {"exec", "b", ""}, "the command to run is empty"},
		{COMMAND_EXEC, {"exec", "--read", "/x", "b", "ls"}, "unknown option '--read'"},
		{COMMAND_EXEC, {"exec", "b", "--box", "c", "ls"}, "unknown option '--box'"},
		{COMMAND_RUN, {"run", "--box", "", "ls"}, "BOX is empty"},
		{COMMAND_RUN, {"run", "--box", "b", "--read", "/x", "ls"},
			"'--read' is for a box of the run's own"},
		{COMMAND_RUN, {"run", "--log", "/x", "--box", "b", "ls"},
			"'--log' is for a box of the run's own"},
		{COMMAND_RUN, {"run", "--box", "b"}, "no command to run"},
		{COMMAND_BOX_CREATE, {"create", "ls"}, "'ls' is one word too many"},
		{COMMAND_BOX_CREATE, {"create", "--tty"}, "unknown option '--tty'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct request r;
		struct error e = ERROR_INIT;

		assert_int_equal(parse_words(&r, &a, bad[i].command, bad[i].words, &e), -1);
		assert_int_equal(e.blame, BLAME_REQUEST);
		if (!strstr(e.text, bad[i].why))
			fail_msg("'%s': no '%s'", e.text, bad[i].why);
	}
}

/* With --box a run has what exec has. */
static void test_run_in_a_box(void **state)
{
	static const char *const words[] = {"run", "--box", "b", "--memory", "64M", "--env", "A=1",
		"-t", "--key", "k", "ls", NULL};
	cleanup_arena struct arena a = ARENA_INIT;
	struct request r;
	struct error e = ERROR_INIT;

	(void)state;
	assert_int_equal(parse_words(&r, &a, COMMAND_RUN, words, &e), 0);
	assert_string_equal(r.box, "b");
	assert_true(r.tty && r.limit_given[LIMIT_MEMORY]);
	for_each_option (o, COMMAND_EXEC) {
		bool too = (o->commands & OPTION_FOR(COMMAND_RUN)) != 0;
		if (!too)
			fail_msg("exec has --%s, run has not", o->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_forms),
		cmocka_unit_test(test_limit_names),
		cmocka_unit_test(test_table_is_sound),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_where_options_end),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_long_argument),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_plan_json),
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_misuse_of_boxes),
		cmocka_unit_test(test_run_in_a_box),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
