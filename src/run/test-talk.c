/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/resource.h>

#include "base/time.h"
#include "run/test-talk-scenes.h"

/* From plans to running payloads: real boxes, made by a real zygote. */

/* ---- what runs ---- */

static void a_box_runs_a_command(void **state)
{
	setup(state);
	act_open(&scene, &bench, -1);
	until_parked(&scene);
	assert_true(talk_payload_pid(&scene.talk) > 0);
	assert_int_equal(run_shell(&scene, "echo $$; pwd; exit 7", text, sizeof(text)), 7 << 8);
	assert_string_equal(text, "2\n/tmp\n");
	box_end(&scene.box);
	act_close(&scene);
	bench_close(&bench);
}

static void entries_run_side_by_side(void **state)
{
	char script[64];
	setup(state);
	open_kept();
	for (int i = 0; i < 8; i++)
		act_open(&others[i], &bench, scene.box.init.pidfd);
	for (int i = 0; i < 8; i++)
		until_parked(&others[i]);
	for (int i = 7; i >= 0; i--) {
		snprintf(script, sizeof(script), "echo run %d; exit %d", i, i + 10);
		assert_int_equal(run_shell(&others[i], script, text, sizeof(text)), (i + 10) << 8);
		snprintf(script, sizeof(script), "run %d\n", i);
		assert_string_equal(text, script);
		act_close(&others[i]);
	}
	assert_int_equal(run_shell(&scene, "exit 3", text, sizeof(text)), 3 << 8);
	close_kept();
}

/* What a run finds is what it was given, and the same in a new box and a kept one. */
static void a_run_has_nothing_of_ours(void **state)
{
	static const char look[] =
		"env | sort; ls /proc/self/fd | tr '\\n' ' '; umask; pwd;"
		"grep -E '^(SigIgn|SigBlk|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status;"
		"cut -d' ' -f6 /proc/$$/stat; readlink /proc/self/cwd; cat "
		"/proc/self/oom_score_adj";
	char first[4096];
	setup(state);
	signal(SIGUSR1, SIG_IGN); /* as a daemon might */
	open_kept();
	assert_int_equal(run_in(&others[0], look), 0);
	strcpy(first, text);
	assert_non_null(strstr(first, "PATH=/usr/bin:/bin\nPWD=/tmp\n0 1 2 3 0022\n/tmp\n"));
	assert_non_null(strstr(first, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"));
	assert_non_null(strstr(first, "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n"));
	assert_non_null(strstr(first, "NoNewPrivs:\t1\nSeccomp:\t2\n"));
	assert_int_equal(run_shell(&scene, look, text, sizeof(text)), 0);
	/* but for the session, whose number is that of its leader */
	*strstr(first, "Seccomp") = *strstr(text, "Seccomp") = 0;
	assert_string_equal(first, text);
	signal(SIGUSR1, SIG_DFL);
	close_kept();
}

static void each_run_leads_a_session(void **state)
{
	setup(state);
	open_kept();
	assert_int_equal(run_in(&others[0], "test $(cut -d' ' -f6 /proc/$$/stat) = $$"), 0);
	close_kept();
}

static void neither_environment_nor_directory_leaks(void **state)
{
	setup(state);
	open_kept();
	assert_int_equal(run_in(&others[0], "cd /; export LEFT=x; umask 077; echo > /tmp/left"), 0);
	assert_int_equal(run_in(&others[1], "pwd; echo $LEFT; umask; ls /tmp"), 0);
	assert_string_equal(text, "/tmp\n\n0022\nleft\n");
	close_kept();
}

static void words_may_be_large(void **state)
{
	static char large[100001];
	static const char *argv[24] = {"sh", "-c", "echo $# ${#20}", "sh"};
	setup(state);
	open_kept();
	memset(large, 'x', sizeof(large) - 1);
	for (int i = 4; i < 24; i++)
		argv[i] = large;
	struct talk_words words = shell("");
	words.argv = (struct strv){.v = argv, .n = 24};
	assert_int_equal(run_words(&scene, words, text, sizeof(text)), 0);
	assert_string_equal(text, "20 100000\n");
	close_kept();
}

/* More strings than there is room for at hand. */
static void words_may_be_many(void **state)
{
	static const char *argv[5004] = {"sh", "-c", "echo $#", "sh"};
	setup(state);
	open_kept();
	for (int i = 4; i < 5004; i++)
		argv[i] = "";
	struct talk_words words = shell("");
	words.argv = (struct strv){.v = argv, .n = 5004};
	assert_int_equal(run_words(&scene, words, text, sizeof(text)), 0);
	assert_string_equal(text, "5000\n");
	close_kept();
}

static void too_many_words_are_refused_and_it_stays_parked(void **state)
{
	struct error e = ERROR_INIT;
	setup(state);
	open_kept();
	char *huge = malloc(WIRE_MAX_MEMFD + 1);
	memset(huge, 'x', WIRE_MAX_MEMFD);
	huge[WIRE_MAX_MEMFD] = 0;
	struct talk_words words = shell(huge);
	assert_int_equal(talk_go(&scene.talk, &words, &e), -1);
	assert_int_equal(e.blame, BLAME_REQUEST);
	assert_int_equal(e.errnum, E2BIG);
	assert_int_equal(run_shell(&scene, "exit 5", text, sizeof(text)), 5 << 8);
	free(huge);
	close_kept();
}

static void limits_come_with_go(void **state)
{
	struct talk_words words = shell("ulimit -n; ulimit -Hc; ulimit -v");
	setup(state);
	open_kept();
	words.rlimits[0].resource = RLIMIT_NOFILE;
	words.rlimits[0].soft = words.rlimits[0].hard = 17;
	words.rlimits[1].resource = RLIMIT_CORE; /* the plan's is lower, and stays */
	words.rlimits[1].soft = words.rlimits[1].hard = 1 << 20;
	words.rlimits[2].resource = RLIMIT_AS;
	words.rlimits[2].soft = words.rlimits[2].hard = 1 << 30;
	words.n_rlimits = 3;
	assert_int_equal(run_words(&scene, words, text, sizeof(text)), 0);
	assert_string_equal(text, "17\n0\n1048576\n");
	close_kept();
}

/* ---- other policies ---- */

/* The same in the box's first run and in one that enters. */
static void run_both(const char *script, const char *expected)
{
	open_kept();
	assert_int_equal(run_in(&others[0], script), 0);
	assert_string_equal(text, expected);
	assert_int_equal(run_shell(&scene, script, text, sizeof(text)), 0);
	assert_string_equal(text, expected);
	close_kept();
}

static void a_box_may_have_the_hosts_network(void **state)
{
	(void)state;
	const struct request request = {.network_given = true, .network = NETWORK_HOST};
	char ours[64], line[80];
	ssize_t n = readlink("/proc/self/ns/net", ours, sizeof(ours) - 1);
	assert_true(n > 0);
	snprintf(line, sizeof(line), "%.*s\n", (int)n, ours);
	setup_with(&request);
	run_both("readlink /proc/self/ns/net", line);
}

static void a_box_may_have_a_user_of_its_own(void **state)
{
	(void)state;
	const struct request request = {.user_given = true, .user = {.mode = USER_ISOLATED}};
	if (getuid() != 0)
		skip();
	setup_with(&request);
	run_both("id -u; touch /tmp/x && stat -c %u /tmp/x; stat -c %u /", "1000\n1000\n65534\n");
}

static void a_box_may_have_hardly_a_root(void **state)
{
	(void)state;
	const struct request request = {.policy = "strict"};
	if (getuid() != 0)
		skip();
	setup_with(&request);
	run_both("test -d /usr && test ! -e /home && test ! -e /var && echo bare;"
		 "touch /x 2>&1 | grep -c Read-only; id -u",
		"bare\n1\n1000\n");
}

/* The filter, which forbids what is needed between GO and the exec, comes after that. */
static void a_filter_may_forbid_what_we_need(void **state)
{
	(void)state;
	static const char policy[] = "extends: default\nsyscalls: {deny: [dup3, dup2, close_range, "
				     "recvmsg, mkdir, mkdirat]}\n";
	char path[] = "/tmp/bulkhead-talk-XXXXXX";
	int fd = mkstemp(path);
	assert_int_equal(write(fd, policy, sizeof(policy) - 1), sizeof(policy) - 1);
	close(fd);
	const struct request request = {.policy = path};
	setup_with(&request);
	unlink(path);
	run_both("mkdir /tmp/x || :",
		"mkdir: cannot create directory '/tmp/x': Operation not permitted\n");
}

/* ---- terminals ---- */

static void read_terminal(int master, char *out, size_t size)
{
	size_t n = 0;
	struct pollfd p = {.fd = master, .events = POLLIN};
	while (n + 1 < size && poll(&p, 1, 10000) == 1) {
		ssize_t got = read(master, out + n, size - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	out[n] = 0;
}

static struct talk_words with_terminal(const char *script)
{
	struct talk_words words = shell(script);
	words.tty = true;
	words.look.size = (struct winsize){.ws_row = 11, .ws_col = 42};
	return words;
}

static void a_run_may_have_a_terminal(void **state)
{
	struct error e = ERROR_INIT;
	struct talk_words words =
		with_terminal("tty; stty size; echo > /dev/tty; ls /proc/self/fd | tr '\\n' ' '");
	setup(state);
	open_kept();
	act_open(&others[0], &bench, scene.box.init.pidfd);
	until_parked(&others[0]);
	assert_int_equal(talk_go(&others[0].talk, &words, &e), 0);
	until(&bench, &others[0].running);
	struct pty pty = talk_take_pty(&others[0].talk);
	assert_true(pty.master >= 0 && pty.slave >= 0);
	close(pty.slave);
	read_terminal(pty.master, text, sizeof(text));
	close(pty.master);
	assert_string_equal(text, "/dev/pts/0\r\n11 42\r\n\r\n0 1 2 3 ");
	assert_int_equal(payload_status(&others[0]), 0);
	act_close(&others[0]);
	close_kept();
}

/* One that does not come forward is given up, and keeps nobody else waiting. */
static void a_stuck_terminal_is_bounded(void **state)
{
	struct error e = ERROR_INIT;
	struct talk_words words = with_terminal("true");
	setup(state);
	open_kept();
	act_open(&others[0], &bench, scene.box.init.pidfd);
	until_parked(&others[0]);
	kill(talk_payload_pid(&others[0].talk), SIGSTOP);
	assert_int_equal(talk_go(&others[0].talk, &words, &e), 0);
	assert_int_equal(run_in(&others[1], "exit 4"), 4 << 8);
	assert_false(others[0].failed);
	/* as if its time were over */
	uv_timer_start(&others[0].talk.bound, others[0].talk.bound.timer_cb, 0, 0);
	until_failed(&others[0]);
	assert_non_null(strstr(others[0].why.what, "terminal"));
	assert_int_equal(others[0].why.errnum, ETIMEDOUT);
	act_close(&others[0]);
	close_kept();
}

/* It is not the box's fault that we cannot take its terminal. */
static void our_own_want_of_descriptors_is_no_fault_of_the_box(void **state)
{
	struct error e = ERROR_INIT;
	struct talk_words words = with_terminal("true");
	struct rlimit was, few;
	setup(state);
	open_kept();
	act_open(&others[0], &bench, scene.box.init.pidfd);
	until_parked(&others[0]);
	assert_int_equal(talk_go(&others[0].talk, &words, &e), 0);
	getrlimit(RLIMIT_NOFILE, &was);
	few = was;
	few.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &few);
	while (!others[0].failed && !others[0].running)
		uv_run(&bench.loop, UV_RUN_ONCE);
	setrlimit(RLIMIT_NOFILE, &was);
	assert_true(others[0].failed);
	assert_int_equal(others[0].why.blame, BLAME_HOST);
	assert_int_equal(others[0].why.errnum, EMFILE);
	assert_non_null(strstr(others[0].why.what, "no more descriptors"));
	act_close(&others[0]);
	close_kept();
}

/* Kept from the CPU beyond the deadline we find it, and the news that came in time: the program runs. */
static void what_has_begun_in_time_is_not_late(void **state)
{
	setup(state);
	open_kept();
	others[0].go_ms = 50;
	act_open(&others[0], &bench, scene.box.init.pidfd);
	until_parked(&others[0]);
	go(&others[0], shell("exit 8"), -1);
	uint64_t due = time_monotonic_us() + 60000;
	struct pollfd begun = {.fd = others[0].talk.socket, .events = POLLIN};
	assert_int_equal(poll(&begun, 1, 60000), 1);
	while (time_monotonic_us() < due)
		;
	while (!others[0].running && !others[0].failed)
		uv_run(&bench.loop, UV_RUN_ONCE);
	assert_true(others[0].running);
	assert_int_equal(payload_status(&others[0]), 8 << 8);
	act_close(&others[0]);
	close_kept();
}

/* ---- what does not run ---- */

static void fail_words(
	struct talk_words words, enum setup_stage stage, int errnum, const char *what)
{
	struct error e = ERROR_INIT;
	struct scene act = {0};
	act_open(&act, &bench, scene.box.init.pidfd);
	until_parked(&act);
	words.stdio[0] = words.stdio[1] = words.stdio[2] = 2;
	assert_int_equal(talk_go(&act.talk, &words, &e), 0);
	until_failed(&act);
	assert_int_equal(act.why.stage, stage);
	assert_int_equal(act.why.errnum, errnum);
	assert_int_equal(act.why.blame, BLAME_REQUEST);
	if (!strstr(act.why.what, what))
		fail_msg("'%s' does not say '%s'", act.why.what, what);
	act_close(&act);
}

static void failures_say_what_was_asked_for(void **state)
{
	static const char *none[] = {"/nowhere/x", NULL}, *both[] = {"/nowhere/x", "/tmp", NULL};
	setup(state);
	open_kept();
	struct talk_words words = shell("true");
	words.exec_paths.v = none;
	fail_words(words, SETUP_EXEC, ENOENT, "'sh' is not in any directory of PATH");
	words.exec_paths = (struct strv){.v = both, .n = 2};
	fail_words(words, SETUP_EXEC, EACCES, "cannot execute '/tmp'");
	words = shell("true");
	words.cwd = "/nowhere/to/be";
	fail_words(words, SETUP_BOX, ENOENT, "'/nowhere/to/be'");
	/* the box has not noticed */
	assert_int_equal(run_in(&others[0], "exit 9"), 9 << 8);
	close_kept();
}

static void a_payload_that_is_killed_fails(void **state)
{
	setup(state);
	open_kept();
	kill(talk_payload_pid(&scene.talk), SIGKILL);
	until_failed(&scene);
	assert_string_equal(scene.why.what, "the payload's process was killed by signal 9");
	assert_int_equal(talk_payload_pid(&scene.talk), 0);
	assert_int_equal(run_in(&others[0], "exit 9"), 9 << 8);
	close_kept();
}

static void without_its_init_a_box_is_dead(void **state)
{
	setup(state);
	open_kept();
	act_open(&others[0], &bench, scene.box.init.pidfd);
	until_parked(&others[0]);
	kill(scene.box.init.pid, SIGKILL);
	until_failed(&scene);
	until_failed(&others[0]);
	act_close(&others[0]);
	/* and cannot be entered any more */
	assert_int_equal(
		waitid(P_PIDFD, (id_t)scene.box.init.pidfd, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
	act_open(&others[1], &bench, scene.box.init.pidfd);
	until_failed(&others[1]);
	assert_non_null(strstr(others[1].why.what, "cannot enter the box"));
	act_close(&others[1]);
	close_kept();
}

static void the_life_pipe_ends_a_box(void **state)
{
	setup(state);
	act_open(&scene, &bench, -1);
	until_parked(&scene);
	scene.box = talk_take_box(&scene.talk);
	scene.keeps = true;
	scene.box.life = fd_close(scene.box.life);
	until_failed(&scene);
	close_kept();
}

/* At whatever point: all of it is dead, reaped and closed. bench_close() looks. */
static void it_can_be_aborted_at_any_time(void **state)
{
	setup(state);
	for (int turns = 0; turns < 12; turns++) {
		struct scene act = {0};
		act_open(&act, &bench, -1);
		for (int i = 0; i < turns; i++)
			uv_run(&bench.loop, UV_RUN_NOWAIT);
		talk_abort(&act.talk);
		talk_abort(&act.talk);
		until_failed(&act);
		assert_non_null(strstr(act.why.what, "not wanted"));
		act_close(&act);
	}
	bench_close(&bench);
}

static void a_maker_that_is_killed_leaves_nothing(void **state)
{
	setup(state);
	for (int i = 0; i < 60; i++) {
		struct scene act = {0};
		act_open(&act, &bench, -1);
		while (act.talk.maker.was == 0)
			uv_run(&bench.loop, UV_RUN_ONCE);
		usleep((useconds_t)i * 20); /* another moment of its life each time */
		if (act.talk.maker.process.pid > 0)
			kill(act.talk.maker.process.pid, SIGKILL);
		while (!act.parked && !act.failed)
			uv_run(&bench.loop, UV_RUN_ONCE);
		talk_abort(&act.talk);
		until_failed(&act);
		act_close(&act);
	}
	bench_close(&bench);
}

/* ---- an ordinary user ---- */

static void as_a_user(void)
{
	void *none = NULL;
	a_box_runs_a_command(&none);
	entries_run_side_by_side(&none);
}

static void an_ordinary_user_can_have_all_that(void **state)
{
	(void)state;
	char path[PATH_MAX];
	find_program(path);
	if (getuid() != 0)
		skip(); /* all of the tests are that */
	pid_t pid = fork();
	if (pid == 0) {
		if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0 ||
			access(path, X_OK) < 0)
			_exit(77);
		as_a_user();
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status == 77 << 8)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_box_runs_a_command),
		cmocka_unit_test(entries_run_side_by_side),
		cmocka_unit_test(a_run_has_nothing_of_ours),
		cmocka_unit_test(each_run_leads_a_session),
		cmocka_unit_test(neither_environment_nor_directory_leaks),
		cmocka_unit_test(words_may_be_large),
		cmocka_unit_test(words_may_be_many),
		cmocka_unit_test(too_many_words_are_refused_and_it_stays_parked),
		cmocka_unit_test(limits_come_with_go),
		cmocka_unit_test(a_box_may_have_the_hosts_network),
		cmocka_unit_test(a_box_may_have_a_user_of_its_own),
		cmocka_unit_test(a_box_may_have_hardly_a_root),
		cmocka_unit_test(a_filter_may_forbid_what_we_need),
		cmocka_unit_test(a_run_may_have_a_terminal),
		cmocka_unit_test(a_stuck_terminal_is_bounded),
		cmocka_unit_test(our_own_want_of_descriptors_is_no_fault_of_the_box),
		cmocka_unit_test(what_has_begun_in_time_is_not_late),
		cmocka_unit_test(failures_say_what_was_asked_for),
		cmocka_unit_test(a_payload_that_is_killed_fails),
		cmocka_unit_test(without_its_init_a_box_is_dead),
		cmocka_unit_test(the_life_pipe_ends_a_box),
		cmocka_unit_test(it_can_be_aborted_at_any_time),
		cmocka_unit_test(a_maker_that_is_killed_leaves_nothing),
		cmocka_unit_test(an_ordinary_user_can_have_all_that),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
