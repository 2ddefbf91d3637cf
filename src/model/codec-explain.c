/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "model/cause.h"
#include "model/codec-json.h"
#include "model/exit-help.h"
#include "model/explain.h"
#include "model/words.h"

/* Explanations for a program: docs/verdict.md has the members. */

/* ---- of an observation ---- */

static json_t *looks_list(const struct observation *o, struct arena *a)
{
	struct look looks[EXPLAIN_MAX_LOOKS];
	size_t n = explain_looks(looks, o, a);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *look = json_object();
		json_put_take(look, "what", json_string(looks[i].what));
		json_put_take(look, "said", json_visible(looks[i].said));
		json_push_take(list, look);
	}
	return list;
}

static json_t *step_object(const struct explanation *x, size_t i)
{
	const struct explain_step *step = &x->steps[i];
	json_t *object = json_object();
	bool asked = i <= x->decided;

	json_put_take(object, "cause", json_string(cause_name(step->cause)));
	json_put_take(object, "question", json_string(step->asks));
	json_put_take(object, "applies", asked ? json_boolean(i == x->decided) : json_null());
	json_put_take(object, "because",
		asked ? json_visible(i == x->decided ? x->verdict.summary : step->why_not)
		      : json_null());
	return object;
}

static json_t *steps_list(const struct explanation *x)
{
	json_t *list = json_array();

	for (size_t i = 0; i < x->n_rules; i++)
		json_push_take(list, step_object(x, i));
	return list;
}

const char *explain_format_json(const struct explanation *x, const struct observation *o,
	const struct explain_source *source, struct arena *a)
{
	const char *cause = cause_name(x->verdict.cause), *stored = source->stored_cause;
	json_t *object = json_object();

	json_put_take(object, "id", json_visible(source->id));
	json_put_take(object, "derived_from", json_string("observation"));
	json_put_take(object, "cause", json_string(cause));
	json_put_take(object, "stored_cause", json_visible(stored));
	json_put_take(
		object, "agrees", stored ? json_boolean(strcmp(stored, cause) == 0) : json_null());
	json_put_take(object, "looked_at", looks_list(o, a));
	json_put_take(object, "steps", steps_list(x));
	json_put_take(
		object, "verdict", json_loads(verdict_format_json(&x->verdict, o, a), 0, NULL));
	return json_line_take(object, a);
}

/* ---- of a number ---- */

static json_t *lines_list(
	const struct exit_line *lines, size_t n, const char *left_key, const char *right_key)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *object = json_object();
		json_put_take(object, left_key, json_string(lines[i].left));
		json_put_take(object, right_key, json_string(lines[i].right));
		json_push_take(list, object);
	}
	return list;
}

static json_t *causes_list(const struct exit_number *n)
{
	json_t *list = json_array();
	bool typical;

	for (int i = 0; i < CAUSE_COUNT_; i++) {
		if (!exit_may_be(i, n->status, &typical))
			continue;
		json_t *object = json_object();
		json_put_take(object, "cause", json_string(cause_name(i)));
		json_put_take(object, "typical", json_boolean(typical));
		json_put_take(object, "retry", json_string(retry_name(cause_info(i)->retry)));
		json_put_take(object, "meaning", json_string(cause_meaning(i)));
		json_push_take(list, object);
	}
	return list;
}

const char *exit_help_json(const struct exit_number *n, struct arena *a)
{
	struct exit_line sayings[EXIT_MAX_LINES], nexts[EXIT_MAX_LINES];
	size_t n_sayings = exit_help_sayings(sayings, n, a), n_nexts = exit_help_nexts(nexts, n);
	json_t *object = json_object();

	json_put_take(object, "exit_status", n->negative ? json_null() : json_integer(n->status));
	json_put_take(object, "signal", n->signal ? json_integer(n->signal) : json_null());
	json_put_take(object, "signal_name",
		n->signal ? json_string(words_signal(a, n->signal)) : json_null());
	json_put_take(object, "said_by", lines_list(sayings, n_sayings, "who", "meaning"));
	json_put_take(object, "causes", causes_list(n));
	json_put_take(object, "next", lines_list(nexts, n_nexts, "look_at", "tells"));
	return json_line_take(object, a);
}
