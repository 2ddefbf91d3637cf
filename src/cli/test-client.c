/* SPDX-License-Identifier: MIT */
#include "cli/client.h"
#include "store/socket-path.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/time.h"

/* A server that takes one connection, reads what comes first and says one thing. */
struct fixture {
	char dir[64], path[96];
	int listener;
	pid_t server;
};

static int set_up(void **state)
{
	static struct fixture f;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	f = (struct fixture){.dir = "/tmp/test-client-XXXXXX"};
	if (!mkdtemp(f.dir))
		return -1;
	snprintf(f.path, sizeof(f.path), "%s/s", f.dir);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", f.path);
	f.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(f.listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(f.listener, 4) < 0)
		return -1;
	setenv("BULKHEAD_SOCKET", f.path, 1);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	if (f->server > 0) {
		kill(f->server, SIGKILL);
		waitpid(f->server, NULL, 0);
	}
	f->listener = fd_close(f->listener);
	unlink(f->path);
	return rmdir(f->dir);
}

/* @reads: how much of the request is taken before @text is said and the connection is closed. */
static void serve(struct fixture *f, const char *text, size_t reads)
{
	f->server = fork();
	if (f->server != 0)
		return;
	char bytes[65536];
	int fd = accept(f->listener, NULL, NULL);
	for (size_t got = 0; got < reads;) {
		ssize_t n = read(fd, bytes, sizeof(bytes));
		if (n <= 0)
			_exit(1);
		got += (size_t)n;
	}
	fd_write_all(fd, text, strlen(text));
	_exit(0);
}

static int call(const char *body, struct http_answer *ret, struct error *e)
{
	const struct client_call c = {
		.method = "POST", .path = "/v1/runs", .body = body, .timeout_s = 1};
	return client_call(&c, ret, e);
}

static void an_answer_comes_back(void **state)
{
	cleanup_http_answer struct http_answer answer = HTTP_ANSWER_NONE;
	struct error e = ERROR_INIT;
	serve(*state, "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}", 1);
	assert_int_equal(call("{}", &answer, &e), 0);
	assert_int_equal(answer.status, 201);
	assert_string_equal(buf_str(&answer.body), "{}");
}

static void a_refusal_is_an_error(void **state)
{
	cleanup_http_answer struct http_answer answer = HTTP_ANSWER_NONE;
	struct error e = ERROR_INIT;
	serve(*state,
		"HTTP/1.1 429 Full\r\nRetry-After: 2\r\n\r\n"
		"{\"detail\":\"the queue is full\",\"blame\":\"host\"}",
		1);
	assert_int_equal(call("{}", &answer, &e), -1);
	assert_string_equal(e.text, "the queue is full; try again in 2 s");
}

static void an_early_refusal_of_a_long_body_is_read(void **state)
{
	cleanup_http_answer struct http_answer answer = HTTP_ANSWER_NONE;
	struct error e = ERROR_INIT;
	static char body[8 << 20];
	memset(body, ' ', sizeof(body) - 1);
	serve(*state, "HTTP/1.1 413 No\r\n\r\n{\"detail\":\"too long\",\"blame\":\"request\"}", 1);
	assert_int_equal(call(body, &answer, &e), -1);
	assert_string_equal(e.text, "too long");
	assert_int_equal(e.blame, BLAME_REQUEST);
}

static void nonsense_names_the_socket(void **state)
{
	struct fixture *f = *state;
	cleanup_http_answer struct http_answer answer = HTTP_ANSWER_NONE;
	struct error e = ERROR_INIT;
	serve(f, "hello\r\n", 1);
	assert_int_equal(call("{}", &answer, &e), -1);
	assert_non_null(strstr(e.text, f->path));
	assert_non_null(strstr(e.text, "makes no sense"));
}

static void a_daemon_that_says_nothing_is_given_up(void **state)
{
	cleanup_http_answer struct http_answer answer = HTTP_ANSWER_NONE;
	struct error e = ERROR_INIT;
	uint64_t began_us = time_monotonic_us();
	(void)state; /* the kernel takes the connection, and nobody else does */
	assert_int_equal(call("{}", &answer, &e), -1);
	assert_int_equal(e.errnum, ETIMEDOUT);
	assert_true(time_monotonic_us() - began_us < 20 * US_PER_SEC);
}

static void a_flood_is_not_taken_for_an_answer(void **state)
{
	cleanup_http_answer struct http_answer answer = HTTP_ANSWER_NONE;
	cleanup_buf struct buf b = BUF_INIT;
	struct error e = ERROR_INIT;
	buf_puts(&b, "HTTP/1.1 200 OK\r\n\r\n");
	for (int i = 0; i < 17 << 4; i++)
		for (int j = 0; j < 4096; j++)
			buf_add(&b, "0123456789abcdef", 16);
	serve(*state, buf_str(&b), 1);
	assert_int_equal(call("{}", &answer, &e), -1);
	assert_non_null(strstr(e.text, "larger than 16 MiB"));
}

static void an_upgrade_leaves_what_follows(void **state)
{
	struct client_stream s;
	struct error e = ERROR_INIT;
	serve(*state, "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: x/1\r\n\r\nearly bytes",
		1);
	assert_int_equal(client_upgrade(&s, "/v1/x", "x/1", &e), 0);
	char rest[32] = "";
	memcpy(rest, s.early.data ? s.early.data : "", s.early.size);
	size_t n = s.early.size;
	fcntl(s.fd, F_SETFL, 0);
	for (ssize_t got; n < sizeof(rest) && (got = read(s.fd, rest + n, sizeof(rest) - n)) > 0;)
		n += (size_t)got;
	assert_memory_equal(rest, "early bytes", 11);
	assert_int_equal(n, 11);
	client_stream_close(&s);
}

static void no_upgrade_is_an_error(void **state)
{
	struct client_stream s;
	struct error e = ERROR_INIT;
	serve(*state, "HTTP/1.1 200 OK\r\n\r\n{}", 1);
	assert_int_equal(client_upgrade(&s, "/v1/x", "x/1", &e), -1);
	assert_string_equal(e.text, "the daemon answers 200");
}

static void without_a_daemon_the_remedy_is_said(void **state)
{
	struct fixture *f = *state;
	cleanup_http_answer struct http_answer refused = HTTP_ANSWER_NONE,
					       missing = HTTP_ANSWER_NONE;
	struct error e = ERROR_INIT;
	char wanted[192];
	snprintf(wanted, sizeof(wanted), "no daemon at '%s'; start one with 'bulkhead serve'",
		f->path);
	f->listener = fd_close(f->listener);
	assert_int_equal(call("{}", &refused, &e), -1);
	assert_string_equal(e.text, wanted);
	unlink(f->path);
	assert_int_equal(call("{}", &missing, &e), -1);
	assert_string_equal(e.text, wanted);
	fclose(fopen(f->path, "w"));
	http_answer_fini(&missing);
	assert_int_equal(call("{}", &missing, &e), -1);
	assert_string_equal(e.text, wanted);
}

static void a_long_path_is_refused(void **state)
{
	struct fixture *f = *state;
	cleanup_http_answer struct http_answer answer = HTTP_ANSWER_NONE;
	struct error e = ERROR_INIT;
	char path[200];
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	setenv("BULKHEAD_SOCKET", path, 1);
	assert_int_equal(call("{}", &answer, &e), -1);
	assert_non_null(strstr(e.text, "longer than the 107 bytes"));
	setenv("BULKHEAD_SOCKET", f->path, 1);
}

static void the_socket_is_where_it_should_be(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	(void)state;
	assert_string_equal(socket_path(&a, &e), getenv("BULKHEAD_SOCKET"));
	setenv("BULKHEAD_SOCKET", "", 1);
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	assert_string_equal(socket_path(&a, &e),
		geteuid() == 0 ? "/run/bulkhead.sock" : "/run/user/7/bulkhead.sock");
	unsetenv("XDG_RUNTIME_DIR");
	if (geteuid() != 0)
		assert_null(socket_path(&a, &e));
}

static void words_stay_within_their_segment(void **state)
{
	static const struct {
		const char *word, *path;
	} words[] = {
		{"01j-a_b~c.d", "/v1/boxes/01j-a_b~c.d/runs"},
		{"../runs?x=1", "/v1/boxes/..%2Fruns%3Fx%3D1/runs"},
		{"..", "/v1/boxes/%2E%2E/runs"},
		{".", "/v1/boxes/%2E/runs"},
		{"a b\r\nHost: x", "/v1/boxes/a%20b%0D%0AHost%3A%20x/runs"},
		{"\xff%41", "/v1/boxes/%FF%2541/runs"},
		{"", "/v1/boxes//runs"},
	};
	cleanup_arena struct arena a = ARENA_INIT;
	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_string_equal(
			client_path(&a, "/v1/boxes/%s/runs", words[i].word), words[i].path);
}

int main(void)
{
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_SERVER(an_answer_comes_back),
		WITH_SERVER(a_refusal_is_an_error),
		WITH_SERVER(an_early_refusal_of_a_long_body_is_read),
		WITH_SERVER(nonsense_names_the_socket),
		WITH_SERVER(a_daemon_that_says_nothing_is_given_up),
		WITH_SERVER(a_flood_is_not_taken_for_an_answer),
		WITH_SERVER(an_upgrade_leaves_what_follows),
		WITH_SERVER(no_upgrade_is_an_error),
		WITH_SERVER(without_a_daemon_the_remedy_is_said),
		WITH_SERVER(a_long_path_is_refused),
		WITH_SERVER(the_socket_is_where_it_should_be),
		cmocka_unit_test(words_stay_within_their_segment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
