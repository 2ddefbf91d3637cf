/* SPDX-License-Identifier: MIT */
#ifndef CLI_REMOVE_H
#define CLI_REMOVE_H

#include "cli/commands.h"

/* What `kill` and `box rm` have in common: things are told to end, and then waited for. */
struct remove_kind {
	enum command command;
	const char *end, *end_now; /* paths to DELETE, for client_path() */
	const char *wait; /* the path that answers when it has ended, and its method */
	const char *wait_method;
};

/* The command. All of them are told before any is waited for. Returns the exit status. */
int remove_command(const struct remove_kind *kind, int argc, char **argv);

#endif
