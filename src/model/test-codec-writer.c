/* SPDX-License-Identifier: MIT */
#include "model/codec-writer.h"

#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static void test_all_kinds(void **state)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct json_writer w = JSON_WRITER_INIT;
	(void)state;

	write_object(&w, NULL);
	write_array(&w, "empty");
	write_array_end(&w);
	write_object(&w, "nothing");
	write_object_end(&w);
	write_array(&w, "list");
	write_u64(&w, NULL, 0);
	write_u64(&w, NULL, 10);
	write_u64(&w, NULL, UINT64_MAX);
	write_object(&w, NULL);
	write_bool(&w, "yes", true);
	write_bool(&w, "no", false);
	write_object_end(&w);
	write_text(&w, NULL, NULL);
	write_array_end(&w);
	write_u64_or_null(&w, "unknown", false, 7);
	write_text(&w, "text", "a\"b\\c\n\x1b");
	write_text(&w, "bytes", "a\xff");
	write_visible(&w, "visible", "a\xff");
	write_visible(&w, "none", NULL);
	write_object_end(&w);
	assert_string_equal(write_line_take(&w, &a),
		"{\"empty\":[],\"nothing\":{},\"list\":[0,10,9223372036854775807,"
		"{\"yes\":true,\"no\":false},null],\"unknown\":null,"
		"\"text\":\"a\\\"b\\\\c\\n\\u001b\",\"bytes\":{\"base64\":\"Yf8=\"},"
		"\"visible\":\"a\\\\xff\",\"none\":null}\n");
	assert_null(w.out.data);
}

/* Another reader reads back what was written, whatever byte it is. */
static void test_each_byte(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		cleanup_arena struct arena a = ARENA_INIT;
		struct json_writer w = JSON_WRITER_INIT;
		const char text[] = {'x', (char)c, 'y', 0};
		write_array(&w, NULL);
		write_text(&w, NULL, text);
		write_visible(&w, NULL, text);
		write_array_end(&w);
		json_t *list = json_loads(write_line_take(&w, &a), 0, NULL);
		assert_non_null(list);
		const char *back = json_string_value(json_array_get(list, 0));
		assert_true(c < 0x80 ? back && strcmp(back, text) == 0 : back == NULL);
		assert_non_null(json_string_value(json_array_get(list, 1)));
		json_decref(list);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_kinds),
		cmocka_unit_test(test_each_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
