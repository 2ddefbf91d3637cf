/* SPDX-License-Identifier: MIT */
#include "kernel/oom.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"

static const char file[] = "/proc/self/oom_score_adj";

int oom_lower(int adj)
{
	char text[16];
	if (file_read_text(AT_FDCWD, file, text, sizeof(text)) < 0)
		return -errno;
	if (strtol(text, NULL, 10) <= adj)
		return 0;
	snprintf(text, sizeof(text), "%d", adj);
	return file_write_text(AT_FDCWD, file, text) < 0 ? -errno : 0;
}
