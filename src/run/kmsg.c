/* SPDX-License-Identifier: MIT */
#include "run/kmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Above it the facility is not the kernel's. */
#define PRIORITY_MAX 7

int kmsg_open(void)
{
	return open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

bool kmsg_next(int fd, char *record)
{
	for (int i = 0; fd >= 0 && i < KMSG_MAX_RECORDS; i++) {
		ssize_t n = read(fd, record, KMSG_RECORD_SIZE - 1);
		if (n < 0 && (errno == EPIPE || errno == EINVAL || errno == EINTR))
			continue; /* overwritten meanwhile, or too long */
		if (n <= 0)
			return false;
		record[n] = 0;
		record[strcspn(record, "\n")] = 0;
		return true;
	}
	return false;
}

const char *kmsg_text(const char *record, const char *head)
{
	unsigned priority;
	const char *text = strchr(record, ';');
	if (!text || sscanf(record, "%u,", &priority) != 1 || priority > PRIORITY_MAX)
		return NULL;
	return strncmp(text + 1, head, strlen(head)) == 0 ? text + 1 : NULL;
}
