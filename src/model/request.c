/* SPDX-License-Identifier: MIT */
#include "model/request.h"

#include <string.h>

#include "base/buf.h"
#include "model/policy-keys.h"

#define KEY_MAX 256

const char *request_key_fault(const char *key)
{
	size_t size = strlen(key);

	if (size > KEY_MAX)
		return "longer than 256 bytes";
	if (!utf8_valid(key, size))
		return "not UTF-8";
	for (const char *c = key; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return "has a control character";
	return NULL;
}

/*
 * A limit of the policy that makes no sense beside one that was asked for gives way to it:
 * `--timeout 10s` must not fail because the policy has an idle time-out of a minute.
 */
static void give_way(const struct request *r, struct policy *p)
{
	struct limit_value *v = p->limits.v;
	bool unreachable = v[LIMIT_IDLE_TIMEOUT].set && v[LIMIT_TIMEOUT].set &&
		v[LIMIT_IDLE_TIMEOUT].value > v[LIMIT_TIMEOUT].value;
	if (r->limit_given[LIMIT_TIMEOUT] && !r->limit_given[LIMIT_IDLE_TIMEOUT] && unreachable)
		v[LIMIT_IDLE_TIMEOUT].set = false;
	if (r->limit_given[LIMIT_MEMORY] && !v[LIMIT_MEMORY].set && !r->limit_given[LIMIT_SWAP] &&
		v[LIMIT_SWAP].value > 0)
		v[LIMIT_SWAP].set = false;
	if (r->limit_given[LIMIT_MEMORY] && v[LIMIT_MEMORY].set && p->retry.grow_max_bytes > 0 &&
		p->retry.grow_max_bytes < v[LIMIT_MEMORY].value)
		p->retry.grow_max_bytes = v[LIMIT_MEMORY].value;
}

static void apply_limits(const struct request *r, struct policy *p)
{
	for (int i = 0; i < LIMIT_COUNT_; i++) {
		if (!r->limit_given[i])
			continue;
		p->limits.v[i] = r->limits[i];
		p->limits.v[i].origin = ORIGIN_ASKED;
	}
	if (r->oom_given)
		p->limits.oom = r->oom;
	if (r->grace_given)
		p->limits.grace_us = r->grace_us;
	give_way(r, p);
}

static int check_items(
	const struct strv *list, enum policy_item item, const char *option, struct error *e)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *fault = policy_item_fault(item, list->v[i]);
		if (fault)
			return error_set(
				e, BLAME_REQUEST, 0, "%s '%.200s' %s", option, list->v[i], fault);
	}
	return 0;
}

/* To a copy: the list is that of a policy which other requests may be laid over at the same time. */
static void append(struct arena *a, struct strv *list, const struct strv *more)
{
	list->room = more->n > 0 ? list->n + 1 : list->room;
	for (size_t i = 0; i < more->n; i++)
		strv_push(a, list, more->v[i]);
}

static void append_binds(struct arena *a, struct bind_list *list, const struct bind_list *more)
{
	if (more->n == 0)
		return;
	struct bind_rule *v = arena_calloc(a, list->n + more->n, sizeof *v);
	if (list->n > 0)
		memcpy(v, list->v, list->n * sizeof *v);
	memcpy(v + list->n, more->v, more->n * sizeof *v);
	*list = (struct bind_list){v, list->n + more->n};
}

static int apply_filesystem(
	const struct request *r, struct policy *p, struct arena *a, struct error *e)
{
	struct policy_filesystem *fs = &p->filesystem;
	if (check_items(&r->hide, ITEM_HIDE, "--hide", e) < 0 ||
		check_items(&r->tmpfs, ITEM_PATH, "--tmpfs", e) < 0)
		return -1;
	if ((r->root && !*r->root) || (r->workdir && !*r->workdir))
		return error_set(e, BLAME_REQUEST, 0, "%s may not be empty",
			r->root && !*r->root ? "--root" : "--workdir");
	append_binds(a, &fs->read, &r->read);
	append_binds(a, &fs->write, &r->write);
	append(a, &fs->hide, &r->hide);
	append(a, &fs->tmpfs, &r->tmpfs);
	if (r->root)
		fs->root = r->root;
	if (r->workdir)
		fs->workdir = r->workdir;
	return 0;
}

static bool is_unset(const struct request *r, const char *name)
{
	for (size_t i = 0; i < r->env.unset.n; i++)
		if (policy_name_matches(r->env.unset.v[i], name))
			return true;
	return false;
}

static void set_variable(struct policy_env *env, const struct env_pair *pair)
{
	size_t i = 0;
	while (i < env->n_set && strcmp(env->set[i].key, pair->key) != 0)
		i++;
	env->n_set += i == env->n_set;
	env->set[i] = *pair;
}

/* What the policy sets and the request unsets is not set; what the request sets always is. */
static int apply_env(const struct request *r, struct policy *p, struct arena *a, struct error *e)
{
	struct policy_env env = {
		.set = arena_calloc(a, p->env.n_set + r->env.n_set, sizeof *env.set),
		.unset = p->env.unset,
		.clear = p->env.clear || r->env.clear,
	};
	if (check_items(&r->env.unset, ITEM_PATTERN, "--unset", e) < 0)
		return -1;
	for (size_t i = 0; i < p->env.n_set; i++)
		if (!is_unset(r, p->env.set[i].key))
			env.set[env.n_set++] = p->env.set[i];
	for (size_t i = 0; i < r->env.n_set; i++) {
		const char *fault = policy_item_fault(ITEM_NAME, r->env.set[i].key);
		if (fault)
			return error_set(e, BLAME_REQUEST, 0, "--env: the name '%.200s' %s",
				r->env.set[i].key, fault);
		set_variable(&env, &r->env.set[i]);
	}
	append(a, &env.unset, &r->env.unset);
	p->env = env;
	return 0;
}

static bool is_same_list(const struct strv *x, const struct strv *y)
{
	bool same = x->n == y->n;
	for (size_t i = 0; same && i < x->n; i++)
		same = strcmp(x->v[i], y->v[i]) == 0;
	return same;
}

/*
 * A key alone only names the run: it makes no breaker of settings that nobody chose. A policy that
 * has chosen some, and leaves the key to the request, means one.
 */
static bool asks_for_breaker(const struct policy_breaker *b, struct arena *a)
{
	struct policy standard;
	struct error e = ERROR_INIT;
	if (b->key)
		return true;
	if (policy_load(&standard, a, NULL, "default", &e) < 0)
		return false;
	return b->threshold != standard.breaker.threshold ||
		b->window_us != standard.breaker.window_us ||
		!is_same_list(&b->on, &standard.breaker.on);
}

int request_apply(const struct request *r, struct policy *policy, struct arena *a, struct error *e)
{
	struct policy p = *policy;
	apply_limits(r, &p);
	if (apply_filesystem(r, &p, a, e) < 0 || apply_env(r, &p, a, e) < 0)
		return -1;
	if (r->user_given)
		p.user = r->user;
	if (r->network_given)
		p.network = r->network;
	if (r->key && asks_for_breaker(&p.breaker, a))
		p.breaker.key = r->key;
	if (policy_check(&p, e) < 0) {
		if (e)
			e->blame = BLAME_REQUEST;
		return error_wrap(e, "with policy '%s'", p.name);
	}
	*policy = p;
	return 0;
}
