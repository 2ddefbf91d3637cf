/* SPDX-License-Identifier: MIT */
#include "model/request.h"

static struct strv copy_list(const struct strv *list, struct arena *a)
{
	struct strv copy = {0};
	for (size_t i = 0; i < list->n; i++)
		strv_push(a, &copy, arena_strdup(a, list->v[i]));
	return copy;
}

static struct bind_list copy_binds(const struct bind_list *list, struct arena *a)
{
	struct bind_list copy = {arena_calloc(a, list->n, sizeof(*copy.v)), list->n};
	for (size_t i = 0; i < list->n; i++)
		copy.v[i] = (struct bind_rule){.source = arena_strdup(a, list->v[i].source),
			.dest = arena_strdup(a, list->v[i].dest),
			.optional = list->v[i].optional};
	return copy;
}

static struct policy_env copy_env(const struct policy_env *env, struct arena *a)
{
	struct policy_env copy = *env;
	copy.set = arena_calloc(a, env->n_set, sizeof(*copy.set));
	for (size_t i = 0; i < env->n_set; i++)
		copy.set[i] = (struct env_pair){
			arena_strdup(a, env->set[i].key), arena_strdup(a, env->set[i].value)};
	copy.unset = copy_list(&env->unset, a);
	return copy;
}

void request_copy(struct request *ret, const struct request *request, struct arena *a)
{
	struct request copy = *request;
	copy.argv = copy_list(&request->argv, a);
	copy.policy = arena_strdup(a, request->policy);
	copy.read = copy_binds(&request->read, a);
	copy.write = copy_binds(&request->write, a);
	copy.hide = copy_list(&request->hide, a);
	copy.tmpfs = copy_list(&request->tmpfs, a);
	copy.root = arena_strdup(a, request->root);
	copy.workdir = arena_strdup(a, request->workdir);
	copy.env = copy_env(&request->env, a);
	copy.key = arena_strdup(a, request->key);
	copy.verdict = arena_strdup(a, request->verdict);
	copy.learn = arena_strdup(a, request->learn);
	copy.log_dir = arena_strdup(a, request->log_dir);
	*ret = copy;
}
