/* SPDX-License-Identifier: MIT */
#include "model/timeline.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "model/facts.h"
#include "model/words.h"

/* A timeline for a terminal: a row of blocks for each series. */

/* Of its limit, from which on memory is shown as near to it, and as at it. */
#define NEAR 0.75
#define AT   0.95

struct picture {
	const struct timeline *t;
	const struct observation *o;
	struct plot_style style;
	struct arena *a;
	uint64_t end_us;
	struct buf out;
};

/* ---- one row ---- */

#define LEVELS 9 /* nothing, and eight heights */

static const char *block(struct plot_style style, int height)
{
	static const char *const blocks[LEVELS] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char *const ascii[LEVELS] = {" ", ".", ":", "-", "=", "+", "*", "#", "@"};

	return style.utf8 ? blocks[height] : ascii[height];
}

/* What is more than nothing is seen as something. */
static int height_of(double value, double top)
{
	if (isnan(value) || value <= 0 || !(top > 0))
		return 0;
	double height = ceil(value / top * (LEVELS - 1));
	return height > LEVELS - 1 ? LEVELS - 1 : (int)height;
}

static const char *color_of(double part)
{
	if (part >= AT)
		return "\033[31m";
	return part >= NEAR ? "\033[33m" : "";
}

struct row {
	const char *label;
	double v[PLOT_COLUMNS];
	double top; /* what a whole block is */
	bool limit; /* top is a limit */
	const char *text;
};

static void put_row(struct picture *p, const struct row *row)
{
	const char *on = "";

	buf_printf(&p->out, "  %-12s", row->label);
	for (size_t i = 0; i < PLOT_COLUMNS; i++) {
		const char *color =
			p->style.color && row->limit ? color_of(row->v[i] / row->top) : "";
		if (strcmp(color, on) != 0)
			buf_puts(&p->out, *color ? color : "\033[0m");
		on = color;
		buf_puts(&p->out, block(p->style, height_of(row->v[i], row->top)));
	}
	buf_printf(&p->out, "%s  %s\n", *on ? "\033[0m" : "", row->text);
}

static double most_of(const double *v)
{
	double most = 0;

	for (size_t i = 0; i < PLOT_COLUMNS; i++)
		most = fmax(most, v[i]); /* a NAN is never the larger one */
	return most;
}

/* ---- the rows ---- */

/* The kernel's own peak may be between two points. */
static uint64_t peak_of(const struct picture *p, double sampled)
{
	const struct usage *u = &p->o->usage;
	uint64_t most = plot_u64(sampled);

	return u->memory_peak_known && u->memory_peak_bytes > most ? u->memory_peak_bytes : most;
}

static void put_memory(struct picture *p)
{
	struct row row = {.label = "memory", .limit = p->t->memory_limited};

	if (!timeline_knows(p->t, SERIES_MEMORY))
		return;
	timeline_plot(p->t, SERIES_MEMORY, p->end_us, row.v, PLOT_COLUMNS);
	uint64_t peak = peak_of(p, most_of(row.v));
	row.top = row.limit ? (double)p->t->memory_limit_bytes : (double)peak;
	row.text = row.limit ? arena_printf(p->a, "peak %s of %s", words_size(p->a, peak),
				       words_size(p->a, p->t->memory_limit_bytes))
			     : arena_printf(p->a, "peak %s, no limit", words_size(p->a, peak));
	put_row(p, &row);
}

static void put_pids(struct picture *p)
{
	struct row row = {.label = "processes"};

	if (!timeline_knows(p->t, SERIES_PIDS))
		return;
	timeline_plot(p->t, SERIES_PIDS, p->end_us, row.v, PLOT_COLUMNS);
	row.top = most_of(row.v);
	row.text = p->t->pids_limited
		? arena_printf(p->a, "at most %.0f of %" PRIu64, row.top, p->t->pids_limit)
		: arena_printf(p->a, "at most %.0f", row.top);
	put_row(p, &row);
}

static void put_cpu(struct picture *p)
{
	const struct limit_value *cpus = &p->o->limits[LIMIT_CPUS].asked;
	struct row row = {.label = "cpus"};

	if (!timeline_knows(p->t, SERIES_CPU))
		return;
	timeline_plot(p->t, SERIES_CPU, p->end_us, row.v, PLOT_COLUMNS);
	double most = most_of(row.v);
	row.top = fmax(cpus->set ? (double)cpus->value / 1000 : 1, most);
	row.text = arena_printf(p->a, "at most %.2f", most);
	put_row(p, &row);
}

/* Only what was stalled: as a rule nothing is. */
static void put_stalls(struct picture *p)
{
	static const struct {
		enum series series;
		const char *label;
	} stalls[] = {
		{SERIES_STALL_MEMORY, "memory wait"},
		{SERIES_STALL_IO, "io wait"},
		{SERIES_STALL_CPU, "cpu wait"},
	};

	for (size_t i = 0; i < sizeof stalls / sizeof *stalls; i++) {
		struct row row = {.label = stalls[i].label, .top = 1};
		timeline_plot(p->t, stalls[i].series, p->end_us, row.v, PLOT_COLUMNS);
		double most = fmin(most_of(row.v), 1);
		if (most < 0.01)
			continue;
		row.text = arena_printf(p->a, "at most %.0f %% of the time", 100 * most);
		put_row(p, &row);
	}
}

/* Where bulkhead's own signals were sent: T and K for TERM and KILL, ! for others. */
static void put_signals(struct picture *p)
{
	char marks[PLOT_COLUMNS + 1];
	size_t n = p->o->n_acts < OBSERVATION_MAX_ACTS ? p->o->n_acts : OBSERVATION_MAX_ACTS;

	if (n == 0)
		return;
	memset(marks, ' ', PLOT_COLUMNS);
	marks[PLOT_COLUMNS] = '\0';
	for (size_t i = 0; i < n; i++) {
		const struct act *act = &p->o->acts[i];
		double part = (double)act->at_us / (double)p->end_us;
		size_t column = part < 1 ? (size_t)(part * PLOT_COLUMNS) : PLOT_COLUMNS - 1;
		marks[column] = act->signal == SIGTERM ? 'T' : act->signal == SIGKILL ? 'K' : '!';
	}
	const struct act *first = &p->o->acts[0];
	buf_printf(&p->out, "  %-12s%s  %s after %s\n", "signals", marks,
		words_signal(p->a, first->signal), words_duration(p->a, first->at_us));
}

static void put_axis(struct picture *p)
{
	const char *end = words_duration(p->a, p->end_us);
	size_t size = strlen(end);
	int gap = size < PLOT_COLUMNS - 1 ? (int)(PLOT_COLUMNS - 1 - size) : 1;

	buf_printf(&p->out, "  %-12s0%*s%s\n", "time", gap, "", end);
}

const char *timeline_format_text(const struct timeline *t, const struct observation *o,
	struct plot_style style, struct arena *a)
{
	struct picture p = {.t = t, .o = o, .style = style, .a = a, .out = BUF_INIT};

	if (t->n < 2)
		return "";
	p.end_us = timeline_end_us(t, o->usage.wall_us);
	put_memory(&p);
	put_cpu(&p);
	put_pids(&p);
	put_stalls(&p);
	put_signals(&p);
	put_axis(&p);
	const char *text = arena_strdup(a, buf_str(&p.out));
	buf_fini(&p.out);
	return text;
}
