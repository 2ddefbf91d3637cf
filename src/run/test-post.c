/* SPDX-License-Identifier: MIT */
#include "run/post.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static uv_loop_t loop;
static struct posts posts;
static char done[16];

struct errand {
	struct post post;
	char name;
	struct errand *puts, *cancels;
};

static void act(struct post *p)
{
	struct errand *errand = (struct errand *)p;
	done[strlen(done)] = errand->name;
	if (errand->puts)
		post_put(&posts, &errand->puts->post);
	if (errand->cancels)
		post_cancel(&posts, &errand->cancels->post);
}

static struct errand errand(char name)
{
	return (struct errand){.post = {.act = act}, .name = name};
}

static int setup(void **state)
{
	(void)state;
	memset(done, 0, sizeof(done));
	if (uv_loop_init(&loop) != 0)
		return -1;
	posts_init(&posts, &loop);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	posts_close(&posts, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static void test_once_in_order_and_not_at_once(void **state)
{
	(void)state;
	struct errand a = errand('a'), b = errand('b');
	post_put(&posts, &a.post);
	post_put(&posts, &b.post);
	post_put(&posts, &a.post);
	assert_string_equal(done, "");
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_string_equal(done, "ab");
	post_put(&posts, &a.post);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_string_equal(done, "aba");
}

/* One that posts itself again and again keeps nobody from the loop. */
static void test_what_is_posted_meanwhile_has_the_next_round(void **state)
{
	(void)state;
	struct errand a = errand('a'), b = errand('b');
	a.puts = &a;
	post_put(&posts, &a.post);
	post_put(&posts, &b.post);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_string_equal(done, "ab");
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_string_equal(done, "aba");
	a.puts = NULL;
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_string_equal(done, "abaa");
}

static void test_what_is_cancelled_is_not_done(void **state)
{
	(void)state;
	struct errand a = errand('a'), b = errand('b'), c = errand('c'), d = errand('d');
	a.cancels = &d; /* the last of the round */
	b.cancels = &b; /* which is not posted now */
	post_put(&posts, &a.post);
	post_put(&posts, &b.post);
	post_put(&posts, &c.post);
	post_put(&posts, &d.post);
	post_cancel(&posts, &c.post);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_string_equal(done, "ab");
	post_put(&posts, &d.post);
	post_cancel(&posts, &d.post);
	post_put(&posts, &c.post);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_string_equal(done, "abc");
}

/* In the middle of a round: what was put after the cancelled one is still done. */
static void test_cancelling_the_last_keeps_the_list_whole(void **state)
{
	(void)state;
	struct errand a = errand('a'), b = errand('b'), c = errand('c');
	a.cancels = &b;
	a.puts = &c;
	post_put(&posts, &a.post);
	post_put(&posts, &b.post);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_string_equal(done, "ac");
}

static void test_with_nothing_posted_nothing_wakes(void **state)
{
	(void)state;
	assert_int_equal(uv_backend_timeout(&loop), 0); /* a loop with nothing to wait for ends */
	assert_int_equal(uv_loop_alive(&loop), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_once_in_order_and_not_at_once),
		TEST(test_what_is_posted_meanwhile_has_the_next_round),
		TEST(test_what_is_cancelled_is_not_done),
		TEST(test_cancelling_the_last_keeps_the_list_whole),
		TEST(test_with_nothing_posted_nothing_wakes),
	};
	return cmocka_run_group_tests_name("run-post", tests, NULL, NULL);
}
