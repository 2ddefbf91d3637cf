/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "model/codec-json.h"
#include "model/stored-verdict.h"
#include "model/words.h"

#define FILE_MAX_SIZE ((size_t)64 << 20)
#define ID_SHOWN      64

/* ---- reading ---- */

static int wrong(const char *key, const char *expected, struct error *e)
{
	return error_set(e, BLAME_REQUEST, 0, "verdict: '%s' must be %s", key, expected);
}

/* @def for a member that is missing or null. */
static int get_text(const json_t *object, const char *key, const char *def, const char **ret,
	struct arena *a, struct error *e)
{
	const json_t *value = json_object_get(object, key);

	*ret = def;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return wrong(key, "a string", e);
	*ret = arena_strndup(a, json_string_value(value), json_string_length(value));
	return 0;
}

static int get_number(
	const json_t *object, const char *key, bool *ret_has, uint64_t *ret, struct error *e)
{
	const json_t *value = json_object_get(object, key);

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return wrong(key, "a number from 0 on, or null", e);
	*ret_has = true;
	*ret = (uint64_t)json_integer_value(value);
	return 0;
}

static int get_evidence(
	struct stored_verdict *v, const json_t *object, struct arena *a, struct error *e)
{
	struct evidence x = {.fact = ""};

	if (!json_is_object(object))
		return wrong("evidence", "a list of objects", e);
	if (get_text(object, "fact", "", &x.fact, a, e) < 0 ||
		get_text(object, "where", NULL, &x.where, a, e) < 0 ||
		get_text(object, "text", NULL, &x.text, a, e) < 0 ||
		get_number(object, "before", &x.has_before, &x.before, e) < 0 ||
		get_number(object, "after", &x.has_after, &x.after, e) < 0)
		return -1;
	v->evidence[v->n_evidence++] = x;
	return 0;
}

/* The list below @key, of at most @max; an empty one if it is missing. */
static int get_list(
	const json_t *root, const char *key, size_t max, const json_t **ret, struct error *e)
{
	*ret = json_object_get(root, key);
	if (*ret && (!json_is_array(*ret) || json_array_size(*ret) > max))
		return error_set(e, BLAME_REQUEST, 0, "verdict: '%s' must be a list of at most %zu",
			key, max);
	return 0;
}

static int get_lists(struct stored_verdict *v, const json_t *root, struct arena *a, struct error *e)
{
	const json_t *evidence, *contributing;

	if (get_list(root, "evidence", VERDICT_MAX_EVIDENCE, &evidence, e) < 0 ||
		get_list(root, "contributing", VERDICT_MAX_CONTRIBUTING, &contributing, e) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(evidence); i++)
		if (get_evidence(v, json_array_get(evidence, i), a, e) < 0)
			return -1;
	for (size_t i = 0; i < json_array_size(contributing); i++) {
		const char *text = json_string_value(json_array_get(contributing, i));
		if (!text)
			return wrong("contributing", "a list of strings", e);
		v->contributing[v->n_contributing++] = arena_strdup(a, text);
	}
	return 0;
}

static int parse_verdict(
	struct stored_verdict *v, const json_t *root, struct arena *a, struct error *e)
{
	const char *cause;

	if (get_text(root, "cause", "", &cause, a, e) < 0 ||
		get_text(root, "id", NULL, &v->id, a, e) < 0 ||
		get_text(root, "confidence", "", &v->confidence, a, e) < 0 ||
		get_text(root, "retry", "", &v->retry, a, e) < 0 ||
		get_text(root, "summary", "", &v->summary, a, e) < 0)
		return -1;
	int known = cause_from_name(cause);
	if (known < 0)
		return error_set(e, BLAME_REQUEST, 0, "verdict: there is no cause '%s'",
			words_visible(a, cause, ID_SHOWN));
	v->cause = (enum cause)known;
	return get_lists(v, root, a, e);
}

int stored_verdict_parse(struct stored_verdict *ret, enum document_kind *ret_kind, const char *text,
	size_t size, struct arena *a, struct error *e)
{
	struct stored_verdict v = {.id = NULL};
	json_error_t at;
	int r = 0;

	if (size > FILE_MAX_SIZE)
		return error_set(e, BLAME_REQUEST, 0, "larger than 64 MiB");
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &at);
	if (!root)
		return error_set(e, BLAME_REQUEST, 0, "no JSON: line %d column %d: %s", at.line,
			at.column, words_visible(a, at.text, sizeof at.text));
	if (json_object_get(root, "wait")) {
		*ret_kind = DOCUMENT_OBSERVATION;
	} else if (json_object_get(root, "cause")) {
		*ret_kind = DOCUMENT_VERDICT;
		r = parse_verdict(&v, root, a, e);
	} else {
		r = error_set(e, BLAME_REQUEST, 0, "neither a verdict nor an observation");
	}
	json_decref(root);
	if (r == 0)
		*ret = v;
	return r;
}

/* ---- for a program ---- */

static json_t *evidence_looks(const struct stored_verdict *v, struct arena *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n_evidence; i++) {
		json_t *look = json_object();
		json_put_take(look, "what", json_visible(v->evidence[i].fact));
		json_put_take(look, "said", json_string(stored_evidence_text(&v->evidence[i], a)));
		json_push_take(list, look);
	}
	return list;
}

static json_t *ruled_out_steps(const struct stored_verdict *v)
{
	struct explanation x;
	json_t *list = json_array();

	explain_questions(&x);
	for (size_t i = 0; i < stored_verdict_rules(&x, v->cause); i++) {
		json_t *step = json_object();
		json_put_take(step, "cause", json_string(cause_name(x.steps[i].cause)));
		json_put_take(step, "question", json_string(x.steps[i].asks));
		json_put_take(step, "applies", json_false());
		json_put_take(step, "because", json_null());
		json_push_take(list, step);
	}
	return list;
}

const char *stored_verdict_json(const struct stored_verdict *v, struct arena *a)
{
	json_t *object = json_object();

	json_put_take(object, "id", json_visible(v->id));
	json_put_take(object, "derived_from", json_string("evidence"));
	json_put_take(object, "cause", json_string(cause_name(v->cause)));
	json_put_take(object, "stored_cause", json_string(cause_name(v->cause)));
	json_put_take(object, "agrees", json_null());
	json_put_take(object, "looked_at", evidence_looks(v, a));
	json_put_take(object, "steps", ruled_out_steps(v));
	json_put_take(object, "verdict", json_null());
	return json_line_take(object, a);
}
