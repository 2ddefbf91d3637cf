/* SPDX-License-Identifier: MIT */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

/*
 * An error is filled in where it happens, wrapped as it rises and worded once, where it stops.
 * It lives on the caller's stack and allocates nothing.
 *
 * Wording: lower case, no full stop, subject in single quotes, then the cause, then the remedy if
 * one is known: "policy 'x.yaml' line 3 column 5: unknown key 'memmory'; did you mean 'memory'?"
 */
enum blame {
	BLAME_NONE, /* no error */
	BLAME_REQUEST, /* the caller asked for something that is not valid */
	BLAME_POLICY, /* the policy file is wrong */
	BLAME_HOST, /* this machine cannot do it, or not now */
	BLAME_US, /* a defect of ours */
	BLAME_COUNT_,
};

#define ERROR_TEXT_SIZE 1024

struct error {
	enum blame blame;
	int errnum; /* the errno behind it, or 0 */
	char text[ERROR_TEXT_SIZE];
};

#define ERROR_INIT ((struct error){.blame = BLAME_NONE})

/* "none", "request", "policy", "host", "bulkhead". */
const char *blame_name(enum blame blame);

/*
 * Fill in @e (which may be NULL) and return -1, so that a caller can write
 * `return error_set(e, BLAME_HOST, errno, "cannot open '%s'", path);`.
 * With @errnum != 0, ": " and its strerror are appended. Text that does not fit is cut at the end.
 */
int error_set(struct error *e, enum blame blame, int errnum, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The same without that text: the sentence says what it is, and @errnum only of which kind. */
int error_say(struct error *e, enum blame blame, int errnum, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Put "PREFIX: " before the text of @e; blame and errnum stay. Returns -1. */
int error_wrap(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Append "; TEXT" (a remedy). Returns -1. */
int error_hint(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text of errno value @errnum, e.g. "permission denied" (lower case first letter). */
const char *errno_text(int errnum);

#endif
