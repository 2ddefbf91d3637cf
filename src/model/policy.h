/* SPDX-License-Identifier: MIT */
#ifndef MODEL_POLICY_H
#define MODEL_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/limits.h"

/*
 * What a run may use and do. A policy is read from YAML or JSON (both become one JSON tree before
 * anything looks at them), laid over what it extends, and then over nothing but the command line.
 * All strings live in the arena given to the function that made the policy.
 */

enum network_mode { NETWORK_NONE, NETWORK_HOST, NETWORK_COUNT_ };
enum user_mode { USER_SELF, USER_ISOLATED, USER_ID, USER_COUNT_ };
enum cwd_mode { CWD_WRITE, CWD_READ, CWD_COUNT_ };
enum exec_mode { EXEC_OFF, EXEC_AUDIT, EXEC_ENFORCE, EXEC_COUNT_ };
enum pool_serve { SERVE_ONCE, SERVE_FORKS, SERVE_COUNT_ };

/* PATH[:DEST] of --read and --write, as it was written ("~" and relative paths not yet resolved). */
struct bind_rule {
	const char *source;
	const char *dest; /* NULL: the same as source */
	bool optional; /* from a shipped policy: nothing is said when source does not exist */
};

struct bind_list {
	struct bind_rule *v;
	size_t n;
};

struct policy_filesystem {
	const char *root; /* "/", another root file system, or NULL: an empty one */
	struct bind_list write;
	struct bind_list read;
	struct strv hide; /* what does not exist is skipped */
	struct strv tmpfs;
	enum cwd_mode cwd;
	const char *workdir; /* NULL: the caller's working directory */
};

struct policy_user {
	enum user_mode mode;
	uint32_t uid, gid; /* for USER_ID */
};

struct env_pair {
	const char *key, *value;
};

struct policy_env {
	struct env_pair *set;
	size_t n_set;
	struct strv
		unset; /* patterns of policy_name_matches(); what is in set is set all the same */
	bool clear;
};

struct exec_rule {
	bool allow;
	const char *pattern;
	const char *hint;
};

struct policy_exec {
	enum exec_mode mode;
	bool default_allow;
	bool builtin; /* the built-in deny rules apply too */
	struct exec_rule *rules;
	size_t n_rules;
};

struct policy_retry {
	uint64_t attempts;
	struct strv on;
	uint64_t backoff_us, max_backoff_us;
	uint64_t grow_milli;
	uint64_t grow_max_bytes; /* 0: no bound but the host's memory */
};

struct policy_breaker {
	const char *key;
	uint64_t cooldown_us; /* 0: none */
	struct strv on;
	uint64_t threshold; /* 0: no breaker */
	uint64_t window_us;
};

struct policy_pool {
	uint64_t size;
	struct strv preload; /* empty: none */
	enum pool_serve serve; /* what becomes of one that has that command ready */
};

struct policy {
	const char *name;
	struct limits limits;
	struct policy_filesystem filesystem;
	enum network_mode network;
	struct policy_user user;
	struct policy_env env;
	struct policy_exec exec;
	struct strv syscalls_deny; /* names added to the deny-list */
	struct strv syscalls_allow; /* names taken off it */
	bool user_namespaces; /* the program may make some, and mount in them */
	struct policy_retry retry;
	struct policy_breaker breaker;
	struct policy_pool pool;
	bool capture_log;
	const char *capture_messages; /* NULL: none */
};

/*
 * Read "PATH" or "PATH:DEST" (DEST absolute or below "~"), not optional. 0; or -1, e saying what is
 * wrong with the text (BLAME_REQUEST).
 */
int bind_rule_parse(struct bind_rule *ret, struct arena *a, const char *text, struct error *e);
/* The same text back; in @a or @rule itself. */
const char *bind_rule_format(const struct bind_rule *rule, struct arena *a);

/*
 * True if @pattern is @name. A '*' at its beginning, its end or both stands for any text, also
 * none; the case of ASCII letters is then ignored, so that "*_token" is a secret too.
 */
bool policy_name_matches(const char *pattern, const char *name);

const char *network_mode_name(enum network_mode mode);
const char *exec_mode_name(enum exec_mode mode);

/*
 * Read one file of a policy for `extends: NAME|FILE` and the loader's own argument. Returned text
 * lives in @a. 0; or -1, with e set. Injected so that the model itself opens nothing.
 */
struct policy_source {
	int (*read)(void *data, struct arena *a, const char *name_or_path, const char **ret_path,
		const char **ret_text, size_t *ret_size, struct error *e);
	void *data;
};

/* True for what may be the name of a policy (letters, digits, '-', '_'): all else is a path. */
bool policy_is_name(const char *text);

/*
 * Load the policy @name_or_path with everything it extends (cycles and more than 8 levels are
 * refused). A name is a shipped policy or, failing that, what @source (may be NULL) has under it.
 * A file that does not say what it extends extends "default"; `extends: null` starts from nothing.
 *
 * Maps are merged and values replaced. Lists are added to, but for retry.on, breaker.on and
 * pool.preload, which are replaced; an entry "!X" takes X out of what was there, "!*" all of it.
 *
 * Values of a policy that is not "default" itself are ORIGIN_ASKED, those which it takes over from
 * "default" stay ORIGIN_DEFAULT. policy_check() was asked too. 0; or -1, e naming file, line and
 * column (BLAME_POLICY; a policy that does not exist is up to @source).
 */
int policy_load(struct policy *ret, struct arena *a, const struct policy_source *source,
	const char *name_or_path, struct error *e);

/* What an inline policy is called. */
#define POLICY_INLINE "inline"

/*
 * The same for a policy that came with a request, in @text of @size bytes: YAML or JSON. It can
 * extend only what has a name: who sends it does not choose a file that is read.
 */
int policy_load_text(struct policy *ret, struct arena *a, const struct policy_source *source,
	const char *text, size_t size, struct error *e);

/*
 * Nonsense combinations that no single value shows (swap without memory, grow below 1, idle
 * time-out above the wall time-out, …). 0; or -1 with e set to the first one.
 */
int policy_check(const struct policy *p, struct error *e);

/* The effective policy as a JSON object, all defaults written out; in @a. */
const char *policy_format_json(const struct policy *p, struct arena *a);
/* The same as YAML. Either can be read again as a policy file and means the same. */
const char *policy_format_yaml(const struct policy *p, struct arena *a);
/* JSON Schema (2020-12) of a policy file; in @a. */
const char *policy_schema_json(struct arena *a);

/*
 * Decode the YAML or JSON @text over the shipped policy that it extends. This is how the shipped
 * policies themselves are built in: values of "default" are ORIGIN_DEFAULT, binds are optional.
 */
int policy_load_shipped(struct policy *ret, struct arena *a, const char *name, const char *text,
	size_t size, struct error *e);

/* Text of a shipped policy, or NULL. They are built into the program, so none can be missing. */
const char *policy_shipped_text(const char *name, size_t *ret_size);
/* Names of the shipped policies, NULL-terminated, default first. */
const char *const *policy_shipped_names(void);

#endif
