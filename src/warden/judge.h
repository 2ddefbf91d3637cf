/* SPDX-License-Identifier: MIT */
#ifndef WARDEN_JUDGE_H
#define WARDEN_JUDGE_H

#include "base/error.h"
#include "model/policy.h"
#include "warden/call.h"
#include "warden/find.h"
#include "warden/identity.h"

/*
 * Looks at what a call asks for, and has it judged; and looks at what came of it. Tells nobody, holds nobody.
 */
struct judge {
	struct arena arena; /* of the policy and its rules */
	struct policy_exec policy;
	bool enforce;
	struct exec_rules *rules;
	struct identity *identity;
	const char *path; /* of the box */
	struct finder finder;
	int pid_namespace; /* of the box; -1: not known */
	bool knows_box; /* its root has been looked through for the programs of the rules */
};

/* Knows no rules yet. @proc is borrowed. */
void judge_init(struct judge *j, int proc);
/* To judge by @j->policy, which is there, in @j->arena; with PATH @path, which is copied. 0 or -1 with @e. */
int judge_compile(struct judge *j, const char *path, struct error *e);
void judge_fini(struct judge *j);

enum judge_result {
	JUDGE_ALLOWED, /* files and argv that the kernel will come to are predicted */
	JUDGE_REFUSED, /* call->judgement says why */
	JUDGE_FAILS, /* the kernel would answer *ret_errno, and so can we */
	JUDGE_GONE, /* the caller is: nothing has happened */
};

/*
 * Look through the box of @call's caller for the programs of the rules, once: before the first exec of all, while only
 * bulkhead's own code runs there. 0 or -errno.
 */
int judge_know_box(struct judge *j, const struct call *call);
/*
 * Of which process the caller is a thread: call->ids. 0, or -errno (ESRCH, ENOENT: it is gone; EMFILE …): then it is its
 * own number.
 */
int judge_identify(struct judge *j, struct call *call);
/* What nobody needs to judge it: working directory, number in the box, parent. Whatever is not known yet. */
void judge_detail(struct judge *j, struct call *call);
/* Fills in what is known of files, argv, event and judgement. */
enum judge_result judge_call(struct judge *j, struct call *call, int *ret_errno);
/* Make @call's judgement a refusal by no rule. */
void judge_refuse(struct call *call, const char *what, const char *why);

/*
 * The caller stands at its exec stop as process @pid: did it become what was predicted? Else what it has become is in
 * call->event.real_… and why.
 */
bool judge_image(struct judge *j, struct call *call, pid_t pid);

/* What is refused in @call's environment where only the named may run, by its files (a script's is more): NULL-terminated. */
const char *const *judge_variables(const struct call *call);

#endif
