/* SPDX-License-Identifier: MIT */
#ifndef MODEL_POLICY_KEYS_H
#define MODEL_POLICY_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/policy.h"

/*
 * Every key of a policy file, once. The decoder, the writer, the JSON Schema, the built-in policies
 * and the test of docs/policy.md all walk this table: a new key is a row here and a member in
 * policy.h. What a kind of value looks like is known in one place per direction, by policy_kind.
 */

enum policy_kind {
	KEY_LIMIT, /* struct limit_value; @limit says which */
	KEY_SIZE, /* uint64_t of bytes; null is 0 */
	KEY_DURATION, /* uint64_t of µs; null is 0 */
	KEY_NUMBER, /* uint64_t */
	KEY_FACTOR, /* uint64_t of thousandths */
	KEY_BOOL, /* bool */
	KEY_CHOICE, /* an enum, its values in the order of @choices */
	KEY_FLAG, /* bool, written as one of the two @choices: false first */
	KEY_STRING, /* const char * */
	KEY_STRINGS, /* struct strv of @item */
	KEY_BINDS, /* struct bind_list */
	KEY_USER, /* struct policy_user */
	KEY_ENV, /* the set and n_set of struct policy_env */
	KEY_RULES, /* the rules and n_rules of struct policy_exec */
	KEY_KIND_COUNT_,
};

/* What a string, or each string of a list, has to be. */
enum policy_item {
	ITEM_TEXT,
	ITEM_PATH,
	ITEM_ROOT, /* an absolute path, or one below ~ */
	ITEM_HIDE, /* a path; its last component may end in '*' */
	ITEM_PATTERN, /* of environment names */
	ITEM_NAME, /* of an environment variable */
	ITEM_SYSCALL, /* NAME or NAME:ACTION */
	ITEM_OUTCOME, /* a cause, or an advice on retrying */
	ITEM_BIND, /* PATH[:DEST] */
	ITEM_COUNT_,
};

struct policy_key {
	const char *section; /* NULL: at the top */
	const char *name;
	enum policy_kind kind;
	size_t offset; /* in struct policy */
	const char *member; /* the same as C text, for the generator of the built-in policies */
	enum limit limit; /* of a KEY_LIMIT */
	uint64_t min, max; /* of sizes, durations, counts and factors */
	const char *const *choices; /* NULL-terminated */
	enum policy_item item;
	bool nullable; /* null says: none */
	bool inherits; /* a list is added to the one of the policy that is extended */
	const char *help;
};

extern const struct policy_key policy_keys[];
extern const size_t policy_keys_count;

/* The sections in the order of the file, NULL-terminated, and what they are about. */
struct policy_section {
	const char *name, *help;
};
extern const struct policy_section policy_sections[];

/* NULL when there is none. @section may be NULL: a key at the top. */
const struct policy_key *policy_key_find(const char *section, const char *name);

static inline void *policy_key_target(const struct policy_key *key, struct policy *policy)
{
	return (char *)policy + key->offset;
}

static inline const void *policy_key_value(
	const struct policy_key *key, const struct policy *policy)
{
	return (const char *)policy + key->offset;
}

/*
 * What is wrong with @text as an @item, for after its name: "may not be empty"; or NULL. The limits
 * are the kernel's own, PATH_MAX and the like.
 */
const char *policy_item_fault(enum policy_item item, const char *text);
/* A pattern for JSON Schema that refuses no more than policy_item_fault() does; or NULL. */
const char *policy_item_pattern(enum policy_item item);

#endif
