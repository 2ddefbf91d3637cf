/* SPDX-License-Identifier: MIT */
/* spin N [SECONDS]: use up CPU time, in N processes, for so much wall time or for ever. */
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void spin(double limit)
{
	struct timespec from, now;
	clock_gettime(CLOCK_MONOTONIC, &from);
	do {
		for (volatile int i = 0; i < 100000; i++)
			;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (limit == 0 ||
		(double)(now.tv_sec - from.tv_sec) + (double)(now.tv_nsec - from.tv_nsec) / 1e9 <
			limit);
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1;
	double limit = argc > 2 ? strtod(argv[2], NULL) : 0;
	for (int i = 1; i < n; i++) {
		if (fork() == 0) {
			spin(limit);
			_exit(0);
		}
	}
	spin(limit);
	while (wait(NULL) > 0)
		;
	return 0;
}
