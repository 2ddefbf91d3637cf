/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <jansson.h>
#include <regex.h>
#include <string.h>

#include "model/policy-keys.h"

/*
 * As much of JSON Schema as the policy's uses. It refuses words that it does not know, so that the
 * schema cannot come to say something that nobody checks.
 */
static bool matches(const json_t *schema, const json_t *value);

static bool has_type(const char *type, const json_t *value)
{
	return (strcmp(type, "object") == 0 && json_is_object(value)) ||
		(strcmp(type, "array") == 0 && json_is_array(value)) ||
		(strcmp(type, "string") == 0 && json_is_string(value)) ||
		(strcmp(type, "integer") == 0 && json_is_integer(value)) ||
		(strcmp(type, "number") == 0 && json_is_number(value)) ||
		(strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
		(strcmp(type, "null") == 0 && json_is_null(value));
}

static bool check_type(const json_t *types, const json_t *value)
{
	size_t i;
	json_t *type;
	if (json_is_string(types))
		return has_type(json_string_value(types), value);
	json_array_foreach(
		types, i, type) if (has_type(json_string_value(type), value)) return true;
	return false;
}

static bool check_pattern(const char *pattern, const char *text)
{
	regex_t regex;
	char plain[512];
	size_t n = 0;
	for (const char *p = pattern; *p && n < sizeof plain - 1; p++) {
		if (strncmp(p, "(?:", 3) == 0)
			plain[n++] = '(', p += 2; /* POSIX has no other groups */
		else
			plain[n++] = *p;
	}
	plain[n] = '\0';
	assert_int_equal(regcomp(&regex, plain, REG_EXTENDED | REG_NOSUB), 0);
	bool ok = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return ok;
}

static bool check_properties(const json_t *schema, const json_t *value)
{
	const json_t *properties = json_object_get(schema, "properties");
	const json_t *additional = json_object_get(schema, "additionalProperties");
	const json_t *names = json_object_get(schema, "propertyNames");
	const char *key;
	json_t *member;
	json_object_foreach((json_t *)value, key, member)
	{
		const json_t *s = json_object_get(properties, key);
		if (names &&
			!check_pattern(json_string_value(json_object_get(names, "pattern")), key))
			return false;
		if (!s && json_is_false(additional))
			return false;
		if (!s)
			s = additional;
		if (s && !matches(s, member))
			return false;
	}
	return true;
}

static bool check_any(const json_t *list, const json_t *value)
{
	size_t i;
	json_t *schema;
	json_array_foreach(list, i, schema) if (matches(schema, value)) return true;
	return false;
}

static bool check_word(
	const json_t *schema, const char *word, const json_t *arg, const json_t *value)
{
	size_t i;
	json_t *item;
	if (strcmp(word, "type") == 0)
		return check_type(arg, value);
	if (strcmp(word, "anyOf") == 0)
		return check_any(arg, value);
	if (strcmp(word, "pattern") == 0)
		return !json_is_string(value) ||
			check_pattern(json_string_value(arg), json_string_value(value));
	if (strcmp(word, "minimum") == 0)
		return !json_is_number(value) || json_number_value(value) >= json_number_value(arg);
	if (strcmp(word, "minLength") == 0)
		return !json_is_string(value) ||
			json_string_length(value) >= (size_t)json_integer_value(arg);
	if (strcmp(word, "enum") == 0) {
		json_array_foreach(arg, i, item) if (json_equal(item, value)) return true;
		return false;
	}
	if (strcmp(word, "items") == 0) {
		json_array_foreach(value, i, item) if (!matches(arg, item)) return false;
		return true;
	}
	if (strcmp(word, "required") == 0) {
		json_array_foreach(arg, i, item) if (json_is_object(value) &&
			!json_object_get(value, json_string_value(item))) return false;
		return true;
	}
	if (strcmp(word, "properties") == 0)
		return check_properties(schema, value);
	if (strcmp(word, "additionalProperties") == 0) /* with properties, or alone */
		return json_object_get(schema, "properties") || check_properties(schema, value);
	static const char *const silent[] = {
		"$schema", "title", "description", "default", "propertyNames", NULL};
	for (i = 0; silent[i]; i++)
		if (strcmp(silent[i], word) == 0)
			return true;
	fail_msg("the test does not know '%s'", word);
	return false;
}

static bool matches(const json_t *schema, const json_t *value)
{
	const char *word;
	json_t *arg;
	json_object_foreach((json_t *)schema, word,
		arg) if (!check_word(schema, word, arg, value)) return false;
	return true;
}

static json_t *schema_load(void)
{
	cleanup_arena struct arena a = ARENA_INIT;
	json_t *schema = json_loads(policy_schema_json(&a), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(schema);
	return schema;
}

static void test_keys(void **state)
{
	(void)state;
	json_t *schema = schema_load(), *properties = json_object_get(schema, "properties");
	for (size_t i = 0; i < policy_keys_count; i++) {
		const struct policy_key *key = &policy_keys[i];
		json_t *in = key->section
			? json_object_get(json_object_get(properties, key->section), "properties")
			: properties;
		json_t *own = json_object_get(in, key->name);
		assert_non_null(own);
		assert_true(json_string_length(json_object_get(own, "description")) > 0);
	}
	assert_non_null(json_object_get(properties, "extends"));
	json_decref(schema);
}

/* What the program itself writes is valid. */
static void test_shipped(void **state)
{
	(void)state;
	json_t *schema = schema_load();
	for (const char *const *name = policy_shipped_names(); *name; name++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct policy p;
		assert_int_equal(policy_load(&p, &a, NULL, *name, NULL), 0);
		json_t *value =
			json_loads(policy_format_json(&p, &a), JSON_REJECT_DUPLICATES, NULL);
		assert_true(matches(schema, value));
		json_decref(value);
	}
	json_decref(schema);
}

static void test_examples(void **state)
{
	static const struct {
		bool valid;
		const char *text;
	} cases[] = {
		{true, "{}"},
		{true,
			"{\"extends\": null, \"limits\": {\"memory\": \"1.5GiB\", \"timeout\": "
			"\"1h30m\"}}"},
		{true,
			"{\"limits\": {\"memory\": 1048576, \"timeout\": 0.5, \"cpus\": 1.5, "
			"\"swap\": 0}}"},
		{true, "{\"filesystem\": {\"hide\": [\"!*\", \"~/.x*\", \"~\", \"/a\"]}}"},
		{true, "{\"filesystem\": {\"write\": [\".\", \"a:/b\", \"!x\"], \"root\": null}}"},
		{true, "{\"user\": \"1000:100\", \"network\": \"host\"}"},
		{true, "{\"user\": 1000, \"env\": {\"set\": {\"A\": \"x\", \"B\": 5}}}"},
		{true,
			"{\"exec\": {\"rules\": [\"!*\", {\"deny\": \"git push\", \"hint\": "
			"\"x\"}]}}"},
		{false, "[]"},
		{false, "{\"limit\": {}}"},
		{false, "{\"limits\": {\"memmory\": 1}}"},
		{false, "{\"limits\": null}"},
		{false, "{\"limits\": {\"memory\": \"lots\"}}"},
		{false, "{\"limits\": {\"memory\": 0}}"},
		{false, "{\"limits\": {\"memory\": 1.5}}"},
		{false, "{\"limits\": {\"memory\": -1}}"},
		{false, "{\"limits\": {\"timeout\": \"5 min\"}}"},
		{false, "{\"limits\": {\"oom\": \"all\"}}"},
		{false, "{\"filesystem\": {\"hide\": null}}"},
		{false, "{\"filesystem\": {\"hide\": [\"/a/*\"]}}"},
		{false, "{\"filesystem\": {\"write\": [\"/a:b\"]}}"},
		{false, "{\"env\": {\"set\": {\"A=B\": \"x\"}}}"},
		{false, "{\"env\": {\"set\": {\"A\": true}}}"},
		{false, "{\"env\": {\"unset\": [\"A*B\"]}}"},
		{false, "{\"exec\": {\"rules\": [{\"hint\": \"x\"}]}}"},
		{false, "{\"user\": \"root\"}"},
	};
	(void)state;
	json_t *schema = schema_load();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		json_t *value = json_loads(cases[i].text, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(value);
		if (matches(schema, value) != cases[i].valid)
			fail_msg("%s", cases[i].text);
		json_decref(value);
	}
	json_decref(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_examples),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
