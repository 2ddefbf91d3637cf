/* SPDX-License-Identifier: MIT */
#include "run/warm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"

/* What the program gets: its words, and its descriptors. */
struct packet {
	char bytes[WARM_MAX_PACKET + 1];
	ssize_t size;
	int fds[16];
	size_t n_fds;
};

static uv_loop_t loop;
static struct warm warm;
static int child; /* the program's end */
static unsigned ready, begun, failed, closed;
static enum warm_fault fault;
static int fault_errno;
static int null = -1;
static unsigned ready_ms = WARM_READY_MS;
static struct packet packet;

static void on_ready(struct warm *w)
{
	assert_ptr_equal(w->data, &loop);
	ready++;
}

static void on_begun(struct warm *w)
{
	assert_int_equal(w->state, WARM_BEGUN);
	begun++;
}

static void on_failed(struct warm *w, enum warm_fault f, int errnum)
{
	assert_int_equal(w->state, WARM_FAILED);
	failed++;
	fault = f;
	fault_errno = errnum;
}

static void on_closed(struct warm *w)
{
	assert_ptr_equal(w, &warm);
	closed++;
}

static int setup(void **state)
{
	const struct warm_spec spec = {&loop, ready_ms, {on_ready, on_begun, on_failed}, &loop};
	struct error e = ERROR_INIT;
	(void)state;
	alarm(60);
	ready = begun = failed = closed = 0;
	fault = WARM_FAULT_COUNT_;
	fault_errno = 0;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	return uv_loop_init(&loop) | warm_open(&warm, &spec, &child, &e);
}

static int teardown(void **state)
{
	(void)state;
	child = fd_close(child);
	null = fd_close(null);
	warm_close(&warm, on_closed);
	uv_run(&loop, UV_RUN_DEFAULT);
	alarm(0);
	return closed == 1 ? uv_loop_close(&loop) : -1;
}

static int setup_short(void **state)
{
	ready_ms = 20;
	int r = setup(state);
	ready_ms = WARM_READY_MS;
	return r;
}

/* The program says something; all that comes of it. */
static void say(const char *bytes, size_t size)
{
	assert_int_equal(send(child, bytes, size, MSG_NOSIGNAL), size);
	while (uv_run(&loop, UV_RUN_NOWAIT) &&
		recv(warm.socket, &(char){0}, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		;
}
#define SAY(text) say(text, sizeof(text) - 1)

static void gone(void)
{
	child = fd_close(child);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static void make_ready(void)
{
	SAY("ready");
	assert_int_equal(warm.state, WARM_READY);
}

static int give(const char *cwd, struct strv argv, struct strv envp, struct error *e)
{
	struct warm_words words = {
		.cwd = cwd, .argv = argv, .envp = envp, .stdio = {null, null, null}};
	return warm_run(&warm, &words, e);
}

static void give_one(void)
{
	static const char *argv[] = {"a", "b c", ""}, *envp[] = {"X=y"};
	struct error e = ERROR_INIT;
	make_ready();
	assert_int_equal(give("/tmp", (struct strv){argv, 3, 3}, (struct strv){envp, 1, 1}, &e), 0);
	assert_int_equal(warm.state, WARM_GIVEN);
}

static void receive(void)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(16 * sizeof(int))];
	} control;
	struct iovec bytes = {packet.bytes, sizeof(packet.bytes)};
	struct msghdr m = {.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	packet.size = recvmsg(child, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	assert_true(packet.size > 0 && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)));
	packet.n_fds = (control.head.cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(packet.fds, CMSG_DATA(&control.head), packet.n_fds * sizeof(int));
}

static void drop_fds(void)
{
	while (packet.n_fds > 0)
		close(packet.fds[--packet.n_fds]);
}

static void expect_failure(enum warm_fault f, int errnum)
{
	assert_int_equal(failed, 1);
	assert_int_equal(fault, f);
	assert_int_equal(fault_errno, errnum);
	assert_int_equal(begun, 0);
}

/* ---- as it should be ---- */

static void test_a_run(void **state)
{
	static const char wanted[] = "run\0/tmp\0003\0a\0b c\0\0X=y";
	(void)state;
	give_one();
	receive();
	assert_int_equal(packet.size, sizeof(wanted));
	assert_memory_equal(packet.bytes, wanted, sizeof(wanted));
	assert_int_equal(packet.n_fds, 3);
	drop_fds();
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(begun, 0);
	gone();
	assert_int_equal(ready, 1);
	assert_int_equal(begun, 1);
	assert_int_equal(failed, 0);
}

static void test_without_a_directory_or_an_environment(void **state)
{
	static const char *argv[] = {"x"}, wanted[] = "run\0\0001\0x";
	struct error e = ERROR_INIT;
	(void)state;
	make_ready();
	assert_int_equal(give(NULL, (struct strv){argv, 1, 1}, (struct strv){0}, &e), 0);
	receive();
	assert_int_equal(packet.size, sizeof(wanted));
	assert_memory_equal(packet.bytes, wanted, sizeof(wanted));
	drop_fds();
}

/* Up to the last byte of a packet, and from the next one on in a file that nobody can change. */
static void test_large_words(void **state)
{
	static char large[WARM_MAX_PACKET], copy[WARM_MAX_PACKET + 16];
	const size_t head = sizeof("run\0\0001\0") - 1, fits = WARM_MAX_PACKET - head - 1;
	const char *argv[] = {large};
	(void)state;
	for (size_t more = 0; more < 2; more++) {
		struct error e = ERROR_INIT;
		if (more)
			assert_int_equal(setup(state), 0);
		memset(large, 'x', fits + more);
		make_ready();
		assert_int_equal(give(NULL, (struct strv){argv, 1, 1}, (struct strv){0}, &e), 0);
		receive();
		assert_int_equal(packet.n_fds, 3 + more);
		assert_int_equal(packet.size, more ? 5 : WARM_MAX_PACKET);
		if (more) {
			assert_string_equal(packet.bytes, "file");
			assert_int_equal(
				pread(packet.fds[3], copy, sizeof(copy), 0), WARM_MAX_PACKET + 1);
			assert_memory_equal(copy, "run\0\0001\0x", head + 1);
			assert_int_equal(pwrite(packet.fds[3], "y", 1, 0), -1);
			assert_int_equal(ftruncate(packet.fds[3], 0), -1);
		}
		drop_fds();
		if (!more)
			assert_int_equal(teardown(state), 0);
	}
}

static void test_too_large_words(void **state)
{
	char *large = malloc(WARM_MAX_FILE);
	const char *argv[] = {large};
	struct error e = ERROR_INIT;
	(void)state;
	memset(large, 'x', WARM_MAX_FILE - 1);
	large[WARM_MAX_FILE - 1] = '\0';
	make_ready();
	assert_int_equal(give(NULL, (struct strv){argv, 1, 1}, (struct strv){0}, &e), -1);
	free(large);
	assert_int_equal(e.blame, BLAME_REQUEST);
	assert_int_equal(e.errnum, E2BIG);
	assert_int_equal(warm.state, WARM_READY);
}

static void test_a_fork(void **state)
{
	struct warm_fork fork = {.socket = null, .filter = null, .n_entries = WARM_MAX_ENTRIES};
	struct error e = ERROR_INIT;
	(void)state;
	for (int i = 0; i < WARM_MAX_ENTRIES; i++)
		fork.entries[i] = null;
	make_ready();
	assert_int_equal(warm.sender, getpid());
	for (int i = 0; i < 2; i++) {
		assert_int_equal(warm_fork(&warm, &fork, &e), 0);
		fork.n_entries = 0;
	}
	receive();
	assert_int_equal(packet.size, 5);
	assert_memory_equal(packet.bytes, "fork", 5);
	assert_int_equal(packet.n_fds, 2 + WARM_MAX_ENTRIES);
	drop_fds();
	receive();
	assert_int_equal(packet.n_fds, 2);
	drop_fds();
	assert_int_equal(warm.state, WARM_READY);
	SAY("ready"); /* the fork has a socket for that */
	expect_failure(WARM_MALFORMED, 0);
}

/* One that does not read what it is asked holds up nobody. */
static void test_forks_that_nobody_reads(void **state)
{
	struct warm_fork fork = {.socket = null, .filter = null};
	struct error e = ERROR_INIT;
	int n = 0;
	(void)state;
	make_ready();
	while (n < 100000 && warm_fork(&warm, &fork, &e) == 0)
		n++;
	assert_in_range(n, 8, 99999);
	assert_int_equal(e.blame, BLAME_HOST);
	assert_int_equal(warm.state, WARM_READY);
}

static void test_a_fork_that_cannot_be(void **state)
{
	(void)state;
	say("failed\0fork\00011\0", 15);
	expect_failure(WARM_NO_FORK, EAGAIN);
}

/* ---- as it should not be ---- */

static void test_its_own_failures(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		enum warm_fault fault;
		int errnum;
	} cases[] = {
#define CASE(text, fault, errnum) {text, sizeof(text) - 1, fault, errnum}
		CASE("failed\0cwd\0002\0", WARM_NO_CWD, ENOENT),
		CASE("failed\0exec\00013\0", WARM_NO_EXEC, EACCES),
		CASE("failed\0request\00022\0", WARM_NO_REQUEST, EINVAL),
		CASE("failed\0exec\0004095\0", WARM_NO_EXEC, 4095),
		CASE("failed\0fork\00011\0", WARM_MALFORMED, 0),
		CASE("failed\0exec\0004096\0", WARM_MALFORMED, 0),
		CASE("failed\0exec\0000\0", WARM_MALFORMED, 0),
		CASE("failed\0exec\000-2\0", WARM_MALFORMED, 0),
		CASE("failed\0exec\00099999999999999999999\0", WARM_MALFORMED, 0),
		CASE("failed\0exec\0002", WARM_MALFORMED, 0),
		CASE("failed\0exec\0002\0x", WARM_MALFORMED, 0),
		CASE("failed\0exec\0", WARM_MALFORMED, 0),
		CASE("failed\0\0002\0", WARM_MALFORMED, 0),
		CASE("failed\0exe\0002\0", WARM_MALFORMED, 0),
		CASE("failed", WARM_MALFORMED, 0),
		CASE("faile\0exec\0002\0", WARM_MALFORMED, 0),
		CASE("ready", WARM_MALFORMED, 0),
		CASE("\0", WARM_MALFORMED, 0),
		CASE("\xff\xff\xff", WARM_MALFORMED, 0),
#undef CASE
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (i > 0)
			assert_int_equal(setup(state), 0);
		give_one();
		say(cases[i].text, cases[i].size);
		expect_failure(cases[i].fault, cases[i].errnum);
		if (i + 1 < sizeof(cases) / sizeof(cases[0]))
			assert_int_equal(teardown(state), 0);
	}
}

static void test_words_before_it_is_ready(void **state)
{
	static const char *const words[] = {
		"r", "read", "ready!", "failed", "READY", "failed\0exec\0002"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (i > 0)
			assert_int_equal(setup(state), 0);
		say(words[i], strlen(words[i]));
		expect_failure(WARM_MALFORMED, 0);
		assert_int_equal(ready, 0);
		if (i + 1 < sizeof(words) / sizeof(words[0]))
			assert_int_equal(teardown(state), 0);
	}
}

static void test_words_while_it_waits(void **state)
{
	(void)state;
	make_ready();
	SAY("ready");
	expect_failure(WARM_MALFORMED, 0);
}

/* A flood is one packet too many, and the rest is not even looked at. */
static void test_a_flood(void **state)
{
	static char large[60000];
	(void)state;
	make_ready();
	while (send(child, large, sizeof(large), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	for (int i = 0; i < 10; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	expect_failure(WARM_MALFORMED, 0);
}

/* What it sends along is not kept. */
static void test_descriptors_of_its_own(void **state)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {{CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct iovec bytes = {(char[]){"ready"}, 5};
	struct msghdr m = {.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	int pipe_of[2];
	char byte;
	(void)state;
	assert_int_equal(pipe2(pipe_of, O_CLOEXEC), 0);
	memcpy(CMSG_DATA(&control.head), &pipe_of[1], sizeof(int));
	assert_int_equal(sendmsg(child, &m, 0), 5);
	close(pipe_of[1]);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(warm.state, WARM_READY);
	assert_int_equal(read(pipe_of[0], &byte, 1), 0); /* nobody has the other end */
	close(pipe_of[0]);
}

static void keep_from_the_cpu(void)
{
	for (uint64_t until = time_monotonic_us() + 50000; time_monotonic_us() < until;)
		;
}

/* We are the ones who are late. */
static void test_ready_in_time(void **state)
{
	(void)state;
	assert_int_equal(send(child, "ready", 5, MSG_NOSIGNAL), 5);
	keep_from_the_cpu();
	uv_run(&loop, UV_RUN_ONCE);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(failed, 0);
	assert_int_equal(ready, 1);
	assert_false(uv_is_active((uv_handle_t *)&warm.bound));
}

static void test_gone_before_it_is_ready(void **state)
{
	(void)state;
	gone();
	expect_failure(WARM_GONE, 0);
	assert_int_equal(ready, 0);
}

static void test_gone_while_it_waits(void **state)
{
	(void)state;
	make_ready();
	gone();
	expect_failure(WARM_GONE, 0);
}

/* Somebody else can have the run: this one has not read it, or was not even there. */
static void test_gone_without_having_read_the_run(void **state)
{
	(void)state;
	give_one();
	gone();
	expect_failure(WARM_GONE, 0);
}

static void test_gone_when_the_run_comes(void **state)
{
	static const char *argv[] = {"x"};
	struct error e = ERROR_INIT;
	(void)state;
	make_ready();
	child = fd_close(child);
	assert_int_equal(give(NULL, (struct strv){argv, 1, 1}, (struct strv){0}, &e), 0);
	uv_run(&loop, UV_RUN_NOWAIT);
	expect_failure(WARM_GONE, 0);
}

/* As if all of it were over. */
static void run_out(uint64_t bound_ms)
{
	uint64_t left = uv_timer_get_due_in(&warm.bound);
	assert_in_range(left, bound_ms / 2, bound_ms + 1);
	uv_timer_start(&warm.bound, warm.bound.timer_cb, 0, 0);
	while (failed == 0)
		uv_run(&loop, UV_RUN_ONCE);
}

static void test_it_never_gets_ready(void **state)
{
	(void)state;
	run_out(WARM_READY_MS);
	expect_failure(WARM_LATE, 0);
}

static void test_it_may_wait_for_ever(void **state)
{
	(void)state;
	make_ready();
	assert_false(uv_is_active((uv_handle_t *)&warm.bound));
}

static void test_it_never_begins(void **state)
{
	(void)state;
	give_one();
	run_out(WARM_RUN_MS);
	expect_failure(WARM_LATE, 0);
}

static void test_words_of_failures(void **state)
{
	static const char *argv[] = {"prog"};
	struct warm_words words = {.cwd = "/x", .argv = {argv, 1, 1}};
	struct arena a = ARENA_INIT;
	struct setup_failure why;
	(void)state;
	warm_word_failure(WARM_NO_EXEC, ENOENT, &words, &a, &why);
	assert_int_equal(why.stage, SETUP_EXEC);
	assert_int_equal(why.errnum, ENOENT);
	assert_int_equal(why.blame, BLAME_REQUEST);
	assert_string_equal(why.what, "cannot execute 'prog': no such file or directory");
	warm_word_failure(WARM_NO_CWD, ENOTDIR, &words, &a, &why);
	assert_int_equal(why.stage, SETUP_BOX);
	assert_string_equal(
		why.what, "cannot change to the working directory '/x': not a directory");
	for (int f = 0; f < WARM_FAULT_COUNT_; f++) {
		warm_word_failure((enum warm_fault)f, 1, &words, &a, &why);
		assert_true(why.what && *why.what && *warm_fault_text((enum warm_fault)f));
	}
	arena_fini(&a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_run),
		TEST(test_without_a_directory_or_an_environment),
		TEST(test_large_words),
		TEST(test_too_large_words),
		TEST(test_a_fork),
		TEST(test_forks_that_nobody_reads),
		TEST(test_a_fork_that_cannot_be),
		TEST(test_its_own_failures),
		TEST(test_words_before_it_is_ready),
		TEST(test_words_while_it_waits),
		TEST(test_a_flood),
		TEST(test_descriptors_of_its_own),
		cmocka_unit_test_setup_teardown(test_ready_in_time, setup_short, teardown),
		TEST(test_gone_before_it_is_ready),
		TEST(test_gone_while_it_waits),
		TEST(test_gone_without_having_read_the_run),
		TEST(test_gone_when_the_run_comes),
		TEST(test_it_never_gets_ready),
		TEST(test_it_may_wait_for_ever),
		TEST(test_it_never_begins),
		TEST(test_words_of_failures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
