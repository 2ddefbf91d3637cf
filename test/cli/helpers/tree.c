/* SPDX-License-Identifier: MIT */
/*
 * tree DEPTH: a daemon whose child is a daemon, and so on: each in a session of its own, its parent
 * gone, deaf to TERM and HUP. The last one writes "deep" to stdout. The first process stays.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void become_daemon(void)
{
	setsid();
	if (fork() != 0)
		_exit(0);
}

int main(int argc, char **argv)
{
	int depth = argc > 1 ? atoi(argv[1]) : 1;
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	for (int level = 0; level < depth; level++) {
		if (fork() != 0)
			break;
		become_daemon();
		if (level == depth - 1 && write(1, "deep\n", 5) != 5)
			_exit(1);
	}
	for (;;)
		pause();
}
