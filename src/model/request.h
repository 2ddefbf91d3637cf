/* SPDX-License-Identifier: MIT */
#ifndef MODEL_REQUEST_H
#define MODEL_REQUEST_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/policy.h"

/* What the caller asked for, as read from a command line: no file was looked at yet. */
struct request {
	struct strv argv;
	const char *policy; /* NULL: "default" */
	struct limit_value limits[LIMIT_COUNT_];
	bool limit_given[LIMIT_COUNT_]; /* given on the command line (also as "unlimited") */
	bool oom_given;
	enum oom_mode oom;
	bool grace_given;
	uint64_t grace_us;
	struct bind_list read, write;
	struct strv hide, tmpfs;
	const char *root; /* NULL: the policy's */
	const char *workdir; /* NULL: the policy's, or the caller's */
	struct policy_env env;
	bool user_given;
	struct policy_user user;
	bool network_given;
	enum network_mode network;
	bool tty;
	const char *key;
	bool best_effort;
	bool no_record;
	bool quiet, verbose;
	const char *verdict; /* FILE or "fd:N"; NULL: none */
	const char *box; /* a kept box to run in; NULL: one of its own */
	const char *learn; /* FILE for a policy learned from what is executed; NULL: none */
	const char *log_dir; /* NULL: output is not captured, unless a limit needs it */
};

/* The same request with all of its text in @a, for whoever keeps it longer than its owner does. */
void request_copy(struct request *ret, const struct request *request, struct arena *a);

/* What is wrong with @key as a name for runs that belong together, for after it; or NULL. */
const char *request_key_fault(const char *key);

/* Lay @request over @policy (its command-line options override single fields; lists are appended). */
int request_apply(
	const struct request *request, struct policy *policy, struct arena *a, struct error *e);

#endif
