/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <time.h>

#include "run/host.h"
#include "run/prepare.h"
#include "run/test-zygote.h"

/*
 * zygote: speak wrongly with a live zygote, and with what it makes.
 *
 *     fuzz-zygote PROGRAM SECONDS [SEED]
 *
 * The seed of each thousand rounds is printed: the same seed does the same again. Ends with abort(3) when the
 * zygote has died, does not answer, keeps a descriptor, or a process is left that does not end.
 */

static void prepare(struct prepared *ret, struct host *host, struct arena *a)
{
	static char *none[] = {NULL};
	struct request request = {0};
	struct prepare_caller caller = {.environ = none,
		.cwd = "/tmp",
		.home = "/nonexistent",
		.host = host,
		.parked = true};
	struct error e = ERROR_INIT;
	host_probe(host, a, false);
	if (prepare_policy(ret, &request, &caller, a, &e) == 0 &&
		prepare_plan(ret, &request, &caller, a, &e) == 0)
		return;
	fprintf(stderr, "fuzz-zygote: %s\n", e.text);
	exit(1);
}

int main(int argc, char **argv)
{
	static struct prepared prepared;
	static struct host host;
	struct arena a = ARENA_INIT;
	struct spoiler s;
	int talk, life;
	if (argc < 3) {
		fprintf(stderr, "usage: fuzz-zygote PROGRAM SECONDS [SEED]\n");
		return 2;
	}
	uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 0) : (uint64_t)time(NULL);
	time_t end = time(NULL) + strtol(argv[2], NULL, 10);
	prepare(&prepared, &host, &a);
	spoiler_open(&s, argv[1], &prepared.plan);
	int init = keep_box(&s, &talk, &life);
	do {
		spoil_seed = seed++;
		printf("seed %llu\n", (unsigned long long)spoil_seed);
		fflush(stdout);
		for (int i = 0; i < 1000; i++)
			spoil_once(&s, init);
	} while (time(NULL) < end);
	printf("%lu rounds: the zygote lives\n", spoil_round);
	close(talk);
	close(life);
	close(init);
	memset(spoil_known + 1, 0, 2 * sizeof(pid_t));
	reap_all(true);
	spoiler_close(&s);
	arena_fini(&a);
	return 0;
}
