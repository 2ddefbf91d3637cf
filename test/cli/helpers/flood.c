/* SPDX-License-Identifier: MIT */
/* flood MIB [FILE]: write so many MiB of lines to stdout, or to a file; 3 if a write fails. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 65536
#define LINE  64

int main(int argc, char **argv)
{
	static char chunk[CHUNK];
	unsigned long long left = argc > 1 ? strtoull(argv[1], NULL, 10) << 20 : 0;
	int fd = argc > 2 ? open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0644) : 1;
	memset(chunk, 'x', sizeof(chunk));
	for (size_t at = LINE - 1; at < sizeof(chunk); at += LINE)
		chunk[at] = '\n';
	while (left > 0) {
		ssize_t n = write(fd, chunk, left < CHUNK ? left : CHUNK);
		if (n <= 0)
			return 3;
		left -= (unsigned long long)n;
	}
	return 0;
}
