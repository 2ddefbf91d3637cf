/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <sys/resource.h>

#include "run/test-talk.h"
#include "run/test-zygote.h"

/* The zygote's protocol, from the side of somebody who does not keep to it. */

static struct request nothing_asked;
static struct bench bench;
static struct spoiler spoiler;

/* The plan is the bench's, its link and loop are not wanted. */
static void open_all(void)
{
	bench_open(&bench, &nothing_asked);
	bench_close_link(&bench);
	find_program(bench.path);
	spoiler_open(&spoiler, bench.path, &bench.prepared.plan);
}

static void close_all(void)
{
	spoiler_close(&spoiler);
	reap_all(false); /* the zygote, and who goes with it, may be dying still */
	bench_close_rest(&bench);
}

static long ask(const struct zygote_request *request, size_t size, const int *fds, unsigned n)
{
	char bytes[sizeof(*request) + 64] = {0};
	memcpy(bytes, request, sizeof(*request));
	assert_int_equal(packet_send(spoiler.z.socket, (struct packet_bytes){bytes, size},
				 (struct packet_bytes){0}, fds, n),
		0);
	return answer_of(&spoiler);
}

/* One thing wrong each time. */
static void what_is_wrong_is_refused(void **state)
{
	(void)state;
	struct round r;
	open_all();
	spoil_seed = 7;
	spoiler.may_spoil_plans = false;
	make_right(&spoiler, &r, -1);
	struct zygote_request *q = &r.request;
	const struct zygote_request right = *q;
	assert_int_equal(ask(q, 0, NULL, 0), -EPROTO);
	assert_int_equal(ask(q, 0, r.fds, 3), -EPROTO);
	assert_int_equal(ask(q, sizeof(*q) - 1, r.fds, 3), -EPROTO);
	assert_int_equal(ask(q, sizeof(*q) + 1, r.fds, 3), -EPROTO);
	assert_int_equal(ask(q, sizeof(*q), r.fds, 2), -EPROTO);
	assert_int_equal(ask(q, sizeof(*q), NULL, 0), -EPROTO);
	struct {
		uint32_t *field, value;
	} wrong[] = {
		{&q->magic, 1},
		{&q->version, WIRE_VERSION + 1},
		{&q->kind, 0},
		{&q->kind, 3},
		{&q->flags, 4},
		{&q->flags, WIRE_INTO_CGROUP}, /* and no descriptor for it */
		{&q->n_tasks, 1},
		{&q->n_tasks, BOX_MAX_TASKS + 1},
		{&q->n_slots, 1},
		{&q->n_slots, WIRE_MAX_SLOTS + 1},
		{(uint32_t *)&q->slots[0], 1}, /* which is not used */
		{(uint32_t *)&q->image_bytes, (uint32_t)right.image_bytes - 1},
		{(uint32_t *)&q->image_bytes + 1, 1},
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		*wrong[i].field = wrong[i].value;
		assert_int_equal(ask(q, sizeof(*q), r.fds, 3), -EPROTO);
		*q = right;
	}
	/* a memfd that can still be changed */
	int open_memfd = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(write(open_memfd, spoiler.image, spoiler.image_size), spoiler.image_size);
	int was = r.fds[0];
	r.fds[0] = open_memfd;
	assert_int_equal(ask(q, sizeof(*q), r.fds, 3), -EPROTO);
	r.fds[0] = was;
	close(open_memfd);
	/* slots that no plan has */
	q->n_slots = 1;
	q->slots[0] = PLAN_MAX_SLOTS;
	r.fds[3] = r.fds[0];
	assert_int_equal(ask(q, sizeof(*q), r.fds, 4), -EPROTO);
	*q = right;
	/* and after all that, what is right is done */
	assert_true(ask(q, sizeof(*q), r.fds, 3) > 0);
	close_round(&r);
	reap_all(false);
	assert_int_equal(count_of(spoiler.z.pid), 4);
	close_all();
}

/* Who has asked learns that, and by its serial: nobody else's request is at fault. */
static void without_descriptors_it_says_so(void **state)
{
	(void)state;
	struct rlimit was, few;
	struct zygote_reply reply;
	struct packet packet;
	struct round r;
	open_all();
	spoil_seed = 7;
	spoiler.may_spoil_plans = false;
	make_right(&spoiler, &r, -1);
	assert_int_equal(ask(&r.request, 0, NULL, 0), -EPROTO); /* so it has settled */
	assert_int_equal(prlimit(spoiler.z.pid, RLIMIT_NOFILE, NULL, &was), 0);
	few = was;
	few.rlim_cur = 5;
	assert_int_equal(prlimit(spoiler.z.pid, RLIMIT_NOFILE, &few, NULL), 0);
	r.request.serial = 4711;
	assert_int_equal(
		packet_send(spoiler.z.socket, (struct packet_bytes){&r.request, sizeof(r.request)},
			(struct packet_bytes){0}, r.fds, 3),
		0);
	assert_int_equal(packet_receive(spoiler.z.socket, &reply, sizeof(reply), true, &packet), 0);
	assert_int_equal(reply.pid, -EMFILE);
	assert_int_equal(reply.serial, 4711);
	assert_int_equal(count_of(spoiler.z.pid), 4);
	assert_int_equal(prlimit(spoiler.z.pid, RLIMIT_NOFILE, &was, NULL), 0);
	assert_true(ask(&r.request, sizeof(r.request), r.fds, 3) > 0);
	close_round(&r);
	reap_all(false);
	close_all();
}

static void it_lives_through_what_is_spoiled(void **state)
{
	(void)state;
	open_all();
	spoil_seed = 1;
	for (int i = 0; i < 400; i++)
		spoil_once(&spoiler, -1);
	close_all();
}

static void so_it_does_with_a_box_to_enter(void **state)
{
	(void)state;
	int talk, life;
	open_all();
	spoil_seed = 2;
	int init = keep_box(&spoiler, &talk, &life);
	for (int i = 0; i < 400; i++)
		spoil_once(&spoiler, init);
	close(talk);
	close(life);
	close(init);
	memset(spoil_known + 1, 0, 2 * sizeof(pid_t));
	reap_all(false);
	close_all();
}

/* Nobody reads its answers: it waits for that, within bounds, and loses none. */
static void a_daemon_that_does_not_listen_is_waited_for(void **state)
{
	(void)state;
	struct zygote_request wrong = {0};
	long sent = 0, answers = 0;
	open_all();
	while (packet_send(spoiler.z.socket, (struct packet_bytes){&wrong, sizeof(wrong)},
		       (struct packet_bytes){0}, NULL, 0) == 0)
		sent++;
	/* it has no room for requests nor for answers by now */
	for (; answers < sent; answers++)
		assert_int_equal(answer_of(&spoiler), -EPROTO);
	assert_true(sent > 100);
	close_all();
}

static void it_ends_with_its_socket(void **state)
{
	(void)state;
	int status;
	open_all();
	spoiler.z.socket = fd_close(spoiler.z.socket);
	assert_int_equal(waitpid(spoiler.z.pid, &status, 0), spoiler.z.pid);
	assert_int_equal(status, 0);
	spoiler.z.pid = 0;
	close_all();
}

/* What it is and has: looked at from outside. */
static void it_has_nothing_it_needs_not(void **state)
{
	(void)state;
	char path[64], text[4096];
	open_all();
	while (packet_send(spoiler.z.socket, (struct packet_bytes){"x", 1},
		       (struct packet_bytes){0}, NULL, 0) < 0)
		;
	assert_int_equal(answer_of(&spoiler), -EPROTO); /* so it has settled */
	assert_int_equal(count_of(spoiler.z.pid), 4);
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)spoiler.z.pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) /* root may, though it is not dumpable */
		assert_int_equal(read(fd, text, sizeof(text)), 0);
	fd_close(fd);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)spoiler.z.pid);
	assert_true(file_read_text(AT_FDCWD, path, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "Name:\tbulkhead-zygote\n"));
	assert_non_null(strstr(text, "SigIgn:\t0000000000000000\n"));
	assert_int_equal(getsid(spoiler.z.pid), spoiler.z.pid);
	close_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_is_refused),
		cmocka_unit_test(without_descriptors_it_says_so),
		cmocka_unit_test(it_ends_with_its_socket),
		cmocka_unit_test(it_has_nothing_it_needs_not),
		cmocka_unit_test(a_daemon_that_does_not_listen_is_waited_for),
		cmocka_unit_test(it_lives_through_what_is_spoiled),
		cmocka_unit_test(so_it_does_with_a_box_to_enter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
