/* SPDX-License-Identifier: MIT */
#include "cli/exec.h"

#include <string.h>

#include "base/buf.h"
#include "base/time.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/uplink.h"
#include "model/api-client.h"
#include "run/raw-mode.h"
#include "run/run.h"

#define DEFAULT_GRACE_US (2 * US_PER_SEC)

/* What the API cannot say, or would say without the option's name. */
static int check(const struct request *request, struct error *e)
{
	char shown[OPTION_SHOWN_SIZE];
	if (request->workdir && *request->workdir != '/')
		return error_set(e, BLAME_REQUEST, 0,
			"'--workdir %s': a directory of the box is named from its root on",
			option_shown(request->workdir, shown));
	return options_check_names(request, e);
}

static int start(
	struct api_run *ret, const struct request *request, struct arena *a, struct error *e)
{
	cleanup_http_answer struct http_answer answer = HTTP_ANSWER_NONE;
	struct winsize window = uplink_window();
	const struct api_terminal terminal = {window.ws_row, window.ws_col};
	const struct client_call call = {
		.method = "POST",
		.path = client_path(a, "/v1/boxes/%s/runs", request->box),
		.body = api_format_run(request, &terminal, a),
	};
	if (client_call(&call, &answer, e) < 0)
		return -1;
	return api_parse_run(ret, answer.body.data, answer.body.size, a, e);
}

static int execute(const struct request *request, struct verdict_file *file, struct arena *a,
	int *ret_status, struct error *e)
{
	struct api_run run;
	if (request->tty)
		raw_mode_wait(0);
	if (start(&run, request, a, e) < 0)
		return -1;
	const struct attachment_request follow = {
		.run = run.id,
		.owner = true,
		.with_stdin = true,
		.terminal = request->tty,
		.grace_us = request->grace_given ? request->grace_us : DEFAULT_GRACE_US,
	};
	return follow_run(&follow, file, a, ret_status, e);
}

int exec_in_box(const struct request *request, struct arena *a)
{
	struct error e = ERROR_INIT;
	struct verdict_file file = VERDICT_FILE_INIT;
	int status;
	options_set_verbosity(request);
	if (check(request, &e) < 0 ||
		(request->verdict && verdict_file_open(&file, request->verdict, &e) < 0) ||
		execute(request, &file, a, &status, &e) < 0)
		return cli_fail(&e);
	return status;
}

int cli_exec(int argc, char **argv)
{
	static struct arena a; /* as long as the process */
	struct request request;
	struct error e = ERROR_INIT;
	run_block_signals();
	int parsed = options_parse_exec(&request, &a, argc, argv, &e);
	if (parsed != 0)
		return parsed > 0 ? help_print(COMMAND_EXEC) : cli_fail(&e);
	return exec_in_box(&request, &a);
}
