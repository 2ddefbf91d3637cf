/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/operands.h"
#include "model/api-client.h"
#include "run/raw-mode.h"
#include "run/run.h"

struct attach_options {
	bool with_stdin, quiet;
	const char *verdict;
};

static int set_option(void *data, const char *name, const char *value, struct error *e)
{
	struct attach_options *o = data;
	(void)e;
	if (strcmp(name, "stdin") == 0)
		o->with_stdin = true;
	else if (strcmp(name, "quiet") == 0)
		o->quiet = true;
	else /* --verdict */
		o->verdict = value;
	return 0;
}

/* Typed keys go to a terminal only: the end of a script's stdin is not meant for the program. */
static int attach(const char *id, const struct attach_options *o, struct verdict_file *file,
	struct arena *a, int *ret_status, struct error *e)
{
	struct api_run run;
	if (follow_look_up(&run, id, a, e) < 0)
		return -1;
	bool typed = run.tty && isatty(STDIN_FILENO) == 1;
	if (typed)
		raw_mode_wait(STDIN_FILENO);
	const struct attachment_request request = {
		.run = run.id,
		.with_stdin = o->with_stdin || typed,
		.terminal = run.tty,
	};
	return follow_run(&request, file, a, ret_status, e);
}

int cli_attach(int argc, char **argv)
{
	static struct arena a; /* as long as the process */
	struct error e = ERROR_INIT;
	struct attach_options o = {.verdict = NULL};
	struct verdict_file file = VERDICT_FILE_INIT;
	const struct operands_form form = {COMMAND_ATTACH, 1, 1, set_option, &o};
	struct strv ids;
	int status = 0;
	run_block_signals();
	int r = operands_read(&ids, &form, argc, argv, &a, &status, &e);
	if (r > 0)
		return status;
	log_set_level(o.quiet ? LOG_QUIET : LOG_NORMAL);
	if (r < 0 || (o.verdict && verdict_file_open(&file, o.verdict, &e) < 0) ||
		attach(ids.v[0], &o, &file, &a, &status, &e) < 0)
		return cli_fail(&e);
	return status;
}
