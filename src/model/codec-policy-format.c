/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/parse.h"
#include "base/time.h"
#include "model/codec-json.h"
#include "model/policy-keys.h"

/*
 * A policy back into the words of a policy file. What is written can be read again and means the
 * same: numbers that have a unit are strings such as "2G" if that is exact.
 */

typedef json_t *(*format_function)(const struct policy_key *key, const void *value);

static json_t *format_bytes(uint64_t bytes)
{
	static const char units[] = "\0KMGT";
	unsigned i = 0;
	char text[FORMAT_SIZE];
	if (bytes == 0)
		return json_u64(0);
	while (i < 4 && bytes % 1024 == 0) {
		bytes /= 1024;
		i++;
	}
	if (i == 0)
		return json_u64(bytes);
	snprintf(text, sizeof text, "%" PRIu64 "%c", bytes, units[i]);
	return json_string(text);
}

/* The largest unit that needs no fraction; hours and days only when nothing smaller is meant. */
static json_t *format_us(uint64_t us)
{
	static const struct {
		const char *name;
		uint64_t us;
	} units[] = {{"h", 3600 * US_PER_SEC}, {"m", 60 * US_PER_SEC}, {"s", US_PER_SEC},
		{"ms", 1000}, {"us", 1}};
	char text[FORMAT_SIZE];
	if (us == 0)
		return json_string("0s");
	size_t i = 0;
	while (us % units[i].us != 0)
		i++;
	snprintf(text, sizeof text, "%" PRIu64 "%s", us / units[i].us, units[i].name);
	return json_string(text);
}

/* "1.5" as a number: 0.001 is exact enough to come back as the same thousandths. */
static json_t *format_thousandths(uint64_t milli)
{
	if (milli % 1000 == 0)
		return json_u64(milli / 1000);
	char text[FORMAT_SIZE];
	return json_string(format_milli(milli, text));
}

static json_t *format_limit(const struct policy_key *key, const void *value)
{
	const struct limit_value *limit = value;
	if (!limit->set)
		return json_null();
	switch (limit_unit(key->limit)) {
	case UNIT_BYTES:
		return format_bytes(limit->value);
	case UNIT_US:
		return format_us(limit->value);
	case UNIT_MILLI_CPUS:
		return format_thousandths(limit->value);
	default:
		return json_u64(limit->value);
	}
}

static bool is_none(const struct policy_key *key, uint64_t value)
{
	return key->nullable && value == 0;
}

static json_t *format_size_key(const struct policy_key *key, const void *value)
{
	uint64_t bytes = *(const uint64_t *)value;
	return is_none(key, bytes) ? json_null() : format_bytes(bytes);
}

static json_t *format_duration_key(const struct policy_key *key, const void *value)
{
	uint64_t us = *(const uint64_t *)value;
	return is_none(key, us) ? json_null() : format_us(us);
}

static json_t *format_number(const struct policy_key *key, const void *value)
{
	(void)key;
	return json_u64(*(const uint64_t *)value);
}

static json_t *format_factor(const struct policy_key *key, const void *value)
{
	(void)key;
	return format_thousandths(*(const uint64_t *)value);
}

static json_t *format_bool(const struct policy_key *key, const void *value)
{
	(void)key;
	return json_boolean(*(const bool *)value);
}

static json_t *format_choice(const struct policy_key *key, const void *value)
{
	return json_string(key->choices[*(const unsigned *)value]);
}

static json_t *format_flag(const struct policy_key *key, const void *value)
{
	return json_string(key->choices[*(const bool *)value]);
}

static json_t *format_string(const struct policy_key *key, const void *value)
{
	(void)key;
	return json_visible(*(const char *const *)value);
}

static json_t *format_strings(const struct policy_key *key, const void *value)
{
	const struct strv *list = value;
	if (key->nullable && list->n == 0)
		return json_null();
	json_t *array = json_array();
	for (size_t i = 0; i < list->n; i++)
		json_push_take(array, json_visible(list->v[i]));
	return array;
}

static json_t *format_binds(const struct policy_key *key, const void *value)
{
	const struct bind_list *list = value;
	json_t *array = json_array();
	cleanup_arena struct arena a = ARENA_INIT;
	(void)key;
	for (size_t i = 0; i < list->n; i++)
		json_push_take(array, json_visible(bind_rule_format(&list->v[i], &a)));
	return array;
}

static json_t *format_user(const struct policy_key *key, const void *value)
{
	const struct policy_user *user = value;
	char text[FORMAT_SIZE];
	if (user->mode != USER_ID)
		return json_string(key->choices[user->mode]);
	snprintf(text, sizeof text, "%" PRIu32 ":%" PRIu32, user->uid, user->gid);
	return json_string(text);
}

static json_t *format_env(const struct policy_key *key, const void *value)
{
	const struct policy_env *env = value;
	json_t *object = json_object();
	(void)key;
	for (size_t i = 0; i < env->n_set; i++) {
		json_t *name =
			json_visible(env->set[i].key); /* the command line's may be anything */
		json_put_take(object, json_string_value(name), json_visible(env->set[i].value));
		json_decref(name);
	}
	return object;
}

static json_t *format_rules(const struct policy_key *key, const void *value)
{
	const struct policy_exec *exec = value;
	json_t *array = json_array();
	(void)key;
	for (size_t i = 0; i < exec->n_rules; i++) {
		const struct exec_rule *rule = &exec->rules[i];
		json_t *object = json_object();
		json_put_take(object, rule->allow ? "allow" : "deny", json_visible(rule->pattern));
		if (rule->hint)
			json_put_take(object, "hint", json_visible(rule->hint));
		json_push_take(array, object);
	}
	return array;
}

static const format_function formatters[] = {
	[KEY_LIMIT] = format_limit,
	[KEY_SIZE] = format_size_key,
	[KEY_DURATION] = format_duration_key,
	[KEY_NUMBER] = format_number,
	[KEY_FACTOR] = format_factor,
	[KEY_BOOL] = format_bool,
	[KEY_CHOICE] = format_choice,
	[KEY_FLAG] = format_flag,
	[KEY_STRING] = format_string,
	[KEY_STRINGS] = format_strings,
	[KEY_BINDS] = format_binds,
	[KEY_USER] = format_user,
	[KEY_ENV] = format_env,
	[KEY_RULES] = format_rules,
};
static_assert(sizeof formatters / sizeof *formatters == KEY_KIND_COUNT_, "one for each kind");

static json_t *section_of(json_t *root, const char *name)
{
	json_t *section = json_object_get(root, name);
	if (!section)
		json_put_take(root, name, section = json_object());
	return section;
}

static json_t *policy_to_json(const struct policy *p)
{
	json_t *root = json_object();
	json_put_take(root, "extends", json_null());
	for (size_t i = 0; i < policy_keys_count; i++) {
		const struct policy_key *key = &policy_keys[i];
		json_put_take(key->section ? section_of(root, key->section) : root, key->name,
			formatters[key->kind](key, policy_key_value(key, p)));
	}
	return root;
}

const char *policy_format_json(const struct policy *p, struct arena *a)
{
	return json_pretty_take(policy_to_json(p), a);
}

/* ---- YAML ---- */

/* What YAML would take for something else, or what could be mistaken, stands in JSON's quotes. */
static bool is_plain(const char *s)
{
	static const char first[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/.~";
	static const char more[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/.~:+-*";
	size_t n = strlen(s);
	if (n == 0 || !strchr(first, s[0]) || strspn(s, more) != n || s[n - 1] == ':')
		return false;
	return strspn(s, "0123456789.eE+-") != n && strcmp(s, "~") != 0 && strcmp(s, "null") != 0 &&
		strcmp(s, "true") != 0 && strcmp(s, "false") != 0;
}

static void put_value(struct buf *b, const json_t *value)
{
	if (json_is_string(value) && is_plain(json_string_value(value))) {
		buf_puts(b, json_string_value(value));
		return;
	}
	char *text = json_dumps(value, JSON_ENCODE_ANY);
	if (!text)
		out_of_memory();
	buf_puts(b, text);
	free(text);
}

static void put_key(struct buf *b, const char *name, const json_t *value)
{
	const json_t *item;
	size_t i;
	buf_printf(b, "  %s:", name);
	if (!json_is_array(value) || json_array_size(value) == 0) {
		buf_putc(b, ' ');
		put_value(b, value);
	}
	buf_putc(b, '\n');
	json_array_foreach(value, i, item)
	{
		buf_puts(b, "    - ");
		put_value(b, item);
		buf_putc(b, '\n');
	}
}

const char *policy_format_yaml(const struct policy *p, struct arena *a)
{
	cleanup_buf struct buf b = BUF_INIT;
	json_t *root = policy_to_json(p), *member, *value;
	const char *name, *key;
	json_object_foreach(root, name, member)
	{
		buf_printf(&b, json_is_object(member) ? "%s:" : "%s: ", name);
		if (!json_is_object(member))
			put_value(&b, member);
		buf_putc(&b, '\n');
		json_object_foreach(member, key, value) put_key(&b, key, value);
	}
	json_decref(root);
	return arena_strdup(a, buf_str(&b));
}
