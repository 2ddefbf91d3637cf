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

static uint64_t size_of(uint64_t wanted)
{
	uint64_t size = round_up(wanted);
	return size > SMALLEST ? size : SMALLEST;
}

static uint64_t base_of(uint64_t limit, uint64_t seen)
{
	return limit > seen ? limit : seen;
}

uint64_t suggest_count(uint64_t limit)
{
	return limit == 0 || limit > LARGEST / 2 ? 0 : round_up(limit + (limit + 1) / 2);
}

uint64_t suggest_size(uint64_t limit, uint64_t seen)
{
	uint64_t base = base_of(limit, seen);

	if (base == 0 || base > LARGEST / 2)
		return 0;
	return size_of(base + base / 2);
}

uint64_t suggest_memory(uint64_t limit, uint64_t peak, const struct usage *u)
{
	uint64_t base = base_of(limit, peak);
	const struct growth *g = &u->growth;

	if (!g->known || g->half_us == 0 || base == 0 || base > LARGEST / 4)
		return suggest_size(limit, peak);
	double ahead = (double)g->bytes / (double)g->half_us * (double)u->wall_us;
	if (ahead * 4 < (double)base)
		return size_of(base + base / 4);
	return size_of(ahead < 3.0 * (double)base ? base + (uint64_t)ahead : 4 * base);
}
