/* SPDX-License-Identifier: MIT */
#include "model/codec-document.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

static const struct document x = {"policy 'x'", BLAME_POLICY};

static const struct node *parse_ok(struct arena *a, const char *text)
{
	const struct node *root = NULL;
	struct error e = ERROR_INIT;
	if (document_parse(&root, a, &x, text, strlen(text), &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return root;
}

static void refused(const char *text, size_t size, const char *expected)
{
	cleanup_arena struct arena a = ARENA_INIT;
	const struct node *root = NULL;
	struct error e = ERROR_INIT;
	if (document_parse(&root, &a, &x, text, size, &e) == 0)
		fail_msg("accepted: %.80s", text);
	assert_null(root);
	assert_int_equal(e.blame, BLAME_POLICY);
	assert_string_equal(e.text, expected);
}

static void test_kinds(void **state)
{
	/* Where YAML 1.1 and 1.2 would disagree, it is a string. */
	static const struct {
		const char *text;
		enum node_kind kind;
	} cases[] = {
		{"true", NODE_BOOL},
		{"false", NODE_BOOL},
		{"null", NODE_NULL},
		{"", NODE_NULL},
		{"0", NODE_NUMBER},
		{"-1", NODE_NUMBER},
		{"1.5", NODE_NUMBER},
		{"1e3", NODE_NUMBER},
		{"2E-7", NODE_NUMBER},
		{"no", NODE_STRING},
		{"on", NODE_STRING},
		{"yes", NODE_STRING},
		{"y", NODE_STRING},
		{"True", NODE_STRING},
		{"FALSE", NODE_STRING},
		{"Null", NODE_STRING},
		{"~", NODE_STRING},
		{"010", NODE_STRING},
		{"0x10", NODE_STRING},
		{"0o7", NODE_STRING},
		{"1_000", NODE_STRING},
		{"1:30", NODE_STRING},
		{"+1", NODE_STRING},
		{".5", NODE_STRING},
		{"1.", NODE_STRING},
		{"1e", NODE_STRING},
		{"-x", NODE_STRING},
		{".inf", NODE_STRING},
		{".nan", NODE_STRING},
		{"2001-01-01", NODE_STRING},
		{"'true'", NODE_STRING},
		{"\"1\"", NODE_STRING},
		{"|\n  1", NODE_STRING},
		{">\n  null", NODE_STRING},
		{"[]", NODE_LIST},
		{"{}", NODE_MAP},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		const struct node *root = parse_ok(&a, arena_printf(&a, "k: %s\n", cases[i].text));
		const struct node_entry *entry = node_find(root, "k");
		assert_non_null(entry);
		if (entry->node->kind != cases[i].kind)
			fail_msg("'%s' is %s", cases[i].text, node_kind_text(entry->node));
	}
}

static void test_places(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	const struct node *root = parse_ok(&a, "a: 1\nlimits:\n    ü: [x, {y: z}]\n    e:\n");
	const struct node_entry *limits = node_find(root, "limits");
	assert_int_equal(limits->key_place.line, 2);
	assert_int_equal(limits->key_place.column, 1);
	const struct node_entry *list = node_find(limits->node, "ü");
	assert_int_equal(list->key_place.line, 3);
	assert_int_equal(list->key_place.column, 5);
	assert_int_equal(list->node->place.column, 8); /* characters, not bytes */
	const struct node *z = node_find(list->node->v[1].node, "y")->node;
	assert_int_equal(z->place.line, 3);
	assert_int_equal(z->place.column, 16);
	const struct node *empty = node_find(limits->node, "e")->node;
	assert_true(empty->empty);
	assert_int_equal(empty->place.line, 4); /* its key's: there is nothing else */
	assert_int_equal(empty->place.column, 5);
	assert_null(node_find(root, "b"));
	assert_null(node_find(z, "b"));
}

static void test_json(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	const struct node *root = parse_ok(&a,
		"{\n\t\"a\\/b\": [1, 2.5, -3, true, null, \"\\u00e9\\ud83d\\ude00\\n\\\"\"],\n"
		"\t\"o\": {}, \"l\":[]\n}\n");
	const struct node *list = node_find(root, "a/b")->node;
	assert_int_equal(list->n, 6);
	assert_string_equal(list->v[1].node->text, "2.5");
	assert_int_equal(list->v[4].node->kind, NODE_NULL);
	assert_false(list->v[4].node->empty);
	assert_string_equal(list->v[5].node->text, "é😀\n\"");
	assert_int_equal(node_find(root, "o")->node->kind, NODE_MAP);
}

#define TAGS "tags ('!…') are not supported; quote a string that begins with '!'"

static void test_refusals(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"", "line 1 column 1: there is nothing in it"},
		{"# only\n", "line 1 column 1: there is nothing in it"},
		{"- a\n", "line 1 column 1: expected a map of keys, not a list"},
		{"just text\n", "line 1 column 1: expected a map of keys, not a string"},
		{"a: 1\nb: 2\na: 3\n",
			"line 3 column 1: duplicate key 'a'; it was first given on line 1 column "
			"1"},
		{"{\"a\": 1,\n  \"a\": 2}",
			"line 2 column 3: duplicate key 'a'; it was first given on line 1 column "
			"2"},
		{"a: 1\n---\nb: 2\n", "line 2 column 1: more than one document"},
		{"a: !!python/object:os.system ls\n", "line 1 column 4: " TAGS},
		{"a: !x\n", "line 1 column 4: " TAGS},
		{"b: [!!str]\n", "line 1 column 5: " TAGS},
		{"a: !!map {b: 1}\n", "line 1 column 4: " TAGS},
		{"!!map\na: 1\n", "line 1 column 1: " TAGS},
		{"!!str a: 1\n", "line 1 column 1: " TAGS},
		{"a: 1\nb: {<<: {c: 1}}\n", "line 2 column 5: merge keys ('<<') are not supported"},
		{"%YAML 1.1\n---\na: no\n", "line 1 column 1: directives ('%…') are not supported"},
		{"a: 1\n...\n%TAG ! x\n", "line 3 column 1: directives ('%…') are not supported"},
		{"? {a: 1}\n: 2\n", "line 1 column 3: a key must be a string"},
		{"? [a]\n: 2\n", "line 1 column 3: a key must be a string"},
		{"&k a: 1\n", "line 1 column 4: a key may not have an anchor"},
		{"a: &k v\n*k : 1\n", "line 2 column 1: a key may not be an alias"},
		{"a: *b\n", "line 1 column 4: no anchor '&b' before its alias"},
		{"a: &b [*b]\n", "line 1 column 8: alias '*b' stands within what it stands for"},
		{"a: \"x\\0y\"\n", "line 1 column 4: a string may not contain a NUL character"},
		{"a: \"x\n", "line 1 column 5: double-quoted scalar without closing quote"},
		{"a: [1, 2\n", "line 2 column 1: flow sequence without a closing bracket"},
		{"a: 1\n  b: 2\n", "line 1 column 4: invalid multiline plain key"},
		{"\ta: 1\n", "line 1 column 1: invalid tab as indendation in a mapping"},
		{"a: \"\\ud83d\"\n",
			"line 1 column 5: double-quoted scalar has invalid UTF8 escape"},
		{"{\"a\": 1} x\n", "line 1 column 10: missing document start"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char expected[ERROR_TEXT_SIZE];
		snprintf(expected, sizeof expected, "policy 'x' %s", cases[i].error);
		refused(cases[i].text, strlen(cases[i].text), expected);
	}
}

static void test_bytes(void **state)
{
	(void)state;
	refused("a: 1\nb\0: 2", 10, "policy 'x' line 2 column 2: a NUL byte");
	refused("a: \xff\n", 5, "policy 'x' line 1 column 4: not valid UTF-8");
	refused("é: é\xc3", 7, "policy 'x' line 1 column 5: not valid UTF-8");
	refused("a: \xed\xa0\x80", 6, "policy 'x' line 1 column 4: not valid UTF-8");
	refused("a\0:\0 \0001\0", 8, "policy 'x' line 1 column 2: a NUL byte"); /* UTF-16 */
	cleanup_arena struct arena a = ARENA_INIT;
	assert_non_null(node_find(parse_ok(&a,
					  "\xef\xbb\xbf"
					  "a: 1\n"),
		"a"));
}

/* @head, then @n times @unit, then @tail */
static const char *repeat(
	struct arena *a, const char *head, const char *unit, size_t n, const char *tail)
{
	cleanup_buf struct buf b = BUF_INIT;
	buf_puts(&b, head);
	while (n-- > 0)
		buf_puts(&b, unit);
	buf_puts(&b, tail);
	return arena_strdup(a, buf_str(&b));
}

static void test_size(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	const char *text = repeat(&a, "a: 1\n#", "x", DOCUMENT_MAX_SIZE - 6, "");
	assert_int_equal(strlen(text), DOCUMENT_MAX_SIZE);
	parse_ok(&a, text);
	text = repeat(&a, text, "x", 1, "");
	refused(text, strlen(text), "policy 'x' is larger than 1 MiB");
}

static void test_depth(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	const char *close = repeat(&a, "", "]", DOCUMENT_MAX_DEPTH - 1, "");
	parse_ok(&a, repeat(&a, "a: ", "[", DOCUMENT_MAX_DEPTH - 1, close));
	const char *deep = repeat(&a, "a: ", "[", DOCUMENT_MAX_DEPTH, "");
	refused(deep, strlen(deep), "policy 'x' line 1 column 35: nested more than 32 levels deep");
	deep = repeat(&a, "a: ", "[", 100001, "");
	refused(deep, strlen(deep),
		"policy 'x' line 1 column 100004: more than 100000 brackets and commas");
	deep = repeat(&a, "a: ", "[", 100000, "");
	refused(deep, strlen(deep), "policy 'x' line 1 column 35: nested more than 32 levels deep");
	deep = repeat(&a, "", "{a: ", 100000, "");
	refused(deep, strlen(deep),
		"policy 'x' line 1 column 129: nested more than 32 levels deep");
	/* the same by way of an alias: 16 levels below 17 */
	const char *half = repeat(&a, "a: &h ", "[", 16, repeat(&a, "", "]", 16, "\nb: "));
	const char *ends = repeat(&a, "*h", "]", 15, "\n");
	parse_ok(&a, repeat(&a, half, "[", 15, ends));
	deep = repeat(&a, half, "[", 16, repeat(&a, "*h", "]", 16, "\n"));
	refused(deep, strlen(deep), "policy 'x' line 2 column 20: nested more than 32 levels deep");
}

static void test_nodes(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	/* the map, its key, the list, and the entries */
	parse_ok(&a, repeat(&a, "a: [", "1,", DOCUMENT_MAX_NODES - 3, "]"));
	const char *many = repeat(&a, "a: [\n", "1,\n", DOCUMENT_MAX_NODES - 2, "]");
	refused(many, strlen(many), "policy 'x' line 9999 column 1: more than 10000 values");
	cleanup_buf struct buf keys = BUF_INIT;
	for (int i = 0; i < DOCUMENT_MAX_KEYS; i++)
		buf_printf(&keys, "k%d: 1\n", i);
	parse_ok(&a, buf_str(&keys));
	buf_puts(&keys, "one: 1\n");
	refused(buf_str(&keys), keys.size,
		"policy 'x' line 1001 column 1: more than 1000 keys in one map");
}

static void test_aliases(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	const struct node *root = parse_ok(&a, "a: &x {b: [1, 2]}\nc: *x\nd: &x 3\ne: *x\n");
	assert_ptr_equal(node_find(root, "a")->node, node_find(root, "c")->node);
	assert_string_equal(node_find(root, "e")->node->text, "3"); /* the last of the name */
	parse_ok(&a, repeat(&a, "a: &x 1\nb: [", "*x,", DOCUMENT_MAX_ALIASES, "]"));
	const char *many = repeat(&a, "a: &x 1\nb: [\n", "*x,\n", DOCUMENT_MAX_ALIASES + 1, "]");
	refused(many, strlen(many), "policy 'x' line 67 column 1: more than 64 aliases");
	many = repeat(&a, "b: [\n", "&x 1,\n", DOCUMENT_MAX_ANCHORS, "]");
	parse_ok(&a, many);
	many = repeat(&a, "b: [\n", "&x 1,\n", DOCUMENT_MAX_ANCHORS + 1, "]");
	refused(many, strlen(many), "policy 'x' line 66 column 4: more than 64 anchors");
}

/* "A billion laughs": each level is nine times the one before it. */
static void test_laughs(void **state)
{
	(void)state;
	cleanup_buf struct buf b = BUF_INIT;
	buf_puts(&b, "a0: &a0 [l,l,l,l,l,l,l,l,l,l]\n");
	for (int i = 1; i < 7; i++) {
		buf_printf(&b, "a%d: &a%d [", i, i);
		for (int j = 0; j < 9; j++)
			buf_printf(&b, "*a%d,", i - 1);
		buf_puts(&b, "]\n");
	}
	refused(buf_str(&b), b.size, "policy 'x' line 5 column 10: more than 10000 values");
}

static void test_clip(void **state)
{
	(void)state;
	cleanup_arena struct arena a = ARENA_INIT;
	char out[DOCUMENT_CLIP_SIZE];
	assert_string_equal(document_clip("short", out), "short");
	const char *limit = repeat(&a, "", "x", DOCUMENT_CLIP_SIZE - 1, "");
	assert_string_equal(document_clip(limit, out), limit);
	for (size_t pad = 0; pad < 4; pad++) {
		const char *text = repeat(&a, &"aaaa"[pad], "😀", 100, "");
		document_clip(text, out);
		assert_true(utf8_valid(out, strlen(out)));
		assert_string_equal(out + strlen(out) - 3, "…");
	}
}

/*
 * What the parser does with damaged text, under the sanitizers: each document ends in a tree or in
 * one message, and the same one again. The changes are of a fixed sequence of random numbers.
 */
static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static size_t mutate(char *text, size_t size, size_t room, uint32_t *seed)
{
	static const char bits[] = "{}[]:,-?&*!|>'\"%@`#\n\t \\~<=x1\xc3\xa9.";
	for (unsigned n = 1 + next_random(seed) % 4; n > 0 && size > 0; n--) {
		size_t at = next_random(seed) % size;
		switch (next_random(seed) % 4) {
		case 0:
			text[at] = bits[next_random(seed) % (sizeof bits - 1)];
			break;
		case 1:
			memmove(text + at, text + at + 1, size - at - 1);
			size--;
			break;
		case 2:
			if (size < room) {
				memmove(text + at + 1, text + at, size - at);
				text[at] = bits[next_random(seed) % (sizeof bits - 1)];
				size++;
			}
			break;
		default:
			text[at] = (char)next_random(seed);
			break;
		}
	}
	return size;
}

static void test_mutations(void **state)
{
	static const char *const seeds[] = {
		"extends: default\nlimits: {memory: 2G, cpus: 0.5}\nenv:\n  set: {A: "
		"\"b\\u00e9\"}\n",
		"a: &x [1, 2, {b: *x}]\nc: |\n  text\n   more\nd: >-\n  folded\n  text\n? e\n: "
		"'f'\n",
		"{\"a\": [1, 2.5, true, null], \"b\": {\"c\": \"\\ud83d\\ude00\"}}\n",
		"a:\n- b\n- - c\n  - d: e\n    f: !!str g\n---\nh: *i\n...\n# j\n",
	};
	uint32_t seed = 1;
	(void)state;
	for (int i = 0; i < 12000; i++) {
		cleanup_arena struct arena a = ARENA_INIT;
		char text[512];
		const char *from = seeds[i % 4];
		size_t size = strlen(from);
		memcpy(text, from, size);
		size = mutate(text, size, sizeof text, &seed);
		char *exact = arena_alloc(&a, size); /* so that reading past the end is noticed */
		memcpy(exact, text, size);
		const struct node *root = NULL;
		struct error e = ERROR_INIT;
		if (document_parse(&root, &a, &x, exact, size, &e) == 0)
			assert_int_equal(root->kind, NODE_MAP);
		else
			assert_int_equal(strncmp(e.text, "policy 'x' line ", 16), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_laughs),
		cmocka_unit_test(test_clip),
		cmocka_unit_test(test_mutations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
