/* SPDX-License-Identifier: MIT */
#ifndef BENCH_API_H
#define BENCH_API_H

#include <stdbool.h>
#include <stddef.h>

/* A client of the daemon that costs next to nothing: one connection, one request at a time. */
struct api {
	int fd;
	char *answer; /* heading and body, ended by a NUL */
	size_t size, room;
};

#define API_INIT ((struct api){.fd = -1})

/* 0, or -1 with errno. */
int api_connect(struct api *a, const char *path);
void api_close(struct api *a);

/* Send a whole request; @body may be NULL. 0, or -1 with errno. */
int api_send(struct api *a, const char *method, const char *target, const char *body);

/*
 * Read once: the status of the answer when that is complete, 0 when there is more to come, -1 with
 * errno (EPROTO: no answer that we understand).
 */
int api_receive(struct api *a);

/* Both, to the end. The status, or -1. */
int api_call(struct api *a, const char *method, const char *target, const char *body);

/* The value of the first member of that name, without quotes; NULL: there is none. Not unescaped. */
const char *api_member(const struct api *a, const char *name, char *ret, size_t size);

/* Whether the run that the answer is about ended well; else what it says goes to stderr. */
bool api_is_ok(const struct api *a);

#endif
