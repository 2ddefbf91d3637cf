/* SPDX-License-Identifier: MIT */
/*
 * hog MIB [hold|fork]: use that much memory, page by page, and say so. hold: then wait for a
 * signal. fork: a child does it; the parent outlives it and ends with 0, "child SIGNAL" on stdout.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB  (1ul << 20)
#define PAGE 4096

static int use(unsigned long mib)
{
	for (unsigned long i = 0; i < mib; i++) {
		char *p = malloc(MIB);
		if (p == NULL)
			return 1;
		for (size_t at = 0; at < MIB; at += PAGE)
			p[at] = 1;
	}
	printf("used %lu\n", mib);
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	int status;
	unsigned long mib = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	const char *how = argc > 2 ? argv[2] : "";
	if (strcmp(how, "fork") != 0) {
		if (use(mib) != 0)
			return 1;
		while (strcmp(how, "hold") == 0)
			pause();
		return 0;
	}
	pid_t pid = fork();
	if (pid == 0)
		_exit(use(mib));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 2;
	printf("child %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	return 0;
}
