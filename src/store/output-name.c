/* SPDX-License-Identifier: MIT */
#include "store/output-name.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

const char *output_segment_name(unsigned k, char out[OUTPUT_NAME_SIZE])
{
	snprintf(out, OUTPUT_NAME_SIZE, "output.%u.jsonl", k);
	return out;
}

/* The number in @name if it is that of a segment, else 0. */
static unsigned segment_number(const char *name)
{
	char back[OUTPUT_NAME_SIZE];
	unsigned k;
	if (sscanf(name, "output.%9u.jsonl", &k) != 1)
		return 0;
	return strcmp(name, output_segment_name(k, back)) == 0 ? k : 0;
}

static int compare(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return x < y ? -1 : x > y;
}

size_t output_segments(int dir, unsigned ret[OUTPUT_MAX_SEGMENTS])
{
	cleanup_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return 0;
	fd_take(&fd);
	struct dirent *entry;
	size_t n = 0;
	while (n < OUTPUT_MAX_SEGMENTS && (entry = readdir(d))) {
		unsigned k = segment_number(entry->d_name);
		if (k > 0)
			ret[n++] = k;
	}
	closedir(d);
	qsort(ret, n, sizeof *ret, compare);
	return n;
}
