/* SPDX-License-Identifier: MIT */
/* bomb: fork for ever, in every process, deaf to TERM. bomb N: try N at once and say how many came. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int count(int wanted)
{
	int made = 0;
	for (int i = 0; i < wanted; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			pause();
			_exit(0);
		}
		made += pid > 0;
	}
	printf("%d\n", made);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return count(atoi(argv[1]));
	signal(SIGTERM, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	for (;;)
		fork();
}
