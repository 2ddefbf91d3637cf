/* SPDX-License-Identifier: MIT */
#include "numbers.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static double *copy_of(const double *v, size_t n)
{
	double *copy = malloc(n * sizeof(*copy));
	if (!copy)
		exit(1);
	memcpy(copy, v, n * sizeof(*copy));
	return copy;
}

double quantile(const double *v, size_t n, double q)
{
	double *sorted = copy_of(v, n);
	qsort(sorted, n, sizeof(*sorted), compare);
	double at = q * (double)(n - 1);
	size_t i = (size_t)at;
	double r = sorted[i];
	if (i + 1 < n)
		r += (at - (double)i) * (sorted[i + 1] - sorted[i]);
	free(sorted);
	return r;
}

double paired_ratio(const double *v, const double *base, size_t n, double q)
{
	double *ratios = copy_of(v, n);
	for (size_t i = 0; i < n; i++)
		ratios[i] /= base[i];
	double r = quantile(ratios, n, q);
	free(ratios);
	return r;
}

void print_heading(const char *base)
{
	printf("  %-24s %9s %9s %9s", "us", "p10", "median", "p90");
	if (base)
		printf("   x %s (p10-p90)", base);
	printf("\n");
}

void print_row(const char *name, const double *v, const double *base, size_t n)
{
	printf("  %-24s %9.0f %9.0f %9.0f", name, quantile(v, n, 0.1), quantile(v, n, 0.5),
		quantile(v, n, 0.9));
	if (base)
		printf("   %.2f (%.2f-%.2f)", paired_ratio(v, base, n, 0.5),
			paired_ratio(v, base, n, 0.1), paired_ratio(v, base, n, 0.9));
	printf("\n");
}

void print_target(const char *what, double value, double target, int at_least)
{
	bool met = at_least ? value >= target : value <= target;
	printf("target: %s %s %.2f: %s (%.2f)\n", what, at_least ? ">=" : "<=", target,
		met ? "met" : "missed", value);
}
