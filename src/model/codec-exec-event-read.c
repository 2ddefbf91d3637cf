/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <string.h>

#include "model/codec-json.h"
#include "model/exec-event.h"

/* The reading half; the warden, which knows no jansson, has the writing one. */

static int wrong(const char *key, const char *expected, struct error *e)
{
	return error_set(e, BLAME_REQUEST, 0, "exec event: '%s' must be %s", key, expected);
}

/* What is missing or null stays 0. */
static int get_number(
	const json_t *object, const char *key, uint64_t max, uint64_t *ret, struct error *e)
{
	const json_t *value = json_object_get(object, key);

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
		(uint64_t)json_integer_value(value) > max)
		return wrong(key, "a number in its range", e);
	*ret = (uint64_t)json_integer_value(value);
	return 0;
}

static int get_pid(const json_t *object, const char *key, pid_t *ret, struct error *e)
{
	uint64_t pid = 0;

	if (get_number(object, key, INT32_MAX, &pid, e) < 0)
		return -1;
	*ret = (pid_t)pid;
	return 0;
}

static int get_bool(const json_t *object, const char *key, bool *ret, struct error *e)
{
	const json_t *value = json_object_get(object, key);

	if (value && !json_is_boolean(value))
		return wrong(key, "true or false", e);
	*ret = json_is_true(value);
	return 0;
}

static int get_outcome(const json_t *object, enum exec_outcome *ret, struct error *e)
{
	const char *name = json_string_value(json_object_get(object, "outcome"));
	int outcome = name ? exec_outcome_from_name(name) : -1;

	if (outcome < 0)
		return wrong("outcome", "started, refused, killed or failed", e);
	*ret = (enum exec_outcome)outcome;
	return 0;
}

static int get_texts(
	struct exec_event *event, const json_t *object, struct arena *a, struct error *e)
{
	static const struct {
		const char *key;
		size_t offset;
	} texts[] = {
		{"called", offsetof(struct exec_event, called)},
		{"executable", offsetof(struct exec_event, executable)},
		{"interpreter", offsetof(struct exec_event, interpreter)},
		{"cwd", offsetof(struct exec_event, cwd)},
		{"rule", offsetof(struct exec_event, rule)},
		{"why", offsetof(struct exec_event, why)},
		{"real_executable", offsetof(struct exec_event, real_executable)},
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		const json_t *value = json_object_get(object, texts[i].key);
		const char *text;
		if (!value || json_is_null(value))
			continue;
		if (json_text_parse(value, a, &text) < 0 || strlen(text) > EXEC_EVENT_MAX_TEXT)
			return wrong(texts[i].key, "a text in its bounds", e);
		*(const char **)((char *)event + texts[i].offset) = text;
	}
	return 0;
}

static int get_argv(
	const json_t *object, const char *key, struct strv *ret, struct arena *a, struct error *e)
{
	const json_t *list = json_object_get(object, key);
	size_t room = EXEC_EVENT_MAX_ARGV;

	if (list && !json_is_array(list))
		return wrong(key, "a list of words", e);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *word;
		if (json_text_parse(json_array_get(list, i), a, &word) < 0)
			return wrong(key, "a list of words", e);
		if (strlen(word) >= room)
			return wrong(key, "a list of words in its bounds", e);
		room -= strlen(word) + 1;
		strv_push(a, ret, word);
	}
	return 0;
}

static int get_words(
	struct exec_event *event, const json_t *object, struct arena *a, struct error *e)
{
	uint64_t argc = 0;

	if (get_argv(object, "argv", &event->argv, a, e) < 0 ||
		get_argv(object, "real_argv", &event->real_argv, a, e) < 0 ||
		get_number(object, "argc", INT32_MAX, &argc, e) < 0 ||
		get_bool(object, "argv_cut", &event->argv_cut, e) < 0)
		return -1;
	if (argc < event->argv.n)
		return wrong("argc", "at least as many as 'argv' has", e);
	if (event->argv_cut && event->argv.n == 0)
		return wrong("argv_cut", "false where there is no word", e);
	event->argc = argc;
	return 0;
}

static int read_event(
	struct exec_event *event, const json_t *object, struct arena *a, struct error *e)
{
	if (!json_is_integer(json_object_get(object, "t_us")))
		return wrong("t_us", "there", e);
	if (get_number(object, "t_us", INT64_MAX, &event->t_us, e) < 0 ||
		get_outcome(object, &event->outcome, e) < 0 ||
		get_bool(object, "enforced", &event->enforced, e) < 0 ||
		get_pid(object, "pid", &event->pid, e) < 0 ||
		get_pid(object, "parent", &event->parent, e) < 0 ||
		get_pid(object, "inside_pid", &event->inside_pid, e) < 0 ||
		get_words(event, object, a, e) < 0)
		return -1;
	return get_texts(event, object, a, e);
}

int exec_event_parse(
	struct exec_event *ret, const char *line, size_t size, struct arena *a, struct error *e)
{
	struct exec_event event = {.t_us = 0};
	json_error_t at;

	if (size > EXEC_EVENT_MAX_LINE)
		return error_set(e, BLAME_REQUEST, 0, "exec event: longer than %zu bytes",
			(size_t)EXEC_EVENT_MAX_LINE);
	json_t *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, &at);
	if (!object)
		return error_set(
			e, BLAME_REQUEST, 0, "exec event: no JSON at byte %d", at.position);
	int r = read_event(&event, object, a, e);
	json_decref(object);
	if (r == 0)
		*ret = event;
	return r;
}
