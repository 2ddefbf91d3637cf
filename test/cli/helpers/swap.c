// SPDX-License-Identifier: MIT
/*
 * swap TRIES: try to execute itself with an argument that was another one when somebody looked: children execute
 * with an argv in memory that is shared, where it is changed all the time. Says "killed N foreign N", of the
 * children that were killed, and of those that were started with what they had not been judged by. Ends with
 * the first of either; 0, or 3 if there was a foreign one.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOREIGN 42

static pid_t start(const char *self, char *shared)
{
	pid_t pid = fork();
	if (pid == 0) {
		char *argv[] = {(char *)self, shared, NULL}, *envp[] = {NULL};
		execve(self, argv, envp);
		_exit(1);
	}
	return pid;
}

/* Change it back and forth until the child has ended: its status. */
static int change_until_ended(pid_t pid, char *shared)
{
	int status;
	for (unsigned n = 0; waitpid(pid, &status, WNOHANG) == 0; n++)
		*(volatile char *)shared = n % 2 ? 'b' : 'g';
	return status;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "good") == 0)
		return 0;
	if (argc == 2 && strcmp(argv[1], "bood") == 0)
		return FOREIGN;
	int tries = argc == 2 ? atoi(argv[1]) : 0, killed = 0, foreign = 0;
	char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	for (int i = 0; i < tries && !killed && !foreign; i++) {
		strcpy(shared, "good");
		int status = change_until_ended(start(argv[0], shared), shared);
		killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		foreign += WIFEXITED(status) && WEXITSTATUS(status) == FOREIGN;
	}
	printf("killed %d foreign %d\n", killed, foreign);
	return foreign ? 3 : 0;
}
