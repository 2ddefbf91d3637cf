/* SPDX-License-Identifier: MIT */
#include "model/timeline.h"

#include <assert.h>
#include <math.h>

#include "base/time.h"

#define STEADY_US       (10 * US_PER_SEC) /* so long the first interval stays */
#define INTERVAL_MAX_US (2 * US_PER_SEC) /* but for thinning */

/* What a rate of growth needs at least. */
#define GROWTH_MIN_US     US_PER_SEC
#define GROWTH_MIN_POINTS 5

const char *series_name(enum series s)
{
	static const char *const names[] = {
		[SERIES_MEMORY] = "memory_bytes",
		[SERIES_PIDS] = "pids",
		[SERIES_CPU] = "cpu_us",
		[SERIES_STALL_CPU] = "stalled_cpu_us",
		[SERIES_STALL_MEMORY] = "stalled_memory_us",
		[SERIES_STALL_IO] = "stalled_io_us",
	};
	static_assert(sizeof names / sizeof *names == SERIES_COUNT_, "each series has its name");

	return names[s];
}

/* ---- adding ---- */

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Two neighbours as one at the time of the second: peaks stay, and totals are those of then. */
static struct timeline_point merge(const struct timeline_point *a, const struct timeline_point *b)
{
	struct timeline_point both = *b;

	both.v[SERIES_MEMORY] = larger(a->v[SERIES_MEMORY], b->v[SERIES_MEMORY]);
	both.v[SERIES_PIDS] = larger(a->v[SERIES_PIDS], b->v[SERIES_PIDS]);
	return both;
}

static void thin(struct timeline *t)
{
	size_t kept = 0;

	t->floor_us = 2 * timeline_interval_us(t, t->v[t->n - 1].at_us);
	for (size_t i = 0; i + 1 < t->n; i += 2)
		t->v[kept++] = merge(&t->v[i], &t->v[i + 1]);
	t->n = kept;
}

void timeline_add(struct timeline *t, const struct timeline_point *point)
{
	static_assert(TIMELINE_MAX_POINTS % 2 == 0, "thinning leaves no point over");

	if (t->n > 0 && point->at_us <= t->v[t->n - 1].at_us)
		return;
	if (t->n == TIMELINE_MAX_POINTS)
		thin(t);
	t->v[t->n++] = *point;
}

uint64_t timeline_interval_us(const struct timeline *t, uint64_t at_us)
{
	uint64_t interval = TIMELINE_INTERVAL_US;

	for (uint64_t span = STEADY_US; span <= at_us && interval < INTERVAL_MAX_US; span *= 2)
		interval *= 2;
	if (interval > INTERVAL_MAX_US)
		interval = INTERVAL_MAX_US;
	return larger(interval, t->floor_us);
}

/* ---- growth ---- */

/* The last value of @s at @at_us or before; 0 before the first. */
static uint64_t value_at(const struct timeline *t, enum series s, uint64_t at_us)
{
	uint64_t value = 0;

	for (size_t i = 0; i < t->n && t->v[i].at_us <= at_us; i++)
		value = t->v[i].v[s];
	return value;
}

struct growth timeline_growth(const struct timeline *t, uint64_t wall_us, uint64_t peak_bytes)
{
	struct growth g = {.known = false};
	uint64_t half = value_at(t, SERIES_MEMORY, wall_us / 2);
	uint64_t limit = t->memory_limit_bytes;

	if (!timeline_knows(t, SERIES_MEMORY) || wall_us < GROWTH_MIN_US ||
		t->n < GROWTH_MIN_POINTS || peak_bytes == 0)
		return g;
	if (t->memory_limited && half >= limit - limit / 16)
		return g;
	g.known = true;
	g.half_us = wall_us - wall_us / 2;
	g.bytes = peak_bytes > half ? peak_bytes - half : 0;
	return g;
}

/* ---- plots ---- */

uint64_t timeline_end_us(const struct timeline *t, uint64_t wall_us)
{
	uint64_t last = t->n > 0 ? t->v[t->n - 1].at_us : 0;
	return larger(larger(wall_us, last), 1);
}

/* Between two points: what the series was. */
static double level(const struct timeline *t, enum series s, size_t i)
{
	const struct timeline_point *p = &t->v[i];
	uint64_t from_us = i > 0 ? t->v[i - 1].at_us : 0, from = i > 0 ? t->v[i - 1].v[s] : 0;

	if (!series_is_total(s))
		return (double)p->v[s];
	if (p->at_us <= from_us || p->v[s] <= from)
		return 0;
	return (double)(p->v[s] - from) / (double)(p->at_us - from_us);
}

/* The part from @from to @to: of points @i and on, each of which stands for the time before it. */
static double part(const struct timeline *t, enum series s, size_t *i, double from, double to)
{
	double most = 0, sum = 0, covered = 0;

	while (*i < t->n && (double)t->v[*i].at_us <= from)
		(*i)++;
	for (size_t k = *i; k < t->n; k++) {
		double begin = k > 0 ? (double)t->v[k - 1].at_us : 0, end = (double)t->v[k].at_us;
		double overlap = fmin(end, to) - fmax(begin, from), value = level(t, s, k);
		if (overlap <= 0)
			break;
		most = fmax(most, value);
		sum += value * overlap;
		covered += overlap;
	}
	if (covered <= 0)
		return NAN;
	return series_is_total(s) ? sum / covered : most;
}

void timeline_plot(const struct timeline *t, enum series s, uint64_t end_us, double *ret, size_t n)
{
	double width = (double)end_us / (double)n;
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		ret[i] = timeline_knows(t, s)
			? part(t, s, &at, (double)i * width, (double)(i + 1) * width)
			: NAN;
}
