/* SPDX-License-Identifier: MIT */
#include "model/policy.h"

#include <string.h>

#include "base/parse.h"
#include "model/exec-rules.h"

/*
 * What each value alone does not show. A limit that can never be reached or never be enforced would
 * be believed in, and that is worse than none.
 */

#define fail(e, ...) error_set((e), BLAME_POLICY, 0, __VA_ARGS__)

static int check_swap(const struct policy *p, struct error *e)
{
	const struct limit_value *swap = &p->limits.v[LIMIT_SWAP];
	if (!swap->set || swap->value == 0 || p->limits.v[LIMIT_MEMORY].set)
		return 0;
	return fail(e, "limits.swap limits nothing without limits.memory; set that too");
}

static int check_idle(const struct policy *p, struct error *e)
{
	const struct limit_value *idle = &p->limits.v[LIMIT_IDLE_TIMEOUT];
	const struct limit_value *wall = &p->limits.v[LIMIT_TIMEOUT];
	char idle_text[LIMIT_TEXT_SIZE], wall_text[LIMIT_TEXT_SIZE];
	if (!idle->set || !wall->set || idle->value <= wall->value)
		return 0;
	fail(e, "limits.idle_timeout (%s) is above limits.timeout (%s) and would never be reached",
		limit_format(LIMIT_IDLE_TIMEOUT, idle, idle_text),
		limit_format(LIMIT_TIMEOUT, wall, wall_text));
	return error_hint(e, "raise the timeout or lower the idle_timeout");
}

static bool strv_has(const struct strv *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i], text) == 0)
			return true;
	return false;
}

static int check_binds(
	const struct policy *p, const struct bind_list *list, const char *name, struct error *e)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct bind_rule *rule = &list->v[i];
		const char *dest = rule->dest ? rule->dest : rule->source;
		if (strv_has(&p->filesystem.hide, dest)) {
			fail(e, "'%.200s' is in filesystem.%s and in filesystem.hide", dest, name);
			return error_hint(
				e, "take it out with \"!%.200s\" in filesystem.hide", dest);
		}
		if (strv_has(&p->filesystem.tmpfs, dest))
			return fail(e, "'%.200s' is in filesystem.%s and in filesystem.tmpfs", dest,
				name);
	}
	return 0;
}

static int check_filesystem(const struct policy *p, struct error *e)
{
	static const char *const whole = "/";
	if (strv_has(&p->filesystem.hide, whole) || strv_has(&p->filesystem.tmpfs, whole))
		return fail(e, "'/' itself can be neither hidden nor a tmpfs; set filesystem.root");
	for (size_t i = 0; i < p->filesystem.hide.n; i++)
		if (strv_has(&p->filesystem.tmpfs, p->filesystem.hide.v[i]))
			return fail(e, "'%.200s' is in filesystem.hide and in filesystem.tmpfs",
				p->filesystem.hide.v[i]);
	if (check_binds(p, &p->filesystem.write, "write", e) < 0)
		return -1;
	return check_binds(p, &p->filesystem.read, "read", e);
}

/* What would let programs in that nobody judges, or before anybody does. */
static int check_exec_enforced(const struct policy *p, struct error *e)
{
	if (p->user_namespaces) {
		fail(e,
			"syscalls.user_namespaces undoes exec.mode enforce: who may mount chooses "
			"what a "
			"path names");
		return error_hint(e, "set exec.mode to audit, or do without user namespaces");
	}
	return 0;
}

/* Rules that could not hold; those that are built in can. */
static int check_rules(const struct policy_exec *exec, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct exec_rules *rules;
	struct policy_exec own = *exec;
	own.builtin = false;
	return exec_rules_compile(&rules, &own, &a, e);
}

static int check_exec(const struct policy *p, struct error *e)
{
	if (p->exec.mode != EXEC_OFF && p->pool.preload.n > 0)
		return fail(e,
			"pool.preload starts a program ahead of its run, where an exec policy has "
			"no run to judge it for");
	if (p->exec.mode == EXEC_ENFORCE && check_exec_enforced(p, e) < 0)
		return -1;
	if (p->exec.mode != EXEC_OFF)
		return p->exec.n_rules > 0 ? check_rules(&p->exec, e) : 0;
	if (p->exec.n_rules == 0 && p->exec.default_allow)
		return 0;
	fail(e, "exec has rules but exec.mode is off, so that none of them applies");
	return error_hint(e, "set exec.mode to audit or enforce");
}

/* NAME and NAME:ACTION are the same system call. */
static int check_syscalls(const struct policy *p, struct error *e)
{
	for (size_t i = 0; i < p->syscalls_deny.n; i++) {
		const char *deny = p->syscalls_deny.v[i];
		size_t n = strcspn(deny, ":");
		for (size_t j = 0; j < p->syscalls_allow.n; j++) {
			const char *allow = p->syscalls_allow.v[j];
			if (strncmp(allow, deny, n) == 0 && allow[n] == '\0')
				return fail(
					e, "'%s' is in syscalls.deny and in syscalls.allow", allow);
		}
	}
	return 0;
}

static int check_retry(const struct policy *p, struct error *e)
{
	const struct policy_retry *r = &p->retry;
	const struct limit_value *memory = &p->limits.v[LIMIT_MEMORY];
	if (r->grow_milli < 1000)
		return fail(e, "retry.grow is below 1: a limit that was hit would shrink");
	if (r->backoff_us > r->max_backoff_us)
		return fail(e, "retry.backoff is above retry.max_backoff");
	if (r->attempts > 1 && r->on.n == 0)
		return fail(e,
			"retry.attempts is %u, but retry.on is empty: nothing is tried again",
			(unsigned)r->attempts);
	if (r->grow_max_bytes > 0 && memory->set && r->grow_max_bytes < memory->value)
		return fail(e, "retry.grow_max is below limits.memory");
	return 0;
}

static int check_breaker(const struct policy *p, struct error *e)
{
	const struct policy_breaker *b = &p->breaker;
	if (b->key && b->threshold > 0 && b->window_us == 0)
		return fail(e, "breaker.window is 0: no failure would ever be counted");
	if (!b->key && b->cooldown_us > 0)
		return fail(e, "breaker.cooldown does nothing without breaker.key");
	return 0;
}

static int check_pool(const struct policy *p, struct error *e)
{
	if (p->pool.preload.n > 0 && p->pool.size == 0)
		return fail(e, "pool.preload does nothing while pool.size is 0");
	if (p->pool.serve == SERVE_FORKS && p->pool.preload.n == 0)
		return fail(e, "pool.serve is forks, but pool.preload names nothing to be forked");
	return 0;
}

static int (*const checks[])(const struct policy *p, struct error *e) = {
	check_swap,
	check_idle,
	check_filesystem,
	check_exec,
	check_syscalls,
	check_retry,
	check_breaker,
	check_pool,
};

int policy_check(const struct policy *p, struct error *e)
{
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
		if (checks[i](p, e) < 0)
			return -1;
	return 0;
}
