/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "kernel/sys.h"
#include "run/test-tracer.h"
#include "run/zygote-link.h"

/* The daemon's end, where the test says what the zygote says; others than the first cannot live. */

#define MAKER 12345 /* nobody looks whether there is one */

struct question {
	struct zygote_call call;
	unsigned answers;
	long result;
};

struct scene {
	uv_loop_t loop;
	struct zygote_link *link;
	pid_t pid; /* the first zygote's */
	int socket; /* its end */
	bool closed;
	struct question questions[2];
};

static struct scene scene;

static unsigned on_fill(struct zygote_call *c, struct zygote_request *ret, int *fds)
{
	(void)c;
	(void)ret;
	(void)fds;
	return 0;
}

static void on_answered(struct zygote_call *c, long result)
{
	struct question *q = (struct question *)c;
	q->answers++;
	q->result = result;
}

static int setup(void **state)
{
	struct error e = ERROR_INIT;
	int ends[2];
	(void)state;
	alarm(60);
	scene = (struct scene){0};
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	scene.pid = start_traceable();
	scene.socket = ends[1];
	struct zygote z = {scene.pid, (int)sys_pidfd_open(scene.pid, 0), ends[0]};
	assert_int_equal(uv_loop_init(&scene.loop), 0);
	for (size_t i = 0; i < 2; i++)
		scene.questions[i].call =
			(struct zygote_call){.fill = on_fill, .answered = on_answered};
	return zygote_link_open_take(&scene.link, &scene.loop, &z, "/bin/false", &e);
}

static void on_closed(void *data)
{
	*(bool *)data = true;
}

static int teardown(void **state)
{
	(void)state;
	if (!scene.closed)
		zygote_link_close(scene.link, on_closed, &scene.closed);
	uv_run(&scene.loop, UV_RUN_DEFAULT);
	fd_close(scene.socket);
	alarm(0);
	return scene.closed ? uv_loop_close(&scene.loop) : -1;
}

/* What the zygote has been asked now. */
static uint64_t take_request(void)
{
	struct zygote_request request;
	struct packet packet;
	assert_int_equal(packet_receive(scene.socket, &request, sizeof(request), true, &packet), 0);
	assert_int_equal(packet.size, sizeof(request));
	return request.serial;
}

static void reply(uint64_t serial, int32_t result)
{
	const struct zygote_reply r = {
		.magic = WIRE_MAGIC, .version = WIRE_VERSION, .serial = serial, .pid = result};
	assert_int_equal(packet_send(scene.socket, (struct packet_bytes){&r, sizeof(r)},
				 (struct packet_bytes){0}, NULL, 0),
		0);
}

static void until_answered(const struct question *q)
{
	while (q->answers == 0)
		uv_run(&scene.loop, UV_RUN_ONCE);
	assert_int_equal(q->answers, 1);
}

/* Kept from the CPU for longer than it may owe an answer, we find that it owes none. */
static void test_an_answer_in_time_is_not_late(void **state)
{
	struct question *q = &scene.questions[0];
	struct zygote_stats stats;
	(void)state;
	zygote_link_patience(scene.link, 20);
	zygote_ask(scene.link, &q->call);
	reply(take_request(), MAKER);
	for (uint64_t until = time_monotonic_us() + 50000; time_monotonic_us() < until;)
		;
	until_answered(q);
	assert_int_equal(q->result, MAKER);
	zygote_link_stats(scene.link, &stats);
	assert_int_equal(stats.lost, 0);
	assert_int_equal(zygote_link_pid(scene.link), scene.pid);
}

static void test_no_answer_is_late(void **state)
{
	struct question *q = &scene.questions[0];
	(void)state;
	zygote_link_patience(scene.link, 20);
	zygote_ask(scene.link, &q->call);
	take_request();
	until_answered(q);
	assert_int_equal(q->result, ZYGOTE_LOST);
}

static void on_test_timeout(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

/* What was not understood may be anybody's: all are told, and at once. */
static void test_an_answer_to_nobody(void **state)
{
	uv_timer_t timer;
	bool overdue = false;
	(void)state;
	for (size_t i = 0; i < 2; i++)
		zygote_ask(scene.link, &scene.questions[i].call);
	take_request();
	reply(0, -EPROTO);
	uv_timer_init(&scene.loop, &timer);
	timer.data = &overdue;
	uv_timer_start(&timer, on_test_timeout, ZYGOTE_ANSWER_MS / 2, 0);
	while (scene.questions[1].answers == 0 && !overdue)
		uv_run(&scene.loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&scene.loop, UV_RUN_NOWAIT);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(scene.questions[i].answers, 1);
		assert_int_equal(scene.questions[i].result, ZYGOTE_LOST);
	}
}

/* ---- traced, by one who does not care for its end ---- */

static void test_an_end_that_is_held_up(void **state)
{
	struct question *q = &scene.questions[0];
	unsigned turns = 0;
	(void)state;
	pid_t tracer = start_tracer(scene.pid, 0);
	zygote_ask(scene.link, &q->call);
	take_request();
	kill(scene.pid, SIGKILL);
	until_answered(q);
	assert_int_equal(q->result, ZYGOTE_LOST);
	for (uint64_t end = time_monotonic_us() + US_PER_SEC / 2; time_monotonic_us() < end;
		turns++)
		uv_run(&scene.loop, UV_RUN_ONCE);
	assert_in_range(turns, 1, 200); /* some are for others, that cannot live */
	assert_int_equal(kill(scene.pid, 0), 0); /* not reaped */
	end_tracer(tracer);
	while (kill(scene.pid, 0) == 0)
		uv_run(&scene.loop, UV_RUN_ONCE);
}

/* As if what it may take were over. */
static void run_out(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (handle->type == UV_TIMER && uv_is_active(handle))
		uv_timer_start((uv_timer_t *)handle, ((uv_timer_t *)handle)->timer_cb, 0, 0);
}

/* A tracer can stop it on its way out, where no second KILL reaches it. */
static void test_one_that_cannot_be_killed(void **state)
{
	(void)state;
	pid_t tracer = start_tracer(scene.pid, PTRACE_O_TRACEEXIT);
	zygote_link_close(scene.link, on_closed, &scene.closed);
	uv_run(&scene.loop, UV_RUN_NOWAIT);
	assert_false(scene.closed);
	uv_walk(&scene.loop, run_out, NULL);
	uv_run(&scene.loop, UV_RUN_DEFAULT);
	assert_true(scene.closed);
	end_tracer(tracer);
	assert_int_equal(waitpid(scene.pid, NULL, 0), scene.pid);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_answer_in_time_is_not_late),
		TEST(test_no_answer_is_late),
		TEST(test_an_answer_to_nobody),
		TEST(test_an_end_that_is_held_up),
		TEST(test_one_that_cannot_be_killed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
