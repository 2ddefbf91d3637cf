/* SPDX-License-Identifier: MIT */
#include "model/stored-verdict.h"

#include "base/buf.h"
#include "model/codec-json.h"
#include "model/test-golden.h"

/* Each verdict that is written can be read back and tells of its evidence. */
static void reads_back(const char *name, const struct observation *o, struct arena *a)
{
	struct stored_verdict s;
	enum document_kind kind;
	struct verdict v;
	struct error e = ERROR_INIT;

	verdict_decide(&v, o, a);
	const char *json = verdict_format_json(&v, o, a);
	if (stored_verdict_parse(&s, &kind, json, strlen(json), a, &e) != 0)
		fail_msg("%s: %s", name, e.text);
	assert_int_equal(kind, DOCUMENT_VERDICT);
	assert_int_equal(s.cause, v.cause);
	assert_int_equal(s.n_evidence, v.n_evidence);
	assert_int_equal(s.n_contributing, v.n_contributing);
	const char *text = stored_verdict_text(&s, a);
	assert_non_null(strstr(text, "does not hold the observation"));
	for (const char *c = text; *c; c++)
		assert_true((unsigned char)*c >= ' ' || *c == '\n');
	json_t *root = json_loads(stored_verdict_json(&s, a), 0, NULL);
	assert_int_equal(json_array_size(json_object_get(root, "looked_at")), v.n_evidence);
	json_decref(root);
}

static void test_golden(void **state)
{
	(void)state;
	for_each_golden(reads_back);
}

static void observation_is_told_apart(
	const char *name, const struct observation *o, struct arena *a)
{
	struct stored_verdict s;
	enum document_kind kind;
	struct error e = ERROR_INIT;
	const char *json = observation_format_json(o, a);

	(void)name;
	assert_int_equal(stored_verdict_parse(&s, &kind, json, strlen(json), a, &e), 0);
	assert_int_equal(kind, DOCUMENT_OBSERVATION);
}

static void test_observations(void **state)
{
	(void)state;
	for_each_golden(observation_is_told_apart);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"", "no JSON"},
		{"{", "no JSON"},
		{"[]", "neither"},
		{"{}", "neither"},
		{"null", "no JSON"},
		{"\xff\xfe", "no JSON"},
		{"{\"cause\":\"ok\",\"cause\":\"crash\"}", "duplicate"},
		{"{\"cause\":null}", "no cause ''"},
		{"{\"cause\":7}", "'cause' must be a string"},
		{"{\"cause\":\"o\\u001bk\"}", "no cause 'o\\x1bk'"},
		{"{\"cause\":\"ok\",\"id\":[]}", "'id' must be a string"},
		{"{\"cause\":\"ok\",\"evidence\":{}}", "'evidence' must be a list"},
		{"{\"cause\":\"ok\",\"evidence\":[1]}", "'evidence' must be a list of objects"},
		{"{\"cause\":\"ok\",\"evidence\":[{\"before\":-1}]}", "'before' must be a number"},
		{"{\"cause\":\"ok\",\"evidence\":[{\"after\":1.5}]}", "'after' must be a number"},
		{"{\"cause\":\"ok\",\"contributing\":[null]}", "'contributing' must be a list"},
		{"{\"cause\":\"ok\",\"contributing\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]"
		 "}",
			"at most 8"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct stored_verdict s;
		enum document_kind kind;
		struct error e = ERROR_INIT;
		assert_int_equal(
			stored_verdict_parse(&s, &kind, rows[i].text, strlen(rows[i].text), &a, &e),
			-1);
		assert_int_equal(e.blame, BLAME_REQUEST);
		if (!strstr(e.text, rows[i].says))
			fail_msg("%s: %s", rows[i].text, e.text);
	}
}

static void test_hostile(void **state)
{
	static const char text[] =
		"{\"cause\":\"crash\",\"id\":\"\\u001b[2J\",\"summary\":\"a\\nb\","
		"\"evidence\":[{\"fact\":\"\\u0007\",\"where\":\"x\\ny\","
		"\"text\":\"\\u009b31m\",\"later\":[{}]}],\"later\":{}}";
	cleanup_arena struct arena a = ARENA_INIT;
	struct stored_verdict s;
	enum document_kind kind;
	struct error e = ERROR_INIT;

	(void)state;
	assert_int_equal(stored_verdict_parse(&s, &kind, text, strlen(text), &a, &e), 0);
	const char *shown = stored_verdict_text(&s, &a);
	assert_non_null(strstr(shown, "\\x1b[2J"));
	assert_non_null(strstr(shown, "a\\x0ab"));
	assert_non_null(strstr(shown, "\\x07"));
	assert_null(strchr(shown, '\033'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_observations),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
