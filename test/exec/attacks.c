/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attack.h"
#include "proof.h"

/*
 * exec-attacks NAME TRIES [SECONDS]    try it so often, in the working directory; with SECONDS, stop
 *                                      at the first foreign program, or when they have passed
 * exec-attacks --list                  all names
 * exec-attacks --races                 the names of those that need a judge to be beaten
 *
 * Prints one line of JSON with what came of the tries, and exits with 0: whoever asked judges. 2 on
 * misuse, 3 if something that the attack needs is not there.
 */

static const struct attack *const groups[] = {
	memory_attacks, task_attacks, file_attacks, name_attacks, way_attacks, process_attacks};
#define N_GROUPS (sizeof(groups) / sizeof(groups[0]))

enum { REFUSED = 77, FAILED = 78 };
#define MOST_SECONDS 3600 /* whatever happens to who started it */

struct tally {
	unsigned tries, own, foreign; /* by what proved itself */
	unsigned refused, failed, killed, syscall_killed, other; /* by what became of the child */
	int errnum;
	int proofs; /* where they are read */
};

static volatile sig_atomic_t out_of_time;

static void list(bool races)
{
	for (size_t g = 0; g < N_GROUPS; g++)
		for (const struct attack *a = groups[g]; a->name; a++)
			if (!races || a->race)
				puts(a->name);
}

static const struct attack *find(const char *name)
{
	for (size_t g = 0; g < N_GROUPS; g++)
		for (const struct attack *a = groups[g]; a->name; a++)
			if (strcmp(a->name, name) == 0)
				return a;
	return NULL;
}

static void count_proofs(struct tally *t)
{
	char bytes[4096];
	ssize_t n;

	while ((n = read(t->proofs, bytes, sizeof(bytes))) > 0)
		for (ssize_t i = 0; i < n; i++)
			*(bytes[i] == PROOF_FOREIGN ? &t->foreign : &t->own) += 1;
}

static void count_end(struct tally *t, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		t->killed++;
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		t->syscall_killed++;
	else if (WIFEXITED(status) && WEXITSTATUS(status) == REFUSED)
		t->refused++;
	else if (WIFEXITED(status) && WEXITSTATUS(status) == FAILED)
		t->failed++;
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		t->other++;
	if (shared->errnum)
		t->errnum = shared->errnum;
}

static void (*body)(void);

static void in_child(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	body();
	_exit(shared->errnum == EPERM || shared->errnum == EACCES ? REFUSED : FAILED);
}

static pid_t plain_fork(void (*child)(void))
{
	return spawn_sharing(0, child);
}

static void try_once(const struct attack *a, struct tally *t)
{
	int status;
	pid_t pid, ended;

	shared->errnum = 0;
	shared->ready = 0;
	body = a->child;
	pid = (a->spawn ? a->spawn : plain_fork)(in_child);
	while ((ended = waitpid(pid, &status, a->meanwhile ? WNOHANG : 0)) == 0 ||
		(ended < 0 && errno == EINTR))
		if (a->meanwhile)
			a->meanwhile(pid);
	if (ended != pid)
		give_up("waitpid");
	t->tries++;
	count_end(t, status);
	count_proofs(t);
}

static pid_t start_peer(const struct attack *a)
{
	pid_t pid = MUST(fork());

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		a->beside();
}

static void on_alarm(int signal)
{
	(void)signal;
	out_of_time = 1;
}

static void make_proofs(struct tally *t)
{
	int ends[2];

	MUST(pipe2(ends, O_NONBLOCK | O_CLOEXEC));
	MUST(dup2(ends[1], PROOF));
	t->proofs = ends[0];
}

static void attack(const struct attack *a, unsigned tries, unsigned seconds, struct tally *t)
{
	pid_t peer = 0;

	make_proofs(t);
	prepare_programs();
	if (a->prepare)
		a->prepare();
	if (a->beside)
		peer = start_peer(a);
	alarm(seconds ? seconds : MOST_SECONDS);
	while (t->tries < tries && !out_of_time && !(seconds && t->foreign))
		try_once(a, t);
	if (peer) {
		kill(peer, SIGKILL);
		waitpid(peer, NULL, 0);
	}
	count_proofs(t);
}

int main(int argc, char **argv)
{
	struct tally t = {0};
	const struct attack *a;

	if (argc == 2 && (strcmp(argv[1], "--list") == 0 || strcmp(argv[1], "--races") == 0)) {
		list(argv[1][2] == 'r');
		return 0;
	}
	a = argc == 3 || argc == 4 ? find(argv[1]) : NULL;
	if (!a) {
		fputs("usage: exec-attacks NAME TRIES [SECONDS] | --list | --races\n", stderr);
		return 2;
	}
	signal(SIGALRM, on_alarm);
	attack(a, (unsigned)atoi(argv[2]), argc == 4 ? (unsigned)atoi(argv[3]) : 0, &t);
	printf("{\"tries\": %u, \"own\": %u, \"foreign\": %u, \"refused\": %u, \"failed\": %u, "
	       "\"killed\": %u, \"syscall_killed\": %u, \"other\": %u, \"errno\": \"%s\"}\n",
		t.tries, t.own, t.foreign, t.refused, t.failed, t.killed, t.syscall_killed, t.other,
		t.errnum ? strerrorname_np(t.errnum) : "");
	return 0;
}
