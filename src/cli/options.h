/* SPDX-License-Identifier: MIT */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "cli/option-table.h"
#include "model/request.h"

/*
 * Reading a command line.
 *
 *   --name VALUE  --name=VALUE  -t    options; a name must be whole, abbreviations are refused
 *   --                                ends the options
 *   anything else                     run, plan: the first such word is COMMAND and ends the options;
 *                                     exec: the first is BOX, the second COMMAND;
 *                                     other commands: an operand, options may follow
 *
 * An option that is not repeatable may be given once.
 */
struct option_scan {
	enum command command;
	int argc;
	char **argv;
	int next; /* the first argument not looked at yet */
	uint64_t seen; /* options given so far, a bit for each place in the table */
	bool ended; /* "--" was met */
	int n_operands; /* before COMMAND */
};

enum option_found {
	SCAN_ERROR = -1, /* the error says why */
	SCAN_END, /* for run, plan and exec, next is the place of COMMAND */
	SCAN_OPTION,
	SCAN_OPERAND,
};

/* argv[0] is the name of the command. */
void option_scan_init(struct option_scan *s, enum command command, int argc, char **argv);

/*
 * The next option or operand of the line. *ret_value (borrowed from argv) is the value of the
 * option, NULL for flags, or the operand. Options that another command takes are unknown here.
 */
enum option_found option_scan(struct option_scan *s, const struct option_spec **ret_option,
	const char **ret_value, struct error *e);

/*
 * Read the command line of `bulkhead run` into @ret: 0. Returns 1 if --help was asked for (the
 * caller calls help_print(COMMAND_RUN)), -1 with @e (BLAME_REQUEST) otherwise. @ret points into @a and
 * argv; no file is looked at.
 */
int options_parse_run(struct request *ret, struct arena *a, int argc, char **argv, struct error *e);

/* The same for `bulkhead plan`, which takes --json besides. */
int options_parse_plan(struct request *ret, bool *ret_json, struct arena *a, int argc, char **argv,
	struct error *e);

/* The same for `bulkhead exec`, with BOX in ret->box. */
int options_parse_exec(
	struct request *ret, struct arena *a, int argc, char **argv, struct error *e);

/* The same for `bulkhead box create`, without a command. */
int options_parse_box(struct request *ret, struct arena *a, int argc, char **argv, struct error *e);

/* -1 (with @e) for a name of a variable that is not UTF-8, which the daemon's API cannot say. */
int options_check_names(const struct request *request, struct error *e);

/* Say as much as --quiet and --verbose want. */
void options_set_verbosity(const struct request *request);

/* What the setters of option-set.c write to. */
struct option_target {
	struct request *request;
	struct arena *arena;
	enum command command;
	bool help;
	bool json;
};

/* Store @value (NULL for flags) as option @o of @t. 0; or -1 with @e. */
int option_set(
	struct option_target *t, const struct option_spec *o, const char *value, struct error *e);

#define OPTION_SHOWN_SIZE 272
/*
 * @s for an error message, in @out: control bytes and invalid UTF-8 as \xNN, cut after 64 bytes.
 * Returns @out.
 */
const char *option_shown(const char *s, char out[OPTION_SHOWN_SIZE]);

#endif
