/* SPDX-License-Identifier: MIT */
#include "run/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct waiting {
	struct queue_entry entry;
	char name;
	int size;
};

static struct queue q;
static int room; /* what fits */

static bool fits(void *data, struct queue_entry *entry)
{
	(void)data;
	return ((struct waiting *)entry)->size <= room;
}

static int setup(void **state)
{
	(void)state;
	room = 1;
	queue_init(&q, 100, 150);
	return 0;
}

static void put(struct waiting *w, char name, uid_t uid, int size)
{
	*w = (struct waiting){.name = name, .size = size};
	assert_true(queue_put(&q, &w->entry, uid));
}

static char take(void)
{
	struct queue_entry *entry = queue_take(&q, fits, NULL);
	return entry ? ((struct waiting *)entry)->name : '-';
}

static void takes(const char *names)
{
	for (; *names; names++)
		assert_int_equal(take(), *names);
	assert_int_equal(q.n, 0);
	assert_null(q.turn);
}

static void test_one_user_is_served_in_order(void **state)
{
	(void)state;
	struct waiting w[3];
	for (int i = 0; i < 3; i++)
		put(&w[i], (char)('a' + i), 1000, 1);
	takes("abc-");
}

static void test_users_take_turns_whatever_each_has_waiting(void **state)
{
	(void)state;
	struct waiting w[7];
	for (int i = 0; i < 4; i++)
		put(&w[i], (char)('a' + i), 1000, 1);
	put(&w[4], 'x', 1001, 1);
	put(&w[5], 'y', 1001, 1);
	put(&w[6], 'z', 1064, 1); /* the same chain of the table as 1000 */
	takes("axzbycd-");
}

static void test_who_comes_back_is_last_in_the_round(void **state)
{
	(void)state;
	struct waiting w[5];
	put(&w[0], 'a', 1, 1);
	put(&w[1], 'x', 2, 1);
	assert_int_equal(take(), 'a');
	put(&w[2], 'b', 1, 1);
	put(&w[3], 'y', 2, 1);
	takes("xby-");
}

static void test_what_does_not_fit_is_passed_over(void **state)
{
	(void)state;
	struct waiting w[3];
	put(&w[0], 'A', 1, 2);
	put(&w[1], 'b', 1, 1); /* behind it, of the same user: waits */
	put(&w[2], 'x', 2, 1);
	assert_int_equal(take(), 'x');
	assert_int_equal(take(), '-');
	room = 2;
	takes("Ab");
}

static void test_but_not_for_ever(void **state)
{
	(void)state;
	static struct waiting big, small[2 * QUEUE_PATIENCE];
	int passed = 0;
	put(&big, 'A', 1, 2);
	for (int i = 0; i < 99; i++)
		put(&small[i], 'x', 2, 1);
	while (take() == 'x')
		passed++;
	assert_in_range(passed, QUEUE_PATIENCE / 2, 2 * QUEUE_PATIENCE);
	assert_true(q.n > 1);
	room = 2;
	assert_int_equal(take(), 'A');
	assert_int_equal(take(), 'x');
	while (take() == 'x')
		;
	assert_int_equal(q.n, 0);
}

/* Patience is with the one that waits first, not with all that come after it. */
static void test_patience_ends_with_who_it_was_for(void **state)
{
	(void)state;
	struct waiting big, other, small[QUEUE_PATIENCE / 2];
	put(&big, 'A', 1, 2);
	put(&other, 'B', 1, 2);
	for (int i = 0; i < QUEUE_PATIENCE / 2; i++) {
		put(&small[i], 'x', 2, 1);
		assert_int_equal(take(), 'x');
	}
	assert_true(big.entry.user->passed > 0);
	queue_remove(&q, &big.entry);
	assert_int_equal(other.entry.user->passed, 0);
	queue_remove(&q, &other.entry);
}

static void test_it_is_full_for_one_and_for_all(void **state)
{
	(void)state;
	static struct waiting w[151];
	for (int i = 0; i < 100; i++)
		put(&w[i], 'a', 1, 1);
	assert_false(queue_put(&q, &w[100].entry, 1));
	for (int i = 100; i < 150; i++)
		put(&w[i], 'b', 2, 1);
	assert_false(queue_put(&q, &w[150].entry, 2));
	assert_false(queue_put(&q, &w[150].entry, 3));
	assert_null(w[150].entry.user);
	for (int i = 0; i < 150; i++)
		queue_remove(&q, &w[i].entry);
	assert_int_equal(q.n, 0);
}

static void test_who_leaves_from_anywhere_leaves_the_rest_in_order(void **state)
{
	(void)state;
	struct waiting w[4];
	for (int i = 0; i < 4; i++)
		put(&w[i], (char)('a' + i), 7, 1);
	queue_remove(&q, &w[3].entry);
	queue_remove(&q, &w[1].entry);
	queue_remove(&q, &w[1].entry); /* once more does nothing */
	put(&w[1], 'e', 7, 1);
	takes("ace-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_one_user_is_served_in_order, setup),
		cmocka_unit_test_setup(test_users_take_turns_whatever_each_has_waiting, setup),
		cmocka_unit_test_setup(test_who_comes_back_is_last_in_the_round, setup),
		cmocka_unit_test_setup(test_what_does_not_fit_is_passed_over, setup),
		cmocka_unit_test_setup(test_but_not_for_ever, setup),
		cmocka_unit_test_setup(test_patience_ends_with_who_it_was_for, setup),
		cmocka_unit_test_setup(test_it_is_full_for_one_and_for_all, setup),
		cmocka_unit_test_setup(
			test_who_leaves_from_anywhere_leaves_the_rest_in_order, setup),
	};
	return cmocka_run_group_tests_name("run-queue", tests, NULL, NULL);
}
