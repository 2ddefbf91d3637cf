/* SPDX-License-Identifier: MIT */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include <stdbool.h>

#include "base/error.h"

/*
 * The subcommands of bulkhead. What each is called and takes stands in the table of command-table.c,
 * from which --help and the shell completions are made; main (bulkhead.c) calls them.
 */
enum command {
	COMMAND_RUN,
	COMMAND_PLAN,
	COMMAND_DOCTOR,
	COMMAND_RUNS,
	COMMAND_SHOW,
	COMMAND_LOGS,
	COMMAND_EXPLAIN,
	COMMAND_POLICY,
	COMMAND_BOX_CREATE,
	COMMAND_BOX_LIST,
	COMMAND_BOX_RM,
	COMMAND_EXEC,
	COMMAND_ATTACH,
	COMMAND_SIGNAL,
	COMMAND_KILL,
	COMMAND_SERVE,
	COMMAND_COMPLETION,
	COMMAND_HELP,
	COMMAND_VERSION,
	COMMAND_COUNT_,
};

/* What the operands of a command are: for completion, and for where its options end. */
enum operand_kind {
	OPERAND_NONE,
	OPERAND_PROGRAM, /* COMMAND [ARG…]: the first operand ends the options */
	OPERAND_BOX_PROGRAM, /* BOX COMMAND [ARG…]: the second operand ends the options */
	OPERAND_RUN_ID,
	OPERAND_BOX_ID,
	OPERAND_WORD, /* one of words */
};

struct command_spec {
	const char *name; /* one word, or two for those of a group: "box create" */
	const char *operands; /* as in the usage line, "" for none */
	const char *summary; /* one line */
	const char *description;
	enum operand_kind operand;
	const char *const *words; /* for OPERAND_WORD, NULL-terminated */
};

const struct command_spec *command_spec(enum command command);
/*
 * The command that the first of @argc words name, with *ret_words how many that takes (1 or 2).
 * -1 when there is none.
 */
int command_from_words(int argc, char *const *argv, int *ret_words);
/* "create" for "box create" in the group "box"; NULL if it is not in that group. */
const char *command_in_group(const struct command_spec *c, const char *group);
/* True if there are commands in this group. */
bool command_is_group(const char *word);
/* True if a program follows the options. */
bool command_takes_program(const struct command_spec *c);
/* The command's name that @word may have meant, or NULL. */
const char *command_nearest(const char *word);

/*
 * The commands. argv[0] is the command's name (the last word of it); the return value is the exit status. On failure
 * they have written one line to stderr (cli_fail) and return 125, or what bulkhead(1) says.
 */
int cli_run(int argc, char **argv);
int cli_plan(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_runs(int argc, char **argv);
int cli_show(int argc, char **argv);
int cli_logs(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_policy(int argc, char **argv);
int cli_box_create(int argc, char **argv);
int cli_box_list(int argc, char **argv);
int cli_box_rm(int argc, char **argv);
int cli_exec(int argc, char **argv);
int cli_attach(int argc, char **argv);
int cli_signal(int argc, char **argv);
int cli_kill(int argc, char **argv);
int cli_serve(int argc, char **argv);
int cli_completion(int argc, char **argv);
int cli_help(int argc, char **argv);
int cli_version(int argc, char **argv);

/* Say @e in one line on stderr, with who is to blame, and return 125. */
int cli_fail(const struct error *e);

#endif
