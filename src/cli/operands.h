/* SPDX-License-Identifier: MIT */
#ifndef CLI_OPERANDS_H
#define CLI_OPERANDS_H

#include "base/arena.h"
#include "cli/options.h"

/*
 * Read the command line of @command: its flags and values by @set, and @least to @most operands. 0;
 * 1 when --help was asked for, and shown with *ret_status; -1 with @e. Operands are not empty.
 */
struct operands_form {
	enum command command;
	size_t least, most;
	int (*set)(void *data, const char *name, const char *value, struct error *e);
	void *data;
};
int operands_read(struct strv *ret, const struct operands_form *form, int argc, char **argv,
	struct arena *a, int *ret_status, struct error *e);

#endif
