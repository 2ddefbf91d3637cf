/* SPDX-License-Identifier: MIT */
#include "cli/commands.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "model/verdict.h"

static const char *const policy_words[] = {"list", "show", "check", "schema", "match", NULL};
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
	[COMMAND_POLICY] = {"policy", "WORD [NAME|FILE] [-- COMMAND [ARG...]]",
		"list, show and check policies",
		"list    the policies that come with bulkhead\n"
		"show    a policy with everything it extends, all values written out\n"
		"check   read a policy file and say what is wrong with it\n"
		"schema  the JSON Schema of policy files, or of verdicts\n"
		"match   what the exec rules of a policy say to COMMAND, which of them and why;\n"
		"        ends with 1 if it is denied",
		OPERAND_WORD, policy_words},
	[COMMAND_BOX_CREATE] = {"box create", "", "have the daemon keep a box for many runs",
		"Have the daemon make a box, wait until it is ready, and print its ID. It stays\n"
		"until 'box rm'; limits are those of all that runs in it together.",
		OPERAND_NONE, NULL},
	[COMMAND_BOX_LIST] = {"box list", "", "list the boxes that the daemon keeps",
		"List the boxes that the daemon keeps, and those gone of late.", OPERAND_NONE,
		NULL},
	[COMMAND_BOX_RM] = {"box rm", "ID...", "end a box and all that runs in it",
		"End all that runs in a box: TERM, the grace time, KILL; then the box itself.\n"
		"Returns when nothing of it is left.",
		OPERAND_BOX_ID, NULL},
	[COMMAND_EXEC] = {"exec", "BOX [--] COMMAND [ARG...]",
		"run a program in a kept box, as run does",
		"Run COMMAND in a box that the daemon keeps, with a verdict and limits of its\n"
		"own. Input, output, exit status and the line on stderr are as with run. If this\n"
		"process ends, so does the run.",
		OPERAND_BOX_PROGRAM, NULL},
	[COMMAND_ATTACH] = {"attach", "RUN", "follow a run of the daemon to its end",
		"Write what a run of the daemon has written and goes on to write, and end as it\n"
		"ends. Its input is sent too if both sides have a terminal, or with --stdin.\n"
		"A signal ends only the attaching; the run goes on.",
		OPERAND_RUN_ID, NULL},
	[COMMAND_SIGNAL] = {"signal", "RUN SIG", "send a signal to a run of the daemon",
		"Send the signal SIG (TERM, SIGTERM, 15) to the program of a run of the daemon.",
		OPERAND_RUN_ID, NULL},
	[COMMAND_KILL] = {"kill", "RUN...", "end runs of the daemon",
		"End runs of the daemon with all their processes: TERM, the grace time, KILL.\n"
		"Returns when they have ended.",
		OPERAND_RUN_ID, NULL},
	[COMMAND_SERVE] = {"serve", "", "keep boxes and serve the HTTP API",
		"Be the daemon, bulkheadd, in the foreground: keep boxes, run commands in them,\n"
		"speak HTTP at a Unix socket. See bulkheadd(8).",
		OPERAND_NONE, NULL},
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

const char *command_in_group(const struct command_spec *c, const char *group)
{
	size_t size = strlen(group);
	bool in = strncmp(c->name, group, size) == 0 && c->name[size] == ' ';
	return in ? c->name + size + 1 : NULL;
}

bool command_is_group(const char *word)
{
	for (int i = 0; i < COMMAND_COUNT_; i++)
		if (command_in_group(&commands[i], word))
			return true;
	return false;
}

bool command_takes_program(const struct command_spec *c)
{
	return c->operand == OPERAND_PROGRAM || c->operand == OPERAND_BOX_PROGRAM;
}

int command_from_words(int argc, char *const *argv, int *ret_words)
{
	for (int i = 0; i < COMMAND_COUNT_; i++) {
		const char *second = argc > 1 ? command_in_group(&commands[i], argv[0]) : NULL;
		bool one = strcmp(commands[i].name, argv[0]) == 0;
		if (!one && !(second && strcmp(second, argv[1]) == 0))
			continue;
		*ret_words = one ? 1 : 2;
		return i;
	}
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
