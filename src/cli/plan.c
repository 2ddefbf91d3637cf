/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/options.h"
#include "run/prepare.h"

int cli_plan(int argc, char **argv)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct request request;
	struct prepared prepared;
	struct error e = ERROR_INIT;
	const struct prepare_caller us = prepare_caller_self();
	bool json = false;

	int parsed = options_parse_plan(&request, &json, &a, argc, argv, &e);
	if (parsed != 0)
		return parsed > 0 ? help_print(COMMAND_PLAN) : cli_fail(&e);
	if (prepare_policy(&prepared, &request, &us, &a, &e) < 0 ||
		prepare_plan(&prepared, &request, &us, &a, &e) < 0)
		return cli_fail(&e);
	const char *text = json ? plan_format_json(&prepared.plan, &prepared.host, &a)
				: plan_format_text(&prepared.plan, &prepared.host, &a);
	if (fd_write_all(1, text, strlen(text)) < 0) {
		error_set(&e, BLAME_REQUEST, errno, "cannot write the plan");
		return cli_fail(&e);
	}
	return 0;
}
