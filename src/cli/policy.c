/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/parse.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/policy-match.h"
#include "model/filter.h"
#include "model/policy.h"
#include "model/verdict.h"
#include "run/policy-file.h"

/* What was asked for: `policy WORD [OPERAND] [--json] [-- COMMAND [ARG...]]`. */
struct policy_request {
	const char *word, *operand;
	struct strv command;
	bool json, help;
	struct arena *arena;
};

static int print(const char *text, struct error *e)
{
	if (fd_write_all(STDOUT_FILENO, text, strlen(text)) == 0)
		return 0;
	return error_set(e, BLAME_REQUEST, errno, "cannot write to stdout");
}

static void put_row(struct buf *b, const struct policy *p, const char *where)
{
	char memory[LIMIT_TEXT_SIZE], timeout[LIMIT_TEXT_SIZE];
	buf_printf(b, "%-12s %-10s %-10s %-8s %s\n", p->name,
		limit_format(LIMIT_MEMORY, &p->limits.v[LIMIT_MEMORY], memory),
		limit_format(LIMIT_TIMEOUT, &p->limits.v[LIMIT_TIMEOUT], timeout),
		network_mode_name(p->network), where);
}

/* One that cannot be read is listed all the same: somebody thinks that it is there. */
static void put_named(struct buf *b, struct arena *a, const char *name, const char *where)
{
	struct policy policy;
	struct error e = ERROR_INIT;
	if (policy_load(&policy, a, &policy_files, name, &e) == 0) {
		put_row(b, &policy, where);
		return;
	}
	buf_printf(b, "%-12s not valid: ", name);
	buf_put_visible(b, e.text, strlen(e.text));
	buf_putc(b, '\n');
}

static int do_list(const struct policy_request *r, struct error *e)
{
	cleanup_buf struct buf b = BUF_INIT;
	struct strv dirs = policy_file_dirs(r->arena);
	buf_printf(
		&b, "%-12s %-10s %-10s %-8s %s\n", "NAME", "MEMORY", "TIMEOUT", "NETWORK", "FROM");
	for (const char *const *name = policy_shipped_names(); *name; name++)
		put_named(&b, r->arena, *name, "bulkhead");
	for (size_t i = 0; i < dirs.n; i++) {
		struct strv names = policy_file_names(r->arena, dirs.v[i]);
		for (size_t j = 0; j < names.n; j++)
			put_named(&b, r->arena, names.v[j], dirs.v[i]);
	}
	return print(buf_str(&b), e);
}

static int do_show(const struct policy_request *r, struct error *e)
{
	struct policy policy;
	if (policy_load(&policy, r->arena, &policy_files, r->operand, e) < 0)
		return -1;
	return print(r->json ? policy_format_json(&policy, r->arena)
			     : policy_format_yaml(&policy, r->arena),
		e);
}

/* Names of system calls are only known to the filter's compiler. */
static int check_filter(const struct policy *policy, struct arena *a, struct error *e)
{
	const struct filter_spec spec = {
		.deny = &policy->syscalls_deny,
		.allow = &policy->syscalls_allow,
		.user_namespaces = policy->user_namespaces,
	};
	const struct sock_filter *filter;
	unsigned short len;
	if (filter_compile(&spec, a, &filter, &len, e) < 0)
		return error_wrap(e, "policy '%s'", policy->name);
	return 0;
}

static int do_check(const struct policy_request *r, struct error *e)
{
	struct policy policy;
	if (policy_load(&policy, r->arena, &policy_files, r->operand, e) < 0 ||
		check_filter(&policy, r->arena, e) < 0)
		return -1;
	return print(arena_printf(r->arena, "policy '%s' is valid\n", policy.name), e);
}

static int do_schema(const struct policy_request *r, struct error *e)
{
	if (!r->operand || strcmp(r->operand, "policy") == 0)
		return print(policy_schema_json(r->arena), e);
	if (strcmp(r->operand, "verdict") == 0)
		return print(verdict_schema_json(r->arena), e);
	return error_set(e, BLAME_REQUEST, 0,
		"no schema is called '%.100s'; there are 'policy' and 'verdict'", r->operand);
}

/* 1 for what is denied. */
static int do_match(const struct policy_request *r, struct error *e)
{
	struct policy policy;
	const char *text = NULL;
	if (r->command.n == 0) {
		error_set(e, BLAME_REQUEST, 0, "'policy match' needs a command to judge");
		return error_hint(e, "usage: bulkhead policy match NAME|FILE -- COMMAND [ARG...]");
	}
	if (policy_load(&policy, r->arena, &policy_files, r->operand, e) < 0)
		return -1;
	int status = policy_match(&policy, &r->command, r->json, r->arena, &text, e);
	return status < 0 || print(text, e) < 0 ? -1 : status;
}

/* run() returns the exit status. */
static const struct policy_word {
	const char *name;
	const char *operand; /* NULL: takes none */
	bool optional, json;
	int (*run)(const struct policy_request *r, struct error *e);
} words[] = {
	{"list", NULL, false, false, do_list},
	{"show", "NAME or FILE", false, true, do_show},
	{"check", "FILE", false, false, do_check},
	{"schema", "policy or verdict", true, true, do_schema},
	{"match", "NAME or FILE", false, true, do_match},
};
#define N_WORDS (sizeof words / sizeof *words)

static const struct policy_word *find_word(const char *name, struct error *e)
{
	const char *names[N_WORDS + 1] = {NULL};
	for (size_t i = 0; i < N_WORDS; i++) {
		names[i] = words[i].name;
		if (name && strcmp(words[i].name, name) == 0)
			return &words[i];
	}
	if (!name) {
		error_set(e, BLAME_REQUEST, 0,
			"'policy' needs one of list, show, check, schema, match");
		return NULL;
	}
	error_set(e, BLAME_REQUEST, 0, "'policy' has no '%.100s'", name);
	const char *near = nearest_name(name, names);
	if (near)
		error_hint(e, "did you mean '%s'?", near);
	else
		error_hint(e, "there are list, show, check, schema and match");
	return NULL;
}

static int take_operand(struct policy_request *r, const char *value, bool ended, struct error *e)
{
	if (ended && r->operand && strcmp(r->word, "match") == 0) {
		strv_push(r->arena, &r->command, value);
		return 0;
	}
	if (!*value)
		return error_set(e, BLAME_REQUEST, 0, "an argument of 'policy' is empty");
	if (!r->word)
		r->word = value;
	else if (!r->operand)
		r->operand = value;
	else if (strcmp(r->word, "match") == 0)
		return error_set(
			e, BLAME_REQUEST, 0, "'--' has to come before the command '%.100s'", value);
	else
		return error_set(
			e, BLAME_REQUEST, 0, "'policy %s' takes no '%.100s'", r->word, value);
	return 0;
}

static int parse(struct policy_request *r, int argc, char **argv, struct error *e)
{
	struct option_scan scan;
	const struct option_spec *option;
	const char *value;
	enum option_found found;
	option_scan_init(&scan, COMMAND_POLICY, argc, argv);
	while ((found = option_scan(&scan, &option, &value, e)) > SCAN_END) {
		if (found == SCAN_OPERAND && take_operand(r, value, scan.ended, e) < 0)
			return -1;
		if (found == SCAN_OPTION && option->kind == OPTION_HELP)
			r->help = true;
		else if (found == SCAN_OPTION)
			r->json = true;
	}
	return found == SCAN_ERROR ? -1 : 0;
}

static int check_usage(
	const struct policy_word *word, const struct policy_request *r, struct error *e)
{
	if (word->operand && !word->optional && !r->operand)
		return error_set(
			e, BLAME_REQUEST, 0, "'policy %s' needs %s", word->name, word->operand);
	if (!word->operand && r->operand)
		return error_set(e, BLAME_REQUEST, 0, "'policy %s' takes no '%.100s'", word->name,
			r->operand);
	if (!word->json && r->json)
		return error_set(e, BLAME_REQUEST, 0, "'policy %s' takes no '--json'", word->name);
	return 0;
}

int cli_policy(int argc, char **argv)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	struct policy_request r = {.arena = &a};
	if (parse(&r, argc, argv, &e) < 0)
		return cli_fail(&e);
	if (r.help)
		return help_print(COMMAND_POLICY);
	const struct policy_word *word = find_word(r.word, &e);
	int status = -1;
	if (word && check_usage(word, &r, &e) == 0)
		status = word->run(&r, &e);
	return status < 0 ? cli_fail(&e) : status;
}
