/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/buf.h"
#include "base/path.h"
#include "model/plan-build.h"

/* What an exec policy asks of the host, and of Landlock. */

/* A rule that is not held is worse than none: --best-effort has no say here. */
int plan_check_exec(struct plan_build *b)
{
	const struct host_exec *exec = &b->host->exec;
	if (b->policy->exec.mode == EXEC_OFF || (exec->usable && b->host->seccomp))
		return 0;
	error_set(b->e, BLAME_HOST, 0, "this host cannot hold an exec policy: %s",
		!b->host->seccomp   ? "its kernel has no seccomp filters"
			: exec->why ? exec->why
				    : "the reason is not known");
	if (exec->remedy)
		error_hint(b->e, "%s", exec->remedy);
	return error_hint(b->e, "or run without: exec.mode off");
}

/* Where what is executed has to be named the kernel can hold that too, whatever becomes of the warden. */
bool plan_lists_programs(struct plan_build *b)
{
	const struct policy_exec *exec = &b->policy->exec;
	if (b->plan->exec != EXEC_ENFORCE || exec->default_allow)
		return false;
	if (b->host->landlock_abi >= PLAN_CONFINE_ABI)
		return true;
	strv_push(b->a, &b->plan->notes,
		"what the exec policy allows is held by the warden alone: this kernel's Landlock "
		"is too "
		"old (5.19)");
	return false;
}

static void name_program(struct buf *names, const char *name)
{
	buf_puts(names, name);
	buf_putc(names, '\n');
	/* programs of its own that git executes as it works */
	if (strcmp(path_base(name), "git") == 0)
		buf_puts(names, "/usr/lib/git-core\n/usr/libexec/git-core\n");
}

static const char *first_word(struct plan_build *b, const char *pattern)
{
	const char *word = pattern + strspn(pattern, " \t");
	return arena_strndup(b->a, word, strcspn(word, " \t"));
}

/* The programs of all rules that allow, a line each. */
const char *plan_allowed_programs(struct plan_build *b)
{
	cleanup_buf struct buf names = BUF_INIT;
	const struct policy_exec *exec = &b->policy->exec;
	for (size_t i = 0; i < exec->n_rules; i++)
		if (exec->rules[i].allow)
			name_program(&names, first_word(b, exec->rules[i].pattern));
	return arena_strndup(b->a, buf_str(&names), names.size);
}
