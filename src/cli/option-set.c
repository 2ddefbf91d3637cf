/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/parse.h"
#include "model/policy-keys.h"

/* What one kind of option does with its value. */
typedef int (*setter)(
	struct option_target *t, const struct option_spec *o, const char *value, struct error *e);

#define SHOWN_MAX 64
static_assert(SHOWN_MAX * 4 + sizeof("...") <= OPTION_SHOWN_SIZE, "a byte may become \\xNN");

const char *option_shown(const char *s, char out[OPTION_SHOWN_SIZE])
{
	cleanup_buf struct buf b = BUF_INIT;
	size_t size = strnlen(s, SHOWN_MAX + 1);
	bool cut = size > SHOWN_MAX;

	if (cut) /* not in the middle of a character */
		for (size = SHOWN_MAX; size > SHOWN_MAX - 3 && (s[size] & 0xC0) == 0x80;)
			size--;
	buf_put_visible(&b, s, size);
	snprintf(out, OPTION_SHOWN_SIZE, "%s%s", buf_str(&b), cut ? "..." : "");
	return out;
}

/* "'--memory 12X': WHY" */
__attribute__((format(printf, 4, 5))) static int refuse(
	struct error *e, const struct option_spec *o, const char *value, const char *format, ...)
{
	char shown[OPTION_SHOWN_SIZE], why[256];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	return error_set(e, BLAME_REQUEST, 0, "'--%s%s%s': %s", o->name, *value ? " " : "",
		option_shown(value, shown), why);
}

static void *field_of(struct option_target *t, const struct option_spec *o)
{
	return (char *)t->request + o->field;
}

static int set_flag(struct option_target *t, const struct option_spec *o,
	const char *value __attribute__((unused)), struct error *e __attribute__((unused)))
{
	*(bool *)field_of(t, o) = true;
	return 0;
}

static int set_limit(
	struct option_target *t, const struct option_spec *o, const char *value, struct error *e)
{
	enum limit limit = (enum limit)o->field;
	char why[LIMIT_WHY_SIZE];

	if (limit_ask(limit, value, &t->request->limits[limit], why) < 0)
		return refuse(e, o, value, "%s", why);
	t->request->limit_given[limit] = true;
	return 0;
}

static int set_grace(
	struct option_target *t, const struct option_spec *o, const char *value, struct error *e)
{
	char why[LIMIT_WHY_SIZE];

	if (grace_ask(value, &t->request->grace_us, why) < 0)
		return refuse(e, o, value, "%s", why);
	t->request->grace_given = true;
	return 0;
}

/* The place of @value among the choices of @o; -1 if it is none. */
static int choice_of(const struct option_spec *o, const char *value)
{
	for (int i = 0; o->choices[i]; i++)
		if (strcmp(o->choices[i], value) == 0)
			return i;
	return -1;
}

static int refuse_choice(struct error *e, const struct option_spec *o, const char *value)
{
	const char *near = nearest_name(value, o->choices);

	refuse(e, o, value, "must be %s", o->metavar);
	return near ? error_hint(e, "did you mean '%s'?", near) : -1;
}

static int set_oom(
	struct option_target *t, const struct option_spec *o, const char *value, struct error *e)
{
	int i = choice_of(o, value);

	if (i < 0)
		return refuse_choice(e, o, value);
	t->request->oom = (enum oom_mode)i;
	t->request->oom_given = true;
	return 0;
}

static int set_net(
	struct option_target *t, const struct option_spec *o, const char *value, struct error *e)
{
	int i = choice_of(o, value);

	if (i < 0)
		return refuse_choice(e, o, value);
	t->request->network = (enum network_mode)i;
	t->request->network_given = true;
	return 0;
}

static int set_user(
	struct option_target *t, const struct option_spec *o, const char *value, struct error *e)
{
	struct policy_user user = {.mode = USER_ID};
	int i = choice_of(o, value);

	if (i >= 0)
		user.mode = i == 0 ? USER_SELF : USER_ISOLATED;
	else if (parse_user(value, &user.uid, &user.gid) < 0)
		return refuse_choice(e, o, value);
	t->request->user = user;
	t->request->user_given = true;
	return 0;
}

/* A word that must not be empty: a path, a policy. */
static int set_text(
	struct option_target *t, const struct option_spec *o, const char *value, struct error *e)
{
	if (!*value)
		return refuse(e, o, value, "%s is empty", o->metavar);
	*(const char **)field_of(t, o) = value;
	return 0;
}

/* Refuse @value where a policy file would refuse it as an @item. */
static int check_item(struct error *e, const struct option_spec *o, const char *value,
	enum policy_item item, const char *text)
{
	const char *fault = policy_item_fault(item, text);

	return fault ? refuse(e, o, value, "%s", fault) : 0;
}

static int set_path(
	struct option_target *t, const struct option_spec *o, const char *value, struct error *e)
{
	if (check_item(e, o, value, ITEM_PATH, value) < 0)
		return -1;
	return set_text(t, o, value, e);
}

static int set_key(
	struct option_target *t, const struct option_spec *o, const char *value, struct error *e)
{
	const char *fault = request_key_fault(value);

	if (fault)
		return refuse(e, o, value, "%s", fault);
	return set_text(t, o, value, e);
}

static int set_verdict(
	struct option_target *t, const struct option_spec *o, const char *value, struct error *e)
{
	uint64_t fd;

	if (strncmp(value, "fd:", 3) != 0)
		return set_text(t, o, value, e);
	if (parse_u64(value + 3, 1 << 30, &fd) < 0)
		return refuse(e, o, value, "not the number of a file descriptor");
	if (fd == 0)
		return refuse(e, o, value, "standard input cannot be written to");
	return set_text(t, o, value, e);
}

static int set_bind(
	struct option_target *t, const struct option_spec *o, const char *value, struct error *e)
{
	struct bind_list *list = field_of(t, o);
	struct bind_rule *grown;

	if (check_item(e, o, value, ITEM_BIND, value) < 0)
		return -1;
	grown = arena_calloc(t->arena, list->n + 1, sizeof(*grown));
	if (list->n)
		memcpy(grown, list->v, list->n * sizeof(*grown));
	if (bind_rule_parse(&grown[list->n], t->arena, value, e) < 0)
		return -1;
	list->v = grown;
	list->n++;
	return 0;
}

static int push_item(struct option_target *t, const struct option_spec *o, const char *value,
	enum policy_item item, struct error *e)
{
	if (check_item(e, o, value, item, value) < 0)
		return -1;
	strv_push(t->arena, field_of(t, o), value);
	return 0;
}

static int set_hide(
	struct option_target *t, const struct option_spec *o, const char *value, struct error *e)
{
	return push_item(t, o, value, ITEM_HIDE, e);
}

static int set_tmpfs(
	struct option_target *t, const struct option_spec *o, const char *value, struct error *e)
{
	return push_item(t, o, value, ITEM_PATH, e);
}

static int set_unset(
	struct option_target *t, const struct option_spec *o, const char *value, struct error *e)
{
	return push_item(t, o, value, ITEM_PATTERN, e);
}

static int set_env(
	struct option_target *t, const struct option_spec *o, const char *value, struct error *e)
{
	struct policy_env *env = &t->request->env;
	struct env_pair pair, *grown;
	size_t size = strcspn(value, "=");

	pair.key = arena_strndup(t->arena, value, size);
	pair.value = value[size] ? value + size + 1 : getenv(pair.key);
	if (check_item(e, o, value, ITEM_NAME, pair.key) < 0)
		return -1;
	for (size_t i = 0; i < env->n_set; i++)
		if (strcmp(env->set[i].key, pair.key) == 0)
			return refuse(e, o, value, "the variable was given before");
	if (!pair.value) /* the caller does not have it either */
		return 0;
	grown = arena_calloc(t->arena, env->n_set + 1, sizeof(pair));
	if (env->n_set)
		memcpy(grown, env->set, env->n_set * sizeof(pair));
	grown[env->n_set++] = pair;
	env->set = grown;
	return 0;
}

static int set_help(struct option_target *t, const struct option_spec *o __attribute__((unused)),
	const char *value __attribute__((unused)), struct error *e __attribute__((unused)))
{
	t->help = true;
	return 0;
}

/* Of the commands that make a request only plan has an option of its own: --json. */
static int set_own(struct option_target *t, const struct option_spec *o __attribute__((unused)),
	const char *value __attribute__((unused)), struct error *e __attribute__((unused)))
{
	t->json = true;
	return 0;
}

int option_set(
	struct option_target *t, const struct option_spec *o, const char *value, struct error *e)
{
	static const setter setters[OPTION_KIND_COUNT_] = {
		[OPTION_FLAG] = set_flag,
		[OPTION_LIMIT] = set_limit,
		[OPTION_GRACE] = set_grace,
		[OPTION_OOM] = set_oom,
		[OPTION_POLICY] = set_text,
		[OPTION_DIR] = set_path,
		[OPTION_FILE] = set_path,
		[OPTION_BOX] = set_text,
		[OPTION_KEY] = set_key,
		[OPTION_VERDICT] = set_verdict,
		[OPTION_BIND] = set_bind,
		[OPTION_HIDE] = set_hide,
		[OPTION_TMPFS] = set_tmpfs,
		[OPTION_ENV] = set_env,
		[OPTION_UNSET] = set_unset,
		[OPTION_USER] = set_user,
		[OPTION_NET] = set_net,
		[OPTION_HELP] = set_help,
		[OPTION_OWN_FLAG] = set_own,
	};

	return setters[o->kind](t, o, value, e);
}
