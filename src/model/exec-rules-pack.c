/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/buf.h"
#include "model/exec-rules.h"

/*
 * The exec section as bytes: a head, then each rule as its head, its pattern and its hint, both with their
 * zero. Numbers are the machine's own: writer and reader are of one build.
 */
#define MAGIC    0x62777072u /* "bwpr" */
#define VERSION  1u
#define MAX_TEXT (64u << 10)

struct head {
	uint32_t magic, version;
	uint32_t mode, default_allow, builtin, n_rules;
};

struct rule_head {
	uint32_t allow;
	uint32_t pattern, hint; /* bytes, with the zero; hint 0: none */
};

static uint32_t text_size(const char *text)
{
	return text ? (uint32_t)strlen(text) + 1 : 0;
}

int exec_policy_pack(
	const struct policy_exec *p, struct arena *a, const void **ret, size_t *ret_size)
{
	cleanup_buf struct buf b = BUF_INIT;
	const struct head head = {.magic = MAGIC,
		.version = VERSION,
		.mode = p->mode,
		.default_allow = p->default_allow,
		.builtin = p->builtin,
		.n_rules = (uint32_t)p->n_rules};
	if (p->n_rules > EXEC_MAX_RULES)
		return -1;
	buf_add(&b, &head, sizeof head);
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct exec_rule *rule = &p->rules[i];
		const struct rule_head it = {
			rule->allow, text_size(rule->pattern), text_size(rule->hint)};
		if (it.pattern > MAX_TEXT || it.hint > MAX_TEXT)
			return -1;
		buf_add(&b, &it, sizeof it);
		buf_add(&b, rule->pattern, it.pattern);
		if (it.hint > 0)
			buf_add(&b, rule->hint, it.hint);
	}
	char *data = arena_alloc(a, b.size);
	memcpy(data, b.data, b.size);
	*ret = data;
	*ret_size = b.size;
	return 0;
}

struct reader {
	const char *p;
	size_t left;
	struct arena *a;
	struct error *e;
};

static int malformed(const struct reader *r)
{
	return error_set(r->e, BLAME_US, 0, "the packed exec rules are malformed");
}

static int take(struct reader *r, void *ret, size_t size)
{
	if (size > r->left)
		return malformed(r);
	memcpy(ret, r->p, size);
	r->p += size;
	r->left -= size;
	return 0;
}

/* @size bytes that end in the only zero among them. */
static int take_text(struct reader *r, uint32_t size, const char **ret)
{
	if (size > r->left || size > MAX_TEXT || strnlen(r->p, size) + 1 != size)
		return malformed(r);
	*ret = arena_strdup(r->a, r->p);
	r->p += size;
	r->left -= size;
	return 0;
}

static int take_rule(struct reader *r, struct exec_rule *ret)
{
	struct rule_head head = {0};
	if (take(r, &head, sizeof head) < 0)
		return -1;
	if (head.allow > 1)
		return malformed(r);
	ret->allow = head.allow;
	if (take_text(r, head.pattern, &ret->pattern) < 0)
		return -1;
	return head.hint > 0 ? take_text(r, head.hint, &ret->hint) : 0;
}

static bool head_ok(const struct head *head)
{
	return head->magic == MAGIC && head->version == VERSION && head->mode < EXEC_COUNT_ &&
		head->default_allow <= 1 && head->builtin <= 1 && head->n_rules <= EXEC_MAX_RULES;
}

int exec_policy_unpack(
	struct policy_exec *ret, const void *data, size_t size, struct arena *a, struct error *e)
{
	struct reader r = {data, size, a, e};
	struct head head = {0};
	if (take(&r, &head, sizeof head) < 0)
		return -1;
	if (!head_ok(&head))
		return malformed(&r);
	struct exec_rule *rules = arena_calloc(a, head.n_rules, sizeof *rules);
	for (size_t i = 0; i < head.n_rules; i++)
		if (take_rule(&r, &rules[i]) < 0)
			return -1;
	if (r.left > 0)
		return malformed(&r);
	*ret = (struct policy_exec){.mode = (enum exec_mode)head.mode,
		.default_allow = head.default_allow,
		.builtin = head.builtin,
		.rules = rules,
		.n_rules = head.n_rules};
	return 0;
}
