/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proof.h"

/*
 * exec-flood [--idle] PROCESSES BYTES WORD PROGRAM...
 *
 * That many processes execute, for ever and as fast as they can, one of the PROGRAMs each, by a path of almost 4 KiB and
 * with so many bytes of arguments of WORD bytes each, that are six times as long where they are written down. One that is refused tries again. With --idle
 * they have the processor only when nobody else wants it. Says "ready" when all are there, and "foreign" for each program that
 * proves to be that.
 */

#define LONGEST_WORD (128u << 10) /* with its zero: the kernel takes none that is longer */

static char word[LONGEST_WORD], path[4096], **args;

static _Noreturn void give_up(const char *what)
{
	perror(what);
	exit(3);
}

/* As many words of @size bytes, zeros counted, as make @bytes. */
static void fill_args(size_t bytes, size_t size)
{
	size_t n = 0;

	if (size < 1 || size > sizeof(word))
		give_up("no such word");
	memset(word, '\1', size - 1);
	args = calloc(bytes / size + 2, sizeof(*args));
	if (!args)
		give_up("calloc");
	args[n++] = (char *)"flood";
	for (; bytes >= size; bytes -= size)
		args[n++] = word;
}

/* "/././…/program" */
static void fill_path(const char *program)
{
	size_t n = strlen(program), room = sizeof(path) - 1 - n;

	for (size_t at = 0; at + 1 < room; at += 2)
		memcpy(path + at, "/.", 2);
	memcpy(path + room / 2 * 2, program, n + 1);
}

static _Noreturn void execute_for_ever(const char *program, bool idle)
{
	static char *const environment[] = {NULL};
	const struct sched_param none = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (idle && sched_setscheduler(0, SCHED_IDLE, &none) < 0)
		give_up("sched_setscheduler");
	fill_path(program);
	for (;;) {
		pid_t pid = vfork();

		while (pid == 0)
			execve(path, args, environment);
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

static void watch(int proofs)
{
	char bytes[4096];
	ssize_t n;

	while ((n = read(proofs, bytes, sizeof(bytes))) > 0)
		if (memchr(bytes, PROOF_FOREIGN, (size_t)n))
			puts("foreign");
}

int main(int argc, char **argv)
{
	int ends[2];
	bool idle = argc > 1 && strcmp(argv[1], "--idle") == 0;

	argv += idle;
	argc -= idle;
	if (argc < 5) {
		fputs("usage: exec-flood [--idle] PROCESSES BYTES WORD PROGRAM...\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	fill_args((size_t)atol(argv[2]), (size_t)atol(argv[3]));
	if (pipe(ends) < 0 || dup2(ends[1], PROOF) < 0)
		give_up("pipe");
	for (int i = 0, n = atoi(argv[1]); i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			give_up("fork");
		if (pid == 0)
			execute_for_ever(argv[4 + i % (argc - 4)], idle);
	}
	puts("ready");
	watch(ends[0]);
	return 1;
}
