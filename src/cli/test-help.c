/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "cli/help.h"
#include "cli/option-table.h"

/* 80 columns, no trailing space, ends in a newline. */
static void assert_fits(const struct buf *b)
{
	const char *line = buf_str(b);

	assert_true(b->size > 0 && line[b->size - 1] == '\n');
	while (*line) {
		size_t size = strcspn(line, "\n");

		if (size > 80 || (size && line[size - 1] == ' '))
			fail_msg("'%.*s'", (int)size, line);
		line += size + 1;
	}
}

static void test_overview(void **state)
{
	cleanup_buf struct buf b = BUF_INIT;

	(void)state;
	help_put_overview(&b);
	assert_fits(&b);
	for (int i = 0; i < COMMAND_COUNT_; i++)
		assert_non_null(strstr(buf_str(&b), command_spec((enum command)i)->summary));
}

static void test_commands(void **state)
{
	(void)state;
	for (int i = 0; i < COMMAND_COUNT_; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		cleanup_buf struct buf b = BUF_INIT;

		help_put_command(&b, (enum command)i);
		assert_fits(&b);
		for_each_option (o, i) {
			const char *name = arena_printf(&a, " --%s%s%s", o->name,
				o->metavar ? " " : "", o->metavar ? o->metavar : "");

			assert_non_null(strstr(buf_str(&b), name));
		}
	}
}

static void test_command_names(void **state)
{
	(void)state;
	for (int i = 0; i < COMMAND_COUNT_; i++) {
		char first[32], other[] = "x", *second;
		int words;

		strcpy(first, command_spec((enum command)i)->name);
		second = strchr(first, ' ');
		if (second)
			*second++ = '\0';
		char *argv[] = {first, second ? second : other};
		assert_int_equal(command_from_words(2, argv, &words), i);
		assert_int_equal(words, second ? 2 : 1);
		assert_int_equal(command_is_group(first), second != NULL);
	}
	static char none[][2][8] = {
		{"rum", "x"}, {"", ""}, {"box", "x"}, {"box", ""}, {"bo", "list"}};
	int words;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		char *argv[] = {none[i][0], none[i][1]};
		assert_int_equal(command_from_words(2, argv, &words), -1);
		assert_int_equal(command_from_words(1, argv, &words), -1);
	}
	assert_string_equal(command_nearest("rum"), "run");
	assert_string_equal(command_nearest("docter"), "doctor");
	assert_null(command_nearest("python3"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overview),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_command_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
