/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proof.h"

/*
 * exec-flood every|idle|bomb PROCESSES BYTES WORD PROGRAM...
 *
 * That many processes execute, for ever and as fast as they can, one of the PROGRAMs each, by a path of almost 4 KiB and
 * with so many bytes of arguments of WORD bytes each, that are six times as long where they are written down. One that is
 * refused tries again. When idle, they have the processor only when nobody else wants it. A bomb's have children until there
 * can be no more, and then execute, as the children do. Says "ready" when all are there, and "foreign" whenever a program
 * has proved to be that.
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

static void execute(void)
{
	static char *const environment[] = {NULL};

	execve(path, args, environment);
}

static void every(void)
{
	for (;;) {
		pid_t pid = vfork();

		while (pid == 0)
			execute();
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

static void idle(void)
{
	const struct sched_param none = {0};

	if (sched_setscheduler(0, SCHED_IDLE, &none) < 0)
		give_up("sched_setscheduler");
	every();
}

static void bomb(void)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		while (fork() >= 0)
			;
		execute();
	}
}

static const struct kind {
	const char *name;
	void (*body)(void);
} kinds[] = {{"every", every}, {"idle", idle}, {"bomb", bomb}, {0}};

/* It begins when nobody has @gate's other end any more. */
static void start(void (*body)(void), const char *program, const int gate[2])
{
	pid_t pid = fork();
	char byte;

	if (pid < 0)
		give_up("fork");
	if (pid > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fill_path(program);
	close(gate[1]);
	if (read(gate[0], &byte, 1) != 0)
		give_up("read");
	body();
	exit(3);
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
	int ends[2], gate[2];
	const struct kind *kind = kinds;

	while (kind->name && argc > 5 && strcmp(kind->name, argv[1]) != 0)
		kind++;
	if (argc <= 5 || !kind->name) {
		fputs("usage: exec-flood every|idle|bomb PROCESSES BYTES WORD PROGRAM...\n",
			stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	fill_args((size_t)atol(argv[3]), (size_t)atol(argv[4]));
	if (pipe(ends) < 0 || dup2(ends[1], PROOF) < 0 || pipe(gate) < 0)
		give_up("pipe");
	for (int i = 0, n = atoi(argv[2]); i < n; i++)
		start(kind->body, argv[5 + i % (argc - 5)], gate);
	puts("ready");
	close(gate[1]);
	watch(ends[0]);
	return 1;
}
