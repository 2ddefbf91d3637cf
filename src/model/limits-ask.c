/* SPDX-License-Identifier: MIT */
#include "model/limits.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/time.h"

/*
 * The range of each limit in words, and the least that makes sense where a person asks for it, which
 * is more than what the model takes (a memory limit of 12 bytes is a forgotten unit).
 */
static const struct range {
	uint64_t least;
	const char *least_text, *most_text;
	const char *why_not_less;
} ranges[LIMIT_COUNT_] = {
	[LIMIT_MEMORY] = {1 << 20, "1M", "8 EiB", "no program can start with less"},
	[LIMIT_SWAP] = {0, "0", "8 EiB"},
	[LIMIT_CPUS] = {10, "0.01", "8192"},
	[LIMIT_PIDS] = {1, "1", "4194304"},
	[LIMIT_TIMEOUT] = {1000, "1ms", "292 years", "nothing can run in less"},
	[LIMIT_CPU_TIME] = {1000, "1ms", "292 years", "nothing can run in less"},
	[LIMIT_IDLE_TIMEOUT] = {1000, "1ms", "292 years", "nothing can run in less"},
	[LIMIT_OUTPUT] = {0, "0", "8 EiB"},
	[LIMIT_FILE_SIZE] = {0, "0", "8 EiB"},
	[LIMIT_TMP_SIZE] = {4096, "4K", "8 EiB", "a page is the least that a file takes"},
	[LIMIT_NOFILE] = {4, "4", "2147483647", "a program needs three and one for its libraries"},
	[LIMIT_ADDRESS_SPACE] = {1 << 20, "1M", "8 EiB", "no program can start with less"},
};

static const char *unit_hint(enum limit limit)
{
	static const char *const hints[] = {
		[UNIT_BYTES] = "not a size, such as 64M, 2G, 1.5GiB",
		[UNIT_US] = "not a duration, such as 500ms, 30s, 5m, 1h30m",
		[UNIT_COUNT] = "not a whole number",
		[UNIT_MILLI_CPUS] = "not a number of CPUs, such as 2 or 0.5",
	};

	return hints[limit_unit(limit)];
}

__attribute__((format(printf, 2, 3))) static int say(
	char why[LIMIT_WHY_SIZE], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, LIMIT_WHY_SIZE, format, args);
	va_end(args);
	return -1;
}

int limit_ask(enum limit limit, const char *text, struct limit_value *ret, char why[LIMIT_WHY_SIZE])
{
	const struct range *range = &ranges[limit];
	struct limit_value parsed;

	if (limit_parse(limit, text, &parsed) < 0) {
		if (errno != ERANGE)
			return say(why, "%s", unit_hint(limit));
		return say(why, "must be from %s to %s, or 'unlimited'", range->least_text,
			range->most_text);
	}
	if (parsed.set && parsed.value < range->least)
		return say(why, "must be at least %s: %s", range->least_text, range->why_not_less);
	*ret = parsed;
	return 0;
}

#define GRACE_MOST_US (3600 * US_PER_SEC)

int grace_ask(const char *text, uint64_t *ret_us, char why[LIMIT_WHY_SIZE])
{
	uint64_t us;

	if (parse_duration(text, &us) < 0)
		return say(why, "%s", unit_hint(LIMIT_TIMEOUT));
	if (us > GRACE_MOST_US)
		return say(why, "more than 1h: what does not end in that time never will");
	*ret_us = us;
	return 0;
}
