/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "model/plan.h"
#include "model/policy.h"

static bool is_set_by(const struct policy_env *env, const char *name, size_t size)
{
	for (size_t i = 0; i < env->n_set; i++)
		if (strlen(env->set[i].key) == size && memcmp(env->set[i].key, name, size) == 0)
			return true;
	return false;
}

static bool is_unset_by(const struct policy_env *env, const char *name)
{
	for (size_t i = 0; i < env->unset.n; i++)
		if (policy_name_matches(env->unset.v[i], name))
			return true;
	return false;
}

static void pass_on(
	struct strv *list, const struct policy *policy, const char *entry, struct arena *a)
{
	const struct policy_env *env = &policy->env;
	const char *equals = strchr(entry, '=');
	if (!equals || equals == entry)
		return;
	const char *name = arena_strndup(a, entry, (size_t)(equals - entry));
	bool kept = !is_set_by(env, name, strlen(name)) && !is_unset_by(env, name) && !env->clear &&
		strcmp(name, "BULKHEAD") != 0;
	/* the caller's directory for temporary files is not in the box: /tmp is */
	bool temporary = !strcmp(name, "TMPDIR") || !strcmp(name, "TMP") || !strcmp(name, "TEMP");
	/* an isolated user may not even pass through the caller's home directory */
	bool home = !strcmp(name, "HOME") && policy->user.mode == USER_ISOLATED;
	if (kept)
		strv_push(a, list, temporary || home ? arena_printf(a, "%s=/tmp", name) : entry);
}

struct strv plan_environment(
	const struct policy *policy, char *const *environ, const char *id, struct arena *a)
{
	struct strv list = {0};
	const struct policy_env *env = &policy->env;
	for (size_t i = 0; environ && environ[i]; i++)
		pass_on(&list, policy, environ[i], a);
	for (size_t i = 0; i < env->n_set; i++)
		strv_push(a, &list, arena_printf(a, "%s=%s", env->set[i].key, env->set[i].value));
	strv_push(a, &list, arena_printf(a, "BULKHEAD=%s", id));
	return list;
}
