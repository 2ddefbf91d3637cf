/* SPDX-License-Identifier: MIT */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdint.h>

#define US_PER_SEC 1000000ull

/* CLOCK_MONOTONIC and CLOCK_REALTIME in microseconds. */
uint64_t time_monotonic_us(void);
uint64_t time_realtime_us(void);

#define TIME_TEXT_SIZE 32
/* "2024-05-17T08:30:00.123456Z" (RFC 3339, UTC) in @out of TIME_TEXT_SIZE bytes; returns @out. */
const char *time_format_rfc3339(uint64_t realtime_us, char *out);

#endif
