/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "warden/test-rig.h"

/* ls -l is refused, all else allowed. */
static const char *const rules[] = {"deny ls -l|say ls", NULL};

static int three_programs(void)
{
	CHECK(run_words("/bin/true", "true", NULL) == 0);
	CHECK(run_words("/bin/ls", "ls", "-d", "/", NULL) == 0);
	CHECK(run_words("/bin/ls", "ls", "-l", "/", NULL) == -EPERM);
	CHECK(run_words("/nonexistent", "x", NULL) == -ENOENT);
	CHECK(run_words("/", "x", NULL) == -EACCES);
	return 0;
}

static void test_allow_and_deny(void **state)
{
	(void)state;
	struct rig rig = rig_start(EXEC_ENFORCE, true, rules);
	struct rig_run run = rig_add_run(&rig);
	struct exec_event *events;
	cleanup_arena struct arena a = ARENA_INIT;
	char text[4096];
	rig_launch(&run, three_programs);
	assert_int_equal(rig_wait(&run), 0);
	rig_until_health(&run, WARDEN_HEALTH_ENDED);
	assert_int_equal(run.board->started, 2);
	assert_int_equal(run.board->refused, 1);
	assert_int_equal(run.board->failed, 2);
	assert_int_equal(run.board->killed, 0);
	assert_int_equal(run.board->incidents, 3);
	assert_string_equal(run.board->first_refused.rule, "deny: ls -l");
	assert_string_equal(run.board->first_refused.hint, "say ls");
	assert_memory_equal(run.board->first_refused.argv, "ls\0-l\0/\0\0", 9);
	assert_int_equal(rig_events(&run, &a, &events), 5);
	assert_int_equal(events[1].outcome, EXEC_STARTED);
	assert_string_equal(events[1].argv.v[1], "-d");
	assert_int_equal(events[1].parent, run.payload);
	assert_non_null(events[1].cwd);
	assert_int_equal(events[2].outcome, EXEC_REFUSED);
	assert_int_equal(events[3].outcome, EXEC_FAILED);
	assert_string_equal(rig_stderr(&run, text, sizeof(text)),
		"bulkhead: not allowed to execute 'ls -l /' (deny: ls -l); say ls\n");
	assert_int_equal(rig_stop(&rig), 0);
	rig_end_run(&run);
}

static int refused_alone(void)
{
	CHECK(run_words("/bin/ls", "ls", "-l", "/dev/null", NULL) == 0);
	CHECK(run_words("/nonexistent", "x", NULL) == -ENOENT);
	return 0;
}

static void test_audit_refuses_nothing(void **state)
{
	(void)state;
	struct rig rig = rig_start(EXEC_AUDIT, true, rules);
	struct rig_run run = rig_add_run(&rig);
	struct exec_event *events;
	cleanup_arena struct arena a = ARENA_INIT;
	char text[4096];
	rig_launch(&run, refused_alone);
	assert_int_equal(rig_wait(&run), 0);
	rig_until_health(&run, WARDEN_HEALTH_ENDED);
	assert_int_equal(run.board->refused, 1);
	assert_int_equal(run.board->failed, 1);
	assert_int_equal(rig_events(&run, &a, &events), 2);
	assert_false(events[0].enforced);
	assert_int_equal(events[0].outcome, EXEC_REFUSED);
	assert_string_equal(rig_stderr(&run, text, sizeof(text)), "");
	assert_int_equal(rig_stop(&rig), 0);
	rig_end_run(&run);
}

/* The payload's own exec is told apart, as long as it has not succeeded. */
static int replaced_by_refused(void)
{
	char *const words[] = {(char *)"ls", (char *)"-l", NULL};
	execv("/nonexistent/ls", words);
	execv("/bin/ls", words);
	return errno == EPERM ? 0 : 1;
}

static int replaced_by_shell(void)
{
	execl("/bin/sh", "sh", "-c", "exec ls -l 2>/dev/null", NULL);
	return 1;
}

static void test_payload_is_told_apart(void **state)
{
	(void)state;
	struct warden_board board = rig_run_body(EXEC_ENFORCE, rules, replaced_by_refused);
	assert_int_equal(board.incidents & 8, 8);
	assert_string_equal(board.payload.rule, "deny: ls -l");
	assert_string_equal(board.payload.real_executable, "");
	struct rig rig = rig_start(EXEC_ENFORCE, true, rules);
	struct rig_run run = rig_add_run(&rig);
	rig_launch(&run, replaced_by_shell);
	assert_int_not_equal(rig_wait(&run), 0);
	rig_until_health(&run, WARDEN_HEALTH_ENDED);
	assert_true(run.board->refused >= 1);
	assert_int_equal(run.board->incidents & 8, 0);
	assert_int_equal(rig_stop(&rig), 0);
	rig_end_run(&run);
}

/* ---- ways to call ---- */

static void write_script(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		_exit(95);
	close(fd);
}

static char directory[64]; /* of the test's own */

static int scripts(void)
{
	CHECK(chdir(directory) == 0);
	write_script("plain", "#!/bin/sh -e\nexit 7\n");
	write_script("nested", "#!./plain\n");
	write_script("listing", "#!/bin/ls -l\n");
	write_script("endless", "#!./endless\n");
	write_script("broken", "#!\n");
	write_script("lost", "#!/nonexistent/sh\n");
	write_script("textual", "exit 3\n");
	CHECK(WEXITSTATUS(run_words("./plain", "plain", "a", NULL)) == 7);
	CHECK(WEXITSTATUS(run_words("./nested", "nested", NULL)) == 7);
	CHECK(run_words("./listing", "listing", NULL) == -EPERM);
	CHECK(run_words("./endless", "endless", NULL) == -ELOOP);
	CHECK(run_words("./broken", "broken", NULL) == -ENOEXEC);
	CHECK(run_words("./lost", "lost", NULL) == -ENOENT);
	CHECK(run_words("./textual", "textual", NULL) == -ENOEXEC);
	CHECK(WEXITSTATUS(run_words("/bin/sh", "sh", "-c", "./textual", NULL)) == 3);
	return 0;
}

static void test_scripts(void **state)
{
	(void)state;
	struct warden_board board = rig_run_body(EXEC_ENFORCE, rules, scripts);
	assert_int_equal(
		board.started, 4); /* the shell takes another shell for what is no program */
	assert_int_equal(board.refused, 1);
	assert_int_equal(board.killed, 0);
}

static int no_names(void)
{
	static char *const words[] = {(char *)"true", NULL}, *const none[] = {NULL};
	int fd = open("/bin/true", O_RDONLY | O_CLOEXEC), dir = open("/bin", O_PATH | O_CLOEXEC);
	char name[64];
	CHECK(syscall(SYS_execveat, fd, "", words, none, AT_EMPTY_PATH) == -1 && errno == EPERM);
	CHECK(syscall(SYS_execveat, dir, "true", words, none, 0x40) == -1 && errno == EPERM);
	CHECK(syscall(SYS_execveat, 77, "true", words, none, 0) == -1 && errno == ENOENT);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	CHECK(execv(name, words) == -1 && errno == EPERM);
	snprintf(name, sizeof(name), "/dev/fd/%d", fd);
	CHECK(execv(name, words) == -1 && errno == EPERM);
	snprintf(name, sizeof(name), "/proc/%d/fd/%d", getpid(), fd);
	CHECK(execv(name, words) == -1 && errno == ELOOP);
	CHECK(execv("", words) == -1 && errno == ENOENT);
	CHECK(run_words("/proc/self/root/bin/ls", "ls", "-l", NULL) == -EPERM);
	CHECK(run_words("//proc/./thread-self/root/bin/ls", "ls", "-l", NULL) == -EPERM);
	CHECK(run_words("/proc/self/root/proc/self/root/bin/true", "true", NULL) == 0);
	CHECK(syscall(SYS_execveat, dir, "true", words, none, 0) == 0);
	return 1;
}

static void test_files_without_names(void **state)
{
	(void)state;
	struct warden_board board = rig_run_body(EXEC_ENFORCE, rules, no_names);
	assert_int_equal(board.started, 2);
	assert_int_equal(board.refused, 6);
}

/* ---- hostile memory ---- */

static int hostile_pointers(void)
{
	static char *const words[] = {(char *)"true", NULL}, *const none[] = {NULL};
	char *const bad_word[] = {(char *)"true", (char *)8, NULL};
	long page = sysconf(_SC_PAGESIZE);
	char *edge = mmap(
		NULL, (size_t)page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(edge != MAP_FAILED && munmap(edge + page, (size_t)page) == 0);
	memset(edge, '/', (size_t)page);
	CHECK(syscall(SYS_execve, 8, words, none) == -1 && errno == EFAULT);
	CHECK(syscall(SYS_execve, "/bin/true", 8, none) == -1 && errno == EFAULT);
	CHECK(syscall(SYS_execve, "/bin/true", bad_word, none) == -1 && errno == EFAULT);
	CHECK(syscall(SYS_execve, edge + page - 4, words, none) == -1 && errno == EFAULT);
	CHECK(syscall(SYS_execve, "/bin/true", edge + page - 8, none) == -1 && errno == EFAULT);
	/* a path, a word and a list that end with their page */
	char *path = edge + page - 10;
	memcpy(path, "/bin/true", 10);
	char **list = (char **)(void *)(edge + page - 32);
	list[0] = edge + page - 4;
	list[1] = NULL;
	pid_t pid = fork();
	if (pid == 0) {
		syscall(SYS_execve, "/bin/true", list, none);
		_exit(9);
	}
	int status;
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	char *long_path = malloc(5000);
	CHECK(long_path);
	memset(long_path, 'a', 4999);
	long_path[4999] = 0;
	CHECK(execv(long_path, words) == -1 && errno == ENAMETOOLONG);
	return 0;
}

static void test_hostile_pointers(void **state)
{
	(void)state;
	struct warden_board board = rig_run_body(EXEC_ENFORCE, rules, hostile_pointers);
	assert_int_equal(board.started, 1);
	assert_int_equal(board.killed, 0);
}

static int long_lists(void)
{
	/* 2 MiB in words of all sizes, and many short ones */
	enum { LONG = 16, SHORT = 60000 };
	char **words = calloc(SHORT + 3, sizeof(*words));
	char *large = malloc(131072);
	CHECK(words && large);
	memset(large, 'x', 131071);
	large[131071] = '\0';
	words[0] = (char *)"true";
	for (int i = 1; i < LONG; i++)
		words[i] = large + i;
	CHECK(run_program("/bin/true", words) == 0);
	words[1] = large; /* with its zero the longest that there may be */
	CHECK(run_program("/bin/true", words) == 0);
	for (int i = 1; i < SHORT; i++)
		words[i] = (char *)"x";
	CHECK(run_program("/bin/true", words) == 0);
	words[SHORT - 1] = (char *)"x";
	char *longer = malloc(131073);
	CHECK(longer);
	memset(longer, 'x', 131072);
	longer[131072] = '\0';
	words[1] = longer;
	CHECK(run_program("/bin/true", words) == -E2BIG);
	return 0;
}

static void test_long_lists(void **state)
{
	(void)state;
	struct warden_board board = rig_run_body(EXEC_ENFORCE, rules, long_lists);
	assert_int_equal(board.started, 3);
	assert_int_equal(board.killed, 0);
}

static int make_directory(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/test-warden-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	static const char *const names[] = {
		"plain", "nested", "listing", "endless", "broken", "lost", "textual"};
	char path[128];
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		unlink(path);
	}
	return rmdir(directory);
}

#define WITH_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allow_and_deny),
		cmocka_unit_test(test_audit_refuses_nothing),
		cmocka_unit_test(test_payload_is_told_apart),
		WITH_DIRECTORY(test_scripts),
		cmocka_unit_test(test_files_without_names),
		cmocka_unit_test(test_hostile_pointers),
		cmocka_unit_test(test_long_lists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
