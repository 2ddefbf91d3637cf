/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "model/codec-argv.h"
#include "model/verdict.h"

/* A command in verdict and observation: all of it, or its beginning and how much is missing. */

struct written {
	struct arena a;
	const char *verdict, *observation;
	json_t *root;
};

static void write_all(struct written *w, const struct observation *o)
{
	struct verdict v;

	verdict_decide(&v, o, &w->a);
	w->verdict = verdict_format_json(&v, o, &w->a);
	w->observation = observation_format_json(o, &w->a);
	w->root = json_loads(w->verdict, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(w->root);
}

static void fini(struct written *w)
{
	json_decref(w->root);
	arena_fini(&w->a);
}

static void expect_left_out(const json_t *root, json_int_t words, json_int_t bytes)
{
	const json_t *left = json_object_get(root, "argv_left_out");

	if (bytes == 0) {
		assert_null(left);
		return;
	}
	assert_int_equal(json_integer_value(json_object_get(left, "words")), words);
	assert_int_equal(json_integer_value(json_object_get(left, "bytes")), bytes);
}

/* What is read back has the same verdict and is stored the same way. */
static void expect_same_again(const struct written *first)
{
	struct written again = {ARENA_INIT, NULL, NULL, NULL};
	struct observation o;
	struct error e = ERROR_INIT;

	if (observation_parse_json(
		    &o, first->observation, strlen(first->observation), &again.a, &e) < 0)
		fail_msg("%s", e.text);
	write_all(&again, &o);
	assert_string_equal(again.verdict, first->verdict);
	assert_string_equal(again.observation, first->observation);
	fini(&again);
}

static char *long_word(struct arena *a, const char *unit, size_t size)
{
	size_t n = strlen(unit);
	char *word = arena_alloc(a, size + 1);

	for (size_t i = 0; i < size; i++)
		word[i] = unit[i % n];
	word[size] = '\0';
	return word;
}

static void expect(
	const char *const *argv, size_t argc, size_t shown, json_int_t words, json_int_t bytes)
{
	struct written w = {ARENA_INIT, NULL, NULL, NULL};
	struct observation o = {
		.argv = argv, .argc = argc, .attempt = 1, .wait = WAIT_EXITED, .version = "x"};

	write_all(&w, &o);
	assert_int_equal(json_array_size(json_object_get(w.root, "argv")), shown);
	expect_left_out(w.root, words, bytes);
	assert_true(strlen(w.verdict) < 6 * ARGV_WRITTEN_MAX + 8192);
	assert_true(strlen(w.observation) < 6 * ARGV_WRITTEN_MAX + 8192);
	expect_same_again(&w);
	fini(&w);
}

#define MAX ARGV_WRITTEN_MAX

static void test_to_the_byte(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	const char *fits[] = {"true", long_word(&a, "x", MAX - 6)};
	const char *fits_not[] = {"true", long_word(&a, "x", MAX - 5)};
	const char *just[] = {long_word(&a, "x", MAX - 3), "a", ""};
	const char *one_left[] = {long_word(&a, "x", MAX - 2), "a", "bc"};
	(void)state;

	expect(fits, 2, 2, 0, 0);
	expect(fits_not, 2, 2, 0, 1);
	expect(just, 2, 2, 0, 0);
	expect(just, 3, 2, 1, 1);
	expect(one_left, 3, 1, 2, 5);
	expect(NULL, 0, 0, 0, 0);
}

/* Six bytes of JSON for one, words that are not UTF-8, and words that are nothing but their NULs. */
static void test_the_worst_stays_small(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	const char *del[] = {"true", long_word(&a, "\x7f", 3000000), "x"};
	const char *raw[] = {"true", long_word(&a, "\xff", 3000000), "x"};
	const char **empty = arena_calloc(&a, 1000000, sizeof *empty);
	const char *control[15] = {"/bin/true"};
	(void)state;

	for (size_t i = 0; i < 1000000; i++)
		empty[i] = "";
	for (size_t i = 1; i < 15; i++)
		control[i] = long_word(&a, "\x01", 130000);
	expect(del, 3, 2, 1, 3000000 - ((json_int_t)MAX - 6) + 2);
	expect(raw, 3, 2, 1, 3000000 - ((json_int_t)MAX - 6) + 2);
	expect(empty, 1000000, MAX, 1000000 - (json_int_t)MAX, 1000000 - (json_int_t)MAX);
	expect(control, 15, 2, 13, 13 * 130001 + 130000 - ((json_int_t)MAX - 11));
}

static void test_no_part_of_a_character(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct written w = {ARENA_INIT, NULL, NULL, NULL};
	(void)state;

	for (size_t before = 0; before < 4; before++) {
		char *word = long_word(&a, "\xf0\x9f\x98\x80", MAX + 4);
		const char *argv[] = {long_word(&a, "x", before), word};
		const struct observation o = {.argv = argv, .argc = 2, .attempt = 1};
		write_all(&w, &o);
		const json_t *last = json_array_get(json_object_get(w.root, "argv"), 1);
		assert_true(json_is_string(last)); /* else it would be base64 */
		assert_int_equal(json_string_length(last), (MAX - before - 2) / 4 * 4);
		expect_same_again(&w);
		fini(&w);
		w = (struct written){ARENA_INIT, NULL, NULL, NULL};
	}
}

static void test_reading_is_strict(void **state)
{
	static const char *const wrong[] = {
		"{\"argv_left_out\":1}",
		"{\"argv_left_out\":null}",
		"{\"argv_left_out\":{\"words\":-1}}",
		"{\"argv_left_out\":{\"bytes\":\"1\"}}",
		"{\"argv_left_out\":{\"words\":1,\"more\":1}}",
	};
	(void)state;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct observation o;
		struct error e = ERROR_INIT;
		if (observation_parse_json(&o, wrong[i], strlen(wrong[i]), &a, &e) == 0)
			fail_msg("taken: %s", wrong[i]);
		assert_non_null(strstr(e.text, "argv_left_out"));
	}
}

/* Numbers as large as a file may have them; and a person is told of words that are not there. */
static void test_what_was_left_out_before_counts(void **state)
{
	static const char text[] = "{\"argv\":[\"true\"],\"argv_left_out\":"
				   "{\"words\":9223372036854775807,\"bytes\":9223372036854775807}}";
	struct written w = {ARENA_INIT, NULL, NULL, NULL};
	struct observation o;
	struct verdict v;
	(void)state;

	assert_int_equal(observation_parse_json(&o, text, sizeof text - 1, &w.a, NULL), 0);
	write_all(&w, &o);
	expect_left_out(w.root, INT64_MAX, INT64_MAX);
	verdict_decide(&v, &o, &w.a);
	assert_non_null(
		strstr(verdict_format_text(&v, &o, &w.a), "true … (9223372036854775807 more)\n"));
	fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_to_the_byte),
		cmocka_unit_test(test_the_worst_stays_small),
		cmocka_unit_test(test_no_part_of_a_character),
		cmocka_unit_test(test_reading_is_strict),
		cmocka_unit_test(test_what_was_left_out_before_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
