/* SPDX-License-Identifier: MIT */
#include "base/time.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static uint64_t clock_us(clockid_t clock)
{
	struct timespec ts;
	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * US_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t time_monotonic_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

uint64_t time_realtime_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

struct date {
	uint16_t year;
	uint8_t month, day;
};

/*
 * The date @days after 1970-01-01 and before the year 10000, in the proleptic Gregorian calendar.
 * Years are counted from March, so that the leap day is the last of its year and months have the
 * regular lengths 31, 30, 31, 30, 31 ….
 */
static struct date date_from_days(uint64_t days)
{
	const uint64_t days_per_era = 146097; /* 400 years */
	uint64_t since = days + 719468; /* since 0000-03-01 */
	uint64_t era = since / days_per_era;
	unsigned in_era = (unsigned)(since % days_per_era);
	unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * in_year + 2) / 153; /* 0 is March */
	return (struct date){
		.year = (uint16_t)(era * 400 + year + (month >= 10)),
		.month = (uint8_t)(month < 10 ? month + 3 : month - 9),
		.day = (uint8_t)(in_year - (153 * month + 2) / 5 + 1),
	};
}

const char *time_format_rfc3339(uint64_t realtime_us, char *out)
{
	const uint64_t last = 253402300799ull * US_PER_SEC + 999999; /* four digits for the year */
	if (realtime_us > last)
		realtime_us = last;
	/* Not gmtime_r(3): glibc reads the time zone database first. */
	uint64_t seconds = realtime_us / US_PER_SEC;
	struct date d = date_from_days(seconds / 86400);
	unsigned in_day = (unsigned)(seconds % 86400);
	snprintf(out, TIME_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ", d.year, d.month, d.day,
		in_day / 3600, in_day / 60 % 60, in_day % 60, (unsigned)(realtime_us % US_PER_SEC));
	return out;
}
