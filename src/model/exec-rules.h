/* SPDX-License-Identifier: MIT */
#ifndef MODEL_EXEC_RULES_H
#define MODEL_EXEC_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/policy.h"

/*
 * What may be executed, judged by file and argv. Pure: files are looked at by who asks (warden/identity.h),
 * and so are the names in argv that a wrapper will look up. docs/exec-policy.md has the semantics in
 * words; it and this file say the same.
 */

/*
 * Programs that rules name, by index: "git" (a base name) or "/usr/bin/git" (a path). The file that
 * is executed *is* such a program if it is the same file, by whatever name or link, or has the same
 * content; so says a set of indexes.
 */
#define EXEC_MAX_PROGRAMS 512
#define EXEC_MAX_RULES    1024
struct exec_programs {
	uint64_t bits[EXEC_MAX_PROGRAMS / 64];
};

/* A file about to be executed. */
struct exec_file {
	const char *
		called; /* as it was called, absolute or not: "./x", "/proc/self/root/usr/bin/git" */
	const char *path; /* where it is in the box, no links; NULL: not known */
	struct exec_programs is; /* by inode, link or content */
	struct exec_programs exactly; /* by inode alone: a copy is not what a rule allows */
	bool writable; /* the box may have written it */
	bool loader; /* it is a dynamic loader (ld.so), or a copy of one */
};

enum exec_verdict { EXEC_ALLOW, EXEC_DENY };

/* What decided. */
enum exec_ground {
	EXEC_BY_DEFAULT, /* no rule matched: exec.default */
	EXEC_BY_RULE, /* one of the policy's: @rule */
	EXEC_BY_BUILTIN, /* one of the built-in list: @rule */
	EXEC_BY_STATIC, /* whatever the rules say: a memfd, a loader, what cannot be looked at */
	EXEC_GROUND_COUNT_,
};

struct exec_judgement {
	enum exec_verdict verdict;
	enum exec_ground ground;
	const struct exec_rule *rule; /* BY_RULE, BY_BUILTIN; else NULL */
	const char *rule_text; /* "deny: git push", "default: deny", "a file without a name" */
	const char *hint; /* what is allowed instead; NULL: none */
	const char *why; /* one sentence: which words matched where, through which wrapper */
	unsigned depth; /* 0: the call itself; more: what a wrapper would start */
};

struct exec_rules;

/*
 * Compile. -1 with @e (BLAME_POLICY): too many rules, a pattern that is empty or cannot hold (the
 * reason is said: an allow rule for a multicall binary as a whole, arguments of an interpreter, …).
 * All lives in @a. Borrows @p.
 */
int exec_rules_compile(
	struct exec_rules **ret, const struct policy_exec *p, struct arena *a, struct error *e);

/* The programs that rules name, in the order of their indexes. */
size_t exec_rules_programs(const struct exec_rules *r, const char *const **ret_names);

/*
 * How a wrapper finds what it starts: fill *ret for @name, as execvp(3) of the caller would find it. False: no
 * such file, then the base name alone is judged. Strings live as long as the judgement's arena.
 */
struct exec_lookup {
	bool (*file)(void *data, const char *name, struct exec_file *ret);
	void *data;
};

/*
 * Judge one call. @argv as given to execve (empty: as if it were {""}). Strings of *ret live in @a or are
 * borrowed from the rules and @file.
 */
void exec_rules_judge(const struct exec_rules *r, const struct exec_file *file,
	const struct strv *argv, const struct exec_lookup *lookup, struct arena *a,
	struct exec_judgement *ret);

/*
 * What a rule says against a call, of the policy's or built in; all else (default deny, no allow) is not asked. For
 * what the kernel loads for a script that exec_rules_judge() allowed: the script is what rules name, its
 * interpreter has to be allowed by nobody, but may be denied. The same for what a wrapper would start.
 */
void exec_rules_judge_interpreter(const struct exec_rules *r, const struct exec_file *file,
	const struct strv *argv, const struct exec_lookup *lookup, struct arena *a,
	struct exec_judgement *ret);

/* A judgement that no rule has a say in: deny, EXEC_BY_STATIC, @what as its text. */
struct exec_judgement exec_deny_static(const char *what, const char *why);

const char *exec_ground_name(enum exec_ground ground);

/*
 * The exec section as bytes for the warden, and back: a private format of one version of bulkhead. Unpacking
 * trusts nothing: -1 with @e.
 */
int exec_policy_pack(
	const struct policy_exec *p, struct arena *a, const void **ret, size_t *ret_size);
int exec_policy_unpack(
	struct policy_exec *ret, const void *data, size_t size, struct arena *a, struct error *e);

#endif
