/* SPDX-License-Identifier: MIT */
#include "cli/commands.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "model/verdict.h"

static const char *const policy_words[] = {"list", "show", "check", "schema", NULL};
static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static const struct command_spec commands[] = {
	[COMMAND_RUN] = {"run", "[--] COMMAND [ARG...]",
		"run a program in a box; end with a verdict",
		"Run COMMAND in a box of its own: under limits, with the file system read-only\n"
		"but for the working directory, with no network and no privileges. Its input\n"
		"and output are the caller's own. The exit status is the program's own, or\n"
		"128+N after signal N; 124 after a time-out; 125 if bulkhead could not run it;\n"
		"126 not executable; 127 not found. On anything but a clean end, one line on\n"
		"stderr says why.",
		OPERAND_PROGRAM, NULL},
	[COMMAND_PLAN] = {"plan", "[--] COMMAND [ARG...]",
		"show what run would do here; run nothing",
		"Show the steps that make the box for COMMAND, and what this host will enforce\n"
		"of the limits. Nothing is run.",
		OPERAND_PROGRAM, NULL},
	[COMMAND_DOCTOR] = {"doctor", "",
		"what this host can enforce, and how to mend what is missing",
		"Try out what this host lets a box have: limits, namespaces, filters. For what is\n"
		"missing, say why and give the command that mends it. The exit status is 0 if\n"
		"nothing is missing, 1 otherwise.",
		OPERAND_NONE, NULL},
	[COMMAND_RUNS] = {"runs", "", "list the recorded runs",
		"List the recorded runs, the newest first.", OPERAND_NONE, NULL},
	[COMMAND_SHOW] = {"show", "ID", "show the verdict of a recorded run",
		"Show the verdict of run ID with its evidence, and what the run used over time.\n"
		"The first characters of an ID are enough if no other run has them.",
		OPERAND_RUN_ID, NULL},
	[COMMAND_LOGS] = {"logs", "ID", "show the captured output of a run",
		"Write what run ID wrote, as far as it was captured (run --log, --idle-timeout,\n"
		"--output-limit).",
		OPERAND_RUN_ID, NULL},
	[COMMAND_EXPLAIN] = {"explain", "ID | FILE.json | --exit N",
		"say how a verdict follows from what was seen",
		"Derive the verdict of run ID again from what was recorded, and show the chain of\n"
		"reasoning: what was looked at, what it said, what that rules out. FILE.json is a\n"
		"verdict (run --verdict) or an observation; a name with a dot or a slash is a\n"
		"file, and - is stdin. With --exit, say what a bare number may mean: an exit\n"
		"status (137), a signal (-9, SIGKILL), a status of wait(2) (35072).",
		OPERAND_RUN_ID, NULL},
	[COMMAND_POLICY] = {"policy", "list | show NAME|FILE | check FILE | schema",
		"list, show and check policies",
		"list    the policies that come with bulkhead\n"
		"show    a policy with everything it extends, all values written out\n"
		"check   read a policy file and say what is wrong with it\n"
		"schema  the JSON Schema of policy files, or of verdicts",
		OPERAND_WORD, policy_words},
	[COMMAND_COMPLETION] = {"completion", "bash | zsh | fish", "print a completion script",
		"Print the completion script for a shell, for instance\n"
		"  bulkhead completion bash > /etc/bash_completion.d/bulkhead",
		OPERAND_WORD, shells},
	[COMMAND_HELP] = {"help", "[COMMAND]", "show this, or the help of a command",
		"Show the help of bulkhead, or of one of its commands.", OPERAND_WORD, NULL},
	[COMMAND_VERSION] = {"version", "", "show the version", "Show the version of bulkhead.",
		OPERAND_NONE, NULL},
};
static_assert(sizeof(commands) / sizeof(commands[0]) == COMMAND_COUNT_, "a command has no entry");

const struct command_spec *command_spec(enum command command)
{
	return &commands[command];
}

int command_from_name(const char *name)
{
	for (int i = 0; i < COMMAND_COUNT_; i++)
		if (strcmp(commands[i].name, name) == 0)
			return i;
	return -1;
}

const char *command_nearest(const char *word)
{
	const char *names[COMMAND_COUNT_ + 1];

	for (int i = 0; i < COMMAND_COUNT_; i++)
		names[i] = commands[i].name;
	names[COMMAND_COUNT_] = NULL;
	return nearest_name(word, names);
}

int cli_fail(const struct error *e)
{
	log_error("%s (blame: %s)", e->text, blame_name(e->blame));
	return EXIT_REFUSED;
}
