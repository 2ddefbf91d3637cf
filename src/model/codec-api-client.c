/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "model/api-client.h"
#include "model/codec-json.h"
#include "model/policy-keys.h"
#include "model/verdict.h"
#include "model/words.h"

#define TEXT_SHOWN 600

/* ---- said ---- */

static json_t *limit_json(enum limit limit, const struct limit_value *value)
{
	char text[FORMAT_SIZE], us[32];
	if (!value->set)
		return json_null();
	switch (limit_unit(limit)) {
	case UNIT_US:
		snprintf(us, sizeof(us), "%" PRIu64 "us", value->value);
		return json_string(us);
	case UNIT_MILLI_CPUS:
		return json_string(format_milli(value->value, text));
	default:
		return json_u64(value->value);
	}
}

static json_t *limits_json(const struct request *r)
{
	json_t *object = json_object();
	for (int l = 0; l < LIMIT_COUNT_; l++)
		if (r->limit_given[l])
			json_put_take(object, limit_name(l), limit_json(l, &r->limits[l]));
	if (r->oom_given)
		json_put_take(object, "oom", json_string(oom_mode_name(r->oom)));
	if (r->grace_given) {
		char us[32];
		snprintf(us, sizeof(us), "%" PRIu64 "us", r->grace_us);
		json_put_take(object, "grace", json_string(us));
	}
	return object;
}

static json_t *variables_json(const struct policy_env *env)
{
	json_t *object = json_object();
	for (size_t i = 0; i < env->n_set; i++)
		json_put_take(object, env->set[i].key, json_text(env->set[i].value));
	return object;
}

/* Set @key unless @value, which is taken, has nothing in it. */
static void put_filled(json_t *object, const char *key, json_t *value)
{
	if (json_object_size(value) + json_array_size(value) > 0)
		json_put_take(object, key, value);
	else
		json_decref(value);
}

static json_t *strings_json(const struct strv *list)
{
	json_t *array = json_array();
	for (size_t i = 0; i < list->n; i++)
		json_push_take(array, json_text(list->v[i]));
	return array;
}

static json_t *binds_json(const struct bind_list *list, struct arena *a)
{
	json_t *array = json_array();
	for (size_t i = 0; i < list->n; i++)
		json_push_take(array, json_text(bind_rule_format(&list->v[i], a)));
	return array;
}

/* What runs and boxes have in common. */
static void put_common(json_t *body, const struct request *r)
{
	put_filled(body, "limits", limits_json(r));
	if (r->workdir)
		json_put_take(body, "cwd", json_text(r->workdir));
	if (r->best_effort)
		json_put_take(body, "best_effort", json_true());
}

const char *api_format_run(
	const struct request *request, const struct api_terminal *terminal, struct arena *a)
{
	json_t *body = json_object(), *input = json_object();
	json_put_take(body, "argv", strings_json(&request->argv));
	put_common(body, request);
	put_filled(body, "env", variables_json(&request->env));
	if (request->key)
		json_put_take(body, "key", json_text(request->key));
	json_put_take(input, "open", json_true());
	json_put_take(body, "stdin", input);
	if (request->tty)
		json_put_take(body, "tty", json_true());
	if (request->tty && terminal->rows && terminal->cols) {
		json_put_take(body, "rows", json_u64(terminal->rows));
		json_put_take(body, "cols", json_u64(terminal->cols));
	}
	return json_line_take(body, a);
}

static json_t *filesystem_json(const struct request *r, struct arena *a)
{
	json_t *object = json_object();
	put_filled(object, "read", binds_json(&r->read, a));
	put_filled(object, "write", binds_json(&r->write, a));
	put_filled(object, "hide", strings_json(&r->hide));
	put_filled(object, "tmpfs", strings_json(&r->tmpfs));
	if (r->root)
		json_put_take(object, "root", json_text(r->root));
	return object;
}

static json_t *user_json(const struct policy_user *user, struct arena *a)
{
	static const char *const names[] = {[USER_SELF] = "self", [USER_ISOLATED] = "isolated"};
	if (user->mode != USER_ID)
		return json_string(names[user->mode]);
	return json_string(arena_printf(a, "%" PRIu32 ":%" PRIu32, user->uid, user->gid));
}

static json_t *env_json(const struct policy_env *env)
{
	json_t *object = json_object();
	put_filled(object, "set", variables_json(env));
	put_filled(object, "unset", strings_json(&env->unset));
	if (env->clear)
		json_put_take(object, "clear", json_true());
	return object;
}

/* What the options say in the words of a policy file, over the policy of a name. */
static json_t *policy_json(const struct request *r, struct arena *a)
{
	const char *name = r->policy ? r->policy : "default";
	json_t *object = json_object();
	put_filled(object, "filesystem", filesystem_json(r, a));
	put_filled(object, "env", env_json(&r->env));
	if (r->user_given)
		json_put_take(object, "user", user_json(&r->user, a));
	if (r->network_given)
		json_put_take(object, "network", json_string(network_mode_name(r->network)));
	if (json_object_size(object) > 0) {
		json_put_take(object, "extends", json_text(name));
		return object;
	}
	json_decref(object);
	return json_text(name);
}

static bool is_inherited_list(const struct policy_key *key)
{
	return key->inherits && key->kind != KEY_ENV;
}

static bool is_only_default(const struct policy_key *key, const struct policy *p)
{
	return key->kind == KEY_LIMIT && p->limits.v[key->limit].origin == ORIGIN_DEFAULT;
}

/*
 * All of it, over the built-in default policy, where the daemon takes those limits from that nobody has asked for:
 * sent along they would look as if somebody had, and be promised, or be a reason to refuse.
 */
static json_t *whole_policy_json(const struct policy *p, struct arena *a)
{
	json_t *root = json_loads(policy_format_json(p, a), 0, NULL);
	json_put_take(root, "extends", json_string("default"));
	for (size_t i = 0; i < policy_keys_count; i++) {
		const struct policy_key *key = &policy_keys[i];
		json_t *section = key->section ? json_object_get(root, key->section) : root;
		if (is_only_default(key, p))
			json_object_del(section, key->name);
		else if (is_inherited_list(key)) /* in place of what there is */
			json_array_insert_new(
				json_object_get(section, key->name), 0, json_string("!*"));
	}
	return root;
}

const char *api_format_box(
	const struct request *request, const struct policy *whole, struct arena *a)
{
	json_t *body = json_object();
	put_common(body, request);
	json_put_take(
		body, "policy", whole ? whole_policy_json(whole, a) : policy_json(request, a));
	return json_line_take(body, a);
}

const char *api_format_signal(int number, struct arena *a)
{
	json_t *body = json_object();
	json_put_take(body, "signal", json_integer(number));
	return json_line_take(body, a);
}

/* ---- answered ---- */

static json_t *load(const char *text, size_t size)
{
	json_t *root = json_loadb(text ? text : "", size, JSON_REJECT_DUPLICATES, NULL);
	if (root && !json_is_object(root)) {
		json_decref(root);
		root = NULL;
	}
	return root;
}

static int not_understood(const char *what, struct error *e)
{
	return error_set(
		e, BLAME_HOST, 0, "the daemon's answer is not understood: it is not %s", what);
}

/* A string that must be there; NULL if it is not. */
static const char *get_text(const json_t *object, const char *key, struct arena *a)
{
	const json_t *value = json_object_get(object, key);
	return json_is_string(value)
		? arena_strndup(a, json_string_value(value), json_string_length(value))
		: NULL;
}

/* 0…@most at @key; -1 for null, what is missing and what cannot be. */
static int get_small(const json_t *object, const char *key, int most)
{
	const json_t *value = json_object_get(object, key);
	json_int_t n = json_integer_value(value);
	return json_is_integer(value) && n >= 0 && n <= most ? (int)n : -1;
}

static enum blame blame_from_name(const char *name)
{
	for (int b = BLAME_REQUEST; name && b < BLAME_COUNT_; b++)
		if (strcmp(blame_name(b), name) == 0)
			return b;
	return BLAME_HOST;
}

int api_problem(
	unsigned status, unsigned retry_after_s, const char *text, size_t size, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	json_t *root = load(text, size);
	const char *detail = get_text(root, "detail", &a);
	const char *title = get_text(root, "title", &a);
	enum blame blame = blame_from_name(get_text(root, "blame", &a));
	json_decref(root);
	if (detail && *detail)
		error_set(e, blame, 0, "%s", words_visible(&a, detail, TEXT_SHOWN));
	else
		error_set(e, blame, 0, "the daemon answers %u%s%s", status, title ? " " : "",
			title ? words_visible(&a, title, TEXT_SHOWN) : "");
	if (retry_after_s)
		error_hint(e, "try again in %u s", retry_after_s);
	return -1;
}

int api_parse_run(
	struct api_run *ret, const char *text, size_t size, struct arena *a, struct error *e)
{
	json_t *root = load(text, size);
	struct api_run run = {
		.id = get_text(root, "id", a),
		.state = get_text(root, "state", a),
		.tty = json_is_true(json_object_get(root, "tty")),
		.exit_status = get_small(root, "exit_status", 255),
	};
	json_decref(root);
	if (!run.id || !*run.id || !run.state)
		return not_understood("a run", e);
	*ret = run;
	return 0;
}

static int get_box(struct api_box *ret, const json_t *object, struct arena *a)
{
	const json_t *runs = json_object_get(object, "runs");
	struct api_box box = {
		.id = get_text(object, "id", a),
		.state = get_text(object, "state", a),
		.policy = get_text(object, "policy", a),
		.since = get_text(object, "since", a),
		.fault = get_text(object, "fault", a),
		.runs = json_integer_value(runs) > 0 ? (uint64_t)json_integer_value(runs) : 0,
	};
	if (!box.id || !*box.id || !box.state)
		return -1;
	*ret = box;
	return 0;
}

int api_parse_box(
	struct api_box *ret, const char *text, size_t size, struct arena *a, struct error *e)
{
	json_t *root = load(text, size);
	int r = get_box(ret, root, a);
	json_decref(root);
	return r < 0 ? not_understood("a box", e) : 0;
}

static int get_boxes(struct api_boxes *ret, const json_t *list, struct arena *a)
{
	size_t n = json_array_size(list);
	struct api_box *v = arena_calloc(a, n, sizeof(*v));
	if (!json_is_array(list))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (get_box(&v[i], json_array_get(list, i), a) < 0)
			return -1;
	*ret = (struct api_boxes){v, n};
	return 0;
}

int api_parse_boxes(
	struct api_boxes *ret, const char *text, size_t size, struct arena *a, struct error *e)
{
	json_t *root = load(text, size);
	int r = get_boxes(ret, json_object_get(root, "boxes"), a);
	json_decref(root);
	return r < 0 ? not_understood("a list of boxes", e) : 0;
}

/* ---- the verdict ---- */

/* The program's own, where the verdict has it; what its end was asked for with is not told. */
static int own_status(const json_t *root, bool zero_allowed, bool *ret_is_likely)
{
	int code = get_small(root, "exit_code", 255), signal = get_small(root, "signal", 64);
	if (code > 0 || (code == 0 && zero_allowed))
		return code;
	*ret_is_likely = signal <= 0;
	return 128 + (signal > 0 ? signal : SIGTERM);
}

static bool has_none(const json_t *root)
{
	return get_small(root, "exit_code", 255) < 0 && get_small(root, "signal", 64) < 0;
}

static int exit_status(enum cause cause, const json_t *root, bool *ret_is_likely)
{
	static const int fixed[] = {
		[STATUS_TIMEOUT] = EXIT_TIMEOUT,
		[STATUS_KILLED] = 128 + SIGKILL,
		[STATUS_REFUSED] = EXIT_REFUSED,
		[STATUS_NOT_EXECUTABLE] = EXIT_NOT_EXECUTABLE,
		[STATUS_NOT_FOUND] = EXIT_NOT_FOUND,
		[STATUS_NOT_RUN] = EXIT_NOT_RUN,
	};
	enum status_rule rule = cause_info(cause)->status;
	if (rule == STATUS_OWN_OR_126)
		rule = has_none(root) ? STATUS_NOT_EXECUTABLE : STATUS_OWN;
	if (rule == STATUS_OWN || rule == STATUS_CUT_OFF)
		return own_status(root, rule == STATUS_OWN, ret_is_likely);
	return fixed[rule];
}

static void get_suggestion(struct verdict *v, const json_t *suggest, struct arena *a)
{
	const char *name = get_text(suggest, "limit", a);
	int limit = name ? limit_from_name(name) : -1;
	json_int_t value = json_integer_value(json_object_get(suggest, "value"));
	if (limit < 0 || value <= 0)
		return;
	v->suggest_set = true;
	v->suggest_limit = (enum limit)limit;
	v->suggest_value = (uint64_t)value;
}

static int get_end(struct api_end *ret, const json_t *root, struct arena *a)
{
	const char *cause = get_text(root, "cause", a), *summary = get_text(root, "summary", a);
	int known = cause ? cause_from_name(cause) : -1;
	struct verdict v = {.summary = summary};
	if (known < 0 || !summary)
		return -1;
	v.cause = (enum cause)known;
	get_suggestion(&v, json_object_get(root, "suggest"), a);
	*ret = (struct api_end){.cause = v.cause, .line = verdict_format_line(&v, a)};
	ret->exit_status = exit_status(v.cause, root, &ret->status_is_likely);
	return 0;
}

int api_parse_verdict(
	struct api_end *ret, const char *text, size_t size, struct arena *a, struct error *e)
{
	json_t *root = load(text, size);
	int r = get_end(ret, root, a);
	json_decref(root);
	return r < 0 ? not_understood("a verdict", e) : 0;
}
