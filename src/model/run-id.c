/* SPDX-License-Identifier: MIT */
#include "model/run-id.h"

#include <assert.h>
#include <string.h>

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
static_assert(sizeof digits - 1 == 32, "five bits for each digit");
static_assert((RUN_ID_SIZE - 1) * 5 == 48 + 32, "the digits hold the time and the random bits");

void run_id_format(uint64_t realtime_ms, uint64_t random, char out[RUN_ID_SIZE])
{
	/* The 80 bits as two halves of 40: eight digits each. */
	uint64_t time = realtime_ms & ((1ull << 48) - 1);
	uint64_t halves[2] = {time >> 8, (time & 0xff) << 32 | (random & 0xffffffff)};
	for (unsigned i = 0; i < RUN_ID_SIZE - 1; i++)
		out[i] = digits[halves[i / 8] >> (35 - i % 8 * 5) & 31];
	out[RUN_ID_SIZE - 1] = '\0';
}

bool run_id_valid(const char *text)
{
	return text && strlen(text) == RUN_ID_SIZE - 1 && strspn(text, digits) == RUN_ID_SIZE - 1;
}
