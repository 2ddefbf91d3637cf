/* SPDX-License-Identifier: MIT */
#include "model/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "model/codec-api-text.h"
#include "model/policy-keys.h"
#include "model/signal-name.h"

#define RUNS  (1u << API_RUN | 1u << API_RUN_IN_BOX)
#define ALONE (1u << API_RUN | 1u << API_BOX)
#define ALL   (RUNS | 1u << API_BOX)

static struct api_run *run_of(const struct api_reader *r)
{
	return r->into;
}

/* ---- the command ---- */

static int take_argv(const struct api_reader *r, const char *name, const json_t *value)
{
	struct strv *argv = &run_of(r)->request.argv;
	const char *word;

	if (!json_is_array(value) || json_array_size(value) == 0)
		return api_refuse(r, name, "must be a list of at least one word");
	for (size_t i = 0; i < json_array_size(value); i++) {
		if (api_text(r, name, json_array_get(value, i), &word) < 0)
			return -1;
		strv_push(r->a, argv, word);
	}
	return *argv->v[0] ? 0 : api_refuse(r, name, "begins with an empty word");
}

static int take_variable(
	const struct api_reader *r, struct policy_env *env, const char *name, const json_t *value)
{
	const char *fault = policy_item_fault(ITEM_NAME, name);
	struct env_pair *pair = &env->set[env->n_set];

	if (fault)
		return api_refuse(r, name, "of 'env' %s", fault);
	pair->key = arena_strdup(r->a, name);
	if (json_is_null(value))
		strv_push(r->a, &env->unset, pair->key);
	else if (api_text(r, name, value, &pair->value) == 0)
		env->n_set++;
	else
		return -1;
	return 0;
}

static int take_env(const struct api_reader *r, const char *name, const json_t *value)
{
	struct policy_env *env = &run_of(r)->request.env;
	const char *key;
	json_t *text;

	if (!json_is_object(value))
		return api_refuse(r, name, "must be an object of names and values");
	if (json_object_size(value) > API_MAX_ENV) {
		api_refuse(r, name, "has more than %d variables", API_MAX_ENV);
		r->e->errnum = E2BIG;
		return -1;
	}
	env->set = arena_calloc(r->a, json_object_size(value) + 1, sizeof *env->set);
	json_object_foreach((json_t *)value, key, text)
	{
		if (take_variable(r, env, key, text) < 0)
			return -1;
	}
	return 0;
}

static int take_cwd(const struct api_reader *r, const char *name, const json_t *value)
{
	struct api_run *run = run_of(r);

	if (json_is_null(value))
		return 0;
	if (api_text(r, name, value, &run->cwd) < 0)
		return -1;
	const char *fault = policy_item_fault(ITEM_PATH, run->cwd);
	if (fault)
		return api_refuse(r, name, "%s", fault);
	return run->cwd[0] == '/' ? 0 : api_refuse(r, name, "must be an absolute path");
}

static int take_key(const struct api_reader *r, const char *name, const json_t *value)
{
	const char **key = &run_of(r)->request.key;

	if (json_is_null(value))
		return 0;
	if (api_text(r, name, value, key) < 0)
		return -1;
	const char *fault = **key ? request_key_fault(*key) : "may not be empty";
	return fault ? api_refuse(r, name, "%s", fault) : 0;
}

static int take_bool(const struct api_reader *r, const char *name, const json_t *value, bool *ret)
{
	if (!json_is_boolean(value))
		return api_refuse(r, name, "must be true or false");
	*ret = json_is_true(value);
	return 0;
}

static int take_tty(const struct api_reader *r, const char *name, const json_t *value)
{
	return take_bool(r, name, value, &run_of(r)->request.tty);
}

static int take_best_effort(const struct api_reader *r, const char *name, const json_t *value)
{
	return take_bool(r, name, value, &run_of(r)->request.best_effort);
}

static int take_lines(
	const struct api_reader *r, const char *name, const json_t *value, unsigned short *ret)
{
	json_int_t n;

	if (api_integer(r, name, value, 1, UINT16_MAX, &n) < 0)
		return -1;
	*ret = (unsigned short)n;
	return 0;
}

static int take_rows(const struct api_reader *r, const char *name, const json_t *value)
{
	return take_lines(r, name, value, &run_of(r)->rows);
}

static int take_cols(const struct api_reader *r, const char *name, const json_t *value)
{
	return take_lines(r, name, value, &run_of(r)->cols);
}

/* ---- stdin ---- */

static int take_stdin_object(const struct api_reader *r, const char *name, const json_t *value)
{
	struct api_run *run = run_of(r);
	const json_t *open = json_object_get(value, "open");

	if (open && json_object_size(value) == 1)
		return take_bool(r, name, open, &run->stdin_open);
	if (json_bytes_parse(value, r->a, &run->stdin_text, &run->stdin_size) < 0)
		return api_refuse(
			r, name, "must be a text, {\"base64\": \"...\"}, {\"open\": true} or null");
	return 0;
}

static int take_stdin(const struct api_reader *r, const char *name, const json_t *value)
{
	struct api_run *run = run_of(r);

	if (json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return take_stdin_object(r, name, value);
	run->stdin_size = json_string_length(value);
	run->stdin_text = arena_strndup(r->a, json_string_value(value), run->stdin_size);
	return 0;
}

/* ---- policy and limits ---- */

static int take_inline_policy(const struct api_reader *r, const json_t *value)
{
	struct api_run *run = run_of(r);
	char *text = json_dumps(value, JSON_COMPACT);

	if (!text)
		out_of_memory();
	run->policy_text = arena_strdup(r->a, text);
	run->policy_size = strlen(text);
	free(text);
	return 0;
}

static int take_policy(const struct api_reader *r, const char *name, const json_t *value)
{
	const char **policy = &run_of(r)->request.policy;

	if (json_is_object(value))
		return take_inline_policy(r, value);
	if (!json_is_string(value))
		return api_refuse(r, name, "must be the name of a policy, or an object");
	*policy = arena_strdup(r->a, json_string_value(value));
	if (!policy_is_name(*policy))
		return api_refuse(r, name,
			"must be the name of a policy, or an object; no file is read for a client");
	return 0;
}

/* Numbers are in the limit's plain unit, as on a command line. NULL: neither text nor number. */
static const char *limit_text(const struct api_reader *r, const json_t *value)
{
	if (json_is_null(value))
		return "unlimited";
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_integer(value))
		return arena_printf(r->a, "%lld", (long long)json_integer_value(value));
	return json_is_real(value) ? arena_printf(r->a, "%.12g", json_real_value(value)) : NULL;
}

static int limit_of(const char *name)
{
	for (int i = 0; i < LIMIT_COUNT_; i++)
		if (strcmp(limit_option(i) + strlen("--"), name) == 0)
			return i;
	return limit_from_name(name);
}

static int take_oom(const struct api_reader *r, const char *name, const char *text)
{
	struct request *request = &run_of(r)->request;
	int mode = oom_mode_from_name(text);

	if (mode < 0)
		return api_refuse(r, name, "must be group or process");
	request->oom = (enum oom_mode)mode;
	request->oom_given = true;
	return 0;
}

static int take_grace(const struct api_reader *r, const char *name, const char *text)
{
	struct request *request = &run_of(r)->request;
	char why[LIMIT_WHY_SIZE];

	if (grace_ask(text, &request->grace_us, why) < 0)
		return api_refuse(r, name, "of 'limits': %s", why);
	request->grace_given = true;
	return 0;
}

static int refuse_limit(const struct api_reader *r, const char *name)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct strv names = {NULL, 0, 0};

	for (int i = 0; i < LIMIT_COUNT_; i++)
		strv_push(&a, &names, limit_option(i) + strlen("--"));
	strv_push(&a, &names, "oom");
	strv_push(&a, &names, "grace");
	const char *near = nearest_name(name, names.v);
	api_refuse(r, name, "is no limit");
	return near ? error_hint(r->e, "did you mean '%s'?", near) : -1;
}

static int take_limit(const struct api_reader *r, const char *name, const json_t *value)
{
	struct request *request = &run_of(r)->request;
	char why[LIMIT_WHY_SIZE];
	const char *text = limit_text(r, value);
	int limit = limit_of(name);

	if (!text)
		return api_refuse(r, name, "of 'limits' must be a text, a number or null");
	if (strcmp(name, "oom") == 0)
		return take_oom(r, name, text);
	if (strcmp(name, "grace") == 0)
		return take_grace(r, name, text);
	if (limit < 0)
		return refuse_limit(r, name);
	if (request->limit_given[limit])
		return api_refuse(r, name, "is given under two names");
	if (limit_ask((enum limit)limit, text, &request->limits[limit], why) < 0)
		return api_refuse(r, name, "of 'limits': %s", why);
	request->limit_given[limit] = true;
	return 0;
}

static int take_limits(const struct api_reader *r, const char *name, const json_t *value)
{
	const char *key;
	json_t *limit;

	if (!json_is_object(value))
		return api_refuse(r, name, "must be an object of names and values");
	json_object_foreach((json_t *)value, key, limit)
	{
		if (take_limit(r, key, limit) < 0)
			return -1;
	}
	return 0;
}

static const struct api_member run_members[] = {
	{"argv", take_argv, RUNS},
	{"policy", take_policy, ALONE},
	{"limits", take_limits, ALL},
	{"env", take_env, ALL},
	{"cwd", take_cwd, ALL},
	{"key", take_key, RUNS},
	{"stdin", take_stdin, RUNS},
	{"tty", take_tty, RUNS},
	{"rows", take_rows, RUNS},
	{"cols", take_cols, RUNS},
	{"best_effort", take_best_effort, ALL},
	{NULL, NULL, 0},
};

/* What no member shows alone. */
static int check_run(const struct api_reader *r, enum api_kind kind)
{
	const struct api_run *run = r->into;

	if (kind != API_BOX && run->request.argv.n == 0)
		return api_refuse(r, "argv", "is missing");
	if (run->request.tty && run->stdin_text)
		return api_refuse(r, "stdin", "of a terminal is fed, not given");
	if ((run->rows || run->cols) && !run->request.tty)
		return api_refuse(r, run->rows ? "rows" : "cols", "needs 'tty'");
	return 0;
}

int api_run_parse(struct api_run *ret, enum api_kind kind, const char *text, size_t size,
	struct arena *a, struct error *e)
{
	struct api_run run = {.cwd = NULL};
	struct error ignored = ERROR_INIT;
	const struct api_reader r = {.a = a, .e = e ? e : &ignored, .into = &run};
	bool nothing = kind == API_BOX && size == 0;
	json_t *object = api_object(nothing ? "{}" : text, nothing ? 2 : size, r.e);

	if (!object)
		return -1;
	int rc = api_members(&r, run_members, kind, object);
	json_decref(object);
	if (rc < 0 || check_run(&r, kind) < 0)
		return -1;
	run.stdin_open |= run.request.tty;
	*ret = run;
	return 0;
}

/* ---- small bodies ---- */

static int parse_members(void *into, const struct api_member *members, const char *text,
	size_t size, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct error ignored = ERROR_INIT;
	const struct api_reader r = {.a = &a, .e = e ? e : &ignored, .into = into};
	json_t *object = api_object(text, size, r.e);

	if (!object)
		return -1;
	int rc = api_members(&r, members, 0, object);
	for (const struct api_member *m = members; rc == 0 && m->name; m++)
		if (!json_object_get(object, m->name))
			rc = api_refuse(&r, m->name, "is missing");
	json_decref(object);
	return rc;
}

static int take_signal(const struct api_reader *r, const char *name, const json_t *value)
{
	int *ret = r->into;
	json_int_t n;

	if (json_is_string(value)) {
		*ret = signal_from_name(json_string_value(value));
		return *ret > 0 ? 0 : api_refuse(r, name, "is not the name of a signal");
	}
	if (api_integer(r, name, value, 1, SIGNAL_MAX, &n) < 0)
		return -1;
	*ret = (int)n;
	return 0;
}

int api_signal_parse(int *ret, const char *text, size_t size, struct error *e)
{
	static const struct api_member members[] = {{"signal", take_signal, 1}, {NULL, NULL, 0}};
	int sig = 0;

	if (parse_members(&sig, members, text, size, e) < 0)
		return -1;
	*ret = sig;
	return 0;
}

static int take_size_rows(const struct api_reader *r, const char *name, const json_t *value)
{
	return take_lines(r, name, value, &((struct api_size *)r->into)->rows);
}

static int take_size_cols(const struct api_reader *r, const char *name, const json_t *value)
{
	return take_lines(r, name, value, &((struct api_size *)r->into)->cols);
}

int api_size_parse(struct api_size *ret, const char *text, size_t size, struct error *e)
{
	static const struct api_member members[] = {
		{"rows", take_size_rows, 1}, {"cols", take_size_cols, 1}, {NULL, NULL, 0}};
	struct api_size both = {0, 0};

	if (parse_members(&both, members, text, size, e) < 0)
		return -1;
	*ret = both;
	return 0;
}
