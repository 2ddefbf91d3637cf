/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

/*
 * attacks NAME [ARG]     try it: 0 it was stopped, 1 it worked, 2 it does not apply here, 3 usage
 * attacks --list         all names
 * attacks --controls     the names of those that work where there is no box (for root)
 */

static const struct attack *const groups[] = {mount_attacks, kernel_attacks, process_attacks,
	file_attacks, nested_attacks, limit_attacks};

#define N_GROUPS (sizeof(groups) / sizeof(groups[0]))

static enum outcome say(enum outcome outcome, const char *format, va_list args)
{
	static const char *const words[] = {"stopped: ", "WORKED: ", "not applicable: "};

	fputs(words[outcome], stdout);
	vprintf(format, args);
	putchar('\n');
	fflush(stdout);
	return outcome;
}

#define DEFINE_SAY(name, CODE)                                                                     \
	enum outcome name(const char *format, ...)                                                 \
	{                                                                                          \
		va_list args;                                                                      \
                                                                                                   \
		va_start(args, format);                                                            \
		say(CODE, format, args);                                                           \
		va_end(args);                                                                      \
		return CODE;                                                                       \
	}

DEFINE_SAY(stopped, STOPPED)
DEFINE_SAY(worked, WORKED)
DEFINE_SAY(not_applicable, NOT_APPLICABLE)

enum outcome judge(long result, const char *what)
{
	return result >= 0 ? worked("%s", what) : stopped("%s: %s", what, strerror(errno));
}

enum outcome judge_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0)
		close(fd);
	return judge(fd, path);
}

enum outcome judge_any_open(const char *const *paths, int flags)
{
	const char *last = "none is there";

	for (; *paths != NULL; paths++) {
		int fd = open(*paths, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

		if (fd >= 0) {
			close(fd);
			return worked("opened %s", *paths);
		}
		if (errno != ENOENT)
			last = strerror(errno);
	}
	return stopped("%s", last);
}

int in_child(void (*body)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		body();
		_exit(0);
	}
	if (pid > 0 && waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static int list(bool controls)
{
	for (size_t g = 0; g < N_GROUPS; g++) {
		for (const struct attack *a = groups[g]; a->name != NULL; a++) {
			if (a->control || !controls)
				puts(a->name);
		}
	}
	return 0;
}

static int attack(const char *name, const char *arg)
{
	for (size_t g = 0; g < N_GROUPS; g++) {
		for (const struct attack *a = groups[g]; a->name != NULL; a++) {
			if (strcmp(a->name, name) == 0)
				return (int)a->run(arg);
		}
	}
	fprintf(stderr, "attacks: there is no attack '%s'\n", name);
	return 3;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list(false);
	if (argc == 2 && strcmp(argv[1], "--controls") == 0)
		return list(true);
	if (argc == 2 || argc == 3)
		return attack(argv[1], argc == 3 ? argv[2] : "");
	fprintf(stderr, "usage: attacks NAME [ARG] | --list | --controls\n");
	return 3;
}
