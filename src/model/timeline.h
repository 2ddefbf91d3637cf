/* SPDX-License-Identifier: MIT */
#ifndef MODEL_TIMELINE_H
#define MODEL_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/observation.h"

/*
 * What a run used over its time, in points: every 100 ms for the first 10 s, then at intervals that
 * double as its time doubles, up to 2 s. When there is no room for more, neighbours become one and
 * the interval doubles for good: a run of a month has as many points as one of an hour.
 */
enum series {
	SERIES_MEMORY, /* bytes at that moment */
	SERIES_PIDS, /* processes and threads at that moment */
	SERIES_CPU, /* µs of CPU time since the start, as all that follow */
	SERIES_STALL_CPU, /* µs in which some of it waited for a CPU (PSI) */
	SERIES_STALL_MEMORY, /* … for memory */
	SERIES_STALL_IO, /* … for input or output */
	SERIES_COUNT_,
};

struct timeline_point {
	uint64_t at_us; /* since the start */
	uint64_t v[SERIES_COUNT_];
};

#define TIMELINE_MAX_POINTS  2000
#define TIMELINE_INTERVAL_US 100000

struct timeline {
	unsigned known; /* 1 << series for each that is counted here */
	uint64_t floor_us; /* no interval is shorter; 0 before the first thinning */
	bool memory_limited, pids_limited;
	uint64_t memory_limit_bytes, pids_limit;
	size_t n;
	struct timeline_point v[TIMELINE_MAX_POINTS]; /* in the order of time */
};

static inline bool timeline_knows(const struct timeline *t, enum series s)
{
	return (t->known & 1u << s) != 0;
}

/* True for what is counted from the start on, false for what is so much at a moment. */
static inline bool series_is_total(enum series s)
{
	return s >= SERIES_CPU;
}

/* The name of its member in the file: "memory_bytes", … */
const char *series_name(enum series s);

/* Add a point, which is later than the last one (one that is not is dropped). */
void timeline_add(struct timeline *t, const struct timeline_point *point);

/* How long after a point at @at_us the next one is due. */
uint64_t timeline_interval_us(const struct timeline *t, uint64_t at_us);

/*
 * How memory grew in the second half of the run, which took @wall_us and had its peak of @peak_bytes
 * at the end. Not known of a run too short for a rate, nor when it was at its limit all that time:
 * then the cache of files has filled it, and hides what grew.
 */
struct growth timeline_growth(const struct timeline *t, uint64_t wall_us, uint64_t peak_bytes);

/*
 * A series over @n equal parts of the time from 0 to @end_us, for a plot: the most of what is so much
 * at a moment; of a total its mean rise by µs (1.0: one CPU, or stalled all the time). NAN where
 * nothing is known.
 */
void timeline_plot(const struct timeline *t, enum series s, uint64_t end_us, double *ret, size_t n);

/* A value of a plot as an integer: never below 0 or above INT64_MAX. */
static inline uint64_t plot_u64(double value)
{
	return value >= 0x1p63 ? INT64_MAX : value > 0 ? (uint64_t)value : 0;
}

/* The time to plot: that of the run, or of the last point when that is not known (0). */
uint64_t timeline_end_us(const struct timeline *t, uint64_t wall_us);

/* ---- codec-timeline.c ---- */

/* Append it as timeline.jsonl has it: a line of its limits, then one for each point. */
void timeline_format(const struct timeline *t, struct buf *out);

/* The largest file that is looked at: far above what timeline_format() can make. */
#define TIMELINE_MAX_SIZE ((size_t)1 << 20)

/*
 * Read it back. Lines that are none of ours, points out of order and those beyond TIMELINE_MAX_POINTS are
 * left out. The number of such lines, a torn last one included.
 */
size_t timeline_parse(struct timeline *ret, const char *text, size_t size);

/* ---- timeline-text.c ---- */

#define PLOT_COLUMNS 40

struct plot_style {
	bool utf8; /* blocks, else ASCII */
	bool color; /* escapes where it comes near the limit */
};

/* Rows for a person, in the shape of verdict_format_text(); "" if there is too little to plot; in @a. */
const char *timeline_format_text(const struct timeline *t, const struct observation *o,
	struct plot_style style, struct arena *a);

#endif
