/* SPDX-License-Identifier: MIT */
#include "server/routes.h"

#include <string.h>

#include "server/handlers.h"

#define Q(name)  (1u << QUERY_##name)
#define RUN_MAX  ((size_t)16 << 20)
#define TINY_MAX ((size_t)64 << 10)

/* HEAD is GET. docs/api.md has the same in words. */
static const struct route routes[] = {
	{"POST", "/v1/runs", BODY_JSON, RUN_MAX, Q(WAIT) | Q(GONE), handle_run_begin},
	{"GET", "/v1/runs", BODY_NONE, 0, Q(LIMIT) | Q(CAUSE) | Q(KEY), handle_run_list},
	{"GET", "/v1/runs/*", BODY_NONE, 0, Q(WAIT), handle_run_get},
	{"DELETE", "/v1/runs/*", BODY_NONE, 0, Q(WAIT) | Q(NOW), handle_run_cancel},
	{"GET", "/v1/runs/*/output", BODY_NONE, 0, Q(FOLLOW) | Q(STREAM), handle_run_output},
	{"GET", "/v1/runs/*/timeline", BODY_NONE, 0, 0, handle_run_timeline},
	{"GET", "/v1/runs/*/execs", BODY_NONE, 0, Q(LIMIT) | Q(FROM), handle_run_execs},
	{"POST", "/v1/runs/*/stdin", BODY_STREAM, 0, Q(CLOSE), handle_run_stdin, take_run_stdin},
	{"POST", "/v1/runs/*/signal", BODY_JSON, TINY_MAX, 0, handle_run_signal},
	{"POST", "/v1/runs/*/resize", BODY_JSON, TINY_MAX, 0, handle_run_resize},
	{"GET", "/v1/runs/*/attach", BODY_NONE, 0, Q(GONE) | Q(PACE), handle_run_attach},
	{"POST", "/v1/boxes", BODY_JSON, RUN_MAX, Q(WAIT), handle_box_make},
	{"GET", "/v1/boxes", BODY_NONE, 0, 0, handle_box_list},
	{"GET", "/v1/boxes/*", BODY_NONE, 0, 0, handle_box_get},
	{"DELETE", "/v1/boxes/*", BODY_NONE, 0, Q(WAIT) | Q(NOW), handle_box_remove},
	{"POST", "/v1/boxes/*/runs", BODY_JSON, RUN_MAX, Q(WAIT) | Q(GONE), handle_box_run_begin},
	{"GET", "/v1/boxes/*/runs", BODY_NONE, 0, 0, handle_box_run_list},
	{"GET", "/v1/host", BODY_NONE, 0, 0, handle_host},
	{"GET", "/v1/policies", BODY_NONE, 0, 0, handle_policy_list},
	{"GET", "/v1/policies/*", BODY_NONE, 0, 0, handle_policy_get},
	{"GET", "/v1/stats", BODY_NONE, 0, 0, handle_stats},
	{"GET", "/v1/breakers", BODY_NONE, 0, 0, handle_breakers},
	{"GET", "/metrics", BODY_NONE, 0, 0, handle_metrics},
	{"GET", "/healthz", BODY_NONE, 0, 0, handle_health},
};
#define N_ROUTES (sizeof routes / sizeof *routes)

static const char id_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/* The id at the beginning of @path, up to a slash or the end. 0: there is none that could be one. */
static size_t id_size(const char *path)
{
	size_t size = strspn(path, id_bytes);
	bool whole = path[size] == '\0' || path[size] == '/';
	return whole && size < ROUTE_ID_SIZE ? size : 0;
}

static bool is_path(const char *pattern, const char *path, char ret_id[ROUTE_ID_SIZE])
{
	const char *star = strchr(pattern, '*');
	size_t before = star ? (size_t)(star - pattern) : 0;
	if (!star)
		return strcmp(pattern, path) == 0;
	if (strncmp(pattern, path, before) != 0)
		return false;
	size_t size = id_size(path + before);
	if (size == 0 || strcmp(star + 1, path + before + size) != 0)
		return false;
	memcpy(ret_id, path + before, size);
	ret_id[size] = '\0';
	return true;
}

static bool is_method(const struct route *route, const char *method)
{
	if (strcmp(route->method, method) == 0)
		return true;
	return strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0;
}

static void allow_method(struct buf *allow, const char *method)
{
	buf_printf(allow, "%s%s", allow->size ? ", " : "", method);
	if (strcmp(method, "GET") == 0)
		buf_puts(allow, ", HEAD");
}

const struct route *route_find(const char *method, const char *path, char ret_id[ROUTE_ID_SIZE],
	struct buf *allow, enum problem *problem, struct error *e)
{
	for (size_t i = 0; i < N_ROUTES; i++) {
		if (!is_path(routes[i].path, path, ret_id))
			continue;
		if (is_method(&routes[i], method))
			return &routes[i];
		allow_method(allow, routes[i].method);
	}
	*problem = allow->size ? PROBLEM_METHOD : PROBLEM_NOT_FOUND;
	if (allow->size)
		error_set(e, BLAME_REQUEST, 0, "'%.200s' takes %s, not %.32s", path, buf_str(allow),
			method);
	else
		error_set(e, BLAME_REQUEST, 0, "there is no '%.200s'", path);
	return NULL;
}
