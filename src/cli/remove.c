/* SPDX-License-Identifier: MIT */
#include "cli/remove.h"

#include "cli/client.h"
#include "cli/operands.h"

#define OPERANDS_MAX 4096
/* The longest grace time that there is, and some more for the killing. */
#define WAIT_S (3600 + 60)

static int set_option(void *data, const char *name, const char *value, struct error *e)
{
	(void)name; /* --now is the only one */
	(void)value;
	(void)e;
	*(bool *)data = true;
	return 0;
}

static int tell(const struct remove_kind *kind, const char *id, bool now, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_http_answer struct http_answer answer = HTTP_ANSWER_NONE;
	const struct client_call call = {
		.method = "DELETE",
		.path = client_path(&a, now ? kind->end_now : kind->end, id),
	};
	return client_call(&call, &answer, e);
}

/* What has ended meanwhile is what was waited for. */
static int await(const struct remove_kind *kind, const char *id, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	cleanup_http_answer struct http_answer answer = HTTP_ANSWER_NONE;
	const struct client_call call = {
		.method = kind->wait_method,
		.path = client_path(&a, kind->wait, id),
		.timeout_s = WAIT_S,
	};
	return client_call(&call, &answer, e) < 0 && answer.status != 410 ? -1 : 0;
}

/* Each that fails is said; the others still end. */
static int remove_all(const struct remove_kind *kind, struct strv *ids, bool now)
{
	int status = 0;
	for (size_t i = 0; i < ids->n; i++) {
		struct error e = ERROR_INIT;
		if (tell(kind, ids->v[i], now, &e) == 0)
			continue;
		status = cli_fail(&e);
		ids->v[i] = NULL;
	}
	for (size_t i = 0; i < ids->n; i++) {
		struct error e = ERROR_INIT;
		if (ids->v[i] && await(kind, ids->v[i], &e) < 0)
			status = cli_fail(&e);
	}
	return status;
}

int remove_command(const struct remove_kind *kind, int argc, char **argv)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	bool now = false;
	const struct operands_form form = {kind->command, 1, OPERANDS_MAX, set_option, &now};
	struct strv ids;
	int status = 0;
	int r = operands_read(&ids, &form, argc, argv, &a, &status, &e);
	if (r > 0)
		return status;
	return r < 0 ? cli_fail(&e) : remove_all(kind, &ids, now);
}
