/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/operands.h"
#include "cli/remove.h"
#include "model/api-client.h"

/* ---- signal RUN SIG ---- */

/* "TERM", "SIGTERM", "sigterm" or "15": its number; -1 for none. */
static int signal_from_text(const char *text)
{
	uint64_t number;
	if (parse_u64(text, SIGRTMAX, &number) == 0)
		return number > 0 ? (int)number : -1;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int i = 1; i < SIGRTMIN; i++) {
		const char *name = sigabbrev_np(i);
		if (name && strcasecmp(name, text) == 0)
			return i;
	}
	return -1;
}

static int send_signal(const char *run, const char *text, struct arena *a, struct error *e)
{
	cleanup_http_answer struct http_answer answer = HTTP_ANSWER_NONE;
	char shown[OPTION_SHOWN_SIZE];
	int number = signal_from_text(text);
	if (number < 0)
		return error_set(e, BLAME_REQUEST, 0, "'%s' is no signal, such as TERM or 15",
			option_shown(text, shown));
	const struct client_call call = {
		.method = "POST",
		.path = client_path(a, "/v1/runs/%s/signal", run),
		.body = api_format_signal(number, a),
	};
	return client_call(&call, &answer, e);
}

static int set_nothing(void *data, const char *name, const char *value, struct error *e)
{
	(void)data;
	(void)value;
	return error_set(e, BLAME_US, 0, "nobody looks at '--%s'", name);
}

int cli_signal(int argc, char **argv)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	const struct operands_form form = {COMMAND_SIGNAL, 2, 2, set_nothing, NULL};
	struct strv words;
	int status = 0;
	int r = operands_read(&words, &form, argc, argv, &a, &status, &e);
	if (r > 0)
		return status;
	if (r < 0 || send_signal(words.v[0], words.v[1], &a, &e) < 0)
		return cli_fail(&e);
	return 0;
}

/* ---- kill RUN… ---- */

int cli_kill(int argc, char **argv)
{
	static const struct remove_kind runs = {
		COMMAND_KILL, "/v1/runs/%s", "/v1/runs/%s?now=1", "/v1/runs/%s?wait=1", "GET"};
	return remove_command(&runs, argc, argv);
}
