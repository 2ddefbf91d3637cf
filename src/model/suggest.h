/* SPDX-License-Identifier: MIT */
#ifndef MODEL_SUGGEST_H
#define MODEL_SUGGEST_H

#include <stdint.h>

#include "model/observation.h"

/*
 * A size to try instead of @limit, of which @seen was used (0: not known): half as much again as
 * the larger of the two, rounded up to a number a person would write (64 MiB → 96 MiB, 100 MiB →
 * 160 MiB), at least 1 MiB. 0 if neither is known or there is no larger size.
 */
uint64_t suggest_size(uint64_t limit, uint64_t seen);
/* A number of things to try instead of @limit of them, by the same rule; 0: none. */
uint64_t suggest_count(uint64_t limit);

/*
 * The same for memory, where it is known how it grew: what it would need to run for as long again at
 * the rate of its second half; at least a quarter more than the larger of the two, at most four
 * times that. One that had levelled off needs little more; one that took it all at the end, a lot.
 */
uint64_t suggest_memory(uint64_t limit, uint64_t peak, const struct usage *u);

#endif
