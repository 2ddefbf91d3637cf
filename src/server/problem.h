/* SPDX-License-Identifier: MIT */
#ifndef SERVER_PROBLEM_H
#define SERVER_PROBLEM_H

#include "base/buf.h"
#include "base/error.h"

/* What a refusal is called: the member "error" of problem JSON (RFC 9457), and its status. */
enum problem {
	PROBLEM_INVALID,
	PROBLEM_UNAUTHORIZED,
	PROBLEM_FORBIDDEN,
	PROBLEM_NOT_FOUND,
	PROBLEM_METHOD,
	PROBLEM_BUSY,
	PROBLEM_STOPPED,
	PROBLEM_TOO_LARGE,
	PROBLEM_MEDIA_TYPE,
	PROBLEM_NEVER,
	PROBLEM_UPGRADE,
	PROBLEM_QUEUE_FULL,
	PROBLEM_INTERNAL,
	PROBLEM_UNAVAILABLE,
	PROBLEM_COUNT_,
};

unsigned problem_status(enum problem problem);
/* Worth another try, by itself: it has Retry-After. */
bool problem_is_passing(enum problem problem);
/* What an error of the engine, a decoder or the host is to a client. */
enum problem problem_of(const struct error *e);
/* Append the object and a newline. @taken_bytes: of a body that was taken in part; -1: not of that kind. */
void problem_format(
	struct buf *out, enum problem problem, const struct error *e, long long taken_bytes);

#endif
