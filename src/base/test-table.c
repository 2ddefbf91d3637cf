/* SPDX-License-Identifier: MIT */
#include "base/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#define MANY 5000

struct thing {
	struct table_node node;
	char name[24];
};

static const uint64_t key[2] = {1, 2};
static struct thing things[MANY];

static void fill(struct table *t)
{
	table_init(t, key);
	for (int i = 0; i < MANY; i++) {
		snprintf(things[i].name, sizeof(things[i].name), "%0*d", i % 20 + 1, i);
		if (!table_find(t, things[i].name))
			table_add(t, &things[i].node, things[i].name);
	}
}

static void test_nothing_is_found_in_an_empty_one(void **state)
{
	(void)state;
	struct table t;
	table_init(&t, key);
	assert_null(table_find(&t, "a"));
	table_fini(&t);
}

static void test_all_are_found_and_nothing_else(void **state)
{
	(void)state;
	struct table t;
	fill(&t);
	for (int i = 0; i < MANY; i++) {
		struct table_node *node = table_find(&t, things[i].name);
		assert_non_null(node);
		assert_string_equal(node->name, things[i].name);
	}
	assert_null(table_find(&t, ""));
	assert_null(table_find(&t, "x"));
	table_fini(&t);
}

static void test_what_was_taken_out_is_gone_and_the_others_stay(void **state)
{
	(void)state;
	struct table t;
	fill(&t);
	size_t before = t.n;
	table_remove(&t, &things[7].node);
	table_remove(&t, &things[7].node); /* once more does nothing */
	assert_int_equal(t.n, before - 1);
	assert_null(table_find(&t, things[7].name));
	assert_ptr_equal(table_find(&t, things[8].name), &things[8].node);
	table_fini(&t);
}

/* No cost grows with the number of things: the longest way to any is short. */
static void test_chains_are_short(void **state)
{
	(void)state;
	struct table t;
	fill(&t);
	for (size_t i = 0; i < t.n_chains; i++) {
		int length = 0;
		for (struct table_node *node = t.chains[i]; node; node = node->next)
			length++;
		assert_in_range(length, 0, 12);
	}
	table_fini(&t);
}

/* Nor can somebody choose names that meet: where they are depends on a key that he does not know. */
static void test_the_key_decides(void **state)
{
	(void)state;
	static const uint64_t other[2] = {1, 3};
	struct table t, u;
	struct table_node a, b;
	table_init(&t, key);
	table_init(&u, other);
	table_add(&t, &a, "same");
	table_add(&u, &b, "same");
	assert_true(a.hash != b.hash);
	table_fini(&t);
	table_fini(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_found_in_an_empty_one),
		cmocka_unit_test(test_all_are_found_and_nothing_else),
		cmocka_unit_test(test_what_was_taken_out_is_gone_and_the_others_stay),
		cmocka_unit_test(test_chains_are_short),
		cmocka_unit_test(test_the_key_decides),
	};
	return cmocka_run_group_tests_name("base-table", tests, NULL, NULL);
}
