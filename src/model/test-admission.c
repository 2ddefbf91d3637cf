/* SPDX-License-Identifier: MIT */
#include "model/admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct admission empty = {.most = {.runs = 2, .boxes = 3, .memory_bytes = 1000}};

static void test_who_fits_is_admitted_up_to_the_last(void **state)
{
	(void)state;
	static const struct share run = {.runs = 1, .boxes = 1, .memory_bytes = 500};
	struct admission a = empty;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(admission_ask(&a, &run), ADMITTED_YES);
		admission_take(&a, &run);
	}
	assert_int_equal(admission_ask(&a, &run), ADMITTED_LATER);
	admission_give_back(&a, &run);
	assert_int_equal(admission_ask(&a, &run), ADMITTED_YES);
}

static void test_each_kind_can_be_what_is_scarce(void **state)
{
	(void)state;
	static const struct {
		struct share taken, wanted;
		enum admitted answer;
		const char *scarce;
	} rows[] = {
		{{2, 0, 0}, {1, 0, 0}, ADMITTED_LATER, "runs"},
		{{2, 0, 0}, {0, 1, 0}, ADMITTED_YES, "nothing"},
		{{0, 3, 0}, {1, 1, 0}, ADMITTED_LATER, "boxes"},
		{{0, 0, 600}, {1, 1, 401}, ADMITTED_LATER, "memory"},
		{{0, 0, 600}, {1, 1, 400}, ADMITTED_YES, "nothing"},
		{{0, 0, 0}, {1, 1, 1000}, ADMITTED_YES, "nothing"},
		{{0, 0, 0}, {1, 1, 1001}, ADMITTED_NEVER, "memory"},
		{{2, 0, 0}, {1, 1, UINT64_MAX}, ADMITTED_NEVER, "memory"},
		{{0, 0, 2000}, {1, 1, 1}, ADMITTED_LATER, "memory"},
		{{0, 0, UINT64_MAX}, {1, 1, 0}, ADMITTED_YES, "nothing"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct admission a = empty;
		a.taken = rows[i].taken;
		assert_int_equal(admission_ask(&a, &rows[i].wanted), rows[i].answer);
		assert_string_equal(admission_scarce(&a, &rows[i].wanted), rows[i].scarce);
	}
}

static void test_it_is_said_in_figures(void **state)
{
	(void)state;
	static const struct {
		struct share taken, wanted;
		const char *text;
	} rows[] = {
		{{0, 0, 0}, {0, 1, 11ull << 20},
			"there are never more than 10 MiB of memory promised by limits, and 11 MiB "
			"are asked for"},
		{{0, 0, 8ull << 20}, {0, 1, 3ull << 20},
			"2 MiB of 10 MiB of memory promised by limits are left now, and 3 MiB are "
			"asked for"},
		{{2, 0, 0}, {1, 0, 0}, "0 of 2 runs are left now, and 1 is asked for"},
		{{0, 0, 0}, {0, 4, 0}, "there are never more than 3 boxes, and 4 are asked for"},
		{{0, 9, 0}, {0, 1, 0}, "0 of 3 boxes are left now, and 1 is asked for"},
		{{0, 0, 0}, {0, 1, 0}, "there is room"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct admission a = {.most = {2, 3, 10ull << 20}, .taken = rows[i].taken};
		char text[ADMISSION_TEXT];
		assert_string_equal(admission_explain(&a, &rows[i].wanted, text), rows[i].text);
	}
}

static void test_there_is_never_less_than_nothing_taken(void **state)
{
	(void)state;
	static const struct share share = {.runs = 1, .boxes = 1, .memory_bytes = 1};
	struct admission a = empty;
	admission_give_back(&a, &share);
	assert_int_equal(a.taken.runs, 0);
	assert_int_equal(a.taken.memory_bytes, 0);
}

static void test_only_what_was_asked_for_is_promised(void **state)
{
	(void)state;
	struct limits limits = {0};
	assert_int_equal(admission_memory(&limits), 0);
	limits.v[LIMIT_MEMORY] = (struct limit_value){true, ORIGIN_DEFAULT, 4096};
	assert_int_equal(admission_memory(&limits), 0);
	limits.v[LIMIT_MEMORY].origin = ORIGIN_ASKED;
	assert_int_equal(admission_memory(&limits), 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_fits_is_admitted_up_to_the_last),
		cmocka_unit_test(test_each_kind_can_be_what_is_scarce),
		cmocka_unit_test(test_it_is_said_in_figures),
		cmocka_unit_test(test_there_is_never_less_than_nothing_taken),
		cmocka_unit_test(test_only_what_was_asked_for_is_promised),
	};
	return cmocka_run_group_tests_name("model-admission", tests, NULL, NULL);
}
