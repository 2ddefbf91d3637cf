/* SPDX-License-Identifier: MIT */
#include "run/feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define FLOOD ((size_t)3 << 20)

static uv_loop_t loop;
static struct feed feed;
static int child = -1;
static unsigned rooms;
static char flood[FLOOD];

static void on_room(void *data)
{
	(void)data;
	rooms++;
}

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	alarm(60);
	rooms = 0;
	feed = FEED_INIT;
	feed.room = on_room;
	for (size_t i = 0; i < sizeof(flood); i++)
		flood[i] = (char)(i % 251);
	return uv_loop_init(&loop);
}

static int teardown(void **state)
{
	(void)state;
	child = fd_close(child);
	feed_fini(&feed, NULL, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static void open_pipe(void)
{
	assert_int_equal(feed_open(&feed, &loop, &child), 0);
	fcntl(child, F_SETFL, O_NONBLOCK);
}

static void test_what_fits_goes_at_once_and_wakes_nobody(void **state)
{
	(void)state;
	char text[8] = "";
	open_pipe();
	assert_int_equal(feed_put(&feed, "abc", 3), 3);
	feed_end(&feed);
	assert_int_equal(uv_run(&loop, UV_RUN_NOWAIT), 0);
	assert_int_equal(read(child, text, sizeof(text)), 3);
	assert_string_equal(text, "abc");
	assert_int_equal(read(child, text, sizeof(text)), 0);
	assert_int_equal(rooms, 0);
}

/* A program that does not read: no more is taken than is said, and nothing of it is lost. */
static void test_no_more_than_the_room_is_held_and_all_arrives(void **state)
{
	(void)state;
	static char got[FLOOD];
	size_t put = 0, read_so_far = 0;
	ssize_t n;
	open_pipe();
	while ((n = feed_put(&feed, flood + put, sizeof(flood) - put)) > 0)
		put += (size_t)n;
	assert_int_equal(n, 0);
	assert_in_range(put, FEED_ROOM, FEED_ROOM + ((size_t)1 << 20));
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(rooms, 0);
	while (read_so_far < sizeof(flood)) {
		n = read(child, got + read_so_far, 5000);
		read_so_far += n > 0 ? (size_t)n : 0;
		uv_run(&loop, UV_RUN_NOWAIT);
		n = feed_put(&feed, flood + put, sizeof(flood) - put);
		assert_true(n >= 0);
		put += (size_t)n;
	}
	assert_memory_equal(got, flood, sizeof(flood));
	assert_true(rooms > 0);
}

static void test_the_end_comes_behind_what_is_held(void **state)
{
	(void)state;
	char part[4096];
	size_t put = 0, got = 0;
	ssize_t n;
	open_pipe();
	while ((n = feed_put(&feed, flood, sizeof(flood))) > 0)
		put += (size_t)n;
	feed_end(&feed);
	feed_end(&feed);
	assert_int_equal(feed_put(&feed, "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	while ((n = read(child, part, sizeof(part))) != 0) {
		got += n > 0 ? (size_t)n : 0;
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	assert_int_equal(got, put);
	assert_int_equal(feed.fd, -1);
}

static void test_a_reader_that_is_gone(void **state)
{
	(void)state;
	open_pipe();
	child = fd_close(child);
	assert_int_equal(feed_put(&feed, "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	assert_true(feed.reader_gone);
}

/* It goes while there is something for it: nobody waits for ever. */
static void test_a_reader_that_goes_away(void **state)
{
	(void)state;
	open_pipe();
	while (feed_put(&feed, flood, sizeof(flood)) > 0)
		;
	child = fd_close(child);
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	assert_true(feed.reader_gone);
	assert_int_equal(rooms, 1);
	assert_int_equal(feed_put(&feed, "x", 1), -1);
}

static void test_a_terminal_gets_its_character_and_goes_on(void **state)
{
	(void)state;
	char text[16];
	int master;
	assert_int_equal(openpty(&master, &child, NULL, NULL, NULL), 0);
	fcntl(master, F_SETFL, O_NONBLOCK);
	fcntl(child, F_SETFL, O_NONBLOCK);
	assert_int_equal(feed_open_terminal_take(&feed, &loop, master), 0);
	assert_int_equal(feed_put(&feed, "one\n", 4), 4);
	feed_end(&feed);
	assert_int_equal(read(child, text, sizeof(text)), 4);
	assert_int_equal(read(child, text, sizeof(text)), 0);
	assert_int_equal(feed_put(&feed, "two\n", 4), 4);
	assert_int_equal(read(child, text, sizeof(text)), 4);
	assert_memory_equal(text, "two\n", 4);
}

static void test_before_it_is_open_nothing_is_taken(void **state)
{
	(void)state;
	assert_int_equal(feed_put(&feed, "x", 1), -1);
	feed_end(&feed);
	feed_close(&feed);
	assert_int_equal(feed_fini(&feed, NULL, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_fits_goes_at_once_and_wakes_nobody),
		TEST(test_no_more_than_the_room_is_held_and_all_arrives),
		TEST(test_the_end_comes_behind_what_is_held),
		TEST(test_a_reader_that_is_gone),
		TEST(test_a_reader_that_goes_away),
		TEST(test_a_terminal_gets_its_character_and_goes_on),
		TEST(test_before_it_is_open_nothing_is_taken),
	};
	return cmocka_run_group_tests_name("run-feed", tests, NULL, NULL);
}
