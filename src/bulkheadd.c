/* SPDX-License-Identifier: MIT */

/*
 * bulkheadd: the daemon. Its options stand in server/settings.c, what it is made of in server/daemon.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "server/daemon.h"

#define EXIT_REFUSED 125 /* as of bulkhead(1) */

/* Nothing that we were given, but stdin, stdout and stderr, goes on to anybody. */
static int keep_descriptors(struct error *e)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
			open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd) /* lowest free */
			return error_set(
				e, BLAME_HOST, errno, "cannot open '/dev/null' for closed stdio");
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	return 0;
}

static int print(const char *text)
{
	return fd_write_all(STDOUT_FILENO, text, strlen(text)) == 0 ? 0 : EXIT_REFUSED;
}

static int print_help(void)
{
	cleanup_buf struct buf out = BUF_INIT;
	settings_put_help(&out);
	return print(buf_str(&out));
}

int main(int argc, char **argv)
{
	cleanup_arena struct arena a = ARENA_INIT;
	struct settings settings;
	struct error e = ERROR_INIT;

	if (keep_descriptors(&e) < 0 || settings_parse(&settings, &a, argc, argv, &e) < 0) {
		log_error("%s", e.text);
		return EXIT_REFUSED;
	}
	if (settings.help)
		return print_help();
	if (settings.version)
		return print("bulkheadd " BULKHEAD_VERSION "\n");
	log_set_level(settings.quiet ? LOG_QUIET : settings.verbose ? LOG_VERBOSE : LOG_NORMAL);
	if (daemon_run(&settings, &a, &e) < 0) {
		log_error("%s (blame: %s)", e.text, blame_name(e.blame));
		return EXIT_REFUSED;
	}
	return 0;
}
