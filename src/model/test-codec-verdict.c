/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/verdict.h"

/* The published schema, and the verdict of every golden observation held against it. */

static json_t *schema;

/* {"$ref": "#/$defs/NAME"} or the schema itself. */
static const json_t *resolve(const json_t *s)
{
	const char *ref = json_string_value(json_object_get(s, "$ref"));

	if (!ref)
		return s;
	assert_int_equal(strncmp(ref, "#/$defs/", 8), 0);
	const json_t *found = json_object_get(json_object_get(schema, "$defs"), ref + 8);
	assert_non_null(found);
	return found;
}

static bool is_type(const json_t *v, const char *type)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "object",
		[JSON_ARRAY] = "array",
		[JSON_STRING] = "string",
		[JSON_INTEGER] = "integer",
		[JSON_REAL] = "number",
		[JSON_TRUE] = "boolean",
		[JSON_FALSE] = "boolean",
		[JSON_NULL] = "null",
	};
	return strcmp(names[json_typeof(v)], type) == 0;
}

static bool has(const json_t *list, const json_t *v)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (json_equal(json_array_get(list, i), v))
			return true;
	}
	return false;
}

static bool type_fits(const json_t *s, const json_t *v)
{
	const json_t *type = json_object_get(s, "type");

	if (!type)
		return true;
	if (json_is_string(type))
		return is_type(v, json_string_value(type));
	for (size_t i = 0; i < json_array_size(type); i++) {
		if (is_type(v, json_string_value(json_array_get(type, i))))
			return true;
	}
	return false;
}

static bool range_fits(const json_t *s, const json_t *v)
{
	const json_t *min = json_object_get(s, "minimum"), *max = json_object_get(s, "maximum");

	if (!json_is_integer(v))
		return true;
	return (!min || json_integer_value(v) >= json_integer_value(min)) &&
		(!max || json_integer_value(v) <= json_integer_value(max));
}

static bool fits(const json_t *s, const json_t *v);

static bool members_fit(const json_t *s, const json_t *v)
{
	const json_t *properties = json_object_get(s, "properties");
	const json_t *required = json_object_get(s, "required");
	const char *key;
	json_t *value;

	for (size_t i = 0; i < json_array_size(required); i++) {
		if (!json_object_get(v, json_string_value(json_array_get(required, i))))
			return false;
	}
	json_object_foreach((json_t *)v, key, value)
	{
		const json_t *of = json_object_get(properties, key);
		if (!of || !fits(of, value))
			return false;
	}
	return true;
}

static bool items_fit(const json_t *s, const json_t *v)
{
	for (size_t i = 0; i < json_array_size(v); i++) {
		if (!fits(json_object_get(s, "items"), json_array_get(v, i)))
			return false;
	}
	return true;
}

static bool one_fits(const json_t *any, const json_t *v)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(any); i++)
		n += fits(json_array_get(any, i), v);
	return n == 1;
}

static bool fits(const json_t *s, const json_t *v)
{
	s = resolve(s);
	const json_t *names = json_object_get(s, "enum"), *any = json_object_get(s, "oneOf");
	if (names)
		return has(names, v);
	if (any)
		return one_fits(any, v);
	if (!type_fits(s, v) || !range_fits(s, v))
		return false;
	if (json_is_object(v))
		return members_fit(s, v);
	return !json_is_array(v) || items_fit(s, v);
}

/* ---- the golden observations ---- */

static json_t *verdict_of(const char *name)
{
	static char text[1 << 18];
	cleanup_arena struct arena a = ARENA_INIT;
	char path[4096];
	struct observation o;
	struct verdict v;
	struct error e = ERROR_INIT;

	snprintf(path, sizeof path, "%s/verdict/%s", TEST_GOLDEN, name);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	size_t size = fread(text, 1, sizeof text, f);
	fclose(f);
	assert_int_equal(observation_parse_json(&o, text, size, &a, &e), 0);
	verdict_decide(&v, &o, &a);
	const char *json = verdict_format_json(&v, &o, &a);
	/* One line, for readers of an fd that take line by line. */
	assert_ptr_equal(strchr(json, '\n'), json + strlen(json) - 1);
	json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	return root;
}

static int is_observation(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');
	return dot && strcmp(dot, ".json") == 0;
}

static void test_golden_verdicts_fit_the_schema(void **state)
{
	struct dirent **entries;
	int n = scandir(TEST_GOLDEN "/verdict", &entries, is_observation, alphasort);

	(void)state;
	assert_true(n >= 60);
	for (int i = 0; i < n; i++) {
		json_t *v = verdict_of(entries[i]->d_name);
		if (!fits(schema, v))
			fail_msg("the verdict of %s does not fit the schema", entries[i]->d_name);
		/* Never both. */
		assert_true(json_is_null(json_object_get(v, "exit_code")) ||
			json_is_null(json_object_get(v, "signal")));
		json_decref(v);
		free(entries[i]);
	}
	free(entries);
}

/* The checker above is no use if it lets everything through. */
static void test_the_schema_refuses(void **state)
{
	static const struct {
		const char *key, *value;
	} changes[] = {
		{"cause", "\"oom\""},
		{"exit_code", "256"},
		{"exit_code", "\"0\""},
		{"signal", "0"},
		{"argv", "[1]"},
		{"argv_left_out", "{\"words\": 1}"},
		{"attempt", "-1"},
		{"extra", "1"},
		{"limits", "{\"memory\": {\"value\": 1, \"unit\": \"bytes\"}}"},
		{"limits", "{\"memry\": {}}"},
		{"evidence", "[{\"fact\": \"x\"}]"},
		{"usage", "{\"pressure\": {\"cpu\": {\"some\": 1}}}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		json_t *v = verdict_of("ok.json");
		json_object_set_new(
			v, changes[i].key, json_loads(changes[i].value, JSON_DECODE_ANY, NULL));
		if (fits(schema, v))
			fail_msg("'%s': %s was taken", changes[i].key, changes[i].value);
		json_decref(v);
	}
	json_t *v = verdict_of("ok.json");
	json_object_set_new(v, "argv_left_out", json_pack("{s:i,s:i}", "words", 1, "bytes", 9));
	assert_true(fits(schema, v));
	json_object_del(v, "killer");
	assert_false(fits(schema, v));
	json_decref(v);
}

/* The keys and their order are published and never change meaning. */
static void test_keys(void **state)
{
	static const char *const keys[] = {"id", "key", "policy", "argv", "attempt", "cause",
		"confidence", "retry", "summary", "exit_code", "signal", "limits", "usage",
		"evidence", "victims", "killer", "contributing", "suggest", "timing", "started",
		"ended", "host", "version"};
	json_t *v = verdict_of("memory-limit-v1.json"), *value;
	const char *key;
	size_t n = 0;

	(void)state;
	json_object_foreach(v, key, value)
	{
		assert_true(n < sizeof keys / sizeof *keys);
		assert_string_equal(key, keys[n++]);
	}
	assert_int_equal(n, sizeof keys / sizeof *keys);
	json_decref(v);
}

static void assert_member(const char *name, const char *key, const char *want)
{
	json_t *v = verdict_of(name);
	char *text = json_dumps(json_object_get(v, key), JSON_ENCODE_ANY);

	assert_string_equal(text, want);
	free(text);
	json_decref(v);
}

static void test_single_members(void **state)
{
	(void)state;
	assert_member("ok.json", "exit_code", "0");
	assert_member("ok.json", "signal", "null");
	assert_member("crash-segv.json", "exit_code", "null");
	assert_member("crash-segv.json", "signal", "11");
	assert_member("unknown-status.json", "exit_code", "null");
	assert_member("not-found.json", "exit_code", "null");
	assert_member("contradictory-setup-failed-but-exited-0.json", "exit_code", "null");
	assert_member("ok.json", "suggest", "{}");
	assert_member("memory-limit-v1.json", "suggest",
		"{\"limit\": \"memory\", \"value\": 100663296, \"unit\": \"bytes\"}");
	assert_member("external-kill.json", "killer",
		"{\"pid\": 777, \"comm\": \"bash\", \"uid\": 1000, \"inside_pid\": null, "
		"\"cgroup\": null, \"unit\": null}");
	assert_member("external-kill-of-unit.json", "killer",
		"{\"pid\": 777, \"comm\": \"bash\", \"uid\": 1000, \"inside_pid\": null, "
		"\"cgroup\": \"/system.slice/ssh.service\", \"unit\": \"ssh.service\"}");
	assert_member("crash-killed-by-bulkhead-without-act.json", "killer", "null");
	assert_member("crash-kernel-kill.json", "killer", "null");
	assert_member("ok.json", "timing", "{\"spawn_us\": 1480, \"kill_us\": null}");
	assert_member("ok.json", "started", "\"2024-05-17T08:30:00.000000Z\"");
}

static int load_schema(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	json_error_t e;

	(void)state;
	schema = json_loads(verdict_schema_json(&a), JSON_REJECT_DUPLICATES, &e);
	if (!schema)
		print_error("line %d: %s\n", e.line, e.text);
	return schema ? 0 : -1;
}

static int free_schema(void **state)
{
	(void)state;
	json_decref(schema);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_verdicts_fit_the_schema),
		cmocka_unit_test(test_the_schema_refuses),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_single_members),
	};
	return cmocka_run_group_tests(tests, load_schema, free_schema);
}
