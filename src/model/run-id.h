/* SPDX-License-Identifier: MIT */
#ifndef MODEL_RUN_ID_H
#define MODEL_RUN_ID_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The name of a run: 48 bits of wall clock in milliseconds and 32 random ones, as 16 digits of
 * Crockford's base 32 in lower case (no i, l, o, u: nothing to misread). Ids sort as text by the
 * time at which they were made, and are safe in a file name, a shell word and an environment
 * variable.
 */
#define RUN_ID_SIZE 17 /* with the NUL */

/*
 * @random is from getrandom(2); its low 32 bits are used. Two runs of the same millisecond have the
 * same id once in 2^32: who makes the run's directory must make it exclusively, and try again.
 */
void run_id_format(uint64_t realtime_ms, uint64_t random, char out[RUN_ID_SIZE]);

/* True if @text (which may be NULL) is an id, and so can be no path. */
bool run_id_valid(const char *text);

#endif
