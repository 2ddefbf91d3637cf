/* SPDX-License-Identifier: MIT */
/* fault segv|abrt|fpe|ill|bus: a fault of the real kind, not a signal that was sent. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void bus(void)
{
	int fd = memfd_create("empty", MFD_CLOEXEC);
	volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	(void)*p;
}

static void divide(void)
{
	volatile int zero = 0;
	volatile int one = 1;
	one = one / zero;
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	if (strcmp(kind, "segv") == 0)
		*(volatile int *)8 = 1;
	else if (strcmp(kind, "abrt") == 0)
		abort();
	else if (strcmp(kind, "fpe") == 0)
		divide();
	else if (strcmp(kind, "ill") == 0)
		__builtin_trap();
	else if (strcmp(kind, "bus") == 0)
		bus();
	return 2;
}
