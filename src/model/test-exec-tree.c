/* SPDX-License-Identifier: MIT */
#include "model/exec-tree.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* clang-format off */
#define ARGV(...) {.v = (const char *[]){__VA_ARGS__}, .n = sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)}
/* clang-format on */
#define EXEC(t, p, of, ...)                                                                        \
	{                                                                                          \
		.t_us = (t), .pid = (p), .inside_pid = (p) % 1000, .parent = (of),                 \
		.enforced = true, .argv = ARGV(__VA_ARGS__)                                        \
	}

static void check(const struct exec_event *events, size_t n, const char *expected)
{
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_buf struct buf b = BUF_INIT;
	struct exec_tree t;

	exec_tree_build(&t, events, n, &a);
	exec_tree_put_text(&b, &t, NULL, (struct plot_style){.utf8 = true});
	assert_string_equal(buf_str(&b), expected);
}
#define CHECK(events, expected) check(events, sizeof(events) / sizeof *(events), expected)

static void test_family(void **state)
{
	const struct exec_event events[] = {
		EXEC(0, 5001, 77, "make", "-j2"),
		EXEC(4100, 5002, 5001, "cc", "-c", "a b.c"),
		EXEC(4200, 5003, 5001, "sh", "-c", "ld; true"),
		EXEC(5000, 5004, 5003, "ld"),
		EXEC(6000, 5005, 5001, "echo", "done"),
	};

	(void)state;
	CHECK(events,
		"  0 s         make -j2\n"
		"  4.1 ms      ├─ cc -c 'a b.c'\n"
		"  4.2 ms      ├─ sh -c 'ld; true'\n"
		"  5 ms        │  └─ ld\n"
		"  6 ms        └─ echo done\n");
}

static void test_ascii(void **state)
{
	const struct exec_event events[] = {
		EXEC(0, 5001, 77, "a"),
		EXEC(1, 5002, 5001, "b"),
		EXEC(2, 5003, 5002, "c"),
		EXEC(3, 5003, 5002, "d"),
		EXEC(4, 5004, 5001, "e"),
	};
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_buf struct buf b = BUF_INIT;
	struct exec_tree t;

	(void)state;
	exec_tree_build(&t, events, 5, &a);
	exec_tree_put_text(&b, &t, NULL, (struct plot_style){.utf8 = false});
	assert_string_equal(buf_str(&b),
		"  0 s         a\n"
		"  1 us        |- b\n"
		"  2 us        |  |- c\n"
		"  3 us        |  `- -> d\n"
		"  4 us        `- e\n");
}

/* A process that executes again stands behind what it was, with what it starts from then on. */
static void test_again(void **state)
{
	const struct exec_event events[] = {
		EXEC(0, 5001, 77, "sh"),
		EXEC(1, 5002, 5001, "env", "make"),
		EXEC(2, 5003, 5001, "other"),
		EXEC(3, 5002, 5001, "make"),
		EXEC(4, 5004, 5002, "cc"),
	};

	(void)state;
	CHECK(events,
		"  0 s         sh\n"
		"  1 us        ├─ env make\n"
		"  3 us        ├─ → make\n"
		"  4 us        │  └─ cc\n"
		"  2 us        └─ other\n");
}

/* The same number, but not the same process: by the box's count, or by the parent. */
static void test_pid_used_again(void **state)
{
	struct exec_event events[] = {
		EXEC(0, 5001, 77, "sh"),
		EXEC(1, 5002, 5001, "first"),
		EXEC(2, 5003, 5002, "of-first"),
		EXEC(3, 5002, 5001, "second"),
		EXEC(4, 5004, 5002, "of-second"),
	};
	static const char expected[] = "  0 s         sh\n"
				       "  1 us        ├─ first\n"
				       "  2 us        │  └─ of-first\n"
				       "  3 us        └─ second\n"
				       "  4 us           └─ of-second\n";

	(void)state;
	events[3].inside_pid = 900;
	CHECK(events, expected);
	for (size_t i = 0; i < 5; i++)
		events[i].inside_pid = 0;
	events[3].parent = 5003; /* all that there is to tell it by */
	CHECK(events,
		"  0 s         sh\n"
		"  1 us        └─ first\n"
		"  2 us           └─ of-first\n"
		"  3 us              └─ second\n"
		"  4 us                 └─ of-second\n");
}

/* Its parent has ended: the kernel names another one now. */
static void test_orphan(void **state)
{
	const struct exec_event events[] = {
		EXEC(0, 5001, 77, "sh"),
		EXEC(1, 5002, 5001, "env"),
		EXEC(2, 5002, 76, "late"),
	};

	(void)state;
	CHECK(events,
		"  0 s         sh\n"
		"  1 us        ├─ env\n"
		"  2 us        └─ → late\n");
}

/* A subshell is a process that has executed nothing. Then it does. */
static void test_parent_without_exec(void **state)
{
	const struct exec_event events[] = {
		EXEC(0, 5001, 77, "sh"),
		EXEC(1, 5003, 5002, "ls"),
		EXEC(2, 5004, 5002, "cat"),
		EXEC(3, 5002, 5001, "git"),
	};

	(void)state;
	CHECK(events,
		"  0 s         sh\n"
		"              (process 5002, which executed nothing itself)\n"
		"  1 us        ├─ ls\n"
		"  2 us        └─ cat\n"
		"  3 us        → git\n");
}

static void test_search_is_folded(void **state)
{
	struct exec_event events[] = {
		EXEC(0, 5001, 77, "sh"), EXEC(1, 5002, 5001, "git"), EXEC(2, 5002, 5001, "git"),
		EXEC(3, 5002, 5001, "git"), EXEC(4, 5003, 5001, "nothing"),
		EXEC(5, 5004, 5001, "reboot"),
		EXEC(6, 5004, 5001, "reboot"), /* /bin and /usr/bin, */
		EXEC(7, 5004, 5001, "reboot"), /* /sbin, where there is none, */
		EXEC(8, 5004, 5001, "reboot"), /* and another one */
	};

	(void)state;
	events[1].outcome = events[2].outcome = events[4].outcome = EXEC_FAILED;
	events[4].why = "no such file or directory";
	events[5].outcome = events[6].outcome = events[8].outcome = EXEC_REFUSED;
	events[7].outcome = EXEC_FAILED;
	events[6].rule = events[8].rule = "deny: reboot";
	CHECK(events,
		"  0 s         sh\n"
		"  3 us        ├─ git\n"
		"  4 us        ├─ nothing  failed: no such file or directory\n"
		"  8 us        └─ reboot  refused by 'deny: reboot'\n"
		"5 calls in search of a program are left out\n");
}

/* Nothing that was refused or killed goes away because the next call says the same of itself. */
static void test_no_other_is_folded(void **state)
{
	struct exec_event events[] = {
		EXEC(0, 5001, 77, "sh"),
		EXEC(1, 5002, 5001, "x"), /* git, and then another file with the same argv */
		EXEC(2, 5002, 5001, "x"),
		EXEC(3, 5003, 5001, "y"), /* refused, and then started or failed */
		EXEC(4, 5003, 5001, "y"),
		EXEC(5, 5004, 5001, "z"),
		EXEC(6, 5004, 5001, "z"),
		EXEC(7, 5005, 5001, "k"), /* killed: it does not go on */
		EXEC(8, 5005, 5001, "k"),
		EXEC(9, 5006, 5001, "f"), /* two files that are not there */
		EXEC(10, 5006, 5001, "f"),
	};
	static const char *const called[] = {"/bin/sh", "/usr/bin/git", "/usr/bin/ls", "/bin/y",
		"/usr/bin/y", "/bin/z", "/usr/bin/z", "/bin/k", "/usr/bin/k", "/bin/f", "/bin/g"};

	(void)state;
	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		events[i].called = called[i];
	events[1].outcome = events[2].outcome = events[3].outcome = events[5].outcome =
		EXEC_REFUSED;
	events[6].outcome = events[9].outcome = events[10].outcome = EXEC_FAILED;
	events[7].outcome = events[8].outcome = EXEC_KILLED;
	cleanup_arena struct arena a = ARENA_INIT;
	struct exec_tree t;
	exec_tree_build(&t, events, sizeof events / sizeof *events, &a);
	assert_int_equal(t.folded, 1); /* of the refused z the rest of its search, which failed */
	assert_int_equal(t.counts[EXEC_REFUSED], 4);
	assert_int_equal(t.counts[EXEC_KILLED], 2);
	assert_int_equal(t.counts[EXEC_FAILED], 2);
	events[2].called = "/bin/git"; /* the same name in another directory */
	exec_tree_build(&t, events, sizeof events / sizeof *events, &a);
	assert_int_equal(t.folded, 2);
	assert_int_equal(t.counts[EXEC_REFUSED], 3);
}

static void test_fates(void **state)
{
	struct exec_event events[] = {
		EXEC(0, 5001, 77, "sh"),
		EXEC(1, 5002, 5001, "git", "push"),
		EXEC(2, 5003, 5001, "./mygit", "status"),
		EXEC(3, 5001, 77, "reboot"),
	};
	static const char *real[] = {"git", "push"};

	(void)state;
	events[1].outcome = EXEC_REFUSED;
	events[1].rule = "deny: git push";
	events[1].executable = "/usr/bin/git";
	events[2].outcome = EXEC_KILLED;
	events[2].executable = "/tmp/mygit";
	events[2].real_executable = "/usr/bin/git";
	events[2].real_argv = (struct strv){.v = real, .n = 2};
	events[3].outcome = EXEC_REFUSED;
	events[3].enforced = false;
	events[3].rule = "deny: reboot (built in)";
	CHECK(events,
		"  0 s         sh\n"
		"  1 us        ├─ git push  refused by 'deny: git push'\n"
		"  2 us        └─ ./mygit status [/tmp/mygit]  killed: it had become git push "
		"[/usr/bin/git]\n"
		"  3 us        → reboot  would be refused by 'deny: reboot (built in)'\n"
		"mode audit: nothing was refused\n");
}

/* Nobody's bytes reach the terminal, and a line stays one. */
static void test_hostile_text(void **state)
{
	struct exec_event events[] = {EXEC(0, 5001, 77, "\x1b[2J\n", "\xff", "\xe2\x80\xae")};

	(void)state;
	events[0].executable = "/tmp/\x1b]0;x\x07";
	events[0].outcome = EXEC_REFUSED;
	events[0].rule = "deny: \x1b[0m\n";
	CHECK(events,
		"  0 s         '\\x1b[2J\\x0a' '\\xff' '\\xe2\\x80\\xae' ['/tmp/\\x1b]0;x\\x07']"
		"  refused by 'deny: \\x1b[0m\\x0a'\n");
}

static void test_long_commands_are_cut(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct exec_event event = {.argc = 4000};
	struct exec_tree t;
	char *word = arena_alloc(&a, 1001);

	(void)state;
	memset(word, 'x', 1000);
	memcpy(word + 119, "\xc3\xa9", 2); /* where it is cut */
	for (int i = 0; i < 2000; i++)
		strv_push(&a, &event.argv, word);
	event.argv_cut = true;
	exec_tree_build(&t, &event, 1, &a);
	cleanup_buf struct buf b = BUF_INIT;
	exec_node_put_command(&b, &t.v[0]);
	assert_true(b.size < 700);
	assert_true(utf8_valid(b.data, b.size));
	assert_non_null(strstr(b.data, "xx… xx"));
	assert_non_null(strstr(b.data, " … (3996 more)"));
}

/* As many generations as there are lines, and as many processes: in time, and within a line. */
static void test_deep_and_wide(void **state)
{
	enum { N = 100000 };
	cleanup_arena struct arena a = ARENA_INIT;
	struct exec_event *events = arena_calloc(&a, N, sizeof *events);
	static const char *argv[] = {"x"};

	(void)state;
	for (int deep = 0; deep < 3; deep++) {
		cleanup_buf struct buf b = BUF_INIT;
		struct exec_tree t;
		size_t shown = 0;
		for (int i = 0; i < N; i++)
			events[i] = (struct exec_event){.t_us = (uint64_t)i,
				.pid = deep == 2 ? 5 : i + 2,
				.parent = deep == 1 ? i + 1 : 1,
				.argv = {.v = argv, .n = 1}};
		exec_tree_build(&t, events, N, &a);
		exec_tree_put_text(&b, &t, NULL, (struct plot_style){.utf8 = true});
		for (size_t at = t.first; at != EXEC_NO_NODE; at = exec_tree_next(&t, at))
			shown += t.v[at].event != NULL;
		assert_int_equal(shown, N);
		assert_true(b.size < (size_t)N * 300);
		if (deep == 1)
			assert_non_null(strstr(b.data, "└─ (level 99999) x\n"));
	}
}

/* Lines of somebody else: any numbers, in any order. None is lost, nothing goes round in a circle. */
static void test_senseless_numbers(void **state)
{
	enum { N = 400 };
	static const char *argv[] = {"x"};
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 200; round++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct exec_event *events = arena_calloc(&a, N, sizeof *events);
		struct exec_tree t;
		size_t shown = 0;
		for (int i = 0; i < N; i++) {
			seed = seed * 1103515245 + 12345;
			events[i] = (struct exec_event){.t_us = seed >> 28,
				.pid = (pid_t)(seed >> 8 & 7),
				.parent = (pid_t)(seed >> 12 & 7),
				.inside_pid = (pid_t)(seed >> 16 & 3),
				.outcome = (enum exec_outcome)(seed >> 20 & 3),
				.enforced = seed >> 24 & 1,
				.argv = {.v = argv, .n = 1}};
		}
		exec_tree_build(&t, events, N, &a);
		for (size_t at = t.first; at != EXEC_NO_NODE; at = exec_tree_next(&t, at)) {
			shown += t.v[at].event != NULL;
			assert_true(shown <= N);
			assert_true(t.v[at].parent == EXEC_NO_NODE || t.v[at].parent < at);
		}
		assert_int_equal(shown, N);
	}
}

static void test_notes(void **state)
{
	static const struct observed_exec seen = {.mode = EXEC_ENFORCE,
		.audit_dropped = 3,
		.warden_lost = true,
		.lost_why = "SIGKILL of\x1b 12"};
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_buf struct buf b = BUF_INIT;
	struct exec_tree t;

	(void)state;
	exec_tree_build(&t, NULL, 0, &a);
	exec_tree_put_counts(&b, &t);
	assert_string_equal(buf_str(&b), "none");
	buf_clear(&b);
	exec_tree_put_text(&b, &t, &seen, (struct plot_style){.utf8 = true});
	assert_string_equal(buf_str(&b),
		"3 execs are missing: the file had reached its bound\n"
		"the warden was lost, and what was executed from then on was refused: "
		"SIGKILL of\\x1b 12\n");
	t.counts[EXEC_STARTED] = 12;
	t.counts[EXEC_FAILED] = 1;
	buf_clear(&b);
	exec_tree_put_counts(&b, &t);
	assert_string_equal(buf_str(&b), "12 started, 1 failed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_family),
		cmocka_unit_test(test_ascii),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_pid_used_again),
		cmocka_unit_test(test_orphan),
		cmocka_unit_test(test_parent_without_exec),
		cmocka_unit_test(test_search_is_folded),
		cmocka_unit_test(test_no_other_is_folded),
		cmocka_unit_test(test_fates),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_long_commands_are_cut),
		cmocka_unit_test(test_deep_and_wide),
		cmocka_unit_test(test_senseless_numbers),
		cmocka_unit_test(test_notes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
