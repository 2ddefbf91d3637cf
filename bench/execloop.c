/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "numbers.h"

/*
 * execloop PROGRAM [ARG...]
 *
 * For each line on stdin that has a number, start the program so often, one after the other, by
 * vfork, execve and waitpid, and say how many microseconds each took. Ends with its input.
 */

static int usage(void)
{
	fputs("usage: execloop PROGRAM [ARG...]\n", stderr);
	return 2;
}

static int start_once(char **argv)
{
	static char *const environment[] = {NULL};
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		execve(argv[0], argv, environment);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	char line[32];

	if (argc < 2)
		return usage();
	while (fgets(line, sizeof(line), stdin)) {
		int times = atoi(line);
		double began = now_us();

		for (int i = 0; i < times; i++) {
			if (start_once(argv + 1) < 0) {
				fprintf(stderr, "execloop: '%s' failed\n", argv[1]);
				return 1;
			}
		}
		printf("%.3f\n", (now_us() - began) / (times > 0 ? times : 1));
		fflush(stdout);
	}
	return 0;
}
