/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "model/codec-json.h"
#include "model/policy-keys.h"

/*
 * JSON Schema of a policy file, from the table of its keys. What the schema refuses, the decoder
 * refuses; the decoder refuses more (a schema cannot know causes, or what makes no sense together).
 */

typedef json_t *(*schema_function)(const struct policy_key *key);

static json_t *typed(const char *type)
{
	json_t *schema = json_object();
	json_put_take(schema, "type", json_string(type));
	return schema;
}

static json_t *pattern(const char *text)
{
	json_t *schema = typed("string");
	if (text)
		json_put_take(schema, "pattern", json_string(text));
	return schema;
}

static json_t *number(const char *type, double min)
{
	json_t *schema = typed(type);
	bool whole = min == (double)(json_int_t)min;
	json_put_take(schema, "minimum", whole ? json_integer((json_int_t)min) : json_real(min));
	return schema;
}

/* Any of the given schemas, and null if the key allows it. */
static json_t *any_of(const struct policy_key *key, json_t *first, json_t *second)
{
	json_t *list = json_array(), *schema = json_object();
	json_push_take(list, first);
	if (second)
		json_push_take(list, second);
	if (key->nullable)
		json_push_take(list, typed("null"));
	json_put_take(schema, "anyOf", list);
	return schema;
}

static json_t *list_of(json_t *items)
{
	json_t *schema = typed("array");
	json_put_take(schema, "items", items);
	return schema;
}

/* 0 is a limit for some, and refused by the others; a few need more than 1. */
static double least(const struct policy_key *key)
{
	return key->kind == KEY_LIMIT ? (double)limit_least(key->limit) : (double)key->min;
}

static json_t *schema_size(const struct policy_key *key)
{
	return any_of(key, number("integer", least(key)),
		pattern("^([0-9]+([.][0-9]+)?([KkMmGgTt]([Ii]?[Bb])?|[Bb])?|unlimited|none)$"));
}

static json_t *schema_duration(const struct policy_key *key)
{
	return any_of(key, number("number", 0),
		pattern("^([0-9]+([.][0-9]+)?|([0-9]+([.][0-9]+)?(d|h|m|s|ms|us))+|unlimited|none)"
			"$"));
}

static json_t *schema_number(const struct policy_key *key)
{
	return any_of(key, number("integer", least(key)), pattern("^([0-9]+|unlimited|none)$"));
}

static json_t *schema_cpus(const struct policy_key *key, double min)
{
	return any_of(key, number("number", min), pattern("^([0-9]+([.][0-9]+)?|unlimited|none)$"));
}

static json_t *schema_factor(const struct policy_key *key)
{
	return schema_cpus(key, (double)key->min / 1000);
}

static json_t *schema_limit(const struct policy_key *key)
{
	switch (limit_unit(key->limit)) {
	case UNIT_BYTES:
		return schema_size(key);
	case UNIT_US:
		return schema_duration(key);
	case UNIT_MILLI_CPUS:
		return schema_cpus(key, 0.01);
	default:
		return schema_number(key);
	}
}

static json_t *schema_bool(const struct policy_key *key)
{
	(void)key;
	return typed("boolean");
}

static json_t *schema_choice(const struct policy_key *key)
{
	json_t *list = json_array(), *schema = json_object();
	for (size_t i = 0; key->choices[i]; i++)
		json_push_take(list, json_string(key->choices[i]));
	json_put_take(schema, "enum", list);
	return schema;
}

static json_t *schema_string(const struct policy_key *key)
{
	json_t *schema = pattern(policy_item_pattern(key->item));
	json_put_take(schema, "minLength", json_integer(1));
	return any_of(key, schema, NULL);
}

/* An entry, or "!ENTRY" to take an inherited one out. */
static json_t *schema_item(const struct policy_key *key)
{
	json_t *item = pattern(policy_item_pattern(key->item));
	if (!key->inherits)
		return item;
	json_t *list = json_array(), *schema = json_object();
	json_push_take(list, item);
	json_push_take(list, pattern("^!."));
	json_put_take(schema, "anyOf", list);
	return schema;
}

static json_t *schema_strings(const struct policy_key *key)
{
	return any_of(key, list_of(schema_item(key)), NULL);
}

static json_t *schema_user(const struct policy_key *key)
{
	return any_of(key, schema_choice(key),
		any_of(key, pattern("^[0-9]+(:[0-9]+)?$"), number("integer", 0)));
}

static json_t *closed_object(void)
{
	json_t *schema = typed("object");
	json_put_take(schema, "additionalProperties", json_false());
	json_put_take(schema, "properties", json_object());
	return schema;
}

static json_t *schema_env(const struct policy_key *key)
{
	json_t *schema = typed("object"), *names = json_object();
	json_put_take(names, "pattern", json_string(policy_item_pattern(key->item)));
	json_put_take(schema, "propertyNames", names);
	json_put_take(
		schema, "additionalProperties", any_of(key, typed("string"), typed("number")));
	return schema;
}

static json_t *schema_rule(const char *verb)
{
	json_t *schema = closed_object(), *required = json_array();
	json_t *properties = json_object_get(schema, "properties");
	json_put_take(properties, verb, pattern("."));
	json_put_take(properties, "hint", pattern("."));
	json_push_take(required, json_string(verb));
	json_put_take(schema, "required", required);
	return schema;
}

static json_t *schema_rules(const struct policy_key *key)
{
	json_t *items = any_of(key, schema_rule("allow"), schema_rule("deny"));
	json_push_take(json_object_get(items, "anyOf"), pattern("^!\\*$"));
	return list_of(items);
}

static const schema_function schemas[] = {
	[KEY_LIMIT] = schema_limit,
	[KEY_SIZE] = schema_size,
	[KEY_DURATION] = schema_duration,
	[KEY_NUMBER] = schema_number,
	[KEY_FACTOR] = schema_factor,
	[KEY_BOOL] = schema_bool,
	[KEY_CHOICE] = schema_choice,
	[KEY_FLAG] = schema_choice,
	[KEY_STRING] = schema_string,
	[KEY_STRINGS] = schema_strings,
	[KEY_BINDS] = schema_strings,
	[KEY_USER] = schema_user,
	[KEY_ENV] = schema_env,
	[KEY_RULES] = schema_rules,
};
static_assert(sizeof schemas / sizeof *schemas == KEY_KIND_COUNT_, "one for each kind");

static void describe(json_t *schema, const char *text, bool inherits)
{
	cleanup_arena struct arena a = ARENA_INIT;
	if (inherits)
		text = arena_printf(&a,
			"%s Added to what is inherited; \"!ENTRY\" takes an entry "
			"out, \"!*\" all.",
			text);
	json_put_take(schema, "description", json_string(text));
}

static json_t *extends_schema(void)
{
	json_t *schema = json_object(), *types = json_array();
	json_push_take(types, json_string("string"));
	json_push_take(types, json_string("null"));
	json_put_take(schema, "type", types);
	json_put_take(schema, "default", json_string("default"));
	describe(schema,
		"The policy that this one is laid over, by name or path. null: none, and then "
		"nothing is limited or hidden but by this file.",
		false);
	return schema;
}

/* The properties that keys of @section go into; made when first asked for. */
static json_t *properties_of(json_t *root, const struct policy_section *section)
{
	json_t *properties = json_object_get(root, "properties");
	json_t *schema = json_object_get(properties, section->name);
	if (!schema) {
		json_put_take(properties, section->name, schema = closed_object());
		describe(schema, section->help, false);
	}
	return json_object_get(schema, "properties");
}

static const struct policy_section *find_section(const char *name)
{
	const struct policy_section *section = policy_sections;
	while (section->name && strcmp(section->name, name) != 0)
		section++;
	return section;
}

const char *policy_schema_json(struct arena *a)
{
	json_t *root = json_object(), *closed = closed_object();
	json_put_take(root, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"));
	json_put_take(root, "title", json_string("bulkhead policy"));
	json_object_update(root, closed);
	json_decref(closed);
	json_put_take(json_object_get(root, "properties"), "extends", extends_schema());
	for (size_t i = 0; i < policy_keys_count; i++) {
		const struct policy_key *key = &policy_keys[i];
		json_t *schema = schemas[key->kind](key);
		describe(schema, key->help,
			key->inherits && key->kind != KEY_ENV && key->kind != KEY_RULES);
		json_put_take(key->section ? properties_of(root, find_section(key->section))
					   : json_object_get(root, "properties"),
			key->name, schema);
	}
	return json_pretty_take(root, a);
}
