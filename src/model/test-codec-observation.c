/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/codec-json.h"
#include "model/verdict.h"

static int parse(const char *text, struct observation *o, struct arena *a, struct error *e)
{
	return observation_parse_json(o, text, strlen(text), a, e);
}

/* @text is refused, with @part in the message, and *ret is left alone. */
static void assert_refused(const char *text, const char *part)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct observation o = {.attempt = 77};
	struct error e = ERROR_INIT;

	if (parse(text, &o, &a, &e) == 0)
		fail_msg("taken: %s", text);
	assert_int_equal(e.blame, BLAME_REQUEST);
	if (!strstr(e.text, part) || strncmp(e.text, "observation", 11) != 0)
		fail_msg("'%s' says: %s", text, e.text);
	assert_int_equal(o.attempt, 77);
}

static void test_refusals(void **state)
{
	(void)state;
	assert_refused("", "line 1");
	assert_refused("[]", "object");
	assert_refused("{", "line 1");
	assert_refused("{} {}", "end of file");
	assert_refused("{\"id\": \"a\", \"id\": \"b\"}", "duplicate");
	assert_refused("{\"idd\": \"a\"}", "unknown member 'idd'");
	assert_refused("{\"id\": 5}", "'id' must be a string");
	assert_refused("{\"id\": \"a\\u0000b\"}", "line 1");
	assert_refused("{\"id\": \"\xff\"}", "line 1");
	assert_refused("{\"attempt\": -1}", "'attempt' must be an integer from 0 to 2147483647");
	assert_refused("{\"attempt\": 2147483648}", "'attempt'");
	assert_refused("{\"attempt\": 1.0}", "'attempt'");
	assert_refused("{\"attempt\": \"1\"}", "'attempt'");
	assert_refused("{\"attempt\": null}", "'attempt'");
	assert_refused("{\"spawn_us\": 9223372036854775808}", "line 1");
	assert_refused("{\"privileged\": 1}", "'privileged' must be true or false");
	assert_refused("{\"wait\": \"died\"}", "'wait' must be one of");
	assert_refused("{\"wait\": null}", "'wait'");
	assert_refused("{\"leader_comm\": \"12345678901234567\"}", "at most 16 bytes");
	assert_refused("{\"leader_comm\": null}", "at most 16 bytes");
	assert_refused("{\"killer\": 1}", "'killer': an object");
	assert_refused("{\"killer\": {\"uid\": 4294967296}}", "'killer': 'uid'");
	assert_refused("{\"acts\": {}}", "'acts' must be a list of at most 16");
	assert_refused("{\"acts\": [{\"signal\": 1}, {\"signal\": true}]}", "item 2 of 'acts'");
	assert_refused("{\"argv\": \"ls\"}", "'argv' must be a list");
	assert_refused("{\"argv\": [1]}", "'argv'");
	assert_refused("{\"argv\": [null]}", "'argv'");
	assert_refused("{\"argv\": [{\"base64\": \"YQ\"}]}", "'argv'");
	assert_refused("{\"argv\": [{\"base64\": \"YQ==\", \"x\": 1}]}", "'argv'");
	assert_refused("{\"argv\": [{\"base64\": \"YQ=a\"}]}", "'argv'");
	assert_refused("{\"argv\": [{\"base64\": \"====\"}]}", "'argv'");
	assert_refused("{\"argv\": [{\"base64\": \"AA==\"}]}", "'argv'"); /* a NUL */
	assert_refused("{\"limits\": []}", "'limits' must be an object");
	assert_refused("{\"limits\": {\"memry\": {}}}", "unknown limit 'memry'");
	assert_refused("{\"limits\": {\"memory\": {\"value\": -1}}}", "limit 'memory': 'value'");
	assert_refused("{\"limits\": {\"memory\": {\"enforced_by\": \"hope\"}}}", "'enforced_by'");
}

/* More of a list than the struct has room for. */
static void test_lists_at_their_limit(void **state)
{
	static const struct {
		const char *key;
		int room;
	} lists[] = {
		{"acts", OBSERVATION_MAX_ACTS},
		{"victims", OBSERVATION_MAX_VICTIMS},
		{"counters", OBSERVATION_MAX_COUNTERS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		cleanup_buf struct buf b = BUF_INIT;
		struct observation o;
		struct error e = ERROR_INIT;
		buf_printf(&b, "{\"%s\": [{}", lists[i].key);
		for (int n = 1; n < lists[i].room; n++)
			buf_puts(&b, ",{}");
		assert_int_equal(parse(arena_printf(&a, "%s]}", buf_str(&b)), &o, &a, &e), 0);
		assert_refused(
			arena_printf(&a, "%s,{}]}", buf_str(&b)), "must be a list of at most");
	}
}

static void test_deep_nesting_is_refused(void **state)
{
	cleanup_buf struct buf b = BUF_INIT;

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_puts(&b, "{\"a\":[");
	assert_refused(buf_str(&b), "line 1");
}

static void test_what_is_missing_is_not_known(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct observation o;
	struct error e = ERROR_INIT;

	(void)state;
	assert_int_equal(parse("{}", &o, &a, &e), 0);
	assert_int_equal(o.wait, WAIT_UNKNOWN);
	assert_int_equal(o.attempt, 1);
	assert_int_equal(o.rung, RUNG_NONE);
	assert_false(o.usage.memory_peak_known);
	assert_int_equal(
		parse("{\"usage\": {\"memory_peak_bytes\": null, \"pids_peak\": 0}}", &o, &a, &e),
		0);
	assert_false(o.usage.memory_peak_known);
	assert_true(o.usage.pids_peak_known);
}

static void assert_text_survives(const char *text)
{
	cleanup_arena struct arena a = ARENA_INIT;
	const char *argv[] = {text, NULL}, *stored;
	struct observation o = {.argv = argv, .argc = 1, .id = text, .setup.what = text}, again;
	struct error e = ERROR_INIT;

	snprintf(o.leader_comm, sizeof o.leader_comm, "%s", text);
	stored = observation_format_json(&o, &a);
	assert_int_equal(parse(stored, &again, &a, &e), 0);
	assert_string_equal(again.argv[0], text);
	assert_string_equal(again.id, text);
	assert_string_equal(again.setup.what, text);
	assert_string_equal(again.leader_comm, o.leader_comm);
}

static void test_any_text_survives(void **state)
{
	(void)state;
	assert_text_survives("");
	assert_text_survives("\"\\/\b\n\x7f");
	assert_text_survives("Größe → 漢字 🚢");
	assert_text_survives("\xff");
	assert_text_survives("\xff\xfe");
	assert_text_survives("a\xc0\x80");
	assert_text_survives("\xed\xa0\x80");
	assert_text_survives("0123456789abcde\xc3\xa4"); /* a comm cut within a character */
	for (int i = 1; i < 256; i++)
		assert_text_survives((char[]){(char)i, 'x', (char)i, '\0'});
}

/* ---- a hostile file ---- */

static const char sample[] =
	"{\"id\":\"a\",\"argv\":[\"ls\",{\"base64\":\"/"
	"2E=\"}],\"wait\":\"signaled\",\"term_signal\":9,"
	"\"killer\":{\"known\":\"outside\",\"pid\":7,\"comm\":\"x\",\"uid\":4294967295,"
	"\"signal\":9,\"at_us\":1,\"inside_pid\":0,\"cgroup\":\"/a.service\"},"
	"\"senders\":{\"watched\":true,\"from_us\":10000,\"why_not\":null},"
	"\"setup\":{\"stage\":\"none\",\"errno\":0,\"blame\":\"none\",\"what\":null},"
	"\"acts\":[{\"reason\":\"wall_timeout\",\"signal\":15,\"at_us\":9223372036854775807,"
	"\"oom_kills\":null}],\"counters\":[{\"fact\":\"oom_kill\",\"where\":\"w\",\"own\":true,"
	"\"before\":0,\"after\":1}],\"victims\":[{\"pid\":1,\"comm\":\"v\",\"leader\":true}],"
	"\"usage\":{\"wall_us\":1,\"pressure_io\":{\"some_us\":1,\"full_us\":null}},"
	"\"limits\":{\"memory\":{\"value\":1,\"enforced_by\":\"cgroup-v1\"}},\"oom\":\"group\"}";

static uint32_t random_state = 7;

static uint32_t next_random(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8;
}

/* One to four changes: a byte set, cut out, put in, or a stretch repeated. */
static size_t mutate(char *text, size_t size, size_t room)
{
	static const char bytes[] = "{}[]\",:0-9eE.\\u truefalsn\xff\x80\x01";

	for (unsigned n = next_random() % 4 + 1; n > 0 && size > 8; n--) {
		size_t at = next_random() % (size - 4), len = next_random() % (size - at);
		switch (next_random() % 4) {
		case 0:
			text[at] = bytes[next_random() % sizeof bytes];
			break;
		case 1:
			memmove(text + at, text + at + 1, size - at - 1);
			size--;
			break;
		case 2:
			size = at + len;
			break;
		default:
			if (size + len > room)
				break;
			memmove(text + at + len, text + at, size - at);
			size += len;
		}
	}
	return size;
}

static void judge(const struct observation *o, struct arena *a)
{
	struct verdict v;

	verdict_decide(&v, o, a);
	assert_non_null(verdict_format_json(&v, o, a));
	assert_non_null(verdict_format_text(&v, o, a));
	assert_non_null(observation_format_json(o, a));
}

static void test_mutated_files(void **state)
{
	char text[2 * sizeof sample];
	unsigned taken = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct observation o;
		struct error e = ERROR_INIT;
		memcpy(text, sample, sizeof sample);
		size_t size = mutate(text, sizeof sample - 1, sizeof text);
		/* In a block of its own size, so that a sanitizer sees a byte read too many. */
		char *block = malloc(size ? size : 1);
		memcpy(block, text, size);
		if (observation_parse_json(&o, block, size, &a, &e) == 0) {
			taken++;
			judge(&o, &a);
		}
		free(block);
	}
	assert_true(taken > 20); /* or the mutations are too wild to reach anything */
}

/* Every prefix of a file is refused, the whole is taken: a torn write is never half a truth. */
static void test_torn_files(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct observation o;
	struct error e = ERROR_INIT;

	(void)state;
	for (size_t size = 0; size < sizeof sample - 1; size++)
		assert_int_equal(observation_parse_json(&o, sample, size, &a, &e), -1);
	assert_int_equal(observation_parse_json(&o, sample, sizeof sample - 1, &a, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_lists_at_their_limit),
		cmocka_unit_test(test_deep_nesting_is_refused),
		cmocka_unit_test(test_what_is_missing_is_not_known),
		cmocka_unit_test(test_any_text_survives),
		cmocka_unit_test(test_mutated_files),
		cmocka_unit_test(test_torn_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
