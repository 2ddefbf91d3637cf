/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
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

/* Bodies of payloads: what they return is their exit status, 0 when all was as it should be. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			dprintf(STDERR_FILENO, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__,       \
				#condition, errno);                                                \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

/* ls -l is refused, all else allowed. */
static const char *const rules[] = {"deny ls -l|say ls", NULL};

/* One run of @body under @mode: what its board says is in *ret, its events are checked by the caller. */
static struct warden_board run_body(enum exec_mode mode, int (*body)(void))
{
	struct rig rig = rig_start(mode, true, rules);
	struct rig_run run = rig_add_run(&rig);
	rig_launch(&run, body);
	assert_int_equal(rig_wait(&run), 0);
	rig_until_health(&run, WARDEN_HEALTH_ENDED);
	struct warden_board board = *run.board;
	assert_int_equal(board.in_flight, 0);
	assert_int_equal(rig_stop(&rig), 0);
	rig_end_run(&run);
	return board;
}

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
	struct warden_board board = run_body(EXEC_ENFORCE, replaced_by_refused);
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
	struct warden_board board = run_body(EXEC_ENFORCE, scripts);
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
	struct warden_board board = run_body(EXEC_ENFORCE, no_names);
	assert_int_equal(board.started, 2);
	assert_int_equal(board.refused, 6);
}

static int vforked(void)
{
	int status;
	pid_t pid = vfork();
	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		_exit(9);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	pid = vfork();
	if (pid == 0) {
		execl("/bin/ls", "ls", "-l", NULL);
		_exit(errno == EPERM ? 0 : 9);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	return 0;
}

static void test_vfork(void **state)
{
	(void)state;
	struct warden_board board = run_body(EXEC_ENFORCE, vforked);
	assert_int_equal(board.started, 1);
	assert_int_equal(board.refused, 1);
}

static void *exec_true(void *unused)
{
	(void)unused;
	execl("/bin/true", "true", NULL);
	return NULL;
}

static void *wait_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static int exec_of_a_thread(void)
{
	pthread_t thread, other;
	CHECK(pthread_create(&other, NULL, wait_for_ever, NULL) == 0);
	CHECK(pthread_create(&thread, NULL, exec_true, NULL) == 0);
	pthread_join(thread, NULL);
	return 1;
}

/* All threads of a process execute at once: one wins, the others are killed by the kernel, and nothing hangs. */
static int exec_of_all_threads(void)
{
	for (int round = 0; round < 30; round++) {
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			pthread_t threads[8];
			for (int i = 0; i < 8; i++)
				pthread_create(&threads[i], NULL, exec_true, NULL);
			wait_for_ever(NULL);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	return 0;
}

static void test_threads(void **state)
{
	(void)state;
	struct warden_board board = run_body(EXEC_ENFORCE, exec_of_a_thread);
	assert_int_equal(board.started, 1);
	board = run_body(EXEC_ENFORCE, exec_of_all_threads);
	assert_int_equal(board.started, 30);
	assert_int_equal(board.killed, 0);
	board = run_body(EXEC_AUDIT, exec_of_all_threads);
	assert_int_equal(board.started, 30);
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
	struct warden_board board = run_body(EXEC_ENFORCE, hostile_pointers);
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
	struct warden_board board = run_body(EXEC_ENFORCE, long_lists);
	assert_int_equal(board.started, 3);
	assert_int_equal(board.killed, 0);
}

/* ---- signals ---- */

static int n_signals;

static void count(int sig)
{
	(void)sig;
	n_signals++;
}

/* A parent rains signals on a child that executes, fails to execute, and is refused. */
static int signals_during_execs(void)
{
	const struct sigaction counting = {.sa_handler = count, .sa_flags = SA_RESTART};
	CHECK(sigaction(SIGUSR1, &counting, NULL) == 0);
	for (int round = 0; round < 40; round++) {
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			for (int i = 0; i < 10; i++) {
				if (execl("/nonexistent", "x", NULL) != -1 || errno != ENOENT)
					_exit(8);
				if (execl("/bin/ls", "ls", "-l", NULL) != -1 || errno != EPERM)
					_exit(7);
			}
			signal(SIGUSR1, SIG_IGN);
			execl("/bin/true", "true", NULL);
			_exit(9);
		}
		while (waitpid(pid, &status, WNOHANG) == 0)
			kill(pid, SIGUSR1);
		CHECK(status == 0);
	}
	return 0;
}

static void test_signals(void **state)
{
	(void)state;
	struct warden_board board = run_body(EXEC_ENFORCE, signals_during_execs);
	/* each is one event, however often it was interrupted */
	assert_int_equal(board.started, 40);
	assert_int_equal(board.refused, 400);
	assert_int_equal(board.failed, 400);
}

/* Stopped in the middle, and later continued: it goes on as if nothing had been. */
static int stops_during_execs(void)
{
	for (int round = 0; round < 40; round++) {
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			execl(round % 2 ? "/bin/true" : "/nonexistent", "x", NULL);
			execl("/bin/true", "true", NULL);
			_exit(9);
		}
		for (int i = 0; i < round * 20; i++)
			sched_yield();
		kill(pid, SIGSTOP);
		CHECK(waitpid(pid, &status, WUNTRACED) == pid);
		if (WIFSTOPPED(status)) {
			kill(pid, SIGCONT);
			CHECK(waitpid(pid, &status, 0) == pid);
		}
		CHECK(status == 0);
	}
	return 0;
}

static void test_stopped_callers(void **state)
{
	(void)state;
	struct warden_board board = run_body(EXEC_ENFORCE, stops_during_execs);
	assert_int_equal(board.started, 40);
	assert_int_equal(board.killed, 0);
}

/* Killed at any point: every zombie can be had. */
static int killed_during_execs(void)
{
	for (int round = 0; round < 200; round++) {
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			for (;;)
				if (fork() == 0)
					execl("/bin/true", "true", NULL);
				else
					wait(&status);
		}
		for (int i = 0; i < round; i++)
			sched_yield();
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, &status, 0) == pid);
	}
	return 0;
}

static void test_killed_callers(void **state)
{
	(void)state;
	struct warden_board board = run_body(EXEC_ENFORCE, killed_during_execs);
	assert_int_equal(board.killed, 0);
}

/* ---- the race ---- */

#define TRIES 300

static char word_in_turn[] = "-d"; /* argv[1] of the attacked calls */

static void *swap_letters(void *unused)
{
	volatile char *letter = &word_in_turn[1];
	for (;;) {
		for (volatile int i = 0; i < 20000; i++)
			;
		*letter = *letter == 'd' ? 'l' : 'd';
		if (unused)
			return unused;
	}
}

/* "ls -l" of the empty directory says "total 0", "ls -d" its name: the exit status tells who came through. */
static int attack(void)
{
	static int foreign, killed;
	pthread_t thread;
	CHECK(chdir(directory) == 0);
	CHECK(pthread_create(&thread, NULL, swap_letters, NULL) == 0);
	for (int i = 0; i < TRIES; i++) {
		int out[2], status;
		char said[64] = {0};
		CHECK(pipe2(out, O_CLOEXEC) == 0);
		pid_t pid = vfork();
		if (pid == 0) {
			dup2(out[1], STDOUT_FILENO);
			execl("/bin/ls", "ls", word_in_turn, ".", NULL);
			_exit(errno == EPERM ? 0 : 9);
		}
		close(out[1]);
		ssize_t n = read(out[0], said, sizeof(said) - 1);
		CHECK(n >= 0 && waitpid(pid, &status, 0) == pid);
		close(out[0]);
		foreign += strncmp(said, "total", 5) == 0;
		killed += WIFSIGNALED(status);
	}
	return foreign > 0 ? 200 : killed > 0 ? 0 : 100;
}

static void test_race(void **state)
{
	(void)state;
	struct rig rig = rig_start(EXEC_ENFORCE, true, rules);
	struct rig_run run = rig_add_run(&rig);
	rig_launch(&run, attack);
	int status = rig_wait(&run);
	rig_until_health(&run, WARDEN_HEALTH_ENDED);
	print_message("%d tries: %d refused, %d killed at the stop\n", TRIES,
		(int)run.board->refused, (int)run.board->killed);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 200);
	assert_int_equal(run.board->killed > 0, WEXITSTATUS(status) == 0);
	if (run.board->killed > 0) {
		assert_string_not_equal(run.board->first_killed.real_executable, "");
		assert_memory_equal(run.board->first_killed.argv, "ls\0-d\0.\0\0", 9);
		assert_memory_equal(run.board->first_killed.real_argv, "ls\0-l\0.\0\0", 9);
	}
	assert_int_equal(rig_stop(&rig), 0);
	rig_end_run(&run);
	/* that the attack works: without the stop's word, what was judged is not what comes */
	uint64_t foreign = 0;
	for (int i = 0; i < 10 && foreign == 0; i++) {
		rig = rig_start(EXEC_AUDIT, true, rules);
		run = rig_add_run(&rig);
		rig_launch(&run, attack);
		assert_int_equal(WEXITSTATUS(rig_wait(&run)), 200);
		rig_until_health(&run, WARDEN_HEALTH_ENDED);
		foreign = run.board->killed;
		assert_int_equal(rig_stop(&rig), 0);
		rig_end_run(&run);
	}
	assert_true(foreign > 0);
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
		cmocka_unit_test(test_vfork),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_hostile_pointers),
		cmocka_unit_test(test_long_lists),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_stopped_callers),
		cmocka_unit_test(test_killed_callers),
		WITH_DIRECTORY(test_race),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
