/* SPDX-License-Identifier: MIT */
#include "model/suggest.h"

#define SMALLEST (1ull << 20)
/* Sizes are signed 64-bit numbers to the kernel. */
#define LARGEST (1ull << 62)

/* Up to four significant bits: 8, 9, … 15 times a power of two. */
static uint64_t round_up(uint64_t size)
{
	uint64_t step = 1;

	while (size / step >= 16)
		step *= 2;
	return (size + step - 1) / step * step;
}

uint64_t suggest_size(uint64_t limit, uint64_t seen)
{
	uint64_t base = limit > seen ? limit : seen;

	if (base == 0 || base > LARGEST / 2)
		return 0;
	uint64_t size = round_up(base + base / 2);
	return size > SMALLEST ? size : SMALLEST;
}
