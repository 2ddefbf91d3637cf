/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "api.h"
#include "numbers.h"

/*
 * warmstart: what a run costs that a daemon has a box ready for. bench/warm calls it.
 *
 *     warmstart latency   SOCKET ROUNDS QUIET_US TARGET BODY PROGRAM [ARG…]
 *     warmstart median    SOCKET ROUNDS BODY
 *     warmstart sustained SOCKET CLIENTS SECONDS BODY
 *     warmstart peer      CLIENTS SECONDS FILTER PROGRAM [ARG…]
 *     warmstart delay     SOCKET ROUNDS TARGET BODY
 *     warmstart once      SOCKET BODY
 *     warmstart stamp
 *
 * BODY is that of POST /v1/runs. latency: from before the request until the verdict is there, in turn
 * with a bare vfork, exec and wait of PROGRAM: by a client that stays connected, and by one that is
 * started for it (once). sustained: whole runs per second of so many clients, each of which has one
 * on; peer the same of a command, which finds FILTER (if it is not "") as its descriptor 9. delay:
 * how much later than by waitpid(2) the client knows the end of a program that says when that is (stamp).
 * Numbers that are for bench/warm to judge stand alone on the last line.
 */

#define MAX_CLIENTS 64
#define RUNS        "/v1/runs?wait=1"

static char self[] = "/proc/self/exe", word_once[] = "once", word_stamp[] = "stamp";

static int fail(const char *what)
{
	fprintf(stderr, "warmstart: %s: %s\n", what, strerror(errno));
	return 1;
}

static size_t number(const char *text, size_t max)
{
	size_t n = strtoul(text, NULL, 10);
	if (n == 0 || n > max) {
		fprintf(stderr, "warmstart: '%s' is not a number from 1 to %zu\n", text, max);
		exit(2);
	}
	return n;
}

static double *series(size_t n)
{
	double *v = calloc(n, sizeof(*v));
	if (!v)
		exit(fail("memory"));
	return v;
}

static void connect_or_exit(struct api *a, const char *socket)
{
	if (api_connect(a, socket) < 0)
		exit(fail(socket));
}

/* One run from request to verdict. */
static bool run(struct api *a, const char *body, double *ret_us)
{
	double before = now_us();
	if (api_call(a, "POST", RUNS, body) < 0) {
		fail("the daemon");
		return false;
	}
	*ret_us = now_us() - before;
	return api_is_ok(a);
}

/* The same bare. Descriptor 1 is @out; with @filter that file, from its beginning, is 9. */
static pid_t start(char **argv, int out, const char *filter)
{
	pid_t pid = vfork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(out < 0 ? null : out, 1);
		if (filter && *filter)
			dup2(open(filter, O_RDONLY), 9);
		execv(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static bool bare(char **argv, double *ret_us)
{
	int status = -1;
	double before = now_us();
	pid_t pid = start(argv, -1, NULL);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return false;
	*ret_us = now_us() - before;
	if (status != 0)
		fprintf(stderr, "warmstart: '%s' ended with wait status %d\n", argv[0], status);
	return status == 0;
}

/* ---- latency ---- */

struct latency {
	struct api api;
	char **program, **once;
	const char *body;
	double *bare, *warm, *fresh;
};

static bool measure_one(struct latency *l, size_t which, size_t round)
{
	switch (which) {
	case 0:
		return bare(l->program, &l->bare[round]);
	case 1:
		return run(&l->api, l->body, &l->warm[round]);
	default:
		return bare(l->once, &l->fresh[round]);
	}
}

static void stay_quiet(long us)
{
	struct timespec t = {us / 1000000, us % 1000000 * 1000};
	while (us > 0 && nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

static int latency(char **arg)
{
	char *once[] = {self, word_once, arg[0], arg[4], NULL};
	size_t rounds = number(arg[1], 1000000);
	struct latency l = {.once = once,
		.program = arg + 5,
		.body = arg[4],
		.bare = series(rounds),
		.warm = series(rounds),
		.fresh = series(rounds)};
	connect_or_exit(&l.api, arg[0]);
	for (size_t round = 0; round < 5; round++) /* caches, and the pool, which may be new */
		for (size_t i = 0; i < 3; i++)
			if (!measure_one(&l, i, 0))
				return 1;
	for (size_t round = 0; round < rounds; round++)
		for (size_t i = 0; i < 3; i++) {
			stay_quiet(strtol(arg[2], NULL, 10));
			if (!measure_one(&l, (i + round) % 3, round))
				return 1;
		}
	print_heading("bare");
	print_row("bare", l.bare, l.bare, rounds);
	print_row("warm", l.warm, l.bare, rounds);
	print_row("warm, a new client", l.fresh, l.bare, rounds);
	print_target("request to verdict, x bare", paired_ratio(l.warm, l.bare, rounds, 0.5),
		strtod(arg[3], NULL), false);
	api_close(&l.api);
	return 0;
}

static int median(char **arg)
{
	size_t rounds = number(arg[1], 1000000);
	double *us = series(rounds);
	struct api api;
	connect_or_exit(&api, arg[0]);
	for (size_t i = 0; i < rounds; i++)
		if (!run(&api, arg[2], &us[i]))
			return 1;
	printf("%.1f\n", quantile(us, rounds, 0.5));
	free(us);
	api_close(&api);
	return 0;
}

static int once(char **arg)
{
	struct api api;
	double us;
	connect_or_exit(&api, arg[0]);
	bool ok = run(&api, arg[1], &us);
	api_close(&api);
	return ok ? 0 : 1;
}

/* ---- throughput ---- */

static bool post(struct api *a, const char *body)
{
	return api_send(a, "POST", RUNS, body) == 0;
}

/* What came for the clients; the runs that have ended, or -1. Who is ready gets another until @end. */
static long serve(struct api *api, struct pollfd *fds, size_t n, const char *body, double end)
{
	long ended = 0;
	for (size_t i = 0; i < n; i++) {
		int status = fds[i].revents ? api_receive(&api[i]) : 0;
		if (status < 0 || (status > 0 && !api_is_ok(&api[i])))
			return -1;
		if (status == 0)
			continue;
		ended++;
		if (now_us() >= end)
			fds[i].fd = -1;
		else if (!post(&api[i], body))
			return -1;
	}
	return ended;
}

static bool all_done(const struct pollfd *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i].fd >= 0)
			return false;
	return true;
}

static int sustained(char **arg)
{
	static struct api api[MAX_CLIENTS];
	struct pollfd fds[MAX_CLIENTS];
	size_t n = number(arg[1], MAX_CLIENTS);
	double begin = now_us(), end = begin + strtod(arg[2], NULL) * 1e6;
	long runs = 0;
	for (size_t i = 0; i < n; i++) {
		connect_or_exit(&api[i], arg[0]);
		fds[i] = (struct pollfd){.fd = api[i].fd, .events = POLLIN};
		if (!post(&api[i], arg[3]))
			return fail("the daemon");
	}
	while (!all_done(fds, n)) {
		if (poll(fds, (nfds_t)n, 60000) <= 0)
			return fail("no answer within a minute");
		long ended = serve(api, fds, n, arg[3], end);
		if (ended < 0)
			return fail("the daemon");
		runs += ended;
	}
	printf("%.1f\n", (double)runs * 1e6 / (now_us() - begin));
	for (size_t i = 0; i < n; i++)
		api_close(&api[i]);
	return 0;
}

static int peer(char **arg)
{
	size_t n = number(arg[0], MAX_CLIENTS), on = 0;
	double begin = now_us(), end = begin + strtod(arg[1], NULL) * 1e6;
	long runs = 0;
	do {
		int status = 0;
		while (on < n && now_us() < end) {
			if (start(arg + 3, -1, arg[2]) < 0)
				return fail(arg[3]);
			on++;
		}
		if (on > 0 && wait(&status) > 0) {
			on--;
			runs++;
		}
		if (status != 0) {
			fprintf(stderr, "warmstart: '%s' ended with wait status %d\n", arg[3],
				status);
			return 1;
		}
	} while (on > 0);
	printf("%.1f\n", (double)runs * 1e6 / (now_us() - begin));
	return 0;
}

/* ---- the waiter's delay ---- */

static int stamp(char **arg)
{
	(void)arg;
	char text[32];
	int n = snprintf(text, sizeof(text), "%.1f\n", now_us());
	_exit(write(1, text, (size_t)n) == n ? 0 : 1);
}

/* From the program's last act until waitpid(2) has told. */
static bool delay_bare(double *ret_us)
{
	char *argv[] = {self, word_stamp, NULL};
	char text[32] = "";
	int fds[2], status;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	pid_t pid = start(argv, fds[1], NULL);
	close(fds[1]);
	bool ok = pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
	*ret_us = now_us();
	ok = ok && read(fds[0], text, sizeof(text) - 1) > 0;
	close(fds[0]);
	*ret_us -= strtod(text, NULL);
	return ok;
}

/* The same until the client has the verdict; what the program said is in the record. */
static bool delay_warm(struct api *a, const char *body, double *ret_us)
{
	char id[64], target[128], text[32];
	if (!run(a, body, ret_us) || !api_member(a, "id", id, sizeof(id)))
		return false;
	double end = now_us();
	snprintf(target, sizeof(target), "/v1/runs/%s/output", id);
	if (api_call(a, "GET", target, NULL) != 200 || !api_member(a, "text", text, sizeof(text)))
		return false;
	*ret_us = end - strtod(text, NULL);
	return true;
}

static int delay(char **arg)
{
	size_t rounds = number(arg[1], 100000);
	double *bare_us = series(rounds), *warm_us = series(rounds), *more = series(rounds);
	struct api api;
	connect_or_exit(&api, arg[0]);
	for (size_t i = 0; i < rounds; i++) {
		if (!delay_bare(&bare_us[i]) || !delay_warm(&api, arg[3], &warm_us[i]))
			return fail("delay");
		more[i] = warm_us[i] - bare_us[i];
	}
	print_heading(NULL);
	print_row("by waitpid", bare_us, NULL, rounds);
	print_row("by the daemon", warm_us, NULL, rounds);
	print_target("told later than by waitpid, us", quantile(more, rounds, 0.5),
		strtod(arg[2], NULL), false);
	api_close(&api);
	return 0;
}

/* ---- the command line ---- */

static const struct {
	const char *name;
	int words; /* at least */
	int (*run)(char **arg);
} commands[] = {
	{"latency", 6, latency},
	{"median", 3, median},
	{"sustained", 4, sustained},
	{"peer", 4, peer},
	{"delay", 4, delay},
	{"once", 2, once},
	{"stamp", 0, stamp},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 >= commands[i].words) {
			int r = commands[i].run(argv + 2);
			return fflush(stdout) == 0 ? r : 1;
		}
	fprintf(stderr, "usage: see bench/warmstart.c, or take bench/warm\n");
	return 2;
}
