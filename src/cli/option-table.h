/* SPDX-License-Identifier: MIT */
#ifndef CLI_OPTION_TABLE_H
#define CLI_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/commands.h"

/*
 * The one table of options: the parser (options.c), --help, the shell completions and the check
 * of the manual page are made from it.
 */

/* How the value of an option is read, and what completes it. */
enum option_kind {
	OPTION_FLAG, /* no value; field is a bool */
	OPTION_LIMIT, /* field is an enum limit */
	OPTION_GRACE, /* DUR */
	OPTION_OOM, /* one of choices */
	OPTION_POLICY, /* NAME|FILE; field is a const char * */
	OPTION_DIR, /* field is a const char * */
	OPTION_FILE, /* the same */
	OPTION_BOX, /* field is a const char * */
	OPTION_KEY, /* field is a const char * */
	OPTION_VERDICT, /* FILE|fd:N */
	OPTION_BIND, /* PATH[:DEST]; field is a struct bind_list */
	OPTION_HIDE, /* field is a struct strv, as in the next ones */
	OPTION_TMPFS,
	OPTION_ENV, /* K=V or K */
	OPTION_UNSET, /* K, '*' at either end */
	OPTION_USER, /* one of choices, or UID[:GID] */
	OPTION_NET, /* one of choices */
	OPTION_HELP, /* no value: show the help, do nothing */
	OPTION_OWN_FLAG, /* no value; the command itself looks at it, as at the next one */
	OPTION_OWN_VALUE,
	OPTION_OWN_PATH,
	OPTION_OWN_POLICY,
	OPTION_KIND_COUNT_,
};

/* The headings of --help. */
enum option_group {
	OPTIONS_LIMITS,
	OPTIONS_FILES,
	OPTIONS_SURROUNDINGS,
	OPTIONS_OUTPUT,
	OPTIONS_GROUP_COUNT_,
};

#define OPTION_FOR(command) (1u << (command))

struct option_spec {
	const char *name; /* without the dashes */
	char letter; /* the short form, or 0 */
	enum option_kind kind;
	const char *metavar; /* NULL for flags */
	const char *help; /* for --help; no full stop */
	enum option_group group;
	unsigned commands; /* OPTION_FOR() of each command that takes it */
	bool repeatable;
	size_t field; /* by kind: offset in struct request, or enum limit */
	const char *const *choices; /* NULL-terminated words that the value may be, or NULL */
};

extern const struct option_spec option_table[];
extern const size_t option_table_size;

/* A loop over the options of one command. */
#define for_each_option(o, command)                                                                \
	for (const struct option_spec *o = option_table; o < option_table + option_table_size;     \
		o++)                                                                               \
		if (o->commands & OPTION_FOR(command))

bool option_takes_value(const struct option_spec *o);
const char *option_group_title(enum option_group group);

#endif
