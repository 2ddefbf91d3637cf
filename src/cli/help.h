/* SPDX-License-Identifier: MIT */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "base/buf.h"
#include "cli/commands.h"

/* Append the help of bulkhead as a whole, or of one command, made from the tables. 80 columns. */
void help_put_overview(struct buf *b);
void help_put_command(struct buf *b, enum command command);

/* Write the help of @command to stdout. Returns the exit status: 0, or 125 if stdout failed. */
int help_print(enum command command);
/* Likewise for `bulkhead --help`. */
int help_print_overview(void);
/* Likewise for a group of commands: `bulkhead box --help`. */
int help_print_group(const char *group);

#endif
