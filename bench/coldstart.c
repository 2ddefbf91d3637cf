/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "numbers.h"

/*
 * coldstart: how long commands take from before their exec until their end is known, side by side.
 *
 *     coldstart [--rounds N] [--quiet USEC] [--rewind FD] [--mounts NAME FD] [--against NAME]
 *               [--judge NAME RATIO] --command NAME WORD... [--command NAME WORD...]...
 *
 * Each round runs every command once, by vfork, execve and waitpid, from this small process: no
 * shell, no page tables worth copying. The order is shuffled anew in each round, because what a
 * command leaves the kernel to tear down (a network namespace, say) is paid by whatever runs next.
 * With --quiet the machine is left alone that long before each start. --rewind puts an inherited
 * descriptor that a command reads to its end back to its beginning. --mounts starts a command in the
 * mount namespace that an inherited descriptor is for (one setns more on its bill).
 *
 * A ratio is the median of the ratios within the rounds, so that a slow moment of the machine, which
 * falls on both, counts for neither. A command that does not exit with 0 the first time is left out
 * and its stderr shown; later failures end the measurement. Exit status: 0, also when the target is
 * missed; 1 if nothing was measured; 2 on misuse.
 */

#define MAX_COMMANDS 16
#define WARM_UP      5

struct command {
	const char *name;
	char **argv;
	double *us; /* one per round */
	bool out;
};

struct bench {
	struct command commands[MAX_COMMANDS];
	size_t n;
	size_t rounds;
	long quiet_us;
	int rewind;
	const char *elsewhere; /* started in the mount namespace `mounts` */
	int mounts;
	const char *against, *judge;
	double target;
	int null, err;
	uint32_t seed;
};

static int usage(void)
{
	fprintf(stderr,
		"usage: coldstart [--rounds N] [--quiet USEC] [--rewind FD] [--mounts NAME FD]\n"
		"                 [--against NAME] [--judge NAME RATIO]\n"
		"                 --command NAME WORD... [--command NAME WORD...]...\n");
	return 2;
}

static void stay_quiet(long us)
{
	struct timespec t = {us / 1000000, us % 1000000 * 1000};
	while (us > 0 && nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

/* Run it and say how long that took. Its wait status, or -1. */
static int run_once(const struct bench *b, const struct command *c, int err, double *ret_us)
{
	int status;
	if (b->rewind >= 0)
		lseek(b->rewind, 0, SEEK_SET);
	bool elsewhere = b->elsewhere && strcmp(c->name, b->elsewhere) == 0;
	double start = now_us();
	pid_t pid = vfork();
	if (pid == 0) {
		dup2(b->null, 0);
		dup2(b->null, 1);
		dup2(err, 2);
		if (!elsewhere || setns(b->mounts, CLONE_NEWNS) == 0)
			execv(c->argv[0], c->argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	*ret_us = now_us() - start;
	return status;
}

/* ---- the numbers ---- */

static const struct command *find(const struct bench *b, const char *name)
{
	for (size_t i = 0; name && i < b->n; i++) {
		if (!b->commands[i].out && strcmp(b->commands[i].name, name) == 0)
			return &b->commands[i];
	}
	return NULL;
}

static void print_table(const struct bench *b, const struct command *base)
{
	print_heading(base ? base->name : NULL);
	for (size_t i = 0; i < b->n; i++) {
		const struct command *c = &b->commands[i];
		if (!c->out)
			print_row(c->name, c->us, base ? base->us : NULL, b->rounds);
	}
}

static void print_judgement(const struct bench *b, const struct command *base)
{
	const struct command *c = find(b, b->judge);
	if (!b->judge)
		return;
	if (!c || !base) {
		printf("target: ratio <= %.2f: not judged: '%s' was not measured\n", b->target,
			!c                   ? b->judge
				: b->against ? b->against
					     : "");
		return;
	}
	print_target("ratio", paired_ratio(c->us, base->us, b->rounds, 0.5), b->target, false);
}

/* ---- the rounds ---- */

static uint32_t next_random(struct bench *b)
{
	b->seed ^= b->seed << 13;
	b->seed ^= b->seed >> 17;
	b->seed ^= b->seed << 5;
	return b->seed;
}

static void shuffle(struct bench *b, size_t *order)
{
	for (size_t i = 0; i < b->n; i++)
		order[i] = i;
	for (size_t i = b->n; i > 1; i--) {
		size_t j = next_random(b) % i, t = order[i - 1];
		order[i - 1] = order[j];
		order[j] = t;
	}
}

static void print_status(const char *name, int status)
{
	if (WIFSIGNALED(status))
		printf("skipped: %s: ended by signal %d\n", name, WTERMSIG(status));
	else
		printf("skipped: %s: exited with %d\n", name,
			status < 0 ? -1 : WEXITSTATUS(status));
}

/* What fails the first time is left out; all caches are warm afterwards. */
static size_t warm_up(struct bench *b)
{
	size_t left = b->n;
	for (size_t i = 0; i < b->n; i++) {
		struct command *c = &b->commands[i];
		for (int n = 0; n < WARM_UP && !c->out; n++) {
			double us;
			int status = run_once(b, c, b->err, &us);
			if (status == 0)
				continue;
			print_status(c->name, status);
			c->out = true;
			left--;
		}
	}
	return left;
}

static int measure(struct bench *b)
{
	for (size_t round = 0; round < b->rounds; round++) {
		size_t order[MAX_COMMANDS];
		shuffle(b, order);
		for (size_t i = 0; i < b->n; i++) {
			struct command *c = &b->commands[order[i]];
			if (c->out)
				continue;
			stay_quiet(b->quiet_us);
			int status = run_once(b, c, b->null, &c->us[round]);
			if (status != 0) {
				print_status(c->name, status);
				return -1;
			}
		}
	}
	return 0;
}

/* ---- the command line ---- */

/* From here on each --command becomes the NULL that ends the words of the command before. */
static bool parse_commands(struct bench *b, char **arg)
{
	for (; *arg; arg++) {
		if (strcmp(*arg, "--command") != 0)
			continue;
		if (b->n == MAX_COMMANDS || !arg[1] || !arg[2])
			return false;
		*arg = NULL;
		b->commands[b->n++] = (struct command){.name = arg[1], .argv = arg + 2};
	}
	return b->n > 0;
}

static bool parse_option(struct bench *b, char ***arg)
{
	char **a = *arg;
	if (strcmp(a[0], "--rounds") == 0 && a[1])
		b->rounds = strtoul(a[1], NULL, 10);
	else if (strcmp(a[0], "--quiet") == 0 && a[1])
		b->quiet_us = strtol(a[1], NULL, 10);
	else if (strcmp(a[0], "--rewind") == 0 && a[1])
		b->rewind = (int)strtol(a[1], NULL, 10);
	else if (strcmp(a[0], "--against") == 0 && a[1])
		b->against = a[1];
	else if (strcmp(a[0], "--mounts") == 0 && a[1] && a[2]) {
		b->elsewhere = a[1];
		b->mounts = (int)strtol(a[2], NULL, 10);
		(*arg)++;
	} else if (strcmp(a[0], "--judge") == 0 && a[1] && a[2]) {
		b->judge = a[1];
		b->target = strtod(a[2], NULL);
		(*arg)++;
	} else
		return false;
	*arg += 2;
	return true;
}

static bool parse(struct bench *b, char **arg)
{
	while (*arg && strcmp(*arg, "--command") != 0) {
		if (!parse_option(b, &arg))
			return false;
	}
	return parse_commands(b, arg) && b->rounds > 0 && b->rounds <= 1000000 && b->quiet_us >= 0;
}

static bool prepare(struct bench *b)
{
	b->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	b->err = fcntl(2, F_DUPFD_CLOEXEC, 3);
	for (size_t i = 0; i < b->n; i++) {
		b->commands[i].us = calloc(b->rounds, sizeof(double));
		if (!b->commands[i].us)
			return false;
	}
	return b->null >= 0 && b->err >= 0;
}

static void report(const struct bench *b)
{
	const struct command *base = find(b, b->against);
	print_table(b, base);
	print_judgement(b, base);
}

int main(int argc, char **argv)
{
	static struct bench b = {.rounds = 200, .rewind = -1, .seed = 0x9e3779b9};
	if (argc < 2 || !parse(&b, argv + 1))
		return usage();
	if (!prepare(&b)) {
		fprintf(stderr, "coldstart: %s\n", strerror(errno));
		return 1;
	}
	if (warm_up(&b) == 0 || measure(&b) < 0)
		return 1;
	report(&b);
	for (size_t i = 0; i < b.n; i++)
		free(b.commands[i].us);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
