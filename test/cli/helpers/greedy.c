/* SPDX-License-Identifier: MIT */
/*
 * greedy MIB segv|abort|exit|ignore|linger: ask for so much address space at once, and when that is
 * refused: write to it all the same, abort, exit with 3, exit with 0, or live on for two seconds
 * and then exit with 7. 0 if it is given.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	size_t size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 0) << 20;
	const char *how = argc > 2 ? argv[2] : "exit";
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p != MAP_FAILED)
		return 0;
	fputs("refused\n", stdout);
	fflush(stdout);
	if (strcmp(how, "segv") == 0)
		*(volatile char *)8 = 1;
	if (strcmp(how, "abort") == 0)
		abort();
	if (strcmp(how, "ignore") == 0)
		return 0;
	if (strcmp(how, "linger") != 0)
		return 3;
	sleep(2);
	return 7;
}
