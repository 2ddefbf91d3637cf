/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/options.h"
#include "model/doctor.h"
#include "run/host.h"

enum { DOCTOR_FULL = 0, DOCTOR_DEGRADED = 1 };

struct doctor_request {
	bool json;
	bool help;
};

static int refuse_operand(const char *operand, struct error *e)
{
	char shown[OPTION_SHOWN_SIZE];
	return error_set(e, BLAME_REQUEST, 0, "doctor takes no '%s'", option_shown(operand, shown));
}

static int parse(struct doctor_request *ret, int argc, char **argv, struct error *e)
{
	struct option_scan scan;
	const struct option_spec *option;
	const char *value;
	enum option_found found;
	option_scan_init(&scan, COMMAND_DOCTOR, argc, argv);
	while ((found = option_scan(&scan, &option, &value, e)) == SCAN_OPTION) {
		if (option->kind == OPTION_HELP)
			ret->help = true;
		else if (strcmp(option->name, "json") == 0)
			ret->json = true;
	}
	if (found == SCAN_OPERAND)
		return refuse_operand(value, e);
	return found == SCAN_END ? 0 : -1;
}

static int examine(const struct doctor_request *request, struct error *e)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct policy policy;
	struct host host;
	struct doctor doctor;
	if (policy_load(&policy, &a, NULL, "default", e) < 0)
		return -1;
	host_probe(&host, &a, true);
	doctor_examine(&doctor, &host, &policy, &a);
	const char *text =
		request->json ? codec_doctor_json(&doctor, &a) : doctor_format_text(&doctor, &a);
	if (fd_write_all(STDOUT_FILENO, text, strlen(text)) < 0)
		return error_set(e, BLAME_REQUEST, errno, "cannot write to stdout");
	return doctor.full ? DOCTOR_FULL : DOCTOR_DEGRADED;
}

int cli_doctor(int argc, char **argv)
{
	struct doctor_request request = {0};
	struct error e = ERROR_INIT;
	if (parse(&request, argc, argv, &e) < 0)
		return cli_fail(&e);
	if (request.help)
		return help_print(COMMAND_DOCTOR);
	int status = examine(&request, &e);
	return status < 0 ? cli_fail(&e) : status;
}
