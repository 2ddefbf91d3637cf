/* SPDX-License-Identifier: MIT */
#include "cli/completion.h"

#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "cli/completion-words.h"
#include "cli/options.h"
#include "model/verdict.h"

static const struct {
	const char *name;
	void (*put)(struct buf *b);
} shells[] = {
	{"bash", completion_put_bash},
	{"zsh", completion_put_zsh},
	{"fish", completion_put_fish},
};

int completion_put(struct buf *b, const char *shell)
{
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		if (strcmp(shells[i].name, shell) == 0) {
			shells[i].put(b);
			return 0;
		}
	return -1;
}

int cli_completion(int argc, char **argv)
{
	cleanup_buf struct buf b = BUF_INIT;
	struct error e = ERROR_INIT;
	char shown[OPTION_SHOWN_SIZE];

	if (argc != 2) {
		error_set(&e, BLAME_REQUEST, 0, "usage: bulkhead completion bash|zsh|fish");
		return cli_fail(&e);
	}
	if (completion_put(&b, argv[1]) < 0) {
		error_set(&e, BLAME_REQUEST, 0,
			"no completion for '%s'; there is bash, zsh and fish",
			option_shown(argv[1], shown));
		return cli_fail(&e);
	}
	if (fd_write_all(STDOUT_FILENO, b.data, b.size) == 0)
		return 0;
	log_error("cannot write to stdout: %m");
	return EXIT_REFUSED;
}
