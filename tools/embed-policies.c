/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/path.h"
#include "model/codec-document.h"
#include "model/policy-keys.h"
#include "model/policy-shipped.h"

/*
 * embed-policies FILE.yaml… > policies.c: the shipped policies as C, decoded by the very code that
 * reads a user's. Each may extend those before it. A mistake in one of them ends the build.
 */

#define MAX_POLICIES 32

static struct policy_shipped table[MAX_POLICIES];
static size_t n_table;

const struct policy_shipped *policy_shipped_table(size_t *ret_n)
{
	*ret_n = n_table;
	return table;
}

static void put_string(const char *s)
{
	if (!s) {
		fputs("NULL", stdout);
		return;
	}
	putchar('"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '\n')
			fputs("\\n\"\n\t\t\"", stdout);
		else if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '?')
			printf("\\%03o", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void put_limit(const struct policy_key *key, const struct limit_value *v)
{
	printf("\t\t.%s = {%s, %s, %" PRIu64 "u},\n", key->member, v->set ? "true" : "false",
		v->origin == ORIGIN_ASKED ? "ORIGIN_ASKED" : "ORIGIN_DEFAULT", v->value);
}

static void put_strings(const struct policy_key *key, const struct strv *list)
{
	if (list->n == 0)
		return;
	printf("\t\t.%s = {.v = (const char *[]){\n", key->member);
	for (size_t i = 0; i < list->n; i++) {
		fputs("\t\t\t", stdout);
		put_string(list->v[i]);
		puts(",");
	}
	printf("\t\t\tNULL}, .n = %zu, .room = %zu},\n", list->n, list->n + 1);
}

static void put_binds(const struct policy_key *key, const struct bind_list *list)
{
	if (list->n == 0)
		return;
	printf("\t\t.%s = {.v = (struct bind_rule[]){\n", key->member);
	for (size_t i = 0; i < list->n; i++) {
		fputs("\t\t\t{", stdout);
		put_string(list->v[i].source);
		fputs(", ", stdout);
		put_string(list->v[i].dest);
		printf(", %s},\n", list->v[i].optional ? "true" : "false");
	}
	printf("\t\t}, .n = %zu},\n", list->n);
}

static void put_env(const struct policy_env *env)
{
	if (env->n_set == 0)
		return;
	puts("\t\t.env.set = (struct env_pair[]){");
	for (size_t i = 0; i < env->n_set; i++) {
		fputs("\t\t\t{", stdout);
		put_string(env->set[i].key);
		fputs(", ", stdout);
		put_string(env->set[i].value);
		puts("},");
	}
	printf("\t\t}, .env.n_set = %zu,\n", env->n_set);
}

static void put_rules(const struct policy_exec *exec)
{
	if (exec->n_rules == 0)
		return;
	puts("\t\t.exec.rules = (struct exec_rule[]){");
	for (size_t i = 0; i < exec->n_rules; i++) {
		printf("\t\t\t{%s, ", exec->rules[i].allow ? "true" : "false");
		put_string(exec->rules[i].pattern);
		fputs(", ", stdout);
		put_string(exec->rules[i].hint);
		puts("},");
	}
	printf("\t\t}, .exec.n_rules = %zu,\n", exec->n_rules);
}

static void put_key(const struct policy_key *key, const struct policy *policy)
{
	const void *value = policy_key_value(key, policy);
	const struct policy_user *user = value;
	switch (key->kind) {
	case KEY_LIMIT:
		put_limit(key, value);
		break;
	case KEY_SIZE:
	case KEY_DURATION:
	case KEY_NUMBER:
	case KEY_FACTOR:
		printf("\t\t.%s = %" PRIu64 "u,\n", key->member, *(const uint64_t *)value);
		break;
	case KEY_CHOICE:
		printf("\t\t.%s = %u,\n", key->member, *(const unsigned *)value);
		break;
	case KEY_BOOL:
	case KEY_FLAG:
		printf("\t\t.%s = %d,\n", key->member, *(const bool *)value);
		break;
	case KEY_STRING:
		printf("\t\t.%s = ", key->member);
		put_string(*(const char *const *)value);
		puts(",");
		break;
	case KEY_STRINGS:
		put_strings(key, value);
		break;
	case KEY_BINDS:
		put_binds(key, value);
		break;
	case KEY_USER:
		printf("\t\t.user = {%u, %" PRIu32 "u, %" PRIu32 "u},\n", (unsigned)user->mode,
			user->uid, user->gid);
		break;
	case KEY_ENV:
		put_env(value);
		break;
	case KEY_RULES:
		put_rules(value);
		break;
	default:
		abort();
	}
}

static void put_policy(const struct policy_shipped *shipped)
{
	fputs("\t{\n\t\t", stdout);
	put_string(shipped->name);
	fputs(",\n\t\t", stdout);
	put_string(shipped->text);
	printf(",\n\t\t%zu,\n\t\t{\n\t\t.name = ", shipped->size);
	put_string(shipped->name);
	puts(",");
	for (size_t i = 0; i < policy_keys_count; i++)
		put_key(&policy_keys[i], &shipped->policy);
	puts("\t\t},\n\t},");
}

static int add_file(struct arena *a, const char *path)
{
	struct error e = ERROR_INIT;
	char *text = arena_alloc(a, DOCUMENT_MAX_SIZE);
	ssize_t size = file_read_text(AT_FDCWD, path, text, DOCUMENT_MAX_SIZE);
	const char *base = path_base(path), *dot = strrchr(base, '.');
	if (size < 0 || !dot || n_table == MAX_POLICIES) {
		fprintf(stderr, "embed-policies: cannot take '%s'\n", path);
		return -1;
	}
	struct policy_shipped *shipped = &table[n_table];
	*shipped = (struct policy_shipped){
		.name = arena_strndup(a, base, (size_t)(dot - base)),
		.text = text,
		.size = (size_t)size,
	};
	if (policy_load_shipped(&shipped->policy, a, shipped->name, text, (size_t)size, &e) < 0) {
		fprintf(stderr, "embed-policies: %s\n", e.text);
		return -1;
	}
	n_table++;
	return 0;
}

int main(int argc, char **argv)
{
	cleanup_arena struct arena a = ARENA_INIT;
	for (int i = 1; i < argc; i++)
		if (add_file(&a, argv[i]) < 0)
			return 1;
	puts("/* SPDX-License-Identifier: MIT */\n/* Made by tools/embed-policies.c. */");
	puts("#include \"model/policy-shipped.h\"\n\nstatic const struct policy_shipped table[] = "
	     "{");
	for (size_t i = 0; i < n_table; i++)
		put_policy(&table[i]);
	puts("};\n\nconst struct policy_shipped *policy_shipped_table(size_t *ret_n)\n{");
	puts("\t*ret_n = sizeof table / sizeof *table;\n\treturn table;\n}");
	return fflush(stdout) == 0 ? 0 : 1;
}
