/* SPDX-License-Identifier: MIT */
#include "model/policy-keys.h"

#include <assert.h>
#include <linux/limits.h>
#include <string.h>
#include <strings.h>

#include "model/verdict.h"

/* Strings of a policy: what they may be, and what those of them that are patterns match. */

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
/* MAX_ARG_STRLEN of the kernel: no argument, and no NAME=VALUE, may be longer. */
#define ARGUMENT_MAX (32 * 4096 - 1)

static const char *text_fault(const char *text)
{
	return strlen(text) > ARGUMENT_MAX ? "is too long" : NULL;
}

static const char *path_fault(const char *text)
{
	if (*text == '\0')
		return "may not be empty";
	if (strlen(text) >= PATH_MAX)
		return "is longer than a path can be";
	if (text[0] == '~' && text[1] != '\0' && text[1] != '/')
		return "names another user's home, which is not looked up; write its path";
	return NULL;
}

static const char *root_fault(const char *text)
{
	const char *fault = path_fault(text);
	if (!fault && text[0] != '/' && text[0] != '~')
		return "must be an absolute path";
	return fault;
}

/* A prefix is what can be looked up by reading one directory once. */
static const char *hide_fault(const char *text)
{
	const char *fault = path_fault(text);
	const char *star = strchr(text, '*');
	if (fault || !star)
		return fault;
	if (star[1] != '\0')
		return "may have a '*' only as its last character";
	if (star == text || star[-1] == '/')
		return "may not be a lone '*' below a directory; hide the directory";
	return NULL;
}

static const char *pattern_fault(const char *text)
{
	size_t n = strlen(text);
	if (n == 0)
		return "may not be empty";
	if (strspn(text, "*") == n)
		return "would match every name; env.clear or --clear-env does that";
	if (strchr(text, '='))
		return "may not contain '='";
	for (size_t i = 1; i + 1 < n; i++)
		if (text[i] == '*')
			return "may have a '*' only at the beginning and at the end";
	return text_fault(text);
}

static const char *name_fault(const char *text)
{
	if (*text == '\0')
		return "may not be empty";
	if (strchr(text, '='))
		return "may not contain '='";
	if (strcmp(text, "BULKHEAD") == 0)
		return "is set by bulkhead itself, to the run's id";
	return text_fault(text);
}

static const char *syscall_fault(const char *text)
{
	size_t n = strspn(text, NAME_CHARACTERS);
	if (n == 0 || n > 64)
		return "must be the name of a system call";
	if (text[n] == ':') {
		n++;
		n += strspn(text + n, NAME_CHARACTERS);
	}
	return text[n] ? "must be the name of a system call, or NAME:ACTION" : NULL;
}

static bool is_advice(const char *text)
{
	for (int i = 0; i < RETRY_COUNT_; i++)
		if (strcmp(retry_name((enum retry)i), text) == 0)
			return true;
	return false;
}

static const char *outcome_fault(const char *text)
{
	if (strcmp(text, "ok") == 0 || strcmp(text, "no") == 0)
		return "is no failure that another try could mend";
	if (cause_from_name(text) < 0 && !is_advice(text))
		return "must be a cause, such as memory_limit, or an advice: same, later, larger";
	return NULL;
}

static const char *bind_fault(const char *text)
{
	const char *colon = strchr(text, ':');
	if (!colon)
		return path_fault(text);
	if (strchr(colon + 1, ':'))
		return "has more than one ':'; PATH:DEST is meant";
	if (colon == text || colon[1] == '\0')
		return "lacks a path beside its ':'";
	if (colon[1] != '/' && colon[1] != '~')
		return "must have an absolute path after its ':'";
	return path_fault(text) ? path_fault(text) : path_fault(colon + 1);
}

/* The patterns are ECMA 262 regular expressions, as JSON Schema has them. */
static const struct {
	const char *(*fault)(const char *text);
	const char *pattern;
} items[] = {
	[ITEM_TEXT] = {text_fault, NULL},
	[ITEM_PATH] = {path_fault, "^(~$|~/|[^~])"},
	[ITEM_ROOT] = {root_fault, "^(~$|~/|/)"},
	[ITEM_HIDE] = {hide_fault, "^(~$|~/|[^~*])[^*]*(?:[^/*][*])?$"},
	[ITEM_PATTERN] = {pattern_fault, "^[*]?[^*=]+[*]?$"},
	[ITEM_NAME] = {name_fault, "^[^=]+$"},
	[ITEM_SYSCALL] = {syscall_fault, "^[A-Za-z0-9_]+(:[A-Za-z0-9_]*)?$"},
	[ITEM_OUTCOME] = {outcome_fault, "^[a-z_]+$"},
	[ITEM_BIND] = {bind_fault, "^(~|~/|[^~:])[^:]*(:[/~][^:]*)?$"},
};
static_assert(sizeof items / sizeof *items == ITEM_COUNT_, "a row for each item");

const char *policy_item_fault(enum policy_item item, const char *text)
{
	return items[item].fault(text);
}

const char *policy_item_pattern(enum policy_item item)
{
	return items[item].pattern;
}

int bind_rule_parse(struct bind_rule *ret, struct arena *a, const char *text, struct error *e)
{
	const char *fault = bind_fault(text);
	const char *colon = strchr(text, ':');
	if (fault)
		return error_set(e, BLAME_REQUEST, 0, "'%.200s' %s", text, fault);
	*ret = (struct bind_rule){
		.source = colon ? arena_strndup(a, text, (size_t)(colon - text))
				: arena_strdup(a, text),
		.dest = colon ? arena_strdup(a, colon + 1) : NULL,
	};
	return 0;
}

const char *bind_rule_format(const struct bind_rule *rule, struct arena *a)
{
	return rule->dest ? arena_printf(a, "%s:%s", rule->source, rule->dest) : rule->source;
}

static bool contains(const char *text, const char *part, size_t n)
{
	for (; strlen(text) >= n; text++)
		if (strncasecmp(text, part, n) == 0)
			return true;
	return false;
}

bool policy_name_matches(const char *pattern, const char *name)
{
	size_t n = strlen(pattern), size = strlen(name);
	bool open_begin = n > 0 && pattern[0] == '*';
	bool open_end = n > 1 && pattern[n - 1] == '*';
	if (!open_begin && !open_end)
		return strcmp(pattern, name) == 0;
	const char *part = pattern + open_begin;
	n -= (size_t)open_begin + open_end;
	if (open_begin && open_end)
		return contains(name, part, n);
	if (size < n)
		return false;
	return strncasecmp(open_begin ? name + size - n : name, part, n) == 0;
}
