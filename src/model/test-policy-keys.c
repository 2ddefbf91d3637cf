/* SPDX-License-Identifier: MIT */
#include "model/policy-keys.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static void test_find(void **state)
{
	(void)state;
	for (size_t i = 0; i < policy_keys_count; i++)
		assert_ptr_equal(policy_key_find(policy_keys[i].section, policy_keys[i].name),
			&policy_keys[i]);
	assert_null(policy_key_find(NULL, "memory"));
	assert_null(policy_key_find("limits", "network"));
	assert_null(policy_key_find("", ""));
}

/* Each limit has a key, and each key's section is one of the list. */
static void test_complete(void **state)
{
	(void)state;
	for (int l = 0; l < LIMIT_COUNT_; l++) {
		const struct policy_key *key = policy_key_find("limits", limit_name((enum limit)l));
		assert_non_null(key);
		assert_int_equal(key->kind, KEY_LIMIT);
		assert_int_equal(key->limit, l);
		assert_int_equal(key->offset,
			offsetof(struct policy, limits.v) + (size_t)l * sizeof(struct limit_value));
	}
	for (size_t i = 0; i < policy_keys_count; i++) {
		const struct policy_section *section = policy_sections;
		while (policy_keys[i].section && section->name &&
			strcmp(section->name, policy_keys[i].section) != 0)
			section++;
		assert_non_null(section->name);
	}
}

/* The manual has a row for each key, in the words of the table. */
static void test_manual(void **state)
{
	static char text[64 * 1024];
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	FILE *f = fopen(TEST_GOLDEN "/../../docs/policy.md", "re");
	assert_non_null(f);
	size_t size = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	assert_in_range(size, 1, sizeof text - 2);
	text[size] = '\0';
	for (size_t i = 0; i < policy_keys_count; i++) {
		const struct policy_key *key = &policy_keys[i];
		const char *row = strstr(text,
			arena_printf(&a, "\n| `%s%s%s` | ", key->section ? key->section : "",
				key->section ? "." : "", key->name));
		if (!row)
			fail_msg("docs/policy.md has nothing about %s", key->name);
		const char *line = arena_strndup(&a, row + 1, strcspn(row + 1, "\n"));
		if (!strstr(line, arena_printf(&a, " | %s |", key->help)))
			fail_msg("docs/policy.md says something else about %s", key->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_manual),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
