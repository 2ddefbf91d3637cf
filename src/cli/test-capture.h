/* SPDX-License-Identifier: MIT */
#ifndef CLI_TEST_CAPTURE_H
#define CLI_TEST_CAPTURE_H

/* For the unit tests of commands: call one as main does, and look at what it wrote. */

#include "cli/commands.h"
#include "store/test-rows.h"

struct captured {
	int status;
	char out[16384], err[4096];
};

static inline void read_back(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);
	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
}

/* Let @fd go to a file without a name; the old one is in *ret_saved. Returns the file. */
static inline int redirect(int fd, int *ret_saved)
{
	int file = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	*ret_saved = dup(fd);
	assert_true(file >= 0 && *ret_saved >= 0 && dup2(file, fd) == fd);
	return file;
}

static inline void restore(int fd, int saved)
{
	assert_int_equal(dup2(saved, fd), fd);
	close(saved);
}

/* @words is the command line, NULL at its end. */
static inline void capture(
	struct captured *c, int (*command)(int, char **), const char *const *words)
{
	char *argv[16] = {NULL};
	int argc = 0, saved_out, saved_err;
	while (words[argc]) {
		argv[argc] = strdup(words[argc]);
		argc++;
	}
	fflush(NULL);
	int out = redirect(STDOUT_FILENO, &saved_out), err = redirect(STDERR_FILENO, &saved_err);
	c->status = command(argc, argv);
	restore(STDOUT_FILENO, saved_out);
	restore(STDERR_FILENO, saved_err);
	read_back(out, c->out, sizeof c->out);
	read_back(err, c->err, sizeof c->err);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
}

#define CAPTURE(c, command, ...) capture(c, command, (const char *const[]){__VA_ARGS__, NULL})

#endif
