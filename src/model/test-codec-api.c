/* SPDX-License-Identifier: MIT */
#include "model/api.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "model/codec-api-text.h"

static struct api_run good(struct arena *a, enum api_kind kind, const char *text)
{
	struct api_run run;
	struct error e = ERROR_INIT;
	if (api_run_parse(&run, kind, text, strlen(text), a, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return run;
}

static void refused(enum api_kind kind, const char *text, size_t size, int errnum, const char *why)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct api_run run = {.cwd = "untouched"};
	struct error e = ERROR_INIT;
	assert_int_equal(api_run_parse(&run, kind, text, size, &a, &e), -1);
	assert_string_equal(run.cwd, "untouched");
	assert_int_equal(e.blame, BLAME_REQUEST);
	assert_int_equal(e.errnum, errnum);
	if (!strstr(e.text, why))
		fail_msg("'%s' is not in: %s", why, e.text);
}

static void test_whole(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	(void)state;
	struct api_run run = good(&a, API_RUN,
		"{\"argv\":[\"sh\",{\"base64\":\"/w==\"}],\"policy\":\"tool\",\"cwd\":\"/"
		"tmp\",\"key\":\"k\","
		"\"limits\":{\"memory\":\"64M\",\"timeout\":1.5,\"cpu-time\":90,\"pids\":null,"
		"\"cpus\":0.5,"
		"\"output\":\"1M\",\"oom\":\"process\",\"grace\":\"500ms\"},"
		"\"env\":{\"A\":\"b\",\"GONE\":null},\"stdin\":\"a\\nb\",\"best_effort\":true}");
	const struct request *r = &run.request;
	assert_int_equal(r->argv.n, 2);
	assert_string_equal(r->argv.v[0], "sh");
	assert_string_equal(r->argv.v[1], "\xff");
	assert_null(r->argv.v[2]);
	assert_string_equal(r->policy, "tool");
	assert_null(run.policy_text);
	assert_string_equal(run.cwd, "/tmp");
	assert_string_equal(r->key, "k");
	assert_int_equal(r->limits[LIMIT_MEMORY].value, 64 << 20);
	assert_int_equal(r->limits[LIMIT_TIMEOUT].value, 1500000);
	assert_int_equal(r->limits[LIMIT_CPU_TIME].value, 90000000);
	assert_true(r->limit_given[LIMIT_PIDS] && !r->limits[LIMIT_PIDS].set);
	assert_int_equal(r->limits[LIMIT_CPUS].value, 500);
	assert_int_equal(r->limits[LIMIT_OUTPUT].value, 1 << 20);
	assert_int_equal(r->limits[LIMIT_OUTPUT].origin, ORIGIN_ASKED);
	assert_false(r->limit_given[LIMIT_SWAP]);
	assert_true(r->oom_given && r->oom == OOM_PROCESS);
	assert_true(r->grace_given && r->grace_us == 500000);
	assert_int_equal(r->env.n_set, 1);
	assert_string_equal(r->env.set[0].key, "A");
	assert_string_equal(r->env.set[0].value, "b");
	assert_int_equal(r->env.unset.n, 1);
	assert_string_equal(r->env.unset.v[0], "GONE");
	assert_int_equal(run.stdin_size, 3);
	assert_memory_equal(run.stdin_text, "a\nb", 3);
	assert_false(run.stdin_open || r->tty);
	assert_true(r->best_effort);
}

static void test_stdin(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	(void)state;
	struct api_run run =
		good(&a, API_RUN, "{\"argv\":[\"x\"],\"stdin\":{\"base64\":\"AGEA\"}}");
	assert_int_equal(run.stdin_size, 3);
	assert_memory_equal(run.stdin_text, "\0a\0", 3);
	run = good(&a, API_RUN, "{\"argv\":[\"x\"],\"stdin\":{\"open\":true}}");
	assert_true(run.stdin_open && !run.stdin_text);
	run = good(&a, API_RUN, "{\"argv\":[\"x\"],\"stdin\":null}");
	assert_true(!run.stdin_open && !run.stdin_text);
	run = good(
		&a, API_RUN_IN_BOX, "{\"argv\":[\"x\"],\"tty\":true,\"rows\":40,\"cols\":65535}");
	assert_true(run.stdin_open && run.request.tty);
	assert_int_equal(run.rows, 40);
	assert_int_equal(run.cols, 65535);
}

static void test_policy(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	(void)state;
	struct api_run run = good(&a, API_BOX, "{\"policy\":{\"limits\":{\"pids\":3}}}");
	assert_null(run.request.policy);
	assert_int_equal(run.policy_size, strlen(run.policy_text));
	struct policy policy;
	assert_int_equal(
		policy_load_text(&policy, &a, NULL, run.policy_text, run.policy_size, NULL), 0);
	assert_int_equal(policy.limits.v[LIMIT_PIDS].value, 3);
	run = good(&a, API_BOX, "");
	assert_int_equal(run.request.argv.n, 0);
}

static void test_refused(void **state)
{
	static const struct {
		enum api_kind kind;
		const char *text, *why;
	} cases[] = {
		{API_RUN, "", "not JSON"},
		{API_RUN, "[]", "not a JSON object"},
		{API_RUN, "{\"argv\":[\"x\"]} x", "not JSON"},
		{API_RUN, "{}", "'argv' is missing"},
		{API_RUN, "{\"argv\":[]}", "at least one word"},
		{API_RUN, "{\"argv\":\"x\"}", "must be a list"},
		{API_RUN, "{\"argv\":[1]}", "must be a text"},
		{API_RUN, "{\"argv\":[\"\"]}", "empty word"},
		{API_RUN, "{\"argv\":[\"a\\u0000b\"]}", "\\u0000"},
		{API_RUN, "{\"argv\":[{\"base64\":\"YQBi\"}]}", "without NUL"},
		{API_RUN, "{\"argv\":[{\"base64\":\"YQ=\"}]}", "must be a text"},
		{API_RUN, "{\"argv\":[{\"base64\":\"YQ==\",\"x\":1}]}", "must be a text"},
		{API_RUN, "{\"argv\":[\"\xff\"]}", "not JSON"},
		{API_RUN, "{\"argv\":[\"a\"],\"argv\":[\"b\"]}", "duplicate"},
		{API_RUN, "{\"argv\":[\"a\"],\"limit\":{}}", "did you mean 'limits'?"},
		{API_RUN, "{\"argv\":[\"a\"],\"limits\":{\"memmory\":1}}",
			"did you mean 'memory'?"},
		{API_RUN, "{\"argv\":[\"a\"],\"limits\":{\"memory\":\"12\"}}", "at least 1M"},
		{API_RUN, "{\"argv\":[\"a\"],\"limits\":{\"memory\":[]}}",
			"a text, a number or null"},
		{API_RUN, "{\"argv\":[\"a\"],\"limits\":{\"memory\":-1}}", "not a size"},
		{API_RUN, "{\"argv\":[\"a\"],\"limits\":{\"memory\":1e300}}", "not a size"},
		{API_RUN, "{\"argv\":[\"a\"],\"limits\":{\"cpu-time\":1,\"cpu_time\":1}}",
			"two names"},
		{API_RUN, "{\"argv\":[\"a\"],\"limits\":{\"oom\":\"x\"}}", "group or process"},
		{API_RUN, "{\"argv\":[\"a\"],\"limits\":{\"grace\":\"2h\"}}", "more than 1h"},
		{API_RUN, "{\"argv\":[\"a\"],\"limits\":[]}", "must be an object"},
		{API_RUN, "{\"argv\":[\"a\"],\"env\":{\"A=B\":\"x\"}}", "'A=B' of 'env'"},
		{API_RUN, "{\"argv\":[\"a\"],\"env\":{\"\":\"x\"}}", "of 'env'"},
		{API_RUN, "{\"argv\":[\"a\"],\"env\":{\"A\":1}}", "must be a text"},
		{API_RUN, "{\"argv\":[\"a\"],\"cwd\":\"tmp\"}", "absolute"},
		{API_RUN, "{\"argv\":[\"a\"],\"key\":\"\\n\"}", "control character"},
		{API_RUN, "{\"argv\":[\"a\"],\"key\":\"\"}", "empty"},
		{API_RUN, "{\"argv\":[\"a\"],\"tty\":1}", "true or false"},
		{API_RUN, "{\"argv\":[\"a\"],\"tty\":true,\"stdin\":\"x\"}", "fed"},
		{API_RUN, "{\"argv\":[\"a\"],\"rows\":3}", "needs 'tty'"},
		{API_RUN, "{\"argv\":[\"a\"],\"tty\":true,\"rows\":0}", "from 1 to 65535"},
		{API_RUN, "{\"argv\":[\"a\"],\"stdin\":{\"open\":1}}", "true or false"},
		{API_RUN, "{\"argv\":[\"a\"],\"stdin\":{\"open\":true,\"x\":1}}", "must be a text"},
		{API_RUN, "{\"argv\":[\"a\"],\"policy\":\"/etc/x.yaml\"}", "no file is read"},
		{API_RUN, "{\"argv\":[\"a\"],\"policy\":3}", "must be the name"},
		{API_RUN_IN_BOX, "{\"argv\":[\"a\"],\"policy\":\"tool\"}", "no meaning here"},
		{API_BOX, "{\"argv\":[\"a\"]}", "no meaning here"},
		{API_BOX, "{\"stdin\":null}", "no meaning here"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		refused(cases[i].kind, cases[i].text, strlen(cases[i].text), EINVAL, cases[i].why);
	refused(API_RUN, "{\"argv\":[\"a\0\"]}", 14, EINVAL, "not JSON");
}

/* ---- limits ---- */

static void put_many(struct buf *b, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_puts(b, text);
}

static int parse_buf(struct buf *b, struct arena *a, struct error *e)
{
	struct api_run run;
	return api_run_parse(&run, API_RUN, buf_str(b), b->size, a, e);
}

static void test_depth(void **state)
{
	(void)state;
	for (unsigned depth = API_MAX_DEPTH - 1; depth <= API_MAX_DEPTH; depth++) {
		cleanup_buf struct buf b = BUF_INIT;
		cleanup_arena struct arena a = ARENA_INIT;
		struct error e = ERROR_INIT;
		buf_puts(&b, "{\"x\":");
		put_many(&b, "[", depth);
		put_many(&b, "]", depth);
		buf_puts(&b, "}");
		assert_int_equal(parse_buf(&b, &a, &e), -1);
		assert_int_equal(e.errnum, depth < API_MAX_DEPTH ? EINVAL : E2BIG);
	}
	/* and what would be deep enough to end the stack */
	cleanup_buf struct buf b = BUF_INIT;
	put_many(&b, "[", 1 << 20);
	refused(API_RUN, buf_str(&b), b.size, E2BIG, "levels");
}

static void test_values(void **state)
{
	(void)state;
	for (unsigned more = 0; more < 2; more++) {
		cleanup_buf struct buf b = BUF_INIT;
		cleanup_arena struct arena a = ARENA_INIT;
		struct error e = ERROR_INIT;
		buf_puts(&b, "{\"argv\":[\",{[\\\"\"");
		put_many(&b, ",\"\"", API_MAX_VALUES - 3 + more);
		buf_puts(&b, "]}");
		assert_int_equal(parse_buf(&b, &a, &e), more ? -1 : 0);
		assert_int_equal(e.errnum, more ? E2BIG : 0);
	}
}

static void test_variables(void **state)
{
	(void)state;
	for (unsigned n = API_MAX_ENV; n <= API_MAX_ENV + 1; n++) {
		cleanup_buf struct buf b = BUF_INIT;
		cleanup_arena struct arena a = ARENA_INIT;
		struct error e = ERROR_INIT;
		buf_puts(&b, "{\"argv\":[\"x\"],\"env\":{");
		for (unsigned i = 0; i < n; i++)
			buf_printf(&b, "%s\"V%u\":\"\"", i ? "," : "", i);
		buf_puts(&b, "}}");
		assert_int_equal(parse_buf(&b, &a, &e), n > API_MAX_ENV ? -1 : 0);
		assert_int_equal(e.errnum, n > API_MAX_ENV ? E2BIG : 0);
	}
}

static void test_two_mebibytes(void **state)
{
	cleanup_buf struct buf b = BUF_INIT;
	cleanup_arena struct arena a = ARENA_INIT;
	struct api_run run;
	(void)state;
	buf_puts(&b, "{\"argv\":[\"x\",\"");
	put_many(&b, "0123456789abcdef", 1 << 17);
	buf_puts(&b, "\"]}");
	assert_int_equal(api_run_parse(&run, API_RUN, buf_str(&b), b.size, &a, NULL), 0);
	assert_int_equal(strlen(run.request.argv.v[1]), 2 << 20);
}

/* ---- small bodies ---- */

static void test_signal(void **state)
{
	int sig = -1;
	(void)state;
#define SIGNAL(text) api_signal_parse(&sig, text, strlen(text), NULL)
	assert_int_equal(SIGNAL("{\"signal\":\"TERM\"}"), 0);
	assert_int_equal(sig, SIGTERM);
	assert_int_equal(SIGNAL("{\"signal\":\"SIGUSR1\"}"), 0);
	assert_int_equal(sig, SIGUSR1);
	assert_int_equal(SIGNAL("{\"signal\":64}"), 0);
	assert_int_equal(sig, 64);
	assert_int_equal(SIGNAL("{\"signal\":0}"), -1);
	assert_int_equal(SIGNAL("{\"signal\":65}"), -1);
	assert_int_equal(SIGNAL("{\"signal\":\"NONE\"}"), -1);
	assert_int_equal(SIGNAL("{\"signal\":\"\"}"), -1);
	assert_int_equal(SIGNAL("{}"), -1);
	assert_int_equal(SIGNAL("{\"signal\":15,\"x\":1}"), -1);
	assert_int_equal(SIGNAL(""), -1);
	assert_int_equal(sig, 64);
}

static void test_size(void **state)
{
	struct api_size size = {0, 0};
	(void)state;
#define SIZE(text) api_size_parse(&size, text, strlen(text), NULL)
	assert_int_equal(SIZE("{\"rows\":40,\"cols\":120}"), 0);
	assert_int_equal(size.rows, 40);
	assert_int_equal(size.cols, 120);
	assert_int_equal(SIZE("{\"rows\":40}"), -1);
	assert_int_equal(SIZE("{\"rows\":0,\"cols\":1}"), -1);
	assert_int_equal(SIZE("{\"rows\":65536,\"cols\":1}"), -1);
	assert_int_equal(size.rows, 40);
}

/* ---- whatever comes ---- */

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* A byte changed, a piece cut out, or a piece put in twice. */
static void damage(struct buf *b, uint32_t *seed)
{
	static const char bytes[] = "{}[]\",:\\0u-e.\xff\xc3 ";
	size_t at = next_random(seed) % b->size, n = next_random(seed) % 8 + 1;

	if (at + n > b->size)
		n = b->size - at;
	switch (next_random(seed) % 3) {
	case 0:
		b->data[at] = bytes[next_random(seed) % sizeof bytes];
		break;
	case 1:
		if (b->size > n) {
			memmove(b->data + at, b->data + at + n, b->size - at - n);
			b->size -= n;
		}
		break;
	default:
		for (size_t i = 0; i < n; i++)
			buf_putc(b, b->data[at + i]);
	}
}

static void test_fuzz(void **state)
{
	static const char *const seeds[] = {
		"{\"argv\":[\"sh\",{\"base64\":\"/w==\"}],\"policy\":{\"limits\":{\"pids\":3}},"
		"\"limits\":{\"memory\":\"64M\",\"timeout\":1.5},\"env\":{\"A\":\"b\",\"C\":null}}",
		"{\"argv\":[\"x\"],\"tty\":true,\"rows\":40,\"cols\":120,\"stdin\":{\"open\":true}"
		"}",
		"{\"signal\":\"TERM\"}",
	};
	uint32_t seed = 1;
	unsigned accepted = 0;
	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		cleanup_buf struct buf b = BUF_INIT;
		cleanup_arena struct arena a = ARENA_INIT;
		struct error e = ERROR_INIT;
		struct api_run run;
		int sig;
		buf_puts(&b, seeds[i % 3]);
		for (uint32_t n = next_random(&seed) % 4; n > 0; n--)
			damage(&b, &seed);
		int rc = api_run_parse(
			&run, (enum api_kind)(i % API_KIND_COUNT_), b.data, b.size, &a, &e);
		assert_true(rc == 0 ? e.blame == BLAME_NONE : e.blame == BLAME_REQUEST && *e.text);
		assert_true(utf8_valid(e.text, strlen(e.text)));
		accepted += rc == 0;
		api_signal_parse(&sig, b.data, b.size, NULL);
	}
	assert_in_range(accepted, 1000, 19000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_stdin),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_two_mebibytes),
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_fuzz),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
