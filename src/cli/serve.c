/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/operands.h"

#define DAEMON "bulkheadd"

/* Where it may lie, relative to the directory of this executable: beside it, or as installed. */
static const char *const places[] = {DAEMON, "../sbin/" DAEMON, "../libexec/bulkhead/" DAEMON};

static int own_directory(char out[PATH_MAX], struct error *e)
{
	ssize_t size = readlink("/proc/self/exe", out, PATH_MAX - 1);
	if (size < 0)
		return error_set(e, BLAME_HOST, errno, "cannot tell where bulkhead itself is");
	out[size] = '\0';
	*strrchr(out, '/') = '\0';
	return 0;
}

/* Returns only with an error. */
static int become_daemon(int argc, char **argv, struct arena *a, struct error *e)
{
	char dir[PATH_MAX];
	const char **words = arena_calloc(a, (size_t)argc + 1, sizeof(*words));
	if (own_directory(dir, e) < 0)
		return -1;
	memcpy(words, argv, (size_t)argc * sizeof(*words));
	words[0] = DAEMON;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		execv(arena_printf(a, "%s/%s", dir, places[i]), (char *const *)words);
		if (errno != ENOENT && errno != ENOTDIR)
			return error_set(
				e, BLAME_HOST, errno, "cannot run '%s/%s'", dir, places[i]);
	}
	error_set(e, BLAME_HOST, 0, "there is no '" DAEMON "' beside '%s/bulkhead'", dir);
	return error_hint(e, "it is a part of bulkhead that may not be installed");
}

/* What the options mean is the daemon's business; here only that there are such. */
static int pass_on(void *data, const char *name, const char *value, struct error *e)
{
	(void)data;
	(void)name;
	(void)value;
	(void)e;
	return 0;
}

int cli_serve(int argc, char **argv)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct error e = ERROR_INIT;
	const struct operands_form form = {COMMAND_SERVE, 0, 0, pass_on, NULL};
	struct strv none;
	int status = 0;
	int r = operands_read(&none, &form, argc, argv, &a, &status, &e);
	if (r > 0)
		return status;
	if (r == 0)
		become_daemon(argc, argv, &a, &e);
	return cli_fail(&e);
}
