/* SPDX-License-Identifier: MIT */
#include "cli/follow.h"

#include <string.h>

#include "base/log.h"
#include "model/api-client.h"

static void write_verdict(struct verdict_file *file, const char *verdict, struct arena *a)
{
	struct error e = ERROR_INIT;
	size_t size = strlen(verdict);
	bool ends = size > 0 && verdict[size - 1] == '\n';
	const char *text = ends ? verdict : arena_printf(a, "%s\n", verdict);
	if (verdict_file_write(file, text, strlen(text), &e) < 0)
		log_error("%s", e.text);
}

static void say(const struct api_end *end)
{
	if (end->cause == CAUSE_SETUP_FAILED)
		log_error("%s", end->line);
	else if (end->cause != CAUSE_OK)
		log_line("%s", end->line);
}

int follow_run(const struct attachment_request *request, struct verdict_file *file, struct arena *a,
	int *ret_status, struct error *e)
{
	struct attachment_end went;
	struct api_end end;
	if (attachment_follow(&went, request, a, e) < 0)
		return -1;
	if (!went.verdict) {
		*ret_status = 128 + went.signal;
		return 0;
	}
	if (api_parse_verdict(&end, went.verdict, strlen(went.verdict), a, e) < 0)
		return -1;
	write_verdict(file, went.verdict, a);
	say(&end);
	*ret_status = end.exit_status;
	return 0;
}
