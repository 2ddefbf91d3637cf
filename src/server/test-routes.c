/* SPDX-License-Identifier: MIT */
#include "server/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "server/handlers.h"

/* Nobody is called here: a route is known by the function that it has. */
#define HANDLER(name)                                                                              \
	void name(struct exchange *x)                                                              \
	{                                                                                          \
		(void)x;                                                                           \
	}
HANDLER(handle_run_begin)
HANDLER(handle_run_list)
HANDLER(handle_run_get)
HANDLER(handle_run_cancel)
HANDLER(handle_run_signal)
HANDLER(handle_run_resize)
HANDLER(handle_run_timeline)
HANDLER(handle_run_execs)
HANDLER(handle_run_stdin)
HANDLER(handle_run_output)
HANDLER(handle_run_attach)
HANDLER(handle_box_make)
HANDLER(handle_box_list)
HANDLER(handle_box_get)
HANDLER(handle_box_remove)
HANDLER(handle_box_run_begin)
HANDLER(handle_box_run_list)
HANDLER(handle_host)
HANDLER(handle_policy_list)
HANDLER(handle_policy_get)
HANDLER(handle_stats)
HANDLER(handle_breakers)
HANDLER(handle_metrics)
HANDLER(handle_health)
size_t take_run_stdin(struct exchange *x, const char *data, size_t size)
{
	(void)x;
	(void)data;
	return size;
}

static const struct route *find(const char *method, const char *path, char *id)
{
	cleanup_buf struct buf allow = BUF_INIT;
	enum problem problem;
	struct error e = ERROR_INIT;
	return route_find(method, path, id, &allow, &problem, &e);
}

static void test_found(void **state)
{
	static const struct {
		const char *method, *path, *id;
		void (*handle)(struct exchange *x);
	} cases[] = {
		{"POST", "/v1/runs", "", handle_run_begin},
		{"GET", "/v1/runs", "", handle_run_list},
		{"HEAD", "/v1/runs", "", handle_run_list},
		{"GET", "/v1/runs/0a-_Z", "0a-_Z", handle_run_get},
		{"DELETE", "/v1/runs/x", "x", handle_run_cancel},
		{"GET", "/v1/runs/x/output", "x", handle_run_output},
		{"POST", "/v1/runs/x/stdin", "x", handle_run_stdin},
		{"GET", "/v1/boxes/b/runs", "b", handle_box_run_list},
		{"POST", "/v1/boxes/b/runs", "b", handle_box_run_begin},
		{"GET", "/v1/policies/default", "default", handle_policy_get},
		{"GET", "/healthz", "", handle_health},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char id[ROUTE_ID_SIZE] = "";
		const struct route *route = find(cases[i].method, cases[i].path, id);
		assert_non_null(route);
		assert_ptr_equal(route->handle, cases[i].handle);
		assert_string_equal(id, cases[i].id);
	}
}

static void refused(
	const char *method, const char *path, enum problem expected, const char *allowed)
{
	cleanup_buf struct buf allow = BUF_INIT;
	char id[ROUTE_ID_SIZE] = "";
	enum problem problem = PROBLEM_COUNT_;
	struct error e = ERROR_INIT;
	assert_null(route_find(method, path, id, &allow, &problem, &e));
	assert_int_equal(problem, expected);
	assert_string_equal(buf_str(&allow), allowed);
	assert_int_equal(e.blame, BLAME_REQUEST);
	assert_true(*e.text);
}

static void test_refused(void **state)
{
	static const char *const unknown[] = {"", "/", "/v1", "/v1/", "/v1/runs/",
		"/v1/runs//output", "/v1/runs/x/", "/v1/runs/x/outputs", "/v1/runs/../x",
		"/v1/runs/%2e", "/v1/runs/x/y/z", "/v1/runs/x y", "/v1/runs/x\n", "/v2/runs",
		"/healthz/", "/V1/runs",
		"/v1/runs/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	(void)state;
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
		refused("GET", unknown[i], PROBLEM_NOT_FOUND, "");
	refused("PUT", "/v1/runs", PROBLEM_METHOD, "POST, GET, HEAD");
	refused("get", "/healthz", PROBLEM_METHOD, "GET, HEAD");
	refused("GET", "/v1/runs/x/stdin", PROBLEM_METHOD, "POST");
	refused("", "/v1/runs/x", PROBLEM_METHOD, "GET, HEAD, DELETE");
	char id[ROUTE_ID_SIZE];
	assert_non_null(find("GET",
		"/v1/runs/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", id));
	assert_int_equal(strlen(id), ROUTE_ID_SIZE - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
