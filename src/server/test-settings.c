/* SPDX-License-Identifier: MIT */
#include "server/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define MOST 16

static int parse(struct settings *s, struct arena *a, struct error *e, const char *words)
{
	char text[256], *argv[MOST] = {text};
	int argc = 1;
	assert_true(strlen(words) < sizeof text);
	strcpy(text, words);
	argv[0] = strcpy((char[16]){0}, "bulkheadd");
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	int rc = settings_parse(s, a, argc, argv, e);
	/* what it points to is in text */
	s->socket = s->socket ? arena_strdup(a, s->socket) : NULL;
	s->token_file = s->token_file ? arena_strdup(a, s->token_file) : NULL;
	for (size_t i = 0; i < s->pools.n; i++)
		s->pools.v[i] = arena_strdup(a, s->pools.v[i]);
	return rc;
}

static void test_good(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct settings s;
	struct error e = ERROR_INIT;
	(void)state;
	assert_int_equal(parse(&s, &a, &e, ""), 0);
	assert_null(s.socket);
	assert_int_equal(s.max_runs, 256);
	assert_int_equal(s.max_connections, 1024);
	assert_int_equal(parse(&s, &a, &e,
				 "--socket /x --max-runs=7 --memory 2G --pool tool --pool=build "
				 "--listen 8080 --token-file t --quiet"),
		0);
	assert_string_equal(s.socket, "/x");
	assert_string_equal(s.token_file, "t");
	assert_int_equal(s.max_runs, 7);
	assert_int_equal(s.memory_bytes, 2ull << 30);
	assert_int_equal(s.pools.n, 2);
	assert_string_equal(s.pools.v[1], "build");
	assert_true(s.quiet && !s.verbose);
	const struct engine_options o = settings_engine(&s);
	assert_int_equal(o.max_runs, 7);
	assert_int_equal(o.memory_bytes, 2ull << 30);
}

static void test_refused(void **state)
{
	static const struct {
		const char *words, *why;
	} cases[] = {
		{"--sokcet /x", "did you mean '--socket'?"},
		{"word", "unknown option or word 'word'"},
		{"--socket", "needs PATH"},
		{"--socket=", "PATH is empty"},
		{"--quiet=1", "unknown"},
		{"--max-runs 0", "from 1 to"},
		{"--max-runs 1x", "from 1 to"},
		{"--max-runs 100001", "from 1 to"},
		{"--memory 12", "a size"},
		{"--listen 8080", "--token-file"},
		{"-q", "unknown"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct settings s;
		struct error e = ERROR_INIT;
		assert_int_equal(parse(&s, &a, &e, cases[i].words), -1);
		assert_int_equal(e.blame, BLAME_REQUEST);
		if (!strstr(e.text, cases[i].why))
			fail_msg("%s: %s", cases[i].words, e.text);
	}
}

static void test_help(void **state)
{
	cleanup_buf struct buf out = BUF_INIT;
	(void)state;
	settings_put_help(&out);
	assert_non_null(strstr(buf_str(&out), "--socket PATH"));
	assert_non_null(strstr(buf_str(&out), "(default: 256)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_help),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
