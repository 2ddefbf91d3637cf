/* SPDX-License-Identifier: MIT */
#ifndef CLI_SINK_H
#define CLI_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The caller's stdout or stderr, written to without ever blocking, and without making it non-blocking
 * for others who have it.
 */
struct sink {
	int number; /* 1 or 2 */
	bool open; /* somebody may still read it */
	int fd; /* a second, non-blocking description of it, -1 where it may not be opened */
	int epoll; /* readable when there is room, -1 for a file, where there always is */
	bool is_socket;
};

#define SINK_INIT ((struct sink){.fd = -1, .epoll = -1})

void sink_open(struct sink *s, int number);
void sink_close(struct sink *s);
/*
 * Write what fits: how many bytes, 0 if it has to be waited for (poll s->epoll for POLLIN). What
 * nobody reads counts as written; *ret_lost is set when that is found out.
 */
size_t sink_write(struct sink *s, const char *bytes, size_t size, bool *ret_lost);

#endif
