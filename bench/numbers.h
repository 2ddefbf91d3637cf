/* SPDX-License-Identifier: MIT */
#ifndef BENCH_NUMBERS_H
#define BENCH_NUMBERS_H

#include <stddef.h>

/* CLOCK_MONOTONIC in microseconds. */
double now_us(void);

/* The value below which the part @q (0…1) of the @n in @v is, interpolated. @v stays as it is. */
double quantile(const double *v, size_t n, double q);

/* The quantile of @v[i] / @base[i]: of ratios within rounds, where a slow moment falls on both. */
double paired_ratio(const double *v, const double *base, size_t n, double q);

/* A row of a table: name, p10, median, p90, and against @base (unless NULL) the ratio of each. */
void print_row(const char *name, const double *v, const double *base, size_t n);
/* The heading of such rows; @base is the name of what they are compared with, or NULL. */
void print_heading(const char *base);

/* "target: WHAT <= TARGET: met (VALUE)", or missed; with @at_least >=. */
void print_target(const char *what, double value, double target, int at_least);

#endif
