/* SPDX-License-Identifier: MIT */
#include "cli/follow.h"

#include <string.h>

#include "base/log.h"
#include "cli/client.h"

int follow_look_up(struct api_run *ret, const char *id, struct arena *a, struct error *e)
{
	cleanup_http_answer struct http_answer answer = HTTP_ANSWER_NONE;
	const struct client_call call = {
		.method = "GET", .path = client_path(a, "/v1/runs/%s", id)};
	if (client_call(&call, &answer, e) < 0)
		return -1;
	return api_parse_run(ret, answer.body.data, answer.body.size, a, e);
}

/* A daemon that is gone by now has told all but this. */
static int exit_status(const struct api_end *end, const char *id, struct arena *a)
{
	struct api_run run;
	struct error e = ERROR_INIT;
	bool known = end->status_is_likely && follow_look_up(&run, id, a, &e) == 0 &&
		run.exit_status > 0;
	return known ? run.exit_status : end->exit_status;
}

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
	*ret_status = exit_status(&end, request->run, a);
	return 0;
}
