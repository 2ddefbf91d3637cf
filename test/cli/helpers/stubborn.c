/* SPDX-License-Identifier: MIT */
/*
 * stubborn [polite STATUS]: say "ready" and wait for ever, deaf to TERM, INT and HUP.
 * polite: at TERM say "bye" and end with that status.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static volatile int status;

static void end(int signal)
{
	(void)signal;
	if (write(1, "bye\n", 4) == 4)
		_exit(status);
	_exit(9);
}

int main(int argc, char **argv)
{
	if (argc > 2) {
		status = atoi(argv[2]);
		signal(SIGTERM, end);
	} else {
		signal(SIGTERM, SIG_IGN);
		signal(SIGINT, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
	}
	if (write(1, "ready\n", 6) != 6)
		return 9;
	for (;;)
		pause();
}
