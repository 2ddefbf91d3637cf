/* SPDX-License-Identifier: MIT */
#include "warden/shebang.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LINE(text) (text), sizeof(text) - 1

/* As fs/binfmt_script.c reads them. */
static const struct row {
	const char *head;
	size_t size;
	enum shebang is;
	const char *interpreter, *argument;
} rows[] = {
	{LINE("#!/bin/sh\n"), SHEBANG_SCRIPT, "/bin/sh", NULL},
	{LINE("#!/bin/sh"), SHEBANG_SCRIPT, "/bin/sh", NULL},
	{LINE("#!/bin/sh -e\n"), SHEBANG_SCRIPT, "/bin/sh", "-e"},
	{LINE("#! \t /bin/sh \t -e -x \t \n"), SHEBANG_SCRIPT, "/bin/sh", "-e -x"},
	{LINE("#!/usr/bin/env python3\nprint()\n"), SHEBANG_SCRIPT, "/usr/bin/env", "python3"},
	{LINE("#!sh\n"), SHEBANG_SCRIPT, "sh", NULL},
	{LINE("#!/bin/sh   \n"), SHEBANG_SCRIPT, "/bin/sh", NULL},
	{LINE("#!/bin/sh\r\n"), SHEBANG_SCRIPT, "/bin/sh\r", NULL},
	{LINE("#!/bin/sh -e\0x\n"), SHEBANG_SCRIPT, "/bin/sh", "-e"},
	{LINE("#!/bin/sh\0 -e\n"), SHEBANG_SCRIPT, "/bin/sh", NULL},
	{LINE("#!/bin/sh \0-e\n"), SHEBANG_SCRIPT, "/bin/sh", ""},
	{LINE("#!\n"), SHEBANG_BAD, NULL, NULL},
	{LINE("#!   \n/bin/sh\n"), SHEBANG_BAD, NULL, NULL},
	{LINE("#!"), SHEBANG_BAD, NULL, NULL},
	{LINE(""), SHEBANG_NONE, NULL, NULL},
	{LINE("#"), SHEBANG_NONE, NULL, NULL},
	{LINE(" #!/bin/sh\n"), SHEBANG_NONE, NULL, NULL},
	{LINE("\177ELF"), SHEBANG_NONE, NULL, NULL},
};

static void same(const char *a, const char *b)
{
	if (b)
		assert_string_equal(a, b);
	else
		assert_null(a);
}

static void test_lines(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *interpreter = NULL, *argument = NULL;
		enum shebang is = shebang_parse((const unsigned char *)rows[i].head, rows[i].size,
			&a, &interpreter, &argument);
		assert_int_equal(is, rows[i].is);
		same(interpreter, rows[i].interpreter);
		same(argument, rows[i].argument);
	}
}

/* Without an end of line in what is looked at, a name must end before that does. */
static void test_long_lines(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	char head[SHEBANG_HEAD + 1];
	const char *interpreter, *argument;
	memset(head, 'x', sizeof(head));
	memcpy(head, "#!/", 3);
	const unsigned char *bytes = (const unsigned char *)head;
	assert_int_equal(
		shebang_parse(bytes, SHEBANG_HEAD, &a, &interpreter, &argument), SHEBANG_BAD);
	head[100] = ' ';
	assert_int_equal(
		shebang_parse(bytes, SHEBANG_HEAD, &a, &interpreter, &argument), SHEBANG_SCRIPT);
	assert_int_equal(strlen(interpreter), 98);
	assert_int_equal(strlen(argument), SHEBANG_HEAD - 1 - 101);
	memset(head + 2, ' ', SHEBANG_HEAD - 2);
	assert_int_equal(
		shebang_parse(bytes, SHEBANG_HEAD, &a, &interpreter, &argument), SHEBANG_BAD);
}

static void test_argv(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	struct strv given = {0}, words;
	strv_push(&a, &given, "zero");
	strv_push(&a, &given, "one");
	shebang_argv("/bin/sh", "-e", "./script", &given, &a, &words);
	assert_int_equal(words.n, 4);
	assert_string_equal(words.v[0], "/bin/sh");
	assert_string_equal(words.v[1], "-e");
	assert_string_equal(words.v[2], "./script");
	assert_string_equal(words.v[3], "one");
	given.n = 0;
	shebang_argv("/bin/sh", NULL, "./script", &given, &a, &words);
	assert_int_equal(words.n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_argv),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
