/* SPDX-License-Identifier: MIT */
#include "cli/http-answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Feed @text in pieces of @step bytes, then its end. 0 complete, -1 refused with @e. */
static int feed(struct http_answer *a, const char *text, size_t size, size_t step, size_t *ret_used,
	struct error *e)
{
	size_t at = 0, used = 0;
	http_answer_init(a);
	while (at < size && !a->complete) {
		size_t n = size - at < step ? size - at : step;
		if (http_answer_feed(a, text + at, n, &used, e) < 0)
			return -1;
		assert_true(used <= n && (used == n || a->complete));
		at += used;
	}
	if (ret_used)
		*ret_used = at;
	return a->complete ? 0 : http_answer_end(a, e);
}

#define OK "HTTP/1.1 200 OK\r\n"

static void answers_are_read_in_any_pieces(void **state)
{
	static const struct {
		const char *text;
		unsigned status;
		const char *type, *body;
	} good[] = {
		{OK "Content-Length: 5\r\nContent-Type: application/json; "
		    "charset=utf-8\r\n\r\nhello",
			200, "application/json", "hello"},
		{OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 200,
			"", "abcde"},
		{OK "content-type:text/plain\r\n\r\nuntil the end", 200, "text/plain",
			"until the end"},
		{"HTTP/1.1 204 No Content\r\n\r\n", 204, "", ""},
		{"HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", 404, "", ""},
		{"HTTP/1.0 503 Busy\r\nRetry-After: 7\r\n\r\n", 503, "", ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		for (size_t step = 1; step <= 64; step *= 4) {
			cleanup_http_answer struct http_answer a;
			struct error e = ERROR_INIT;
			size_t size = strlen(good[i].text);
			assert_int_equal(feed(&a, good[i].text, size, step, NULL, &e), 0);
			assert_int_equal(a.status, good[i].status);
			assert_string_equal(a.type, good[i].type);
			assert_string_equal(buf_str(&a.body), good[i].body);
			assert_int_equal(a.retry_after_s, good[i].status == 503 ? 7 : 0);
		}
}

static void what_follows_is_left_alone(void **state)
{
	static const char *const texts[] = {
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
		OK "Content-Length: 2\r\n\r\nok",
		OK "Content-Length: 0\r\n\r\n",
		OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (size_t step = 1; step < 300; step += 13) {
			cleanup_http_answer struct http_answer a;
			cleanup_buf struct buf b = BUF_INIT;
			struct error e = ERROR_INIT;
			size_t used;
			buf_printf(&b, "%s\x01\x02HTTP/1.1 500 Second\r\n\r\n", texts[i]);
			assert_int_equal(feed(&a, b.data, b.size, step, &used, &e), 0);
			assert_int_equal(used, strlen(texts[i]));
			assert_int_equal(a.upgraded, i == 0);
			assert_int_equal(a.status, i == 0 ? 101 : 200);
		}
}

static void hostile_answers_are_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"", "closed without one"},
		{"HTTP/1.1 200", "in the middle"},
		{OK, "in the middle"},
		{OK "Content-Length: 9\r\n\r\nshort", "in the middle"},
		{OK "Transfer-Encoding: chunked\r\n\r\n5\r\nab", "in the middle"},
		{"SSH-2.0-OpenSSH_9.2\r\n", "invalid"},
		{"GET / HTTP/1.1\r\n\r\n", "invalid"},
		{"HTTP/2.0 200 OK\r\n\r\n", "not HTTP/1.1"},
		{"HTTP/1.1 99999 OK\r\n\r\n", "status"},
		{"HTTP/1.1 100 Continue\r\n\r\n" OK "\r\n", "interim"},
		{"HTTP/1.1 101 Nothing asked\r\n\r\n", "interim"},
		{OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "content-length"},
		{OK "Content-Length: -1\r\n\r\n", "content-length"},
		{OK "Content-Length: 99999999999999999999\r\n\r\n", "content-length"},
		{OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "content-length"},
		{OK "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "content-length"},
		{OK "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "chunk size"},
		{OK "Bad Header\r\n\r\n", "header"},
		{OK "X: a\x01\r\n\r\n", "header"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (size_t step = 1; step <= 256; step *= 16) {
			cleanup_http_answer struct http_answer a;
			struct error e = ERROR_INIT;
			if (feed(&a, bad[i].text, strlen(bad[i].text), step, NULL, &e) == 0)
				fail_msg("taken: '%s'", bad[i].text);
			assert_int_equal(e.blame, BLAME_HOST);
			if (!strstr(e.text, bad[i].why))
				fail_msg("'%s': '%s'", bad[i].text, e.text);
		}
}

static void a_nul_in_the_head_is_refused(void **state)
{
	static const char text[] = OK "X: a\0b\r\n\r\n";
	cleanup_http_answer struct http_answer a;
	struct error e = ERROR_INIT;
	(void)state;
	assert_int_equal(feed(&a, text, sizeof(text) - 1, 4, NULL, &e), -1);
}

static void nothing_grows_without_bound(void **state)
{
	cleanup_http_answer struct http_answer head, body;
	struct error e = ERROR_INIT;
	static char bytes[65536];
	size_t used, n = 0;
	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	http_answer_init(&head);
	assert_int_equal(http_answer_feed(&head, OK "X: ", strlen(OK "X: "), &used, &e), 0);
	while (http_answer_feed(&head, bytes, 1000, &used, &e) == 0)
		assert_true((n += 1000) <= HTTP_ANSWER_MAX_HEAD);
	assert_non_null(strstr(e.text, "head is larger"));

	http_answer_init(&body);
	assert_int_equal(http_answer_feed(&body, OK "\r\n", strlen(OK "\r\n"), &used, &e), 0);
	for (n = 0; n < HTTP_ANSWER_MAX_BODY; n += sizeof(bytes))
		assert_int_equal(http_answer_feed(&body, bytes, sizeof(bytes), &used, &e), 0);
	assert_int_equal(body.body.size, HTTP_ANSWER_MAX_BODY);
	assert_int_equal(http_answer_feed(&body, bytes, 1, &used, &e), -1);
	assert_non_null(strstr(e.text, "larger than 16 MiB"));
}

static void long_fields_are_not_mixed_up(void **state)
{
	static const char pad[] =
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	cleanup_http_answer struct http_answer a;
	cleanup_buf struct buf b = BUF_INIT;
	struct error e = ERROR_INIT;
	(void)state;
	buf_printf(&b,
		OK "Content-Type%s: a\r\nContent-Type: %s\r\nRetry-After: %s\r\n"
		   "Retry-After: 99999999\r\nRetry-After: -3\r\nRetry-After:\r\n\r\n",
		pad, pad, pad);
	for (size_t step = 1; step <= b.size; step++) {
		assert_int_equal(feed(&a, b.data, b.size, step, NULL, &e), 0);
		assert_string_equal(a.type, "");
		assert_int_equal(a.retry_after_s, 0);
		if (step < b.size)
			http_answer_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_read_in_any_pieces),
		cmocka_unit_test(what_follows_is_left_alone),
		cmocka_unit_test(hostile_answers_are_refused),
		cmocka_unit_test(a_nul_in_the_head_is_refused),
		cmocka_unit_test(nothing_grows_without_bound),
		cmocka_unit_test(long_fields_are_not_mixed_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
