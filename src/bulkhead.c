/* SPDX-License-Identifier: MIT */

/*
 * bulkhead: the command line. What each command takes and says of itself stands in
 * cli/command-table.c and cli/option-table.c, what it does in cli/NAME.c.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/options.h"

static int (*const commands[])(int argc, char **argv) = {
	[COMMAND_RUN] = cli_run,
	[COMMAND_PLAN] = cli_plan,
	[COMMAND_DOCTOR] = cli_doctor,
	[COMMAND_RUNS] = cli_runs,
	[COMMAND_SHOW] = cli_show,
	[COMMAND_LOGS] = cli_logs,
	[COMMAND_EXPLAIN] = cli_explain,
	[COMMAND_POLICY] = cli_policy,
	[COMMAND_BOX_CREATE] = cli_box_create,
	[COMMAND_BOX_LIST] = cli_box_list,
	[COMMAND_BOX_RM] = cli_box_rm,
	[COMMAND_EXEC] = cli_exec,
	[COMMAND_ATTACH] = cli_attach,
	[COMMAND_SIGNAL] = cli_signal,
	[COMMAND_KILL] = cli_kill,
	[COMMAND_SERVE] = cli_serve,
	[COMMAND_COMPLETION] = cli_completion,
	[COMMAND_HELP] = cli_help,
	[COMMAND_VERSION] = cli_version,
};
static_assert(
	sizeof(commands) / sizeof(commands[0]) == COMMAND_COUNT_, "a command has no function");

/*
 * With one of fds 0, 1, 2 closed, the next file opened would take its number and get what is
 * written to stderr, the state data base for instance. /dev/null stands in: for stdin write-only
 * and for the others read-only, so that using it fails, as it would have failed when closed.
 */
static int fill_stdio(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
			open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd) /* lowest free */
			return -1;
	return 0;
}

static int refuse_command(const char *word)
{
	struct error e = ERROR_INIT;
	char shown[OPTION_SHOWN_SIZE];
	const char *near = command_nearest(word);

	error_set(&e, BLAME_REQUEST, 0, "unknown %s '%s'", *word == '-' ? "option" : "command",
		option_shown(word, shown));
	if (near)
		error_hint(&e, "did you mean '%s'?", near);
	else if (*word == '-')
		error_hint(&e, "options stand behind the command: bulkhead run [options] ...");
	else
		error_hint(&e, "to run a program: bulkhead run -- %s", shown);
	return cli_fail(&e);
}

static bool is_any(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* A group alone, or with a word that none of its commands has. */
static int refuse_group(const char *group, const char *word)
{
	struct error e = ERROR_INIT;
	char shown[OPTION_SHOWN_SIZE];

	if (word && is_any(word, "--help", "-h"))
		return help_print_group(group);
	if (word)
		error_set(&e, BLAME_REQUEST, 0, "'%s' has no command '%s'", group,
			option_shown(word, shown));
	else
		error_set(&e, BLAME_REQUEST, 0, "'%s' needs a command", group);
	error_hint(&e, "see 'bulkhead %s --help'", group);
	return cli_fail(&e);
}

int main(int argc, char **argv)
{
	struct error e = ERROR_INIT;
	int command, words;

	if (fill_stdio() < 0) {
		error_set(&e, BLAME_HOST, errno, "cannot open '/dev/null' for closed stdio");
		return cli_fail(&e);
	}
	if (argc < 2) {
		error_set(&e, BLAME_REQUEST, 0, "no command given; see 'bulkhead --help'");
		return cli_fail(&e);
	}
	if (is_any(argv[1], "--help", "-h"))
		return help_print_overview();
	if (is_any(argv[1], "--version", "-V"))
		return cli_version(1, argv + 1);
	command = command_from_words(argc - 1, argv + 1, &words);
	if (command < 0)
		return command_is_group(argv[1]) ? refuse_group(argv[1], argv[2])
						 : refuse_command(argv[1]);
	if (argc > words + 1 && is_any(argv[words + 1], "--help", "-h"))
		return help_print((enum command)command);
	return commands[command](argc - words, argv + words);
}
