/* SPDX-License-Identifier: MIT */
#ifndef MODEL_ADMISSION_H
#define MODEL_ADMISSION_H

#include <stdint.h>

#include "model/limits.h"

/*
 * What the daemon may have going on at once, and what of it is promised to somebody. Pure: whoever takes
 * something counts it, and gives it back.
 */
struct share {
	uint64_t runs, boxes, memory_bytes;
};

struct admission {
	struct share most, taken;
};

enum admitted {
	ADMITTED_YES,
	ADMITTED_LATER, /* when others have given back enough */
	ADMITTED_NEVER, /* it is more than there is */
	ADMITTED_COUNT_,
};

enum admitted admission_ask(const struct admission *a, const struct share *wanted);
/* In words, for what may be had @later or never: what it is that there is not enough of. */
const char *admission_scarce(const struct admission *a, const struct share *wanted);
/*
 * The same as a sentence with the figures: "512 MiB of memory were asked for: 100 MiB of 2 GiB are left
 * now". Returns @text.
 */
#define ADMISSION_TEXT 160
const char *admission_explain(
	const struct admission *a, const struct share *wanted, char text[ADMISSION_TEXT]);
void admission_take(struct admission *a, const struct share *share);
void admission_give_back(struct admission *a, const struct share *share);

/*
 * How much memory a run or box under @limits is promised. A limit that was asked for is: who says 4 GiB
 * means to use them. The built-in default is a fence around those who say nothing, not a promise.
 */
uint64_t admission_memory(const struct limits *limits);

#endif
