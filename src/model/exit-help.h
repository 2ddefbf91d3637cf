/* SPDX-License-Identifier: MIT */
#ifndef MODEL_EXIT_HELP_H
#define MODEL_EXIT_HELP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/verdict.h"

/*
 * What a bare number may mean, for somebody who has nothing else: an exit status, or a signal as
 * Python's subprocess writes it (-9).
 */
struct exit_number {
	int status; /* 0…255; of -N: 128+N */
	int signal; /* N of 128+N; 0: none */
	bool negative; /* it was given as -N, so a signal it was */
	bool raw; /* it was given as wait(2) has it, 256 times the status */
};

/* "137", "-9", "SIGKILL", "35072". 0; or -1 with @e (BLAME_REQUEST). */
int exit_number_parse(struct exit_number *ret, const char *text, struct error *e);

/*
 * True if a run that ended for @cause may have made bulkhead exit with @status. *ret_typical: that is
 * what it looks like as a rule; otherwise it takes a program that ends with this very number.
 */
bool exit_may_be(enum cause cause, int status, bool *ret_typical);

#define EXIT_MAX_LINES 48

struct exit_line {
	const char *left, *right;
};

/* Who says such a number, and what is meant; how many. In @a. */
size_t exit_help_sayings(
	struct exit_line ret[EXIT_MAX_LINES], const struct exit_number *n, struct arena *a);
/* What to look at next, and what it tells. */
size_t exit_help_nexts(struct exit_line ret[EXIT_MAX_LINES], const struct exit_number *n);

/* Who says such a number, what causes it, what to look at next; in @a. */
const char *exit_help_text(const struct exit_number *n, struct arena *a);
const char *exit_help_json(const struct exit_number *n, struct arena *a);

#endif
